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
# With more, QEMU leaves less below 4 GiB (see low_memory): 3 GiB.
_MOST_MIB = 0xE0000000 // MIB - 1
_MOST_WITH_GAP_MIB = 0xC0000000 // MIB


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
    _check_console(config)
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
            help=_enough(kernel.needs),
        )
    if config.initrd is None:
        return
    size = file_size(config.initrd, "initrd")
    _check_module_name(config.initrd, kernel)
    if size > config.memory:
        raise UsageError(
            f"an initrd of {size} bytes is larger than the memory of {config.memory_mib} MiB",
            where=os.fspath(config.initrd),
            help=_enough(kernel.needs + size + _TOP_RESERVED + _PAGE),
        )
    top = min(room - _TOP_RESERVED, kernel.initrd_limit + 1)
    if kernel.needs + size + _PAGE > top:
        raise UsageError(
            f"no room for kernel and initrd ({size} bytes) in {config.memory_mib} MiB",
            where=os.fspath(config.initrd),
            help=_enough(kernel.needs + size + _TOP_RESERVED + _PAGE)
            if top < kernel.initrd_limit
            else f"this kernel takes an initrd only below {kernel.initrd_limit:#x}",
        )


def _check_append(config: MachineConfig, kernel: KernelInfo) -> None:
    length = len(os.fsencode(config.append))
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


def _check_module_name(path: StrPath, kernel: KernelInfo) -> None:
    """QEMU takes a multiboot kernel's initrd for a list of modules with arguments (QEMU hw/i386/multiboot.c)."""
    if kernel.kind == "multiboot" and {" ", ","} & set(os.fspath(path)):
        raise UsageError(
            "the initrd of a multiboot kernel can't have blanks or commas in its path",
            where=os.fspath(path),
            help="give a link to it, in another directory if need be",
        )


def _check_console(config: MachineConfig) -> None:
    """Refuse to write the console over what the machine is made of."""
    if config.console_log is None or not os.path.exists(config.console_log):  # noqa: PTH110
        return
    initrd = () if config.initrd is None else (config.initrd,)
    for path in (config.kernel, *initrd, *config.option_roms, *(drive.path for drive in config.drives)):
        if os.path.samefile(path, config.console_log):  # noqa: PTH121
            raise UsageError(
                "the console would be written over one of the machine's own files", where=os.fspath(config.console_log)
            )


def _enough(size: int) -> str:
    """Say how much memory has ``size`` bytes below 4 GiB."""
    mib = -(-size // MIB)
    if mib > _MOST_MIB:
        return f"no amount of memory is enough: at most {_MOST_MIB} MiB lie below 4 GiB"
    return f"give at least {mib} MiB" + (f", and at most {_MOST_MIB}" if mib > _MOST_WITH_GAP_MIB else "")
