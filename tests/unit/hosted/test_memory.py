# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's memory: walks against a map, and typed errors that name the address."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openvmi.errors import InputError, UsageError
from openvmi.hypervisor.memory import GuestMemory, GuestMemoryError, NotMappedError, NotRamError

from .fakes import MIB, Ram, Space

PAGES = st.integers(0, (1 << 20) - 1)
FRAMES = st.integers(0x300, 0x3FF)  # of 4 MiB of RAM, whose third holds tables


@pytest.fixture(params=[False, True], ids=["legacy", "pae"])
def space(request: pytest.FixtureRequest) -> Space:
    return Space(Ram(4 * MIB), 0x100000, pae=request.param)


@settings(max_examples=60, deadline=None)
@given(pae=st.booleans(), pages=st.dictionaries(PAGES, FRAMES, min_size=1, max_size=20), other=PAGES)
def test_every_page_leads_where_the_tables_say(*, pae: bool, pages: dict[int, int], other: int) -> None:
    space = Space(Ram(4 * MIB), 0x100000, pae=pae)
    for page, frame in pages.items():
        space.map(page << 12, frame << 12)
    for page, frame in pages.items():
        assert space.memory.translate(page << 12 | 0xABC) == frame << 12 | 0xABC
    if other not in pages:
        with pytest.raises(NotMappedError) as caught:
            space.memory.translate(other << 12)
        assert caught.value.address == other << 12


@settings(max_examples=100, deadline=None)
@given(
    pae=st.booleans(), cr3=st.integers(0, (1 << 32) - 1), tables=st.binary(max_size=8192), va=st.integers(-5, 1 << 33)
)
def test_nonsense_ends_in_a_number_or_a_typed_error(*, pae: bool, cr3: int, tables: bytes, va: int) -> None:
    ram = Ram(2 * MIB)
    ram.write(cr3 % MIB & ~0xFFF, tables)
    for root in (cr3, cr3 % MIB):
        memory = GuestMemory(ram, root, pae=pae)
        failed = None
        try:
            assert len(memory.read(va, 10)) == 10
        except GuestMemoryError as error:
            failed = error
        assert failed is None or f"{failed.address:#x}" in str(failed)


def test_large_pages(space: Space) -> None:
    size = 2 * MIB if space.pae else 4 * MIB
    space.map_large(0xC0000000, 0x1000 if space.pae else 0)  # with the PAT bit, which is no address
    page = space.memory.page(0xC0000000 + size - 1)
    assert (page.physical, page.size) == (size - 1, size)


def test_reads_and_writes_over_the_end_of_a_page(space: Space) -> None:
    space.map(0x5000, 0x300000)
    space.map(0x6000, 0x380000)
    space.memory.write(0x5FFE, b"abcd")
    assert space.memory.read(0x5FFE, 4) == b"abcd"
    assert space.memory.u32(0x5FFE) == int.from_bytes(b"abcd", "little")
    assert space.ram.read(0x380000, 2) == b"cd"
    assert space.memory.string(0x5FFE) == "abcd"


def test_a_write_is_whole_or_not_at_all(space: Space) -> None:
    space.map(0x5000, 0x300000)
    with pytest.raises(NotMappedError, match="0x6000"):
        space.memory.write(0x5FFE, b"abcd")
    assert space.ram.read(0x300FFE, 2) == bytes(2)


@pytest.mark.parametrize("physical", [0xA0000, 0xE0000000, 0xFEE00000], ids=hex)
def test_what_is_no_ram_is_an_error(space: Space, physical: int) -> None:
    space.map(0xFF000000, physical)
    with pytest.raises(NotRamError) as caught:
        space.memory.read(0xFF000010, 4)
    assert (caught.value.address, caught.value.physical) == (0xFF000010, False)
    with pytest.raises(NotRamError, match="physical"):
        space.memory.physical(physical, 4)
    with pytest.raises(NotRamError):
        space.memory.write(0xFF000010, b"x")
    assert isinstance(caught.value, InputError)


def test_bad_lengths_and_addresses(space: Space) -> None:
    space.map(0, 0x300000)
    space.map(0xFFFFF000, 0x300000)
    assert space.memory.read(0, 0) == b""
    with pytest.raises(UsageError):
        space.memory.read(0, -1)
    with pytest.raises(NotRamError):
        space.memory.physical(0x1000, -1)
    with pytest.raises(NotMappedError, match="not a linear address"):
        space.memory.read((1 << 32) - 2, 4)


def test_what_a_page_allows() -> None:
    space = Space(Ram(4 * MIB), 0x100000, pae=True)
    space.map(0x1000, 0x300000, 7 | 1 << 63)
    space.map(0x2000, 0x300000, 5)
    first, second = space.memory.page(0x1000), space.memory.page(0x2000)
    assert (first.writable, first.user, first.executable) == (True, True, False)
    assert (second.writable, second.user, second.executable) == (False, True, True)
