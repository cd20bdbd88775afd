# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Gets the kernel out of a bzImage, in bounded time and memory.

Source: the kernel's Documentation/x86/boot.txt, "payload_offset"; before protocol 2.08 the payload is searched for.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable
from typing import Protocol

from ...errors import InputError

MAX_UNPACKED = 64 << 20
"""The most that a payload may unpack to, in bytes; 32-bit kernels have a tenth of it."""

_LZMA_MEMORY = 128 << 20
_BOOT_FLAG, _HEADER_MAGIC, _VERSION, _SETUP_SECTORS, _PAYLOAD = 0x1FE, 0x202, 0x206, 0x1F1, 0x248
_SECTOR = 512
_PAYLOAD_SINCE = 0x208
_HELP = "give the vmlinux that the build left beside it"


class _Unpacker(Protocol):
    """What Python's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _gzip() -> _Unpacker:
    return zlib.decompressobj(31)  # a gzip header, and the largest window


def _lzma() -> _Unpacker:
    return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)


_PACKERS: dict[bytes, tuple[str, Callable[[], _Unpacker] | None]] = {
    b"\x1f\x8b\x08": ("gzip", _gzip),
    b"BZh": ("bzip2", bz2.BZ2Decompressor),
    b"\xfd7zXZ\x00": ("xz", _lzma),
    b"\x5d\x00\x00": ("lzma", _lzma),
    b"\x89LZO\x00": ("lzo", None),
    b"\x02\x21\x4c\x18": ("lz4", None),
    b"\x28\xb5\x2f\xfd": ("zstd", None),
}
_ELF = b"\x7fELF"


def is_bzimage(head: bytes) -> bool:
    """Tell whether a file that begins with ``head`` (at least 1 KiB of it) is a Linux boot image."""
    return head[_BOOT_FLAG : _BOOT_FLAG + 2] == b"\x55\xaa" and head[_HEADER_MAGIC : _HEADER_MAGIC + 4] == b"HdrS"


def unpack_bzimage(data: bytes) -> bytes:
    """Return the kernel that a bzImage carries: an ELF file, or before Linux 2.6.26 a bare memory image.

    Args:
        data: the file.

    Raises:
        InputError: truncated or damaged, unpacking to too much, or packed in a way that Python can't undo.
    """
    if len(data) < _PAYLOAD + 8:
        raise InputError("a truncated bzImage: it ends in its setup header")
    version: int = struct.unpack_from("<H", data, _VERSION)[0]
    start = ((data[_SETUP_SECTORS] or 4) + 1) * _SECTOR
    if version < _PAYLOAD_SINCE:
        return unpack(data[_search(data, start) :])
    offset, length = struct.unpack_from("<II", data, _PAYLOAD)
    if length == 0 or start + offset + length > len(data):
        raise InputError("a truncated bzImage: its payload is not all there")
    return unpack(data[start + offset : start + offset + length])


def _search(data: bytes, start: int) -> int:
    found = data.find(b"\x1f\x8b\x08", start)
    if found < 0:
        raise InputError("no payload found in this bzImage", help=_HELP)
    return found


def unpack(data: bytes) -> bytes:
    """Return what the compressed ``data`` unpacks to; an ELF file as it is.

    Raises:
        InputError: as :func:`unpack_bzimage`.
    """
    if data.startswith(_ELF):
        return data
    name, packer = next((entry for magic, entry in _PACKERS.items() if data.startswith(magic)), ("", None))
    if packer is None:
        what = f"a payload packed with {name}, which Python can't unpack" if name else "an unknown kind of payload"
        raise InputError(what, help=_HELP)
    try:
        unpacker = packer()
        content = unpacker.decompress(data, MAX_UNPACKED + 1)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, MemoryError) as error:
        raise InputError(f"a damaged {name} payload: {error}") from error
    if len(content) > MAX_UNPACKED:
        raise InputError(f"a payload that unpacks to more than {MAX_UNPACKED >> 20} MiB: no 32-bit kernel")
    if not unpacker.eof:
        raise InputError(f"a truncated {name} payload")
    return content
