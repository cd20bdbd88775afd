# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shadow page tables, case by case: what a guest can never do with them, and what becomes of pages."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest

from .harness import (
    DATA,
    FILLED,
    FRAMES,
    FULL,
    HOLE,
    ISLAND,
    LIMBO,
    OTHER,
    PAGE,
    POINTERS,
    POOL,
    POOL_PAGES,
    PS,
    QUEUE,
    RAM_FRAMES,
    REFLECT,
    REFUSED,
    ROOT,
    SPLINTER,
    TABLE,
    TABLES,
    TOP,
    Config,
    Machine,
    P,
    U,
    W,
    cr3,
    kinds,
)
from .reference import Checker

PAE_ALONE = pytest.mark.parametrize("width", ["pae"], indirect=True)  # that width has PDPTEs


@pytest.mark.parametrize("frame", [POOL >> 12, (POOL >> 12) + 3, 0xE1000, HOLE >> 12, 0xFFFFF, ISLAND, 8192])
def test_a_frame_that_is_not_the_guests_is_refused(guest: Machine, frame: int) -> None:
    guest.write(TABLES, 3, frame << 12 | FULL)
    assert guest.access(0, 3 * PAGE, U) == ("refused", 1)
    assert guest.refusal(0) == (3 * PAGE, 1, frame << 12)
    guest.write(TABLES, 4, DATA * PAGE | FULL)
    guest.access(0, 4 * PAGE, U)
    guest.set_entry(0, TABLES, 4, frame << 12 | FULL)
    guest.drain(0)
    assert guest.hardware(0, 4 * PAGE, 0) is None


@pytest.mark.parametrize("frame", [POOL >> 12, RAM_FRAMES, FRAMES - 1, FRAMES, 0xFFFFF])
def test_a_table_that_is_not_ram_is_refused(guest: Machine, frame: int) -> None:
    guest.write(ROOT, 1, frame << 12 | FULL)
    assert guest.access(0, 1 << guest.width.shift, U) == ("refused", 2)
    assert guest.refusal(0)[2] == frame << 12


@pytest.mark.parametrize("first", [POOL >> 12, HOLE >> 12, 8192, 0xFFC00])
def test_a_large_page_that_is_not_the_guests_is_refused(guest: Machine, first: int) -> None:
    guest.write(ROOT, 1, first << 12 | FULL | PS)
    assert guest.access(0, 1 << guest.width.shift, U) == ("refused", 1)
    guest.set_entry(0, ROOT, 1, FULL | PS)
    guest.access(0, 1 << guest.width.shift, U)
    guest.set_entry(0, ROOT, 1, first << 12 | FULL | PS)
    guest.drain(0)
    assert guest.hardware(0, 1 << guest.width.shift, 0) is None


def test_addresses_beyond_4_gib_are_refused(guest: Machine) -> None:
    high = 1 << 32 if guest.width.pae else 1 << 13
    guest.write(ROOT, 1, high | FULL | PS)
    assert guest.access(0, 1 << guest.width.shift, U) == ("refused", 1)
    assert guest.refusal(0)[2] == 1 << 32


def test_the_hole_is_no_matter_of_the_guests_tables(guest: Machine) -> None:
    for slot in range(guest.width.hole_slot, guest.width.slots):
        guest.write(ROOT, slot, TABLES * PAGE | FULL)
        guest.announce(0, ROOT * PAGE + slot * guest.width.bytes)
    guest.drain(0)
    before = guest.counter("faults")
    for error in range(8):
        assert guest.fault(0, HOLE + PAGE, error) == (REFLECT, error)
        assert guest.fault(0, 0xFFFFFFFF, error)[0] == REFLECT
    assert guest.counter("faults") == before
    guest.inval(0, HOLE)
    guest.set_root(0, cr3(guest, OTHER))


@pytest.mark.parametrize("value", [RAM_FRAMES * PAGE, POOL, 0xFFFFFFFF, HOLE])
def test_a_root_that_is_not_ram_is_refused(guest: Machine, value: int) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    before = guest.host.root[0]
    assert guest.set_root(0, value) == 0
    assert guest.host.root[0] == before
    assert guest.access(0, 3 * PAGE, W) == ("frame", DATA)


