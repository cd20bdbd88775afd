# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the symbols that a Linux kernel carries for its own use, where the file's symbol table was stripped.

Source: Linux 2.6 scripts/kallsyms.c. In read-only data, each part 4-byte aligned: addresses, their number, the names
as counted strings of tokens, one marker for every 256 names, 256 tokens as strings, and the tokens' offsets. Only the
last part is recognised by itself; the others are found going back from it, and everything has to agree.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from .model import Section, Symbol

_DIGITS = b"".join(b"%d\0" % digit for digit in range(10))
_ZERO = ord("0")
_TOKENS = 256
_TABLE_MAX = 16 << 10
_NAMES_MAX = 4 << 20
_SYMBOLS_MAX = 1 << 18
_PER_MARKER = 256
_CODE_TYPES = frozenset("tTwW")
_TRIES = 16


def find_kallsyms(section: Section) -> list[Symbol]:
    """Return the symbols of code that ``section`` carries, and two for their table; empty if it has none."""
    data = section.data
    at = -1
    for _ in range(_TRIES):
        at = data.find(_DIGITS, at + 1)
        if at < 0:
            break
        for start, tokens in _tokens(data, at):
            symbols = _before(data, start, tokens)
            if symbols:
                return _shifted(symbols, section.address)
    return []


def _shifted(symbols: list[Symbol], base: int) -> list[Symbol]:
    """Return ``symbols`` with those of the table, which were found as offsets, at addresses."""
    return [replace(s, address=s.address + base) if s.kind == "object" else s for s in symbols]


def _tokens(data: bytes, digits: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield where the table of tokens may begin whose digits are at ``digits``, and the tokens."""
    low = max(0, digits - _TABLE_MAX)
    start, left = digits, _ZERO
    while left and start > low:
        start = data.rfind(b"\0", low, start - 1) + 1
        left -= 1
    # before the first token are the padding zeros of the markers, or a marker's last byte
    for first in range(start, start - 4, -1):
        tokens = data[first : first + _TABLE_MAX].split(b"\0", _TOKENS)[:_TOKENS]
        end = first + sum(len(token) + 1 for token in tokens)
        if len(tokens) == _TOKENS and _index_agrees(data, -(-end // 4) * 4, tokens) and first % 4 == 0:
            yield first, tokens


def _index_agrees(data: bytes, at: int, tokens: list[bytes]) -> bool:
    if at + 2 * _TOKENS > len(data):
        return False
    offset = 0
    for token, said in zip(tokens, struct.unpack_from(f"<{_TOKENS}H", data, at), strict=True):
        if said != offset:
            return False
        offset += len(token) + 1
    return True


def _before(data: bytes, end: int, tokens: list[bytes]) -> list[Symbol]:
    """Return the symbols whose markers end at ``end``."""
    markers: list[int] = []
    at = end
    while at >= 4 and len(markers) < _SYMBOLS_MAX // _PER_MARKER:
        at -= 4
        value = int.from_bytes(data[at : at + 4], "little")
        if (markers and value >= markers[0]) or value > _NAMES_MAX:
            break
        markers.insert(0, value)
        if value == 0:
            break
    if not markers or markers[0]:
        return []
    # the last marker's 256 names are at most 33,000 bytes long
    last = at - markers[-1]
    for names in range(last // 4 * 4, max(4, last - (33 << 10)), -4):
        count = int.from_bytes(data[names - 4 : names], "little")
        if -(-count // _PER_MARKER) == len(markers) and names - 4 - 4 * count >= 0:
            symbols = _expand(data, names, at, count, markers, tokens)
            if symbols:
                return symbols
    return []


def _expand(  # noqa: PLR0913, PLR0917 - the parts of the table
    data: bytes, names: int, end: int, count: int, markers: list[int], tokens: list[bytes]
) -> list[Symbol]:
    """Return the symbols if everything agrees."""
    addresses = struct.unpack_from(f"<{count}I", data, names - 4 - 4 * count)
    if any(other < one for one, other in pairwise(addresses)):
        return []
    at, found = names, []
    for number, address in enumerate(addresses):
        if number % _PER_MARKER == 0 and at - names != markers[number // _PER_MARKER]:
            return []
        length = data[at]
        if at + 1 + length > end:
            return []
        text = b"".join(tokens[token] for token in data[at + 1 : at + 1 + length]).decode("ascii", "replace")
        at += 1 + length
        if text[:1] in _CODE_TYPES:
            found.append(Symbol(address, 0, "label", text[1:]))
    table = names - 4 - 4 * count
    found += [
        Symbol(table, 4 * count, "object", "kallsyms_addresses"),
        Symbol(names - 4, 4, "object", "kallsyms_num_syms"),
    ]
    return found if end - at < 4 else []
