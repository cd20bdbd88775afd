# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors in shadow tables: whatever a guest writes, none reaches the hole, has DPL 0, or is a gate."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openvmi.hypervisor.ring.segments import Descriptor, Shadowed, Why, make, pack, shadow, shadow_table

TOP = 0xFE010000
FLAT = 0xFFFFFFFF
SPACE = 1 << 32
ANY = st.integers(0, (1 << 64) - 1).map(Descriptor)
# edges of limits, bases around the hole and zero
BASES = st.one_of(
    st.sampled_from([0, 1, 0x1000, TOP - 1, TOP, TOP + 1, TOP - 4096, SPACE - 1, SPACE - 4096, 0xB7F00000]),
    st.integers(0, SPACE - 1),
)
LIMITS = st.one_of(st.sampled_from([0, 1, 0xFFF, 0xFFFF, 0xFFFFF, FLAT, TOP - 1, TOP]), st.integers(0, SPACE - 1))
MADE = st.builds(
    make,
    BASES,
    LIMITS,
    dpl=st.integers(0, 3),
    code=st.booleans(),
    writable=st.booleans(),
    down=st.booleans(),
    big=st.booleans(),
)


def reached(value: int) -> list[range]:
    return list(Descriptor(value).reach())


def linear(value: int, offset: int) -> int | None:
    """Where an offset leads, as the CPU computes it; None where it faults. Independent of ``reach``."""
    raw = (value & 0xFFFF) | (value >> 48 & 0xF) << 16
    limit = raw << 12 | 0xFFF if value >> 55 & 1 else raw
    base = (value >> 16 & 0xFFFFFF) | value >> 56 << 24
    inside = offset <= limit
    if value >> 42 & 3 == 1:  # data that expands down
        inside = not inside and offset <= (FLAT if value >> 54 & 1 else 0xFFFF)
    return (base + offset) % SPACE if inside else None


def check(shadowed: Shadowed) -> None:
    for value in (shadowed.value, shadowed.other):
        descriptor = Descriptor(value)
        if value == 0:
            continue
        assert descriptor.is_segment
        assert descriptor.dpl in {1, 3}
        assert not descriptor.is_conforming
        assert value >> 40 & 1, "the CPU would write the accessed bit"
        assert not value >> 53 & 1
        if descriptor.present:
            assert all(part.stop <= TOP for part in descriptor.reach())
    assert (shadowed.value == 0) == (shadowed.why is not None)


@given(ANY)
def test_no_bits_at_all_lead_into_the_hole(descriptor: Descriptor) -> None:
    check(shadow(descriptor, TOP))


@given(MADE, st.lists(st.integers(0, SPACE - 1), max_size=20))
@example(make(0xB7F00000, FLAT), [0, FLAT, 0xFFFFFFF0])
@example(make(1, FLAT), [0, FLAT, FLAT - 1])
def test_what_is_reached_is_where_the_guest_meant(descriptor: Descriptor, offsets: list[int]) -> None:
    shadowed = shadow(descriptor, TOP)
    check(shadowed)
    for value in (shadowed.value, shadowed.other):
        edges = [Descriptor(value).limit + step for step in (-1, 0, 1)] if value else []
        for offset in [*offsets, 0, FLAT, *(edge for edge in edges if 0 <= edge < SPACE)]:
            there = linear(value, offset) if value else None
            assert there is None or there == linear(descriptor.value, offset)
            assert there is None or there < TOP


@given(MADE)
def test_what_is_lost_is_in_the_hole_or_less_than_a_page(descriptor: Descriptor) -> None:
    shadowed = shadow(descriptor, TOP)
    if shadowed.why is not None or descriptor.expands_down:
        return
    before = sum(max(0, min(part.stop, TOP) - part.start) for part in reached(descriptor.value))
    after = sum(len(part) for value in (shadowed.value, shadowed.other) if value for part in reached(value))
    lost = before - after
    # only 32-bit data up to the last offset has a second form: of others the part below the base is given up
    whole = descriptor.is_big and not descriptor.is_code and descriptor.limit == FLAT
    assert (len(descriptor.reach()) == 2 and not whole) or 0 <= lost < 2 * 4096


