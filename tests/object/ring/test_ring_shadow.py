# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shadow page tables, case by case: what a guest sees of paging."""

from __future__ import annotations

import pytest

from .harness import (
    DATA,
    DEVICE,
    FILLED,
    FULL,
    HOLE,
    ISLAND,
    NX,
    OTHER,
    PAGE,
    POINTERS,
    PS,
    PSE,
    QUEUE,
    REFLECT,
    ROOT,
    SPLINTER,
    TABLE,
    TABLES,
    TOP,
    WP,
    A,
    D,
    G,
    Machine,
    P,
    U,
    W,
    cr3,
    kinds,
)
from .reference import walk


def test_a_page_is_mapped_at_its_fault(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    assert guest.access(0, 3 * PAGE, U | W) == ("frame", DATA)
    assert guest.access(0, 3 * PAGE, 0) == ("frame", DATA)
    assert guest.access(0, 4 * PAGE, U) == ("fault", U)
    assert guest.counter("filled") == 1


def test_accessed_and_dirty_are_set_as_they_are_used(guest: Machine) -> None:
    guest.write(ROOT, 0, TABLES * PAGE | P | W | U)
    guest.write(TABLES, 3, DATA * PAGE | P | W | U)
    assert guest.access(0, 4 * PAGE, 0) == ("fault", 0)
    assert not guest.entry(ROOT, 0) & A
    assert guest.counter("faults") == 1
    guest.access(0, 3 * PAGE, 0)
    assert guest.counter("faults") == 2
    assert guest.entry(ROOT, 0) & (A | D) == A
    assert guest.entry(TABLES, 3) & (A | D) == A
    assert guest.hardware(0, 3 * PAGE, W) is None
    guest.access(0, 3 * PAGE, W)
    assert guest.entry(TABLES, 3) & (A | D) == A | D
    assert guest.hardware(0, 3 * PAGE, W) == DATA
    assert guest.counter("faults") == 3


@pytest.mark.parametrize("cleared", [A, D])
def test_cleared_marks_are_set_again(guest: Machine, cleared: int) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.set_entry(0, TABLES, 3, DATA * PAGE | FULL & ~cleared)
    guest.inval(0, 3 * PAGE)
    guest.access(0, 3 * PAGE, W)
    assert guest.entry(TABLES, 3) == DATA * PAGE | FULL


@pytest.mark.parametrize("wp", [0, WP])
def test_user_and_write_rights_are_the_hardwares(guest: Machine, wp: int) -> None:
    rights = (0, W, U, W | U)
    guest.set_mode(0, wp | PSE)
    for upper in rights:
        for leaf in rights:
            guest.set_entry(0, ROOT, 0, TABLES * PAGE | P | upper)
            guest.set_entry(0, TABLES, 3, DATA * PAGE | P | leaf)
            guest.inval(0, 3 * PAGE)
            for error in (*rights, *reversed(rights)):
                expected = walk(guest, 0, cr3(guest), 3 * PAGE, error)
                assert guest.access(0, 3 * PAGE, error) == (expected.outcome, expected.value), (upper, leaf, error)


def test_a_write_that_only_the_supervisor_may_make_gives_the_user_nothing(guest: Machine) -> None:
    guest.set_mode(0, PSE)
    guest.write(TABLES, 3, DATA * PAGE | P | U)
    assert guest.access(0, 3 * PAGE, W) == ("frame", DATA)
    assert guest.access(0, 3 * PAGE, U | W) == ("fault", P | U | W)
    assert guest.access(0, 3 * PAGE, U) == ("frame", DATA)
    guest.access(0, 3 * PAGE, W)
    guest.set_mode(0, WP | PSE)
    assert guest.hardware(0, 3 * PAGE, W) is None
    assert guest.access(0, 3 * PAGE, W) == ("fault", P | W)


def test_a_change_is_seen_after_it_is_drained(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, 0)
    guest.set_entry(0, TABLES, 3, (DATA + 1) * PAGE | FULL)
    guest.drain(0)
    assert guest.hardware(0, 3 * PAGE, W) == DATA + 1
    guest.set_entry(0, TABLES, 3, 0)
    guest.flush(0)
    assert guest.hardware(0, 3 * PAGE, 0) is None


def test_a_new_page_is_mapped_by_the_drain_alone(guest: Machine) -> None:
    guest.access(0, 3 * PAGE, 0)
    guest.write(TABLES, 0, DATA * PAGE | FULL)
    guest.access(0, 0, 0)
    faults = guest.counter("faults")
    guest.set_entry(0, TABLES, 3, DATA * PAGE | FULL)
    guest.set_entry(0, ROOT, 1, (TABLES + 1) * PAGE | FULL)
    guest.write(TABLES + 1, 0, DATA * PAGE | FULL)
    guest.drain(0)
    assert guest.hardware(0, 3 * PAGE, W) == DATA
    assert guest.counter("faults") == faults
    assert kinds(guest, TABLE) == 2


@pytest.mark.parametrize("call", ["drain", "flush", "inval", "set_root", "fault", "release", "update"])
def test_each_call_that_must_drain_does(guest: Machine, call: str) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.set_entry(0, TABLES, 3, 0)
    arguments = {
        "inval": (9 * PAGE,),
        "set_root": (cr3(guest),),
        "fault": (9 * PAGE, 0),
        "release": (20,),
        "update": (0,),
    }
    getattr(guest, call)(0, *arguments.get(call, ()))
    assert guest.queues[0][0] == 0
    assert guest.hardware(0, 3 * PAGE, 0) is None


def test_an_inval_reads_both_entries_anew(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.write(TABLES, 3, 0)
    guest.inval(0, 3 * PAGE + 5)
    assert guest.hardware(0, 3 * PAGE, 0) is None
    assert guest.host.last_inval[0] == 3 * PAGE + 5
    guest.write(ROOT, 0, 0)
    guest.inval(0, 3 * PAGE)
    assert not guest.shadow_walk(0, 0)[0]
    before = guest.host.invals[0]
    guest.inval(0, HOLE)
    assert guest.host.invals[0] == before


def test_a_page_that_changes_is_forgotten_at_once_and_the_flush_is_none(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    before = guest.host.flushes[0]
    guest.set_entry(0, TABLES, 3, DATA * PAGE | P | U | A | D)
    guest.flush(0)
    assert guest.host.last_inval[0] == 3 * PAGE
    guest.flush(0)
    assert guest.host.flushes[0] == before


def test_other_cpus_forget_a_page_when_they_flush(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.set_root(1, cr3(guest))
    for cpu in range(2):
        guest.flush(cpu)
        guest.access(cpu, 3 * PAGE, W)
        guest.flush(cpu)
    guest.set_entry(0, TABLES, 3, 0)
    guest.flush(0)
    before = guest.host.flushes[1]
    guest.flush(1)
    assert guest.host.flushes[1] == before + 1


def test_a_directory_that_changes_is_for_the_flush(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    before = guest.host.flushes[0]
    guest.set_entry(0, ROOT, 0, 0)
    guest.flush(0)
    assert guest.host.flushes[0] == before + 1


def test_a_page_that_another_cpu_took_away_is_for_the_flush(guest: Machine) -> None:
    guest.set_root(1, cr3(guest))
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    for cpu in range(2):
        guest.access(cpu, 3 * PAGE, W)
    guest.set_entry(0, TABLES, 3, 0)
    guest.flush(0)
    guest.flush(1)
    assert guest.access(1, 3 * PAGE, W) == ("fault", W)
    before = list(guest.host.flushes)
    for cpu in (0, 1, 0, 1):
        guest.flush(cpu)
    assert list(guest.host.flushes) == before, "nothing has changed"


def test_a_directory_that_loses_a_right_is_for_the_flush(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.set_entry(0, ROOT, 0, TABLES * PAGE | P | U | A)
    guest.flush(0)
    assert guest.access(0, 3 * PAGE, W) == ("fault", P | W)


def test_a_large_page_that_loses_a_right_is_for_the_flush(guest: Machine) -> None:
    guest.write(ROOT, 1, FULL | PS)
    guest.access(0, 1 << guest.width.shift, W)
    guest.set_entry(0, ROOT, 1, P | U | A | PS)
    guest.flush(0)
    assert guest.access(0, 1 << guest.width.shift, W) == ("fault", P | W)


def test_a_shared_table_that_changes_is_for_the_flush(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.write(ROOT, 1, TABLES * PAGE | FULL)
    for slot in range(2):
        guest.access(0, slot << guest.width.shift | 3 * PAGE, W)
    guest.set_entry(0, TABLES, 3, 0)
    guest.flush(0)
    for slot in range(2):
        assert guest.access(0, slot << guest.width.shift | 3 * PAGE, W) == ("fault", W)


def test_a_large_page_that_was_dropped_is_for_the_flush_too(guest: Machine) -> None:
    guest.write(ROOT, 1, FULL | PS)
    guest.access(0, 1 << guest.width.shift, W)
    guest.release(0, ROOT)
    guest.set_entry(0, ROOT, 1, 0)
    guest.flush(0)
    assert guest.access(0, 1 << guest.width.shift, W) == ("fault", W)


def test_a_large_page_is_one_entry(guest: Machine) -> None:
    guest.write(ROOT, 1, FULL | PS | G)
    address = (1 << guest.width.shift) + 5 * PAGE
    assert guest.access(0, address, W | U) == ("frame", 5)
    assert len(guest.shadow_walk(0, address)) == 1
    assert kinds(guest, SPLINTER) == 0


def test_a_large_page_is_dirty_when_written(guest: Machine) -> None:
    guest.write(ROOT, 1, P | W | U | PS)
    address = 1 << guest.width.shift
    guest.access(0, address, 0)
    assert guest.entry(ROOT, 1) == P | W | U | PS | A
    guest.access(0, address, W)
    assert guest.entry(ROOT, 1) == P | W | U | PS | A | D


def test_a_large_page_that_is_not_all_the_guests_is_splintered(guest: Machine) -> None:
    first = ISLAND & ~(guest.width.slots - 1)
    guest.write(ROOT, 1, first << 12 | P | W | U | PS)
    base = 1 << guest.width.shift
    assert guest.access(0, base, U) == ("frame", first)
    assert guest.entry(ROOT, 1) & (A | D) == A
    assert guest.access(0, base + PAGE, U | W) == ("frame", first + 1)
    assert guest.entry(ROOT, 1) & (A | D) == A | D
    assert guest.access(0, base + (ISLAND - first) * PAGE, U) == ("refused", 1)
    assert guest.refusal(0) == (base + (ISLAND - first) * PAGE, 1, ISLAND << 12)
    assert kinds(guest, SPLINTER) == 1
    guest.write(ROOT, 1, first << 12 | P | W | A | D | PS)
    assert guest.access(0, base + 2 * PAGE, 0) == ("frame", first + 2)
    assert guest.hardware(0, base, U) is None, "made of the entry as it was"
    guest.set_entry(0, ROOT, 1, 0)
    guest.drain(0)
    assert kinds(guest, SPLINTER) == 0


def test_large_pages_are_off_without_pse(guest: Machine) -> None:
    guest.write(ROOT, 1, FULL | PS)
    guest.write(0, 5, DATA * PAGE | FULL)
    guest.set_mode(0, WP)
    address = (1 << guest.width.shift) + 5 * PAGE
    assert guest.access(0, address, U) == ("frame", 5 if guest.width.pae else DATA)
    guest.set_mode(0, WP | PSE)
    assert guest.access(0, address, U) == ("frame", 5)


def test_reserved_bits_are_the_guests_fault(guest: Machine) -> None:
    guest.write(ROOT, 1, FULL | PS | 1 << 17)
    assert guest.access(0, 1 << guest.width.shift, U) == ("fault", P | U | 8)
    if guest.width.pae:
        guest.write(TABLES, 3, DATA * PAGE | FULL | 1 << 36)
        assert guest.access(0, 3 * PAGE, 0) == ("fault", P | 8)
        guest.write(TABLES, 3, DATA * PAGE | FULL | NX)
        guest.set_mode(0, WP | PSE)
        assert guest.access(0, 3 * PAGE, 0) == ("fault", P | 8)


def test_no_execute(guest: Machine) -> None:
    if not guest.width.pae:
        guest.write(TABLES, 3, DATA * PAGE | FULL)
        assert guest.access(0, 4 * PAGE, 0x10) == ("fault", 0)
        return
    guest.write(TABLES, 3, DATA * PAGE | FULL | NX)
    assert guest.access(0, 3 * PAGE, W) == ("frame", DATA)
    assert guest.access(0, 3 * PAGE, 0x10) == ("fault", P | 0x10)
    guest.write(ROOT, 1, FULL | PS | NX)
    assert guest.access(0, 1 << 21, W) == ("frame", 0)
    assert guest.access(0, 1 << 21, 0x10 | U) == ("fault", P | U | 0x10)


def test_cache_bits_are_kept_and_global_and_pat_are_not(guest: Machine) -> None:
    guest.write(TABLES, 3, DEVICE << 12 | FULL | 0x18 | G | 0x80)
    guest.access(0, 3 * PAGE, W)
    assert guest.shadow_walk(0, 3 * PAGE)[1] == DEVICE << 12 | FULL | 0x18


def test_a_directory_that_leads_to_itself(guest: Machine) -> None:
    guest.write(ROOT, 1, ROOT * PAGE | P | W | U)
    here = 1 << guest.width.shift | PAGE
    assert guest.access(0, here, W) == ("frame", ROOT)
    assert guest.entry(ROOT, 1) == ROOT * PAGE | FULL
    assert guest.access(0, here - PAGE, 0) == ("frame", TABLES)
    assert {page.kind for page in guest.pages if page.pfn == ROOT} == {TABLE, TOP} | ({4} if guest.width.pae else set())


def test_both_shadows_of_a_frame_follow_its_entries(guest: Machine) -> None:
    guest.write(ROOT, 1, ROOT * PAGE | FULL)
    guest.access(0, 1 << guest.width.shift, 0)
    guest.set_entry(0, ROOT, 2, TABLES * PAGE | FULL)
    guest.drain(0)
    assert guest.hardware(0, (1 << guest.width.shift) + 2 * PAGE, W) == TABLES
    assert len(guest.shadow_walk(0, 2 << guest.width.shift)) == 2


def test_translate_answers_without_a_trace(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | P | U)
    assert guest.translate(0, 3 * PAGE + 0x123, U) == (FILLED, DATA * PAGE + 0x123)
    assert guest.translate(0, 3 * PAGE, U | W)[0] == REFLECT
    assert guest.translate(0, HOLE, 0)[0] == REFLECT
    assert guest.entry(TABLES, 3) == DATA * PAGE | P | U
    assert kinds(guest, TABLE) == 0


def test_a_new_directory_begins_with_what_the_last_one_used(guest: Machine) -> None:
    kernel = guest.width.hole_slot - 1
    for directory in (ROOT, OTHER):
        guest.write(directory, kernel, (TABLES + 1) * PAGE | FULL)
        guest.write(directory, 2, FULL | PS)
    guest.write(TABLES + 1, 0, DATA * PAGE | FULL)
    top = 3 << 30 if guest.width.pae else 0
    guest.access(0, top | kernel << guest.width.shift, 0)
    guest.access(0, top | 2 << guest.width.shift, 0)
    guest.set_root(0, cr3(guest, OTHER))
    assert guest.hardware(0, top | kernel << guest.width.shift, W) == DATA
    assert guest.hardware(0, top | 2 << guest.width.shift, W) == 0


def test_a_directory_is_kept_across_loads_of_cr3(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.set_root(0, cr3(guest, OTHER))
    assert guest.hardware(0, 3 * PAGE, 0) is None
    guest.set_root(0, cr3(guest))
    assert guest.hardware(0, 3 * PAGE, W) == DATA
    assert guest.counter("tables") == 1


def test_tables_are_shared_and_directories_are_not(guest: Machine) -> None:
    guest.write(TABLES, 3, DATA * PAGE | FULL)
    guest.access(0, 3 * PAGE, W)
    guest.set_root(1, cr3(guest))
    assert guest.access(1, 3 * PAGE, W) == ("frame", DATA)
    assert kinds(guest, TABLE) == 1
    assert kinds(guest, TOP) == (4 if guest.width.pae else 2)
    guest.set_entry(1, TABLES, 3, 0)
    guest.drain(1)
    assert guest.hardware(0, 3 * PAGE, 0) is None
    guest.set_entry(1, ROOT, 0, 0)
    guest.drain(1)
    assert not any(guest.shadow_walk(cpu, 0)[0] for cpu in range(2))


def test_a_queue_that_is_full_is_drained_by_the_stub(guest: Machine) -> None:
    guest.write(TABLES, 0, DATA * PAGE | FULL)
    guest.access(0, 0, 0)
    for slot in range(QUEUE + 3):
        guest.set_entry(0, TABLES, slot, DATA * PAGE | FULL)
    assert guest.queues[0][0] == 3
    guest.drain(0)
    assert all(guest.hardware(0, slot * PAGE, W) == DATA for slot in range(QUEUE + 3))


def test_entries_of_tables_without_a_shadow_are_not_queued(guest: Machine) -> None:
    guest.set_entry(0, TABLES, 3, DATA * PAGE | FULL)
    assert guest.queues[0][0] == 0
    guest.access(0, 3 * PAGE, 0)
    guest.set_entry(0, TABLES, 4, DATA * PAGE | FULL)
    assert guest.queues[0][0] == 1


def test_pointers_are_looked_at_again_at_a_fault(guest: Machine) -> None:
    if not guest.width.pae:
        assert guest.access(0, 3 << 30, 0) == ("fault", 0)
        return
    guest.write(POINTERS, 2, OTHER * PAGE | P)
    guest.write(OTHER, 0, FULL | PS)
    flushes = guest.host.flushes[0]
    assert guest.access(0, 2 << 30, 0) == ("frame", 0)
    assert guest.host.flushes[0] == flushes + 1  # the PDPTEs are loaded
    guest.write(POINTERS, 3, OTHER * PAGE | P)
    assert guest.access(0, 3 << 30, 0) == ("frame", 0)
    guest.write(POINTERS, 1, OTHER * PAGE | P | W)
    assert guest.access(0, 1 << 30, 0) == ("fault", P | 8)
