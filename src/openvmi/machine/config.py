# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine is made of: the record that everything else in this package reads."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import UsageError

TYPE_CHECKING = False  # typing takes some milliseconds to import
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

# A path in any form. Nothing before QEMU's start imports pathlib: 3 ms of the time to the guest's first instruction.
StrPath = str | os.PathLike[str]

MIB = 1 << 20
ACCELERATORS = ("auto", "tcg", "kvm")
PAGING_MODES = ("any", "legacy", "pae")
MEMORY_MIN_MIB = 4
MEMORY_MAX_MIB = 65536
CPUS_MAX = 64
_PAGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A disk: a raw file on virtio-blk.

    Args:
        path: the file; any size that is a multiple of 512 bytes.
        read_only: the guest can't write to it.
    """

    path: StrPath
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """A network card: virtio-net on QEMU's user-mode network (needs no root).

    Args:
        forward: host ports on 127.0.0.1 to guest TCP ports, as (host, guest) pairs.
        outside: the guest may reach the world; otherwise only the forwarded ports work.
    """

    forward: tuple[tuple[int, int], ...] = ()
    outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDevice:
    """A PCI device whose second memory BAR (number 2, 64 bits) is memory shared with this process.

    It stands at 00:1e.1 with no function 0 beside it, so neither BIOS nor a guest's PCI scan finds it: who wants it has
    to look at every function, and gives it its address. Vendor 1AF4, device 1110 (QEMU's ivshmem-plain).

    Args:
        size: bytes, a power of two of at least 4 KiB.
        wake_port: I/O port at which each byte that the guest writes makes :attr:`Machine.wake` readable; 0 for none.
    """

    size: int
    wake_port: int = 0

    def __post_init__(self) -> None:
        if self.size < _PAGE or self.size & (self.size - 1):
            raise UsageError("shared device memory must be a power of two of at least 4096 bytes", where=str(self.size))
        _in_range("wake port", self.wake_port, 0, 0xFFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineConfig:
    """A PC, before it is switched on.

    Args:
        kernel: bzImage, or multiboot 1 kernel (:func:`openvmi.machine.inspect_kernel`).
        initrd: initial ramdisk, or the multiboot kernel's first module.
        append: kernel command line.
        memory_mib: guest RAM in MiB, 4 to 65536.
        cpus: virtual CPUs, 1 to 64, each a socket of its own.
        cpu_model: QEMU's name of the CPU; ``qemu32`` has PAE, PSE, PGE, SEP, SSE2 and an APIC, and no long mode.
        option_roms: PCI option ROM images, placed by the BIOS at 0xC0000-0xDFFFF.
        drives: disks.
        nics: network cards; none unless asked for.
        accel: ``auto``, ``tcg`` or ``kvm``.
        paging: what the guest needs from KVM: ``legacy`` or ``pae`` paging, or ``any`` when not known.
        icount: count instructions, so that the guest's clocks and every figure repeat exactly; means TCG.
        share_memory: back guest RAM by a memfd, which :attr:`openvmi.machine.Machine.ram` maps.
        shared_device: a device with memory of its own, which :attr:`openvmi.machine.Machine.shared` maps.
        timeout: wall-clock limit in seconds from the start of QEMU, more than 0.
        exit_grace: seconds that a guest has to power off after its ``exit`` or ``panic`` line, 0 or more.
        expect_report: the guest must speak on the result channel; powering off without a word is then a failure.
        console_log: file for the console; otherwise a temporary one, kept when the machine fails.
        keep_log: keep the temporary log even when all went well.
        qemu: QEMU's binary; otherwise found (:func:`openvmi.machine.find_qemu`).
        extra_args: passed to QEMU as they are, last.

    Raises:
        UsageError: a number or name is out of its range, or something is not of its kind.
    """

    kernel: StrPath
    initrd: StrPath | None = None
    append: str = ""
    memory_mib: int = 128
    cpus: int = 1
    cpu_model: str = "qemu32"
    option_roms: tuple[StrPath, ...] = ()
    drives: tuple[Drive, ...] = ()
    nics: tuple[Nic, ...] = ()
    accel: str = "auto"
    paging: str = "any"
    icount: bool = False
    share_memory: bool = False
    shared_device: SharedDevice | None = None
    timeout: float = 60.0
    exit_grace: float = 2.0
    expect_report: bool = False
    console_log: StrPath | None = None
    keep_log: bool = False
    qemu: StrPath | None = None
    extra_args: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_words()
        _in_range("memory in MiB", self.memory_mib, MEMORY_MIN_MIB, MEMORY_MAX_MIB)
        _in_range("number of CPUs", self.cpus, 1, CPUS_MAX)
        _one_of("accelerator", self.accel, ACCELERATORS)
        _one_of("paging mode", self.paging, PAGING_MODES)
        _seconds("time limit", self.timeout)
        _seconds("time to power off", self.exit_grace)
        if self.timeout == 0:
            raise UsageError("the time limit must be above 0 seconds", where=str(self.timeout))

    def _check_words(self) -> None:
        for name in ("append", "cpu_model", "accel", "paging"):
            _word(name, getattr(self, name), paths=False)
        for name in ("kernel", "initrd", "console_log", "qemu"):
            path = getattr(self, name)
            if path is not None or name == "kernel":
                _word(name, path)
        for drive in _tuple("drives", self.drives, Drive):
            _word("drives", drive.path)
        for path in _tuple("option_roms", self.option_roms, str | os.PathLike):
            _word("option_roms", path)
        for word in _tuple("extra_args", self.extra_args, str):
            _word("extra_args", word, paths=False)
        _tuple("nics", self.nics, Nic)

    @property
    def memory(self) -> int:
        """Guest RAM in bytes."""
        return self.memory_mib * MIB


def _word(name: str, value: object, *, paths: bool = True) -> None:
    """Refuse what can't be an argument of a program; file names that are not UTF-8 can (PEP 383)."""
    if not isinstance(value, str) and not (paths and isinstance(value, os.PathLike)):
        raise UsageError(f"not text, but {type(value).__name__}", where=name)
    try:
        encoded = os.fsencode(value)
    except UnicodeError as error:
        raise UsageError("this text can't be encoded", where=name) from error
    if b"\0" in encoded:
        raise UsageError("it can't hold a zero byte", where=name)


def _tuple(name: str, values: tuple[T, ...], kind: object) -> tuple[T, ...]:
    if not isinstance(values, tuple | list) or not all(isinstance(value, kind) for value in values):  # type: ignore[arg-type] # a class or a union
        raise UsageError("not a tuple of what it has to hold", where=name)
    return values


def _seconds(name: str, value: float) -> None:
    # written so that a NaN is refused as well
    if not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise UsageError(f"the {name} must be a number of seconds", where=str(value))


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name} must be from {low} to {high}", where=str(value))


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"unknown {name}", where=value, help=f"one of {', '.join(allowed)}")
