# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a breach begins: cases on both sides of the line, and those that only some kernels have."""

from __future__ import annotations

import pytest

from openvmi.abi import Call
from openvmi.hypervisor.strict.early import MARK, Reports
from openvmi.hypervisor.strict.events import Event
from openvmi.hypervisor.strict.judge import Judge
from openvmi.hypervisor.strict.offline import judge_records

from .machine import DATA, GDT, PAGE, ROOT, TABLE, Machine, announced, record


@pytest.mark.parametrize(
    ("first", "count", "broken"), [(0, 1024, False), (768, 256, False), (768, 257, True), (0, 0, True)]
)
def test_entries_that_a_table_has(first: int, count: int, broken: bool) -> None:  # noqa: FBT001
    machine = Machine()
    machine.memory[DATA * PAGE : (DATA + 1) * PAGE] = machine.memory[ROOT * PAGE : (ROOT + 1) * PAGE]
    machine.call(Call.AllocatePage, DATA, 0x22, ROOT, first, count)
    assert machine.broken == ["clone-arguments"] * broken


@pytest.mark.parametrize(("bits", "broken"), [(0, False), (0x60, False), (0x80, True)])
def test_a_clone_may_differ_in_accessed_and_dirty_alone(bits: int, broken: bool) -> None:  # noqa: FBT001
    machine = Machine()
    machine.put(DATA * PAGE, TABLE * PAGE | 7 | bits)
    machine.call(Call.AllocatePage, DATA, 0x62, ROOT, 0, 1)
    assert machine.broken == ["clone-false"] * broken


def test_a_pae_root_is_announced_as_a_directory_by_some() -> None:
    machine = Machine(pae=True)
    machine.call(Call.AllocatePage, DATA, 0x72, ROOT, 3, 1)
    machine.call(Call.AllocatePage, DATA + 1, 0x52)
    machine.set(DATA * PAGE, (DATA + 1) * PAGE | 1, 4)
    assert machine.broken == []


def test_a_pae_root_is_not_announced_at_all_by_others() -> None:
    machine = Machine(pae=True)
    machine.call(Call.AllocatePage, DATA + 1, 0x52)
    machine.set(DATA * PAGE, (DATA + 1) * PAGE | 1, 4)
    assert machine.broken == []


def test_an_entry_that_is_not_present_is_no_link() -> None:
    machine = Machine()
    machine.set(ROOT * PAGE + 4, announced(machine) | 7, 2)
    machine.put(ROOT * PAGE + 4, DATA * PAGE)
    machine.call(Call.ReleasePage, DATA, 0x41)
    assert machine.broken == []


def test_tables_may_go_after_the_directory_that_had_them() -> None:
    machine = Machine()
    machine.call(Call.AllocatePage, DATA + 1, 0x42)
    machine.set((DATA + 1) * PAGE, announced(machine) | 7, 2)
    machine.call(Call.ReleasePage, DATA + 1, 0x42)
    machine.call(Call.ReleasePage, DATA, 0x41)
    assert machine.broken == []


def test_a_mode_inside_itself_is_nested() -> None:
    machine = Machine()
    machine.call(Call.SetLazyMode, 1)
    machine.call(Call.SetLazyMode, 1)
    assert machine.broken == ["lazy-nested"]


def test_a_mode_that_is_left_on_is_told_once() -> None:
    machine = Machine()
    machine.call(Call.SetLazyMode, 2)
    for _ in range(3):
        machine.call(Call.IRET, s1=0x73, s2=0x202)
    (finding,) = machine.judge.findings
    assert (finding.rule.id, finding.count) == ("lazy-left", 1)


def test_an_entry_for_the_hypervisors_part_is_that_and_nothing_else() -> None:
    machine = Machine()
    machine.put(ROOT * PAGE + (0xFE000000 >> 22) * 4, 0x77007)  # as the hypervisor has it
    machine.set(announced(machine), 0, 0x11 | 0xFE000000)
    assert machine.broken == ["reserved-top"]


def test_null_selectors_need_no_descriptor() -> None:
    machine = Machine()
    machine.call(Call.WriteGDTEntry, GDT * PAGE, 0, 0, 0, fs=0, gs=3)
    assert machine.broken == []


