# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counters of calls: the guest counts modulo 2^32, we without an end."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from openvmi.abi import Call, wire
from openvmi.hypervisor.link import Link, area

CPUS = 2
WORD = 1 << 32


@given(
    steps=st.lists(
        st.tuples(st.integers(0, CPUS - 1), st.sampled_from([Call.SetCR3, Call.IRET]), st.integers(0, WORD - 1))
    )
)
def test_counts_go_on_where_the_guest_wraps(steps: list[tuple[int, Call, int]]) -> None:
    link = Link(bytearray(wire.WIRE_SIZE), CPUS, None)
    for cpu, call, more in steps:
        at = (area(cpu) + wire.WIRE_CPU_COUNTERS) // 4 + call
        link.words[at] = (link.words[at] + more) % WORD
        link.count(call, cpu)
    for call in (Call.SetCR3, Call.IRET):
        assert link.count(call) == sum(more for _, called, more in steps if called is call)


def test_nobody_has_to_ask_for_a_wrap_to_be_seen() -> None:
    link = Link(bytearray(wire.WIRE_SIZE), 1, None)
    at = (area(0) + wire.WIRE_CPU_COUNTERS) // 4 + Call.CLTS
    for seconds, counted in enumerate(accumulate([WORD // 2] * 5)):
        link.words[at] = counted % WORD
        link.tally(float(10 * seconds))
        link.tally(10 * seconds + 0.5)
    assert link.counts() == {Call.CLTS: 5 * WORD // 2}
