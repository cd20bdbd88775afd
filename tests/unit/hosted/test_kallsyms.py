# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux's own symbol table: what is written as scripts/kallsyms.c writes it is read back, and lies are refused."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openvmi.hypervisor.kallsyms import find_kallsyms

PLAIN = {ord(char): char.encode() for char in "0123456789abcdefghijklmnopqrstuvwxyzT_"}
SHORT = {1: b"sys_", 2: b"Tsys_", 3: b"_lock", 200: b"read"}
SYMBOLS = [(0xC1000000 + 16 * n, f"sys_read{n}_lock") for n in range(700)]


def aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def encode(name: str) -> bytes:
    out, text = bytearray(), name.encode()
    tokens = sorted((SHORT | PLAIN).items(), key=lambda item: -len(item[1]))
    while text:
        number, token = next(item for item in tokens if text.startswith(item[1]))
        out.append(number)
        text = text[len(token) :]
    return bytes((len(out),)) + bytes(out)


def tables(symbols: list[tuple[int, str]]) -> bytes:
    """Return the tables for ``symbols``, all of type T."""
    names, markers = b"", []
    for number, (_, name) in enumerate(symbols):
        if number % 256 == 0:
            markers.append(len(names))
        names += encode("T" + name)
    texts = [(SHORT | PLAIN).get(number, b"") for number in range(256)]
    offsets = [sum(len(text) + 1 for text in texts[:number]) for number in range(256)]
    return b"".join(
        (
            struct.pack(f"<{len(symbols)}I", *(address for address, _ in symbols)),
            struct.pack("<I", len(symbols)),
            aligned(names),
            struct.pack(f"<{len(markers)}I", *markers),
            aligned(b"".join(text + b"\0" for text in texts)),
            struct.pack("<256H", *offsets),
        )
    )


@pytest.mark.parametrize("count", [1, 255, 256, 257, 512, 700])
def test_round_trip(count: int) -> None:
    memory = b"\x90" * 4096 + tables(SYMBOLS[:count]) + bytes(1000)
    assert find_kallsyms(memory) == SYMBOLS[:count]


def test_a_broken_copy_before_the_true_one_is_passed_over() -> None:
    good = tables(SYMBOLS)
    broken = good[:-2] + b"\xff\xff"
    assert find_kallsyms(b"\x90" * 64 + broken + b"\x90" * 64 + good) == SYMBOLS


@pytest.mark.parametrize("what", ["unsorted", "count", "marker", "cut"])
def test_tables_that_contradict_each_other_are_refused(what: str) -> None:
    good = bytearray(tables(SYMBOLS))
    at = 4 * len(SYMBOLS)
    if what == "unsorted":
        good[0:4] = b"\xff" * 4
    elif what == "count":
        good[at : at + 4] = struct.pack("<I", 690)
    elif what == "marker":
        second = sum(len(encode("T" + name)) for _, name in SYMBOLS[:256])
        good[good.index(struct.pack("<II", 0, second)) + 4] ^= 1
    assert find_kallsyms(bytes(good[8:] if what == "cut" else good)) == []


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20000), st.binary(min_size=1, max_size=4)), max_size=6), st.binary(max_size=64)
)
def test_damage_never_raises_and_never_invents(patches: list[tuple[int, bytes]], head: bytes) -> None:
    memory = bytearray(aligned(head) + tables(SYMBOLS))
    for at, data in patches:
        memory[at : at + len(data)] = data
    for _, name in find_kallsyms(bytes(memory)):
        assert len(name) < 128


def test_a_hostile_memory_is_done_with_soon() -> None:
    digits = b"".join(b"%d\0" % digit for digit in range(10))
    began = time.monotonic()
    assert find_kallsyms(digits * 200_000) == []
    assert find_kallsyms((tables(SYMBOLS)[:-4] + bytes(4)) * 50) == []
    assert time.monotonic() - began < 10