def test_flat_segments_end_at_the_hole() -> None:
    for code in (False, True):
        shadowed = shadow(make(0, FLAT, code=code), TOP)
        assert reached(shadowed.value) == [range(TOP)]
        assert (Descriptor(shadowed.value).dpl, shadowed.truncated) == (1, True)
    assert Descriptor(shadow(make(0, FLAT, dpl=3), TOP).value).dpl == 3
    assert Descriptor(shadow(make(0, FLAT, dpl=2), TOP).value).dpl == 1, "there are two levels"


def test_a_small_segment_stays_as_it_is() -> None:
    wanted = make(0xC0100000, 0x2000, dpl=1)
    shadowed = shadow(wanted, TOP)
    assert shadowed.value == wanted.value | 1 << 40
    assert (shadowed.other, shadowed.truncated) == (0, False)


def test_thread_local_storage_has_two_forms() -> None:
    # glibc reads below its base: %gs:0xFFFFFFF0
    tls = make(0xB7F00000, FLAT, dpl=3)
    shadowed = shadow(tls, TOP)
    assert reached(shadowed.value) == [range(0xB7F00000, TOP)]
    assert reached(shadowed.other) == [range(0xB7F00000)]
    assert linear(shadowed.other, 0xFFFFFFF0) == 0xB7EFFFF0
    assert linear(shadowed.value, 0xFFFFFFF0) is None


def test_a_base_in_the_hole_leaves_what_wraps() -> None:
    shadowed = shadow(make(0xFFFFF000, FLAT, dpl=3), TOP)
    assert reached(shadowed.value) == [range(TOP)] or reached(shadowed.value)[0].stop <= TOP
    assert linear(shadowed.value, 0x1000) is None or linear(shadowed.value, 0x1000) == 0
    assert shadow(make(TOP, 0xFFF, dpl=3), TOP).why is Why.UNREACHABLE


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (0, Why.EMPTY),
        (0x0000_8C00_0000_0000, Why.CALL_GATE),
        (0x0000_8400_0000_0000, Why.CALL_GATE),
        (0x0000_EC00_0008_0000, Why.CALL_GATE),
        (0x0000_8500_0000_0000, Why.TASK_GATE),
        (0x0000_8200_0000_0000, Why.SYSTEM),
        (0x0000_8900_0000_0067, Why.SYSTEM),
        (0x0000_8B00_0000_0067, Why.SYSTEM),
        (0x0000_8E00_0000_0000, Why.SYSTEM_GATE),
        (0x0000_8F00_0000_0000, Why.SYSTEM_GATE),
        (make(0, FLAT, code=True, down=True).value, Why.CONFORMING),
        (make(0, 0xFFF, down=True, big=True).value, Why.UNREACHABLE),
    ],
)
def test_kinds_that_are_refused(value: int, why: Why) -> None:
    assert shadow(Descriptor(value), TOP) == Shadowed(0, why=why)


def test_data_that_expands_down_keeps_what_is_below_the_hole() -> None:
    stack = make(0xC0000000, 0x3FFFFFFF, down=True)
    assert reached(shadow(stack, TOP).value) == [range(0xC0000000)]
    wide = make(0xC0000000, 0xFFF, down=True)
    assert reached(shadow(wide, TOP).value) == [range(0xC0000000)], "the part above the base leads into the hole"


def test_what_is_not_present_faults_as_such() -> None:
    shadowed = shadow(make(0, FLAT, present=False), TOP)
    assert Descriptor(shadowed.value).dpl == 1
    assert not Descriptor(shadowed.value).present
    assert shadowed.why is None


@given(st.binary(max_size=200))
def test_a_table_has_an_entry_for_each_of_the_guests(raw: bytes) -> None:
    table = shadow_table(raw, TOP)
    assert len(pack(table)) == len(raw) // 8 * 8
    for entry in table:
        check(entry)
