# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a linked 32-bit x86 ELF file: what is in memory, and the symbols. Trusts nothing that it reads.

A reader of its own, because a kernel's 15,000 symbols take pyelftools a second. Source: System V ABI, chapters 4 and 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

from ...errors import InputError
from .model import Kernel, Section, Symbol

MAX_IMAGE = 32 << 20
"""The most bytes of sections in memory that are read, and the most of names; 32-bit kernels have a third of it."""
MAX_SYMBOLS = 1 << 18
MAX_SECTIONS = 4096

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SECTION = struct.Struct("<10I")
_SEGMENT = struct.Struct("<8I")
_SYMBOL = struct.Struct("<IIIBBH")

_EM_386 = 3
_ET_EXEC, _ET_DYN = 2, 3
_SHT_PROGBITS, _SHT_SYMTAB, _SHT_NOBITS = 1, 2, 8
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4
_PT_LOAD = 1
_PF_X = 1
_KINDS = {0: "label", 1: "object", 2: "func"}
_NAME_LIMIT = 256
_ADDRESSES = 1 << 32


def read_elf(data: bytes | memoryview, origin: str = "an ELF file") -> Kernel:
    """Return the kernel that the ELF file ``data`` holds.

    Args:
        data: the file; a view of a mapped one is copied only where it matters.
        origin: what to say of it.

    Raises:
        InputError: not ELF, not for i386, not linked, truncated, or with headers that contradict each other.
    """
    if bytes(data[:4]) != b"\x7fELF":
        raise InputError("not an ELF file")
    if len(data) < _HEADER.size:
        raise InputError("a truncated ELF file: it ends in its header")
    header = _HEADER.unpack_from(data)
    _refuse_foreign(header[0], header[1], header[2])
    segments = list(_table(data, _SEGMENT, header[5], header[9], header[10], "program headers"))
    headers = list(_table(data, _SECTION, header[6], header[11], header[12], "section headers"))
    sections = _sections(data, headers, header[13]) if headers else _loaded(data, segments)
    if not any(section.code for section in sections):
        raise InputError("an ELF file without code")
    symbols = _symbols(data, headers, sections) if headers else ()
    entry = _entry(header[4], segments, sections)
    return Kernel(sections, symbols, entry, entry - header[4] if entry is not None else 0, origin)


def _refuse_foreign(ident: bytes, kind: int, machine: int) -> None:
    if ident[4] != 1 or ident[5] != 1:
        raise InputError("not a 32-bit little-endian ELF file", help="VMI is for i386 kernels: give one built for it")
    if machine != _EM_386:
        raise InputError(f"an ELF file for another architecture (machine {machine})")
    if kind not in {_ET_EXEC, _ET_DYN}:
        raise InputError("an ELF file that is not linked yet", help="give the linked kernel, vmlinux")


def _table(  # noqa: PLR0913, PLR0917 - a table as the header gives it
    data: bytes | memoryview, form: struct.Struct, offset: int, size: int, count: int, what: str
) -> Iterator[tuple[int, ...]]:
    if count == 0 or offset == 0:
        return
    if count > MAX_SECTIONS:
        raise InputError(f"more than {MAX_SECTIONS} {what}: no kernel")
    if size != form.size or offset + size * count > len(data):
        raise InputError(f"a damaged ELF file: no room for its {what}")
    yield from form.iter_unpack(bytes(data[offset : offset + size * count]))


def _piece(data: bytes | memoryview, offset: int, size: int, what: str) -> bytes:
    if offset + size > len(data):
        raise InputError(f"a truncated ELF file: {what} is not all there")
    return bytes(data[offset : offset + size])


