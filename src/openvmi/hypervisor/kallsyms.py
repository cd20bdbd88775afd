# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux kernel's own symbol table, found in the guest's RAM and decoded (Linux scripts/kallsyms.c, 2.6.10 to 4.5).

The tables lie one behind the other, each aligned to 4 bytes, in the kernel's read-only data:

    addresses       u32 for each symbol, sorted
    num_syms        u32
    names           for each symbol a length byte, and as many indexes of tokens
    markers         u32: where in names each 256th symbol starts
    token_table     256 strings
    token_index     u16: where in token_table each starts

Nothing points to them that could be found without symbols; but digits are always tokens for themselves, so ten of them
stand in the token table in a row. From there everything is found backwards, and every step is checked against another
table. The guest is hostile: all sizes have limits, so that decoding takes a second at most.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_DIGITS: Final = b"".join(b"%d\0" % digit for digit in range(10))
_TOKENS: Final = 256
_LONGEST_TOKEN: Final = 64
_MOST_SYMBOLS: Final = 200_000
_MOST_NAMES: Final = 6 << 20
_LONGEST_NAME: Final = 128
_STEP: Final = 256
_MOST_HITS: Final = 8
_MOST_TRIES: Final = 4
_LONGEST_BLOCK: Final = _STEP * 256
_CODE: Final = frozenset(b"tTwW")


class _Tokens(NamedTuple):
    start: int
    texts: tuple[bytes, ...]


class _Names(NamedTuple):
    start: int
    end: int
    number: int


def find_kallsyms(memory: bytes) -> list[tuple[int, str]]:
    """Return address and name of each symbol of code in the first table that ``memory`` holds whole; or nothing.

    Args:
        memory: physical memory that the kernel's image lies in, as it is there. Whatever it holds, nothing is raised.
    """
    at = -1
    for _ in range(_MOST_HITS):
        at = memory.find(_DIGITS, at + 1)
        if at < 0:
            break
        tokens = _tokens(memory, at)
        found = [] if tokens is None else _symbols(memory, tokens)
        if found:
            return found
    return []


def _tokens(memory: bytes, digit: int) -> _Tokens | None:
    """Return the token table that has its entry for "0" at ``digit``, if the index behind it agrees."""
    start = digit
    for _ in range(ord("0")):
        start = memory.rfind(b"\0", max(0, start - 1 - _LONGEST_TOKEN), start - 1) + 1
        if start <= 0:
            return None
    end = start
    texts, offsets = [], []
    for _ in range(_TOKENS):
        stop = memory.find(b"\0", end, end + _LONGEST_TOKEN)
        if stop < 0:
            return None
        offsets.append(end - start)
        texts.append(memory[end:stop])
        end = stop + 1
    index = _align(end)
    if start % 4 or memory[index : index + 2 * _TOKENS] != struct.pack(f"<{_TOKENS}H", *offsets):
        return None
    return _Tokens(start, tuple(texts))


def _align(offset: int) -> int:
    return -(-offset // 4) * 4


def _u32(memory: bytes, at: int) -> int:
    return int.from_bytes(memory[at : at + 4], "little")


def _markers(memory: bytes, end: int) -> list[int]:
    """Return the markers that end at ``end``: going up from 0."""
    found = [_u32(memory, end - 4)] if end >= 4 else [0]
    while found[-1] and found[-1] < _MOST_NAMES and len(found) <= _MOST_SYMBOLS // _STEP:
        at = end - 4 * (len(found) + 1)
        if at < 0 or _u32(memory, at) >= found[-1]:
            return []
        found.append(_u32(memory, at))
    return found[::-1] if not found[-1] else []


def _symbols(memory: bytes, tokens: _Tokens) -> list[tuple[int, str]]:
    markers = _markers(memory, tokens.start)
    if not markers:
        return []
    end = tokens.start - 4 * len(markers)  # of the names, and what fills them up to 4 bytes
    low, high = _STEP * (len(markers) - 1) + 1, _STEP * len(markers)
    last = end - markers[-1]
    tries = 0
    for names in range(last, max(4, last - _LONGEST_BLOCK), -1):
        count = _u32(memory, names - 4) if names % 4 == 0 else 0
        if low <= count <= high and names >= 4 + 4 * count and tries < _MOST_TRIES:
            tries += 1
            found = _decode(memory, _Names(names, end, count), markers, tokens)
            if found:
                return found
    return []


def _decode(memory: bytes, place: _Names, markers: list[int], tokens: _Tokens) -> list[tuple[int, str]]:
    addresses = struct.unpack_from(f"<{place.number}I", memory, place.start - 4 - 4 * place.number)
    offsets = _offsets(memory, place, markers)
    if not offsets or any(map(int.__gt__, addresses, addresses[1:])):
        return []
    texts = tokens.texts
    found = []
    for address, at in zip(addresses, offsets, strict=True):
        name = b"".join([texts[token] for token in memory[at + 1 : at + 1 + memory[at]]])
        if name and name[0] in _CODE and len(name) <= _LONGEST_NAME:
            found.append((address, name[1:].decode("ascii", "replace")))
    return found


def _offsets(memory: bytes, place: _Names, markers: list[int]) -> list[int]:
    """Return where each name starts; nothing if one is not where the markers say, or the last not at the end."""
    found, at = [], place.start
    for number in range(place.number):
        if at >= place.end or (number % _STEP == 0 and at - place.start != markers[number // _STEP]):
            return []
        found.append(at)
        at += 1 + memory[at]
    return found if at <= place.end < at + 4 else []
