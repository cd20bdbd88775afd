# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counters and alarms: the specification's example, and any sequence of events against a slow model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openvmi.hypervisor.ring.clock import (
    AVAILABLE,
    PERIODIC,
    REAL,
    STOLEN,
    WIRED_LVTT,
    CpuClock,
    State,
    Wallclock,
    Wiring,
)

RUNNING, HALTED, READY = State.RUNNING, State.HALTED, State.READY
# what the CPU does in each millisecond of the specification's example
EXAMPLE = [*[RUNNING] * 3, HALTED, READY, RUNNING, *[READY] * 3, RUNNING]


def play(clock: CpuClock, doing: list[State], ticks: int = 1000) -> list[tuple[int, Wiring]]:
    """Let a CPU do so for milliseconds of ``ticks``; return when what fired."""
    fired = []
    for now in range(len(doing) * ticks + 1):
        millisecond = min(now // ticks, len(doing) - 1)
        clock.change(doing[millisecond], now)
        fired += [(now, wiring) for wiring in clock.fire(now)]
    return fired


def test_the_specifications_example() -> None:
    clock = CpuClock()
    play(clock, EXAMPLE)
    assert [clock.read(counter, 10_000) for counter in (REAL, AVAILABLE, STOLEN, 3, 255)] == [
        10_000,
        6_000,
        4_000,
        0,
        0,
    ]


def test_when_the_examples_alarms_expire() -> None:
    clock, expired = CpuClock(), dict[tuple[int, int], int]()
    for now in range(10_001):
        clock.change(EXAMPLE[min(now // 1000, 9)], now)
        for counter, expiries in ((REAL, (3, 5, 7, 9)), (AVAILABLE, (1, 3, 5))):
            for expiry in expiries:
                if clock.read(counter, now) >= 1000 * expiry:
                    expired.setdefault((counter, expiry), now)
    assert [expired[REAL, at] for at in (3, 5, 7, 9)] == [3000, 5000, 7000, 9000]
    assert [expired[AVAILABLE, at] for at in (1, 3, 5)] == [1000, 3000, 6000]


def test_when_the_examples_alarms_fire() -> None:
    clock = CpuClock()
    clock.set_alarm(REAL | PERIODIC, 3000, 2000)
    # 3000: halted, so it waits for the CPU, which runs from 5000 on; then the one at 5000 is not a second one
    assert [now for now, _ in play(clock, EXAMPLE)] == [5000, 9000]
    clock = CpuClock()
    clock.set_alarm(AVAILABLE | PERIODIC, 1000, 2000)
    # the second expires as it halts and the third as it is made ready: both wait until it runs
    assert [now for now, _ in play(clock, EXAMPLE)] == [1000, 5000, 9000]


def test_a_halted_cpu_becomes_ready_when_its_alarm_expires() -> None:
    clock = CpuClock()
    clock.set_alarm(REAL, 500, 0)
    clock.change(HALTED, 100)
    assert not clock.wake(499)
    assert clock.wake(500)
    assert clock.state is READY
    assert clock.fire(600) == []
    clock.change(RUNNING, 700)
    assert clock.fire(700) == [Wiring.IRQ0]
    assert clock.fire(9999) == []
    assert clock.read(STOLEN, 700) == 200


def test_periods_that_were_missed_are_dropped() -> None:
    clock = CpuClock()
    clock.set_alarm(REAL | PERIODIC | WIRED_LVTT, 100, 10)
    assert clock.fire(99) == []
    assert clock.fire(1234) == [Wiring.LVTT]
    assert clock.fire(1239) == []
    assert clock.due(1239) == 1240
    assert clock.fire(1240) == [Wiring.LVTT]


def test_setting_and_cancelling() -> None:
    clock = CpuClock()
    assert not clock.cancel_alarm(REAL)
    clock.set_alarm(STOLEN, 1, 1)
    clock.set_alarm(77, 1, 1)
    assert clock.due(5) is None
    clock.set_alarm(REAL | PERIODIC, 10, 0)  # no period: once
    assert clock.fire(10) == [Wiring.IRQ0]
    assert not clock.cancel_alarm(REAL)
    clock.set_alarm(REAL, 50, 7)  # a period without the flag: once
    clock.set_alarm(REAL, 60, 0)
    assert clock.fire(55) == []
    assert clock.cancel_alarm(REAL)
    assert clock.fire(99) == []
    assert not clock.cancel_alarm(2)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.one_of(
            st.sampled_from([RUNNING, HALTED, READY]),
            st.tuples(st.integers(0, 300), st.integers(0, 20), st.sampled_from([0, PERIODIC]), st.sampled_from([0, 1])),
            st.sampled_from([0, 1]),
        ),
    ),
    max_size=40,
)


@given(STEPS)
def test_any_sequence_keeps_the_rules(
    steps: list[tuple[int, State | tuple[int, int, int, int] | int]],
) -> None:
    clock, now, stolen, state = CpuClock(), 0, 0, RUNNING
    model: dict[int, tuple[int, int]] = {}  # counter: next expiry, period
    for wait, step in steps:
        for _ in range(wait):
            now += 1
            stolen += state is READY
            readings = [clock.read(counter, now) for counter in (REAL, AVAILABLE, STOLEN)]
            assert readings == [now, now - stolen, stolen]
            assert clock.wake(now) == (state is HALTED and any(readings[at] >= e for at, (e, _) in model.items()))
            state = clock.state
            expected = []
            for counter, (expiry, period) in sorted(model.items()):
                if state is RUNNING and readings[counter] >= expiry:
                    expected.append(counter)
                    later = expiry
                    while period and later <= readings[counter]:
                        later += period
                    model[counter] = (later, period)
            for counter in expected:
                if not model[counter][1]:
                    del model[counter]
            assert len(clock.fire(now)) == len(expected)
        if isinstance(step, State):
            clock.change(step, now)
            state = step
        elif isinstance(step, tuple):
            expiry, period, periodic, counter = step
            clock.set_alarm(counter | periodic, expiry, period)
            model[counter] = (expiry, period if periodic else 0)
        else:
            assert clock.cancel_alarm(step) == (model.pop(step, None) is not None)
        due = clock.due(now)
        assert (due is None) == (not model)
        assert due is None or due >= now


def test_time_that_the_host_took() -> None:
    clock = CpuClock()
    clock.steal(30, 100)
    assert (clock.read(AVAILABLE, 100), clock.read(STOLEN, 100)) == (70, 30)
    clock.steal(1000, 200)
    assert (clock.read(AVAILABLE, 200), clock.read(STOLEN, 200)) == (0, 200)


def test_a_clock_that_was_set() -> None:
    wall = Wallclock()
    assert wall.updated(5_000_000_000, 0)
    assert not wall.updated(6_000_000_500, 1_000_000_000)
    assert wall.updated(3_000_000_000, 2_000_000_000)
    assert not wall.updated(4_000_000_000, 3_000_000_000)
