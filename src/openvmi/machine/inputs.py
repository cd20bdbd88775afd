# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything about a configuration that can be found wrong before QEMU starts."""

from __future__ import annotations

import os

from ..errors import InputError, UsageError
from .config import MIB, MachineConfig, StrPath
from .kernel import KernelInfo, file_size, inspect_kernel

ROM_WINDOW = 0x20000
# QEMU puts ROMs of its own into the same window: the loader of -kernel (2 KiB) and the TPR patcher (10 KiB).
ROM_WINDOW_RESERVED = 0x3000
_ROM_ALIGN = 2048
# QEMU keeps the top of RAM below 4 GiB for ACPI tables and never puts an initrd there.
_TOP_RESERVED = 256 * 1024
_PAGE = 4096


def check_inputs(config: MachineConfig) -> KernelInfo:
    """Check every file and size in ``config``, and return what its kernel is.

    Raises:
        InputError: a file is missing, unreadable or not what it has to be.
        UsageError: the parts don't fit together.
    """
    kernel = inspect_kernel(config.kernel)
    _check_memory(config, kernel)
    _check_append(config, kernel)
    _check_roms(config)
    for drive in config.drives:
        _check_drive(drive.path, file_size(drive.path, "disk image"))
    return kernel


def low_memory(size: int) -> int:
    """Return how many of ``size`` bytes of RAM lie below 4 GiB on QEMU's i440fx PC.

    All of it, up to 3.5 GiB; from there on 3 GiB (QEMU hw/i386/pc_piix.c, ``pc_init1``).
    """
    return size if size < 0xE0000000 else 0xC0000000


def _check_memory(config: MachineConfig, kernel: KernelInfo) -> None:
    room = low_memory(config.memory)
    if kernel.needs > room:
        raise UsageError(
            f"{config.memory_mib} MiB of memory are too small for this kernel",
            where=os.fspath(config.kernel),
            help=f"give at least {_mib(kernel.needs)} MiB",
        )
    if config.initrd is None:
        return
    size = file_size(config.initrd, "initrd")
    if size > config.memory:
        raise UsageError(
            f"an initrd of {size} bytes is larger than the memory of {config.memory_mib} MiB",
            where=os.fspath(config.initrd),
            help=f"give at least {_mib(kernel.needs + size + _TOP_RESERVED)} MiB",
        )
    top = min(room - _TOP_RESERVED, kernel.initrd_limit + 1)
    if kernel.needs + size + _PAGE > top:
        raise UsageError(
            f"no room for kernel and initrd ({size} bytes) in {config.memory_mib} MiB",
            where=os.fspath(config.initrd),
            help=f"give at least {_mib(kernel.needs + size + _TOP_RESERVED + _PAGE)} MiB"
            if top < kernel.initrd_limit
            else f"this kernel takes an initrd only below {kernel.initrd_limit:#x}",
        )


def _check_append(config: MachineConfig, kernel: KernelInfo) -> None:
    length = len(config.append.encode())
    if length > kernel.append_limit:
        raise UsageError(
            f"the command line has {length} bytes, and this kernel takes {kernel.append_limit}",
            where=os.fspath(config.kernel),
        )


def _check_roms(config: MachineConfig) -> None:
    used = 0
    for path in config.option_roms:
        size = file_size(path, "option ROM")
        if size > ROM_WINDOW - ROM_WINDOW_RESERVED:
            raise InputError(
                f"too large for an option ROM: {size} bytes, and the window at 0xc0000 has "
                f"{ROM_WINDOW - ROM_WINDOW_RESERVED}",
                where=os.fspath(path),
            )
        _check_rom_image(path)
        used += -(-size // _ROM_ALIGN) * _ROM_ALIGN
    if used > ROM_WINDOW - ROM_WINDOW_RESERVED:
        raise UsageError(f"the option ROMs need {used} bytes together, too many for the window at 0xc0000")


def _check_rom_image(path: StrPath) -> None:
    """Refuse what the BIOS would pass over in silence (PCI Firmware Specification 3.0, section 5.1)."""
    where = os.fspath(path)
    with open(path, "rb") as file:  # noqa: PTH123 - as in config.StrPath
        image = file.read()
    if image[:2] != b"\x55\xaa" or len(image) < 3:
        raise InputError("not an option ROM: it does not begin with 55 AA", where=where)
    length = image[2] * 512
    if length == 0 or length > len(image):
        raise InputError(f"not a whole option ROM: its header says {length} bytes, it has {len(image)}", where=where)
    if sum(image[:length]) % 256:
        raise InputError("an option ROM with a wrong checksum, which the BIOS would pass over", where=where)


def _check_drive(path: StrPath, size: int) -> None:
    if size % 512:
        raise InputError(f"a raw disk image has whole sectors of 512 bytes, not {size} bytes", where=os.fspath(path))


def _mib(size: int) -> int:
    return -(-size // MIB)
