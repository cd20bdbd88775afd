# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux under a load that checks itself, with two disks and a network: how it is built, run, and what it says."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from openvmi.boot import Request, configure
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.ring.stats import shadows
from openvmi.hypervisor.session import Session
from openvmi.initrd import linux_initrd
from openvmi.machine import Drive, Machine, MachineConfig, Nic

HERE = Path(__file__).resolve().parent
_SOURCES = ("main.c", "work.c", "io.c")
_TARGET = ("-target", "x86-linux-musl", "-mcpu=pentium4", "-static", "-O2", "-s", "-fno-sanitize=all")
_MIB = 1 << 20
_DISK, _RAW = 96 * _MIB, 64 * _MIB
_NEXT = bytes((byte + 1) % 256 for byte in range(256))
_SAID = re.compile(r"^(?:unit \d+:|SOAKED|FAIL) .*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of it.

    Attributes:
        said: the lines of the load, and the sum of what is on the second disk then.
        powered_off: the guest switched itself off.
        shadows: the monitor's counters; empty without one.
        lost: calls and records.
        seconds: of the machine's life.
    """

    said: str
    powered_off: bool
    shadows: dict[str, int]
    lost: int
    seconds: float


def build(folder: Path) -> Path:
    """Compile the load, and return an initial RAM file system that holds it alone."""
    program = folder / "soak"
    sources = [HERE / name for name in _SOURCES]
    compiler = (sys.executable, "-m", "ziglang", "cc", *_TARGET, "-Wall", "-Wno-unused-result")
    subprocess.run([*compiler, "-o", str(program), *map(str, sources)], check=True)
    initrd = folder / "soak.cpio"
    initrd.write_bytes(linux_initrd({"init": program.read_bytes()}))
    return initrd


def soak(kernel: Path, hypervisor: str, initrd: Path, folder: Path, **words: int) -> Soaked:
    """Run the load and return what came of it.

    Args:
        kernel: bzImage.
        hypervisor: ``ring``, or ``none``.
        initrd: from :func:`build`.
        folder: where the disks go.
        words: ``units``, ``cpus``, ``memory``, and ``limit`` in seconds.
    """
    disks = [folder / "disk", folder / "raw"]
    for disk, size in zip(disks, (_DISK, _RAW), strict=True):
        disk.unlink(missing_ok=True)
        disk.touch()
        with disk.open("r+b") as file:
            file.truncate(size)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-O", "none", "-I", "256", str(disks[0])], check=True)
    with _host() as port:
        request = Request(
            kernel=str(kernel),
            hypervisor=hypervisor,
            initrd=initrd,
            append=f"quiet soak={words['units']},{port}",
            cpus=words["cpus"],
            memory_mib=words["memory"],
            timeout=words["limit"],
            accel="tcg",
        )
        drives, nics = tuple(Drive(path=disk) for disk in disks), (Nic(outside=True),)
        found = _run(replace(configure(request), drives=drives, nics=nics), hypervisor)
    return replace(found, said=f"{found.said}\ndisk {hashlib.sha256(disks[1].read_bytes()).hexdigest()}\n")


def _run(config: MachineConfig, hypervisor: str) -> Soaked:
    console: list[bytes] = []
    began = time.monotonic()
    if hypervisor == "ring":
        with Session(Ring(), config, machine={"console_sink": console.append}) as session:
            outcome = session.wait()
            losses = session.link.losses()
            counted, lost = shadows(session.link), losses.upcalls + losses.records
    else:
        with Machine(config, console_sink=console.append) as machine:
            outcome = machine.wait()
        counted, lost = {}, 0
    said = "\n".join(_SAID.findall(b"".join(console).decode("latin-1").replace("\r", "")))
    return Soaked(said, outcome.how.name == "POWERED_OFF", counted, lost, time.monotonic() - began)


@contextlib.contextmanager
def _host() -> Iterator[int]:
    """Answer each byte with the next one, on a port of the host's that guests reach at 10.0.2.2."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed
        while True:
            client, _ = server.accept()
            threading.Thread(target=_answer, args=(client,), daemon=True).start()


def _answer(client: socket.socket) -> None:
    with client, client.makefile("rb") as sent, contextlib.suppress(OSError):
        while head := sent.read(4):
            client.sendall(sent.read(int.from_bytes(head, "little") - 4).translate(_NEXT))