def _sections(data: bytes | memoryview, headers: list[tuple[int, ...]], names_index: int) -> tuple[Section, ...]:
    names = b""
    if names_index < len(headers):
        _, _, _, _, offset, size, *_ = headers[names_index]
        names = _piece(data, offset, min(size, MAX_IMAGE), "the table of section names")
    found, total = [], 0
    for name, kind, flags, address, offset, size, *_ in headers:
        if not flags & _SHF_ALLOC or kind == _SHT_NOBITS or size == 0:
            continue
        total += size
        label = _string(names, name)
        if total > MAX_IMAGE or address + size > _ADDRESSES:
            raise InputError(f"a damaged ELF file: section {label} is impossibly large")
        content = _piece(data, offset, size, f"section {label}")
        # notes share a segment with code, and its flag, though nobody runs them
        found.append(
            Section(
                label,
                address,
                content,
                kind == _SHT_PROGBITS and bool(flags & _SHF_EXECINSTR),
                bool(flags & _SHF_WRITE),
            )
        )
    return _in_order(found)


def _loaded(data: bytes | memoryview, segments: list[tuple[int, ...]]) -> tuple[Section, ...]:
    """Return the segments of a file without section headers, as sections."""
    found, total = [], 0
    for index, (kind, offset, address, _, size, _, flags, _) in enumerate(segments):
        if kind != _PT_LOAD or size == 0:
            continue
        total += size
        if total > MAX_IMAGE or address + size > _ADDRESSES:
            raise InputError(f"a damaged ELF file: segment {index} is impossibly large")
        content = _piece(data, offset, size, f"segment {index}")
        found.append(Section(f"segment {index}", address, content, bool(flags & _PF_X)))
    return _in_order(found)


def _in_order(sections: list[Section]) -> tuple[Section, ...]:
    ordered = sorted(sections, key=lambda section: section.address)
    for one, other in pairwise(ordered):
        if other.address < one.end:
            raise InputError(f"a damaged ELF file: {one.name} and {other.name} overlap")
    return tuple(ordered)


def _symbols(
    data: bytes | memoryview, headers: list[tuple[int, ...]], sections: tuple[Section, ...]
) -> tuple[Symbol, ...]:
    table = next((header for header in headers if header[1] == _SHT_SYMTAB), None)
    if table is None:
        return ()
    _, _, _, _, offset, size, link, *_ = table
    if size > MAX_SYMBOLS * _SYMBOL.size or link >= len(headers) or headers[link][5] > MAX_IMAGE:
        raise InputError("a damaged ELF file: its symbol table is impossible")
    raw = _piece(data, offset, size - size % _SYMBOL.size, "the symbol table")
    names = _piece(data, headers[link][4], headers[link][5], "the table of symbol names")
    inside = [_is_read(header, sections) for header in headers]
    found = [
        Symbol(value, length, _KINDS[info & 15], _string(names, name))
        for name, value, length, info, _, index in _SYMBOL.iter_unpack(raw)
        if info & 15 in _KINDS and index < len(inside) and inside[index]
    ]
    return tuple(sorted(found, key=lambda symbol: symbol.address))


def _is_read(header: tuple[int, ...], sections: tuple[Section, ...]) -> bool:
    """Tell whether the section of ``header`` is in memory; one of zeros is, though it was not read."""
    return bool(header[2] & _SHF_ALLOC) and (header[1] == _SHT_NOBITS or bool(sections))


def _string(table: bytes, offset: int) -> str:
    if offset >= len(table):
        return ""
    end = table.find(b"\0", offset, offset + _NAME_LIMIT)
    return table[offset : end if end >= 0 else offset + _NAME_LIMIT].decode("utf-8", "replace")


def _entry(entry: int, segments: list[tuple[int, ...]], sections: tuple[Section, ...]) -> int | None:
    """Return the entry as a linear address: a kernel is entered with paging off, where it was loaded."""
    linear = [
        address + entry - physical
        for kind, _, address, physical, size, *_ in segments
        if kind == _PT_LOAD and physical <= entry < physical + size
    ]
    for candidate in (*linear, entry):
        if any(section.code and section.address <= candidate < section.end for section in sections):
            return candidate
    return None
