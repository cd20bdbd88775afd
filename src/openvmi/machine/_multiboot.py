# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Multiboot 1 kernels. Source: the Multiboot Specification, version 0.6.96, section 3.1."""

from __future__ import annotations

import struct

from ..errors import InputError
from .kernel import KernelFile, KernelInfo

_MAGIC = 0x1BADB002
_SEARCH = 8192
_HEADER_SIZE = 12
_HAS_ADDRESSES = 1 << 16
_ADDRESSES_SIZE = 32

_EM_386 = 3
_PT_LOAD = 1
_PHENTSIZE = 32
_FOUR_GIB = 1 << 32
_APPEND_LIMIT = 4096  # QEMU and the specification have none; one page is what kernels copy


def find_header(head: bytes) -> int | None:
    """Return the offset of the multiboot header in ``head``, or None.

    It is 4-byte aligned, within the first 8192 bytes, and its first three words add up to zero.
    """
    end = min(len(head), _SEARCH) - _HEADER_SIZE
    for offset in range(0, end + 1, 4):
        magic, flags, checksum = struct.unpack_from("<III", head, offset)
        if magic == _MAGIC and (magic + flags + checksum) % _FOUR_GIB == 0:
            return offset
    return None


def inspect_multiboot(file: KernelFile, header: int) -> KernelInfo:
    """Return where ``file`` wants to be loaded.

    Args:
        file: the kernel.
        header: offset of its multiboot header, from :func:`find_header`.

    Raises:
        InputError: 64-bit, of another architecture, or truncated.
    """
    flags = struct.unpack_from("<I", file.head, header + 4)[0]
    needs = _end_by_addresses(file, header) if flags & _HAS_ADDRESSES else _end_by_elf(file)
    return KernelInfo(
        path=file.path,
        kind="multiboot",
        version="",
        needs=needs,
        initrd_limit=_FOUR_GIB - 1,
        append_limit=_APPEND_LIMIT,
    )


def _end_by_addresses(file: KernelFile, header: int) -> int:
    if header + _ADDRESSES_SIZE > len(file.head):
        raise InputError("a truncated multiboot kernel: it ends in its header", where=file.path)
    at, load, load_end, bss_end = struct.unpack_from("<IIII", file.head, header + _HEADER_SIZE)
    start = header - (at - load)
    if at < load or start < 0:
        raise InputError("the multiboot header's load addresses are impossible", where=file.path)
    end: int = load_end or load + file.size - start
    if start + end - load > file.size:
        raise InputError("a truncated multiboot kernel: it ends before its load address does", where=file.path)
    return max(end, int(bss_end))


def _end_by_elf(file: KernelFile) -> int:
    _refuse_foreign_elf(file)
    if len(file.head) < 52:
        raise InputError("a truncated ELF file", where=file.path)
    offset, entry_size, count = struct.unpack_from("<I", file.head, 28) + struct.unpack_from("<HH", file.head, 42)
    table = file.read(offset, _PHENTSIZE * count)
    if entry_size != _PHENTSIZE or len(table) < _PHENTSIZE * count:
        raise InputError("a truncated ELF file: no room for its program headers", where=file.path)
    ends = [_segment_end(file, table, index) for index in range(count)]
    if not any(ends):
        raise InputError("an ELF file with nothing to load", where=file.path)
    return max(ends)


def _refuse_foreign_elf(file: KernelFile) -> None:
    if file.head[:4] != b"\x7fELF":
        raise InputError("a multiboot header without load addresses, in a file that is not ELF", where=file.path)
    if file.head[4:5] == b"\x02":
        raise InputError(
            "a 64-bit ELF kernel, and this is a 32-bit machine",
            where=file.path,
            help="build it for i386 (ELF class 32)",
        )
    machine = int.from_bytes(file.head[18:20], "little")
    if file.head[4:6] != b"\x01\x01" or machine != _EM_386:
        raise InputError(f"an ELF kernel for another architecture (machine {machine})", where=file.path)


def _segment_end(file: KernelFile, table: bytes, index: int) -> int:
    kind, offset, _vaddr, paddr, filesz, memsz, _flags, _align = struct.unpack_from("<8I", table, index * _PHENTSIZE)
    if kind != _PT_LOAD:
        return 0
    if offset + filesz > file.size:
        raise InputError(
            f"a truncated ELF kernel: {file.size} bytes, and segment {index} ends at {offset + filesz}",
            where=file.path,
        )
    return int(paddr + max(memsz, filesz))
