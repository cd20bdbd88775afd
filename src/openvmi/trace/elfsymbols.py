# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the symbols of code in a 32-bit ELF file, in time and memory that the file can't choose.

A reader of its own, because pyelftools takes 20 s for a million symbols, and any time for names that never end. Source:
System V ABI, chapter 4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..errors import InputError

MAX_SECTIONS = 4096
_HEADER = 52
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<IIIBBH")
_SYMBOL_TABLES = frozenset((2, 11))  # SHT_SYMTAB, SHT_DYNSYM
_EXECUTABLE = 4  # SHF_EXECINSTR
_NOTYPE, _FUNC = 0, 2
_NO_FUNCTION = (b".L", b"__crc_", b"__ksym")


def elf_symbols(data: bytes, longest: int) -> Iterator[tuple[int, str]]:
    """Yield address and name of each symbol that may be code; assembler entries have no type, and no size.

    Args:
        data: the file; one that is not 32-bit and little-endian has none.
        longest: bytes of a name; what has more is left out.

    Raises:
        InputError: its tables are not in the file.
    """
    if len(data) < _HEADER or data[4:6] != b"\1\1":
        return
    sections = _sections(data)
    code = {index for index, section in enumerate(sections) if section[2] & _EXECUTABLE}
    for section in sections:
        if section[1] in _SYMBOL_TABLES and section[6] < len(sections):
            yield from _named(data, section, sections[section[6]], code, longest)
    for index in code:  # last: what begins where another section ends is that symbol's
        if sections[index][3]:
            yield sections[index][3] + sections[index][5], "_etext"


def _sections(data: bytes) -> list[tuple[int, ...]]:
    offset: int = struct.unpack_from("<I", data, 32)[0]
    size, count = struct.unpack_from("<HH", data, 46)
    if count > MAX_SECTIONS or (count and size != _SECTION.size) or offset + count * _SECTION.size > len(data):
        raise InputError("a broken ELF: no room for its section headers")
    return list(_SECTION.iter_unpack(data[offset : offset + count * _SECTION.size]))


def _named(
    data: bytes, table: tuple[int, ...], names: tuple[int, ...], code: set[int], longest: int
) -> Iterator[tuple[int, str]]:
    content = memoryview(data)[table[4] : table[4] + table[5]]
    first, last = names[4], min(names[4] + names[5], len(data))
    for name, value, _, info, _, section in _SYMBOL.iter_unpack(content[: len(content) // _SYMBOL.size * _SYMBOL.size]):
        kind, start = info & 15, first + name
        if section not in code or kind not in {_NOTYPE, _FUNC} or start >= last:
            yield value, ""  # counted, and left out
            continue
        end = data.find(b"\0", start, min(start + longest + 1, last))
        text = data[start:end] if end >= 0 else b""
        yield value, "" if kind == _NOTYPE and text.startswith(_NO_FUNCTION) else text.decode("utf-8", "replace")
