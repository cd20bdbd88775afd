# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The payload's counters and alarms against the same state machine in Python, event by event."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.hypervisor.ring.clock import AVAILABLE, PERIODIC, REAL, WIRED_LVTT, CpuClock, State, Wiring
from openvmi.toolchain.zig import zig_command

TREE = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
NEVER = (1 << 64) - 1
BITS = {Wiring.IRQ0: 1, Wiring.LVTT: 2}


@pytest.fixture(scope="session")
def payload(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("alarm") / "alarm.so"
    flags = ("-shared", "-fPIC", "-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined")
    command = [*zig_command(), "cc", *flags, "-fsanitize-trap=undefined", "-DRING_PAE=0", "-o", str(library)]
    command += ["-I", str(TREE / "firmware/ring"), "-I", str(TREE / "firmware/include"), str(HERE / "model/alarm.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = ctypes.CDLL(str(library))
    wide, word = ctypes.c_uint64, ctypes.c_uint32
    for name, result, arguments in (
        ("read", wide, [word, wide]),
        ("steal", None, [wide, wide]),
        ("set", None, [word, wide, wide]),
        ("cancel", word, [word]),
        ("fire", word, [wide]),
        ("due", wide, []),
        ("period", wide, []),
    ):
        function = getattr(found, f"model_{name}")
        function.restype, function.argtypes = result, arguments
    return found


CYCLES = st.one_of(st.integers(0, 40), st.integers(0, 1 << 33))
COUNTERS = st.sampled_from([REAL, AVAILABLE, 2, 3, 255])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), CYCLES),
        st.tuples(st.just("wait"), CYCLES),
        st.tuples(
            st.just("set"),
            COUNTERS,
            st.sampled_from([0, PERIODIC, WIRED_LVTT, PERIODIC | WIRED_LVTT]),
            st.one_of(CYCLES, st.just(NEVER)),
            st.one_of(CYCLES, st.just(NEVER)),
        ),
        st.tuples(st.just("cancel"), COUNTERS),
    ),
    max_size=40,
)


@given(EVENTS, st.integers(0, 1 << 40))
def test_the_payload_does_as_the_model(payload: ctypes.CDLL, events: list[tuple[object, ...]], now: int) -> None:
    payload.model_reset()
    clock = CpuClock(since=now)
    for what, *rest in events:
        values = [value for value in rest if isinstance(value, int)]
        match what:
            case "run":
                now += values[0]
            case "wait":
                clock.change(State.READY, now)
                now += values[0]
                clock.change(State.RUNNING, now)
                payload.model_steal(values[0], now)
            case "set":
                counter, flags, expiry, period = values
                clock.set_alarm(counter | flags, expiry, period)
                payload.model_set(counter | flags, expiry, period)
            case _:
                assert payload.model_cancel(values[0]) == clock.cancel_alarm(values[0])
        fired = 0
        for wiring in clock.fire(now):
            fired |= BITS[wiring]
        assert payload.model_fire(now) == fired
        readings = [payload.model_read(counter, now) for counter in (0, 1, 2, 3, 255)]
        assert readings == [clock.read(counter, now) for counter in (0, 1, 2, 3, 255)]
        assert readings[0] == readings[1] + readings[2]
        due = clock.due(now)
        assert max(now, payload.model_due()) == (NEVER if due is None else min(due, NEVER))


def test_nothing_more_is_stolen_than_there_was(payload: ctypes.CDLL) -> None:
    payload.model_reset()
    payload.model_steal(1000, 400)
    assert [payload.model_read(counter, 500) for counter in (0, 1, 2)] == [500, 100, 400]


@pytest.mark.parametrize(
    ("alarms", "period"),
    [
        ([], 0),
        ([(REAL | PERIODIC, 7)], 7),
        ([(AVAILABLE | PERIODIC, 9)], 9),
        ([(REAL, 7)], 0),
        ([(REAL | PERIODIC, 7), (AVAILABLE | PERIODIC, 9)], 0),
    ],
)
def test_the_only_alarms_period(payload: ctypes.CDLL, alarms: list[tuple[int, int]], period: int) -> None:
    payload.model_reset()
    for flags, each in alarms:
        payload.model_set(flags, 5, each)
    assert payload.model_period() == period