def test_the_ldts_selectors_are_not_the_gdts() -> None:
    machine = Machine()
    machine.call(Call.WriteGDTEntry, GDT * PAGE, 5, 0, 0, gs=0x2F)
    assert machine.broken == []
    machine.call(Call.WriteGDTEntry, GDT * PAGE, 5, 0, 0, gs=0x2B)
    assert machine.broken == ["descriptor-live"]


@pytest.mark.parametrize(("index", "limit", "broken"), [(7, 63, False), (8, 63, True), (7, 62, True)])
def test_a_descriptor_is_inside_its_table_whole(index: int, limit: int, broken: bool) -> None:  # noqa: FBT001
    machine = Machine()
    machine.call(Call.WriteGDTEntry, GDT * PAGE, index, 0, 0, gdt_limit=limit)
    assert machine.broken == ["descriptor-place"] * broken


def test_a_shared_gdt_is_ones_own_too() -> None:
    machine = Machine()
    machine.call(Call.SetLazyMode, 0, cpu=1)
    machine.call(Call.WriteGDTEntry, GDT * PAGE, 7, 0, 0, cpu=1)
    assert machine.broken == []


@pytest.mark.parametrize(
    ("words", "broken"),
    [
        ((0xFFFF, 0x00CF9200), False),
        ((0xFFFF, 0x004F9200), True),  # a limit of 1 MiB
        ((0xFFFF, 0x008F9200), True),  # 16 bits
        ((0x0001FFFF, 0x00CF9200), True),  # a base of 1
        ((0xFFFF, 0x00CF1200), True),  # not present
    ],
)
def test_flat_is_32_bits_from_0_to_far(words: tuple[int, int], broken: bool) -> None:  # noqa: FBT001
    machine = Machine()
    at = GDT * PAGE + 8 * 5
    machine.memory[at : at + 8] = words[0].to_bytes(4, "little") + words[1].to_bytes(4, "little")
    machine.call(Call.SetLazyMode, 0, ss=0x28)
    assert machine.broken == ["stack-flat"] * broken


@pytest.mark.parametrize("call", [Call.IRET, Call.SYSEXIT])
def test_a_way_out_may_have_users_segments_and_flags(call: Call) -> None:
    machine = Machine()
    machine.call(call, s1=0x73, s2=0x202, ds=0, es=0, eflags=0x402)
    assert machine.broken == []
    machine.call(Call.SetLazyMode, 0, eflags=0x402)
    assert machine.broken == ["direction-flag"]


def test_the_function_is_looked_for_only_at_first() -> None:
    asked = []
    judge = Judge(active=True, blame=lambda event: asked.append(event) or "f")  # type: ignore[func-returns-value]
    for _ in range(100):
        judge.feed(Event(0, Call.SetLazyMode, 0, 7, 0, 0))
    assert len(asked) == 16


def test_other_bytes_inside_an_early_report() -> None:
    digits = [int(digit, 16) << 2 | 2 for digit in "c010123411"]
    mixed = [byte for digit in digits for byte in (digit, 0x45, 0x44, 0x47)]
    assert list(Reports().take(bytes([MARK, *mixed]))) == [(0x11, 0xC0101234)]
    assert list(Reports().take(bytes(digits))) == []
    assert list(Reports().take(bytes([MARK, *digits[:5], MARK, *digits]))) == [(0x11, 0xC0101234)]


def test_a_recorded_run_with_three_levels() -> None:
    calls = [
        record(Call.SetLinearMapping, 0, 0xC0000000, 0x100),
        record(Call.AllocatePage, 0x50, 0x72),
        record(Call.AllocatePage, 0x51, 0x52),
        record(Call.AllocatePage, 0x52, 0x51),
        record(Call.SetPxELong, 0x51001, 0, 0xC0050000),
        record(Call.SetPxELong, 0x52007, 0, 0xC0051000),
    ]
    assert [finding.seen for finding in judge_records(calls).findings] == []
    # the root's entry may have been taken out without a call, the directory's not
    released = [record(Call.ReleasePage, 0x51, 0x52)]
    assert [finding.seen for finding in judge_records([*calls, *released]).findings] == []
    found = judge_records([*calls, record(Call.ReleasePage, 0x52, 0x51)]).findings
    assert [finding.rule.id for finding in found] == ["release-linked"]
