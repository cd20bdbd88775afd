# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows that what runs is what ran before: hashes of the kernel's code in memory, and of all that decides on calls.

Where the code lies is taken from the kernel's file: the section ``.text`` of an ELF, or of the ELF that a bzImage
unpacks (boot protocol 2.08, Linux Documentation/x86/boot.txt). Later kernels' relocation is not looked for.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ..abi import wire
from ..abi.wire import WireHeader
from ..errors import UsageError
from .link import Link
from .memory import PhysicalMemory
from .sites import restore

_UNPACKED: Final = 64 << 20
_PIECE: Final = 1 << 16  # copied at once, while the brain waits for the interpreter
_LOOKS: Final = 8  # a guest may change its code all the time
_HEADERS: Final = 4096
_LOAD = 1
_EXECUTABLE = 4
_MODES: Final = (WireHeader.OFFSETS["modes"], wire.WIRE_CALLS)
_PATHS: Final = (WireHeader.OFFSETS["paths"], wire.WIRE_CALLS)
_RANGE: Final = (WireHeader.OFFSETS["trace_low"], 8)
_HOLD: Final = (WireHeader.OFFSETS["hold"], 4)
_CODE: Final = (wire.WIRE_CODE_OFFSET, wire.WIRE_GDTS_OFFSET - wire.WIRE_CODE_OFFSET)  # and the hole's page tables
# Through these pages, one for each CPU, the payload last wrote to a call site.
_WINDOW: Final = wire.WIRE_WINDOWS_OFFSET >> 12
_WINDOWS: Final = (
    (wire.WIRE_TABLES_OFFSET + 4 * _WINDOW, 4 * wire.WIRE_CPUS_MAX),
    (wire.WIRE_TABLES_PAE_OFFSET + 8 * _WINDOW, 8 * wire.WIRE_CPUS_MAX),
)
_SETTLED: Final = bytes(value & ~wire.WIRE_MODE_WORK for value in range(256))


class Range(NamedTuple):
    """Bytes of guest-physical memory: the first one's ``address``, and ``size``."""

    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """SHA-256, in hexadecimal.

    Args:
        text: of the kernel's code as it is in guest memory; empty when it is not known where that is.
        dispatch: of everything that decides what becomes of a call: the payload's code, the hole's page tables, and
            for each call its path and its mode.
    """

    text: str
    dispatch: str


def take(link: Link, ram: PhysicalMemory, text: Range | None) -> Fingerprint:
    """Return the fingerprint of a machine as it is now; the guest runs on meanwhile."""
    code = bytearray(_bytes(link, _CODE))
    for start, size in _WINDOWS:
        code[start - _CODE[0] : start - _CODE[0] + size] = bytes(size)
    dispatch = hashlib.sha256(code)
    # whether there is work left at call sites shows in the modes, and is none of what was chosen
    dispatch.update(_bytes(link, _MODES).translate(_SETTLED))
    for place in (_PATHS, _RANGE, _HOLD):
        dispatch.update(_bytes(link, place))
    return Fingerprint("" if text is None else _hash(link, ram, text), dispatch.hexdigest())


def _bytes(link: Link, place: tuple[int, int]) -> bytes:
    return link.bytes[place[0] : place[0] + place[1]].tobytes()


def _hash(link: Link, ram: PhysicalMemory, text: Range) -> str:
    """Hash the kernel's code, with the sites that the payload switches as the kernel's own patcher left them.

    A CPU may be at work on a site, whose bytes do not change at once for who looks on: so again, until it is the same.
    """
    code = bytearray()
    try:
        for _ in range(_LOOKS):
            before, code = code, _code(link, ram, text)
            if code == before:
                break
    except UsageError:
        return ""  # the file says what the machine has no memory for
    return hashlib.sha256(code).hexdigest()


def _code(link: Link, ram: PhysicalMemory, text: Range) -> bytearray:
    code = bytearray()
    for start in range(0, text.size, _PIECE):
        code += ram.read(text.address + start, min(_PIECE, text.size - start))
    restore(code, text.address + link.low_base, link.sites(), link.stubs)
    return code


def find_text(kernel: Path) -> Range | None:
    """Return where the code of ``kernel`` lies once it is loaded; None when its file does not tell.

    The file may be anything: what makes no sense is not there.
    """
    try:
        data = kernel.read_bytes()
    except OSError:
        return None
    try:
        return _elf_text(data if data.startswith(b"\x7fELF") else _unpack(data))
    except (struct.error, ValueError, IndexError, EOFError, OSError):
        return None


def _unpack(image: bytes) -> bytes:
    """Return the ELF in a bzImage (boot.txt: setup_sects, payload_offset, payload_length)."""
    import bz2  # noqa: PLC0415 - only for a Linux whose hash is wanted
    import lzma  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    (version,) = struct.unpack_from("<H", image, 0x206)
    if image[0x202:0x206] != b"HdrS" or version < 0x208:
        return b""
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = ((image[0x1F1] or 4) + 1) * 512 + offset
    packed = image[start : start + length]
    try:
        if packed.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(31).decompress(packed, _UNPACKED)
        if packed.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(packed, _UNPACKED)
        return lzma.LZMADecompressor(memlimit=1 << 28).decompress(packed, _UNPACKED)
    except (zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"{error}") from error


def _elf_text(data: bytes) -> Range | None:
    """Return the physical range of ``.text`` of a 32-bit ELF (System V ABI, gABI 4)."""
    if data[:6] != b"\x7fELF\x01\x01":
        return None
    segments, sections, _, _, size_of_segment, count, size_of_section, section_count, names = struct.unpack_from(
        "<IIIHHHHHH", data, 28
    )
    loads = list(_loads(data, segments, size_of_segment, min(count, _HEADERS)))
    rows = [
        struct.unpack_from("<IIIIII", data, sections + number * size_of_section)
        for number in range(min(section_count, _HEADERS))
    ]
    strings = rows[names][4]
    for name, _, flags, address, _, size in rows:
        label = data[strings + name : strings + name + 6]
        if label == b".text\0" and flags & _EXECUTABLE and size:
            for linear, physical, length in loads:
                if linear <= address and address + size <= linear + length:
                    return Range(address - linear + physical, size)
    return None


def _loads(data: bytes, offset: int, size: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Yield the linear address, physical address and size of each segment that is loaded."""
    for number in range(count):
        kind, _, linear, physical, _, length = struct.unpack_from("<IIIIII", data, offset + number * size)
        if kind == _LOAD:
            yield linear, physical, length
