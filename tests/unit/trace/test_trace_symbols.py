# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Symbols: three sources, the same functions; hostile files."""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openvmi.abi import Call
from openvmi.errors import InputError
from openvmi.trace import Filter, SymbolTable, load_symbols, parse_where
from openvmi.trace.event import NOWHERE, pack
from openvmi.trace.symbols import MAX_SYMBOLS, NO_CALLER, parse_symbols
from openvmi.trace.tally import count

from .builders import SYSTEM_MAP, elf, event, symbols


def test_system_map_and_kallsyms_and_elf_agree(tmp_path: Path) -> None:
    kallsyms = SYSTEM_MAP.replace("\n", "\t[mod]\n")
    names = [("do_fork", 0xC1001000, 2), ("schedule", 0xC1002000, 0), ("an_object", 0xC1002500, 1)]
    (tmp_path / "vmlinux").write_bytes(elf(names))
    tables = [symbols(), parse_symbols(kallsyms.encode()), load_symbols(tmp_path / "vmlinux")]
    for table in tables:
        assert str(table.find(0xC1001010)) == "do_fork+0x10"
        assert table.function(0xC1002001) == "schedule"
    assert "an_object" not in [name for _, name in tables[2]]


def test_the_byte_before_the_return_address_decides() -> None:
    table = symbols()
    assert table.function(0xC1002000) == "do_fork"
    assert table.place(0xC1002000) == "do_fork+0x1000"
    assert table.place(0xC1002001) == "schedule+0x1"


@pytest.mark.parametrize("address", [0, 0xC0FFFFFF, 0xC1005001, 0xFFFFFFFF])
def test_addresses_outside_the_kernel_stay_numbers(address: int) -> None:
    assert symbols().function(address) == f"{address:#010x}"
    assert symbols().place(address) == f"{address:#010x}"


def test_ranges_of_functions() -> None:
    assert symbols().ranges("s*") == [(0xC1002000, 0xC1003000), (0xC1003000, 0xC1005000)]
    assert symbols().ranges("nothing") == []


@given(st.lists(st.tuples(st.integers(0, 1 << 33), st.text(max_size=5)), max_size=30), st.integers(0, (1 << 32) - 1))
def test_nearest_is_nearest(pairs: list[tuple[int, str]], address: int) -> None:
    table = SymbolTable(pairs)
    found = table.find(address)
    below = [start for start, _ in table if start <= address]
    if found is not None:
        assert address - found.offset == max(below)
    elif below:
        assert address - max(below) >= 1 << 20


def test_the_text_form_comes_back() -> None:
    assert list(parse_symbols(symbols().as_text().encode())) == list(symbols())


@pytest.mark.parametrize("text", ["", "hello\n", "00000000 T hidden\n", "zz T x\n", "c1000000 T \x1b[31m\n"])
def test_files_without_symbols_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "map").write_text(text)
    with pytest.raises(InputError, match="no symbols"):
        load_symbols(tmp_path / "map")
    with pytest.raises(InputError, match="No such file"):
        load_symbols(tmp_path / "missing")


@settings(deadline=None)
@given(st.data())
def test_broken_elves_are_input_errors(data: st.DataObject) -> None:
    whole = bytearray(elf([("do_fork", 0xC1001000, 2), ("schedule", 0xC1002000, 0)]))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        assert len(parse_symbols(bytes(whole[: data.draw(st.integers(4, len(whole)))])))


def grown(section: int, member: int, value: int, more: bytes = b"") -> bytes:
    """Return an ELF of which one word of a section header is another, with bytes behind it."""
    data = bytearray(elf([("do_fork", 0xC1001000, 2), ("schedule", 0xC1002000, 0)]))
    headers = struct.unpack_from("<I", data, 32)[0]
    struct.pack_into("<I", data, headers + 40 * section + member, value)
    return bytes(data) + more


def in_time(data: bytes) -> None:
    began = time.process_time()
    with suppress(InputError):
        parse_symbols(data)
    assert time.process_time() - began < 5


def test_a_symbol_table_of_more_entries_than_any_kernel_has() -> None:
    data = grown(2, 20, 16 * (MAX_SYMBOLS + 2), struct.pack("<IIIBBH", 1, 0xC1000000, 0, 2, 0, 1) * (MAX_SYMBOLS + 2))
    with pytest.raises(InputError, match=f"more than {MAX_SYMBOLS} symbols"):
        parse_symbols(data)
    in_time(data)


def test_names_that_never_end() -> None:
    """Each symbol's name is the rest of a table without a zero."""
    table = bytes(16) + struct.pack("<IIIBBH", 1, 0xC1000000, 0, 2, 0, 1) * 20_000
    data = bytearray(grown(2, 20, len(table)))
    headers, end = struct.unpack_from("<I", data, 32)[0], len(data)
    struct.pack_into("<I", data, headers + 40 * 2 + 16, end)
    struct.pack_into("<II", data, headers + 40 * 3 + 16, end + len(table), 16 << 20)
    in_time(bytes(data) + table + b"x" * (16 << 20))


def test_more_sections_than_the_header_has_room_for() -> None:
    data = bytearray(grown(0, 20, 0x7FFFFFFF, bytes(40 * 300_000)))
    struct.pack_into("<H", data, 48, 0)
    in_time(bytes(data))


def test_a_text_of_more_lines_than_any_kernel_has_symbols() -> None:
    line = b"c1000000 T f\n"
    with pytest.raises(InputError, match=f"more than {MAX_SYMBOLS} symbols"):
        parse_symbols(line * (MAX_SYMBOLS + 1))
    assert len(parse_symbols(line * 1000)) == 1


def test_nothing_is_longer_than_a_function() -> None:
    table = SymbolTable([(0x100000, "boot"), (0xC0000000, "kernel")])
    assert table.function(0x100010) == "boot"
    assert [table.function(address) for address in (0x08048000, 0xBFFFFFFF)] == ["0x08048000", "0xbfffffff"]


def test_behind_a_section_of_code_there_is_no_function() -> None:
    table = parse_symbols(elf([("do_fork", 0xC1002000, 2), ("schedule", 0xC1002008, 0)], base=0xC1002000))
    assert table.function(0xC1002010) == "schedule"
    assert table.function(0xC1002011) == "0xc1002011"
    assert table.ranges("_etext") == []
    assert len(table.ranges("*")) == 2


def test_a_jump_has_no_caller() -> None:
    jumps = [event(10 * n, call, caller=0xC1001010, sequence=n) for n, call in enumerate((Call.IRET, Call.SYSEXIT), 1)]
    other = event(30, Call.SetCR3, caller=0xC1001010, sequence=3)
    records = pack([*jumps, other])
    assert [one.origin for one in (*jumps, other)] == [NOWHERE, NOWHERE, 0xC1001010]
    functions = count([records]).by_function(symbols())
    wanted = {(Call.IRET, NO_CALLER): 1, (Call.SYSEXIT, NO_CALLER): 1, (Call.SetCR3, "do_fork"): 1}
    assert functions == wanted
    assert symbols().place(NOWHERE) == NO_CALLER
    inside = Filter(ranges=tuple(parse_where(["do_fork", "0x0-0xffffffff"], symbols())))
    assert inside.select(records) == other.pack()
    assert list(inside.events([*jumps, other])) == [other]
