# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux bzImage files. Source: the kernel's Documentation/x86/boot.txt ("The Linux/x86 Boot Protocol")."""

from __future__ import annotations

import struct

from ..errors import InputError
from .kernel import KernelFile, KernelInfo

# Offsets of the setup header's fields, and the protocol version that brought each (boot.txt, "The real-mode header").
_SETUP_SECTS = 0x1F1
_SYSSIZE = 0x1F4
_VERSION = 0x206
_KERNEL_VERSION = 0x20E
_INITRD_ADDR_MAX = (0x22C, 0x203)
_XLOADFLAGS = (0x236, 0x20C)
_CMDLINE_SIZE = (0x238, 0x206)
_PAYLOAD = (0x248, 0x208)
_PREF_ADDRESS = (0x258, 0x20A)
_INIT_SIZE = (0x260, 0x20A)

_SECTOR = 512
_LOAD_ADDRESS = 0x100000
_OLDEST = 0x202  # first with a command line pointer; 2.4.0 is older than any VMI kernel
_LONG_MODE = b"\xb9\x80\x00\x00\xc0"  # mov ecx, MSR_EFER
_XLF_KERNEL_64 = 1
_HEAD_CODE = 4096


def inspect_bzimage(file: KernelFile) -> KernelInfo:
    """Return what the setup header of ``file`` says.

    Raises:
        InputError: too old, truncated, or for 64-bit CPUs.
    """
    version = _field(file, "<H", _VERSION)
    if version < _OLDEST:
        raise InputError(f"boot protocol {_dotted(version)} is too old", where=file.path)
    setup = ((_field(file, "<B", _SETUP_SECTS) or 4) + 1) * _SECTOR
    _refuse_truncated(file, setup)
    if _is_64_bit(file, version, setup):
        raise InputError(
            "a 64-bit kernel, and this is a 32-bit machine", where=file.path, help="give a kernel built for i386"
        )
    return KernelInfo(
        path=file.path,
        kind="bzImage",
        version=_kernel_version(file, setup),
        needs=_needs(file, version, setup),
        initrd_limit=_since(file, "<I", _INITRD_ADDR_MAX, version, 0x37FFFFFF),
        append_limit=_since(file, "<I", _CMDLINE_SIZE, version, 255),
    )


def _field(file: KernelFile, form: str, offset: int) -> int:
    size = struct.calcsize(form)
    if offset + size > len(file.head):
        raise InputError("a truncated bzImage: it ends in its setup header", where=file.path)
    value: int = struct.unpack_from(form, file.head, offset)[0]
    return value


def _since(file: KernelFile, form: str, place: tuple[int, int], version: int, default: int) -> int:
    offset, first = place
    return _field(file, form, offset) if version >= first else default


def _system_size(file: KernelFile) -> int:
    """Size of the protected-mode part in bytes, as the header has it: up to 15 too many before 2.6.26."""
    return _field(file, "<I", _SYSSIZE) * 16


def _refuse_truncated(file: KernelFile, setup: int) -> None:
    expected = setup + _system_size(file)
    if file.size + 15 < expected:
        raise InputError(
            f"a truncated bzImage: {file.size} bytes, and its header announces {expected}", where=file.path
        )


def _is_64_bit(file: KernelFile, version: int, setup: int) -> bool:
    """Say whether the kernel enters long mode.

    Protocol 2.12 (Linux 3.8) has a flag for it. Before, the code that unpacks the kernel tells: on 64-bit ones it
    turns on EFER.LME (arch/x86/boot/compressed/head_64.S), on 32-bit ones it never touches EFER.
    """
    offset, first = _XLOADFLAGS
    if version >= first:
        return bool(_field(file, "<H", offset) & _XLF_KERNEL_64)
    return _LONG_MODE in file.read(setup, _HEAD_CODE)


def _needs(file: KernelFile, version: int, setup: int) -> int:
    init_size = _since(file, "<I", _INIT_SIZE, version, 0)
    if init_size:
        return max(_since(file, "<Q", _PREF_ADDRESS, version, 0), _LOAD_ADDRESS) + init_size
    return _LOAD_ADDRESS + max(_system_size(file), _unpacked_size(file, version, setup))


def _unpacked_size(file: KernelFile, version: int, setup: int) -> int:
    """Size of the unpacked kernel in bytes, from the trailer of its gzip payload; 0 when the file does not tell."""
    offset, first = _PAYLOAD
    if version < first:
        return 0
    start, length = setup + _field(file, "<I", offset), _field(file, "<I", offset + 4)
    trailer = file.read(start + length - 4, 4)
    if length < 18 or len(trailer) < 4 or file.read(start, 2) != b"\x1f\x8b":
        return 0
    size = int.from_bytes(trailer, "little")
    # a lying or multi-part trailer must not refuse a kernel that would boot
    return size if length <= size <= 32 * length else 0


def _kernel_version(file: KernelFile, setup: int) -> str:
    offset = _field(file, "<H", _KERNEL_VERSION) + 0x200
    if offset in {0, 0x200} or offset >= setup:
        return ""
    text = file.read(offset, 128).split(b"\0", 1)[0]
    return text.decode("ascii", "replace").strip()


def _dotted(version: int) -> str:
    return f"{version >> 8}.{version & 0xFF:02}"
