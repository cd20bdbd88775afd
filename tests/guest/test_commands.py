# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands as a user types them, with the real QEMU and the bundled guest."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openvmi import images
from openvmi.errors import ExitCode
from openvmi.rom import parse

OPENVMI = [sys.executable, "-m", "openvmi"]


def openvmi(*words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*OPENVMI, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=timeout
    )


def test_demo_shows_all_boots_and_both_tables() -> None:
    done = openvmi("demo")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("init: userland") == 4
    for words in (
        "bare: no ROM",
        "the same kernel under the ROM",
        "active cpl 0",
        "active cpl 1",
        "time to userland",
        "geometric mean",
    ):
        assert words in done.stdout


def test_bare_run_boots_the_guest_under_native(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    done = openvmi("run", "--append", "-- check", "--json", str(file))
    data = json.loads(file.read_text())
    assert done.returncode == 0, done.stderr
    assert data["hypervisor"] == "native"
    assert data["rom"]["accepted"] is True
    assert {call["name"]: call["type"] for call in data["calls"]}["IRET"] == "JUMP_REL"
    assert sum(site["patched"] for site in data["sites"].values()) > 0
    assert not data["fails"]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ("exit=7", 7, "status 7"),
        ("panic", ExitCode.PANIC, "panicked"),
        ("silent", ExitCode.HARNESS, "without giving an exit status"),
        ("reboot", ExitCode.PANIC, "reset"),
        ("spin", ExitCode.TIMEOUT, "within 1 s"),
        ("segv", ExitCode.PANIC, "panicked"),
        ("frobnicate", ExitCode.USAGE, "unknown word or value: frobnicate"),
        ("exit=0 exit=x", ExitCode.USAGE, "unknown word or value: exit=x"),
        ("stop batches=", ExitCode.USAGE, "unknown word or value: batches="),
        ("bench=compute,comp", ExitCode.USAGE, "unknown word or value: bench=compute,comp"),
        ("bench=compute, stop", ExitCode.USAGE, "unknown word or value: bench=compute,"),
        ("-- stop", ExitCode.OK, ""),
    ],
)
def test_a_guest_that_fails_in_its_own_way(words: str, status: int, says: str) -> None:
    done = openvmi("run", "--append", f"-- {words}", "--timeout", "1" if words == "spin" else "30")
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_rom_that_the_guest_refuses_says_why(tmp_path: Path) -> None:
    image = bytearray(images.path("openvmi-native.rom").read_bytes())
    at = image.index(b"GPL\0")
    image[at : at + 3] = b"BSD"
    image[-1] = (image[-1] - sum(image)) % 256
    rom = tmp_path / "bsd.rom"
    rom.write_bytes(image)
    assert parse(bytes(image)).images
    done = openvmi("run", "--rom", str(rom), "--append", "-- stop", "--json", "-", "--quiet")
    assert done.returncode == 0
    assert "a guest refuses this ROM" in done.stderr
    assert "BSD" in done.stderr
    assert json.loads(done.stdout)["rom"]["state"] == "refused license BSD"


def test_bench_counts_instructions_and_repeats_exactly() -> None:
    done = openvmi("bench", "--only", "null-int80,compute", "--json", "-")
    data = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert set(data["columns"]) == {"none", "native"}
    for column in data["columns"].values():
        assert set(column["figures"]) == {"null-int80", "compute"}
        assert all(figure["spread"] == 0 for figure in column["figures"].values())


def test_bench_refuses_a_benchmark_that_there_is_not() -> None:
    done = openvmi("bench", "--only", "null-int80,frobnicate,nil")
    assert done.returncode == ExitCode.USAGE
    assert "no such benchmark: frobnicate, nil" in done.stderr
    assert "known: null-int80, null-sysenter," in done.stderr


def test_ctrl_a_x_ends_a_run_at_a_terminal() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*OPENVMI, "run", "--append", "-- spin"])
    seen = b""
    limit = time.monotonic() + 30
    while b"init: userland" not in seen and time.monotonic() < limit:
        seen += os.read(terminal, 4096)
    os.write(terminal, b"\x01x")
    while time.monotonic() < limit:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        time.sleep(0.02)
    else:
        os.kill(pid, signal.SIGKILL)
        pytest.fail("Ctrl-A x did not end the run")
    os.close(terminal)
    assert b"Ctrl-A x ends it" in seen
    assert os.waitstatus_to_exitcode(status) == ExitCode.INTERRUPTED