def test_low_bits_of_cr3_lead_nowhere_else(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    assert guest.set_root(0, cr3(guest) | 0x18) == guest.host.root[0]
    assert guest.access(0, 3 * PAGE, W) == ("frame", DATA)
    if guest.width.pae:
        guest.write(POINTERS + 3, 508, OTHER * PAGE | P)
        guest.write(OTHER, 0, FULL | PS)
        assert guest.set_root(0, (POINTERS + 3) * PAGE | 0xFE0)
        assert guest.access(0, 7 * PAGE, 0) == ("frame", 7)


@PAE_ALONE
@pytest.mark.parametrize("bits", [W, U, 0x40, 0x100, 1 << 36, 1 << 63])
def test_pointers_with_reserved_bits_are_refused(guest: Machine, bits: int) -> None:
    guest.write(POINTERS + 1, 1, ROOT * PAGE | P | bits)
    assert guest.set_root(0, (POINTERS + 1) * PAGE) == 0
    guest.write(POINTERS + 1, 1, ROOT * PAGE | bits)
    assert guest.set_root(0, (POINTERS + 1) * PAGE)


@PAE_ALONE
def test_a_pointer_to_what_is_not_ram_is_refused_when_used(guest: Machine) -> None:
    for which in (1, 3):
        guest.write(POINTERS + 1, which, POOL | P)
    assert guest.set_root(0, (POINTERS + 1) * PAGE)
    assert guest.access(0, 1 << 30, 0) == ("refused", 3)
    assert guest.access(0, 3 << 30, 0) == ("refused", 3)


@pytest.mark.parametrize("turn", range(1, 7))
def test_a_store_of_another_cpu_in_the_middle_of_a_fault_is_not_lost(guest: Machine, turn: int) -> None:
    guest.write(TABLES, 3, DATA * PAGE | P | W | U)
    host = guest.host
    host.mutate_gpa = TABLES * PAGE + 3 * guest.width.bytes
    host.mutate_value, host.mutate_after = (DATA + 1) * PAGE | P | W | U, turn
    guest.fault(0, 3 * PAGE, W)
    if not host.mutate_after:
        assert guest.entry(TABLES, 3) & ~(FULL ^ (P | W | U)) == (DATA + 1) * PAGE | P | W | U
    host.mutate_after = 0


@PAE_ALONE
@pytest.mark.parametrize("turn", range(1, 7))
def test_an_entry_is_read_as_it_was_at_one_time(guest: Machine, turn: int) -> None:
    """Between two values, of which one has a frame above 4 GiB: half of each would be a third frame."""
    host, address = guest.host, 3 * PAGE
    for use in (guest.fault, guest.translate):
        guest.write(TABLES, 3, 1 << 32 | (DATA + 1) * PAGE | FULL)
        guest.inval(0, address)
        host.mutate_gpa = TABLES * PAGE + 3 * guest.width.bytes
        host.mutate_value, host.tear_after = DATA * PAGE | FULL, turn
        result, found = use(0, address, W)
        host.tear_after = 0
        assert guest.hardware(0, address, W) in {None, DATA}
        assert use == guest.fault or result != FILLED or found >> 12 == DATA


@pytest.mark.parametrize("count", [1, QUEUE, QUEUE + 1, 1 << 15, 0xFFFF])
def test_a_hostile_queue_is_bounded(guest: Machine, count: int) -> None:
    words = [0xFFFFFFFF, POOL, ROOT * PAGE + 1, TABLES * PAGE + 4095, RAM_FRAMES * PAGE, FRAMES * PAGE, 0, 0x80000000]
    guest.access(0, 0, 0)
    for i, word in enumerate(words, 1):
        guest.queues[0][i] = word
    other = 0xABCD0000  # the word's upper half is not the queue's
    guest.queues[0][0] = count | other
    guest.drain(0)
    assert guest.queues[0][0] == other
    assert guest.counter("drained") == min(count, QUEUE)


@pytest.mark.parametrize("pfn", [RAM_FRAMES, FRAMES, 0xFFFFF, 0x100000, 0xFFFFFFFF])
def test_a_release_of_what_is_not_there_is_nothing(guest: Machine, pfn: int) -> None:
    guest.release(0, pfn)
    assert guest.counter("released") == 0


def test_a_tear_down_that_nobody_announces_is_harmless(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.write(TABLES, 3, 0)
    guest.set_root(0, cr3(guest, OTHER))
    guest.write(ROOT, 0, 0)
    guest.release(0, TABLES)
    guest.release(0, ROOT)
    assert kinds(guest, TABLE) == 0
    assert not any(page.pfn in {TABLES, ROOT} for page in guest.pages)
    guest.write(TABLES, 0, POOL | FULL)  # a page of data now
    guest.set_root(0, cr3(guest))
    assert guest.access(0, 3 * PAGE, 0) == ("fault", 0)


def test_a_released_table_is_unlinked_from_every_directory(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    for directory in (ROOT, OTHER):
        for slot in (0, 1, 2):
            guest.write(directory, slot, TABLES * PAGE | FULL)
        for cpu in range(2):
            guest.set_root(cpu, cr3(guest, directory))
            for slot in (0, 1, 2):
                assert guest.access(cpu, slot << guest.width.shift | 3 * PAGE, W) == ("frame", DATA)
    table = next(page for page in guest.pages if page.kind == TABLE)
    assert table.parent_count == (6 if guest.width.pae else 12)
    guest.release(0, TABLES)
    assert kinds(guest, TABLE) == 0
    assert not any(guest.shadow_walk(cpu, slot << guest.width.shift)[0] for cpu in range(2) for slot in range(3))


def test_a_table_with_very_many_parents_is_linked_anew(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    for slot in range(300):
        guest.write(ROOT, slot, TABLES * PAGE | FULL)
        assert guest.access(0, slot << guest.width.shift | 3 * PAGE, W) == ("frame", DATA)
    assert next(page for page in guest.pages if page.kind == TABLE).parent_count == 300 - 256


def test_a_released_directory_that_is_loaded_is_emptied(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.release(0, ROOT)
    assert guest.hardware(0, 3 * PAGE, 0) is None
    assert guest.access(0, 3 * PAGE, W) == ("frame", DATA)


def test_a_released_page_is_used_again_after_every_cpu_has_flushed(guest: Machine) -> None:
    guest.set_root(1, cr3(guest))
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.flush(0)
    guest.flush(1)
    guest.release(0, TABLES)
    assert kinds(guest, LIMBO) == 1
    guest.flush(0)
    guest.flush(0)
    assert kinds(guest, LIMBO) == 1
    guest.flush(1)
    assert kinds(guest, LIMBO) == 0


def test_an_only_cpu_waits_for_nobody(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.release(0, TABLES)
    assert kinds(guest, LIMBO) == 1
    guest.flush(0)
    assert kinds(guest, LIMBO) == 0


def test_a_cpu_that_left_is_not_waited_for(guest: Machine) -> None:
    guest.set_root(1, cr3(guest))
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.release(0, TABLES)
    guest.leave(1)
    guest.flush(0)
    guest.flush(0)
    assert kinds(guest, LIMBO) == 0


def test_a_pool_that_is_full_goes_on(make: Callable[..., Machine]) -> None:
    """Parts of large pages need a page each, and there are more of them than of the pool."""
    machine = make(pool_pages=POOL_PAGES - 16, cpus=2)
    first = ISLAND & ~(machine.width.slots - 1)
    for cpu in range(2):
        machine.set_root(cpu, cr3(machine))
    for turn in range(2):
        for slot in range(150):
            machine.write(ROOT, slot, first << 12 | FULL | PS)
            address = slot << machine.width.shift | 3 * PAGE
            assert machine.access(turn, address, W) == ("frame", first + 3)
    assert machine.counter("evicted") >= 200
    assert 10 <= machine.counter("flushes") <= 30
    assert machine.counter("peak") <= machine.counter("pages")
    assert kinds(machine, SPLINTER) > 10
    Checker(machine).check()


def test_what_is_in_use_is_not_the_first_to_be_evicted(make: Callable[..., Machine]) -> None:
    machine = make(pool_pages=POOL_PAGES - 16, cpus=2)
    first = ISLAND & ~(machine.width.slots - 1)
    machine.write(ROOT, 0, TABLES * PAGE | FULL)
    machine.write(TABLES, 0, DATA * PAGE | FULL)
    machine.set_root(0, cr3(machine))
    made = []
    for slot in range(1, 200):
        machine.fault(0, 0, 0)  # its TLB entry was lost
        made.append(machine.counter("tables"))
        machine.write(ROOT, slot, first << 12 | FULL | PS)
        machine.access(0, slot << machine.width.shift, W)
    assert machine.counter("evicted") > 100
    assert made[-1] == 1
    Checker(machine).check()


def test_frames_that_share_a_bit_of_the_bitmap(guest: Machine) -> None:
    twin = TABLES - 8 + 16  # 2 and 18
    guest.write(ROOT, 0, 2 * PAGE | FULL)
    guest.write(ROOT, 1, twin * PAGE | FULL)
    for frame in (2, twin):
        guest.write(frame, 0, DATA * PAGE | FULL)
    guest.access(0, 0, 0)
    guest.access(0, 1 << guest.width.shift, 0)
    guest.release(0, twin)
    assert guest.bitmap[0] & 4
    guest.release(0, 2)
    assert not guest.bitmap[0] & 4


@pytest.mark.parametrize(
    "change",
    [
        {"cpus": 0},
        {"cpus": 9},
        {"frames": 0},
        {"frames": 0x100001},
        {"pool_pages": 20},
        {"pool_pages": 0x10000},
        {"pool_machine": POOL + 1},
        {"pool_machine": 0xFFFFF000},
        {"bitmap_mask": 14},
        {"bitmap_mask": 3},
        {"physical_bits": 31},
        {"physical_bits": 53},
    ],
)
def test_an_absurd_configuration_is_refused(machine: Machine, change: dict[str, int]) -> None:
    config = Config.from_buffer_copy(machine.config)
    for name, value in change.items():
        setattr(config, name, value)
    assert machine.lib.shadow_init(ctypes.byref(config), ctypes.byref(machine.counters)) == 0


def test_a_fault_before_there_is_a_root_is_refused(machine: Machine) -> None:
    assert machine.fault(0, 0, 0)[0] == REFUSED
    assert kinds(machine, TOP) == (2 if machine.width.pae else 0)
