# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""States that CPUs start with, and the account of page tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.abi import wire
from openvmi.abi.structs import ApState
from openvmi.errors import UsageError
from openvmi.hypervisor.ring.pages import PageAccount, budget, pool_pages, taken
from openvmi.hypervisor.ring.segments import make
from openvmi.hypervisor.ring.starting import Board, objections

FLAT = 0xFFFFFFFF
ENTRIES = [0, make(0, FLAT, code=True).value, make(0, FLAT).value, make(0, FLAT, code=True, dpl=3).value]
GDT = b"".join(value.to_bytes(8, "little") for value in [*ENTRIES, make(0, FLAT, dpl=3).value, 0x0000_EC00_0008_0000])
BOARD = Board(top=0xFE010000, pae=False, memory=128 << 20, cpus=2)
GOOD = ApState(
    cr0=0x80050023,
    cr3=0x1000,
    cr4=0x10,
    eip=0xC0100000,
    esp=0xC0200000,
    cs=8,
    ss=0x10,
    ds=0x23,
    es=0x23,
    gdtr_limit=len(GDT) - 1,
    gdtr_base=0xC0300000,
    idtr_base=0xC0400000,
    idtr_limit=2047,
)


def test_a_kernels_own_state_is_taken() -> None:
    assert list(objections(GOOD, 1, BOARD, GDT)) == []
    assert list(objections(replace(GOOD, cr4=0x30), 1, replace(BOARD, pae=True), GDT)) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"cr0": 0x50023},
        {"cr0": 0x80050022},
        {"cr0": 0xA0050023},
        {"cr4": 0x30},
        {"cr4": 0x2010},
        {"cr3": 0xE0000000},
        {"efer": 0x100},
        {"efer": 1 << 40},
        {"eip": 0xFE010000},
        {"esp": 0xFFFFFFF0},
        {"eflags": 0x20000},
        {"eflags": 0x3000},
        {"cs": 0},
        {"cs": 0x10},
        {"cs": 0x1B},
        {"cs": 0x0C},
        {"cs": 0x28},
        {"ss": 8},
        {"ss": 0x23},
        {"ds": 0x28},
        {"fs": 0x100},
        {"gs": 7},
        {"gdtr_base": 0xFE00FFF0},
        {"gdtr_limit": 0xFFFF},
        {"idtr_base": 0xFFFFF000},
    ],
    ids=str,
)
def test_nonsense_is_not(bad: dict[str, int]) -> None:
    assert list(objections(replace(GOOD, **bad), 1, BOARD, GDT))


@pytest.mark.parametrize("apic_id", [0, 2, FLAT])
def test_a_cpu_that_is_not_there(apic_id: int) -> None:
    assert list(objections(GOOD, apic_id, BOARD, GDT))


@given(st.binary(min_size=90, max_size=90), st.binary(max_size=64), st.integers(0, FLAT))
def test_no_bytes_break_the_look(state: bytes, gdt: bytes, apic_id: int) -> None:
    assert all(objections(ApState.unpack(state), apic_id, BOARD, gdt))


def test_the_account_of_page_tables() -> None:
    account = PageAccount(64 << 20)
    assert account.allocate(5, 0x41)
    assert account.allocate(6, 0x62)
    assert account.release(5, 1)
    assert not account.allocate(5, 0)
    assert not account.allocate(64 << 8, 1)
    assert not account.release(-1, 2)
    assert (account.allocated, account.released) == ({"table": 1, "directory": 1}, {"table": 1})
    assert (account.cloned, account.odd) == (1, 3)


def test_the_budget_for_shadows() -> None:
    assert budget(128 << 20) == (128 << 20) // 100 + (4 << 20)
    account = PageAccount(0)
    account.use(1024)
    account.use(3)
    assert (account.shadows, account.peak, account.within) == (3, 1024, True)
    account.use(1025)
    assert not account.within


@given(memory=st.integers(4, wire.RING_MEMORY_MAX >> 20), cpus=st.integers(1, wire.RING_CPUS_MAX))
def test_a_full_pool_and_all_tables_keep_to_the_budget(memory: int, cpus: int) -> None:
    ram = memory << 20
    pages = pool_pages(ram, cpus)
    assert 800 < pages <= 0xFFFF
    assert budget(ram) - 8192 < taken(ram, cpus, pages, pages) <= budget(ram)
    # what the device has room for
    assert wire.RING_POOL_OFFSET + pages * 4096 <= wire.WIRE_DEVICE_SIZE
    assert wire.RING_PAGES_OFFSET + pages * 32 <= wire.RING_FRAMES_OFFSET
    assert wire.RING_FRAMES_OFFSET + ram // 4096 * 2 <= wire.RING_CPUS_OFFSET


def test_a_pool_ends_with_its_device() -> None:
    assert pool_pages(wire.RING_MEMORY_MAX, 1, wire.WIRE_SIZE) == (wire.WIRE_SIZE - wire.RING_POOL_OFFSET) // 4096


def test_more_memory_than_is_served_is_refused() -> None:
    with pytest.raises(UsageError, match="3073 MiB"):
        pool_pages(wire.RING_MEMORY_MAX + (1 << 20), 1)
