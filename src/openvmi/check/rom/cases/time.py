# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Time and alarms (vmi-abi.md 4.9)."""

from __future__ import annotations

from collections.abc import Mapping

from ....abi import MIN_CYCLE_FREQUENCY, AlarmFlag, Counter
from ..bench import Bench
from ..case import Case, Expect, Problem, Problems, boundary, negative, positive, result
from ..seen import Seen
from .common import ALL, number

_NEVER = (1 << 63) - 1
_IGNORE = "registers and flags that must not matter"
_NO_COUNTER = 0x55


def _result(bench: Bench, call: str, seen: Seen) -> int:
    return result(seen, bench.tables.call(call).gives[0])


def _frequency(bench: Bench, seen: Seen) -> Problems:
    found = _result(bench, "GetCycleFrequency", seen)
    if found < MIN_CYCLE_FREQUENCY:
        yield Problem("result", f"at least {MIN_CYCLE_FREQUENCY}", str(found))
    again = bench.value("GetCycleFrequency")
    if again is not None and again != found:
        yield Problem("result", f"{found}, as before", str(again))


def _advances(call: str, **arguments: int) -> Expect:
    def expect(bench: Bench, seen: Seen) -> Problems:
        first, second = _result(bench, call, seen), bench.value(call, **arguments)
        if second is not None and second < first:
            yield Problem("result", f"at least {first:#x}", number(second))

    return expect


def _adds_up(bench: Bench, seen: Seen) -> Problems:
    """Real = stolen + available, at every moment: between two readings of the first."""
    available = _result(bench, "GetCycleCounter", seen)
    before = bench.value("GetCycleCounter", counter=Counter.REAL)
    stolen = bench.value("GetCycleCounter", counter=Counter.STOLEN)
    available = bench.value("GetCycleCounter", counter=Counter.AVAILABLE) or available
    after = bench.value("GetCycleCounter", counter=Counter.REAL)
    if before is None or stolen is None or after is None:
        return
    if not before <= stolen + available <= after:
        yield Problem("result", f"stolen + available in {before:#x}..{after:#x}", number(stolen + available))


def _zero(bench: Bench, seen: Seen) -> Problems:
    found = _result(bench, "GetCycleCounter", seen)
    if found:
        yield Problem("result", "0", number(found))


def _armed(counter: int, *, armed: bool) -> Expect:
    def expect(bench: Bench, seen: Seen) -> Problems:
        del seen
        found = bench.value("CancelAlarm", counter=counter)
        again = bench.value("CancelAlarm", counter=counter)
        # one that says TRUE twice is wrong itself
        if found is not None and bool(found) != armed and not again:
            yield Problem("effect", f"armed: {armed}", f"CancelAlarm says {found:#x}")

    return expect


def _cancels(bench: Bench, seen: Seen) -> Problems:
    found = _result(bench, "CancelAlarm", seen)
    if found:
        yield Problem("result", "FALSE, as none was set", number(found))
    if bench.ask("SetAlarm", flags=Counter.REAL, expiry=_NEVER, period=0) is None:
        return
    for expected in (True, False):
        again = bench.value("CancelAlarm", counter=Counter.REAL)
        if again is not None and bool(again) != expected:
            yield Problem("result", str(expected).upper(), number(again))


def _never_armed(bench: Bench, seen: Seen) -> Problems:
    found = _result(bench, "CancelAlarm", seen)
    if found:
        yield Problem("result", "FALSE", number(found))


def _alarm(flags: int, period: int, counter: int, *, armed: bool = True) -> dict[str, object]:
    arguments = {"flags": flags, "expiry": _NEVER, "period": period}
    return {"arguments": arguments, "expect": _armed(counter, armed=armed)}


def _cleared(bench: Bench, seen: Seen) -> Problems:
    del seen
    found = bench.value("WallclockUpdated")
    if found:
        yield Problem("result", "FALSE: the first poll has cleared it", number(found))


def cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call."""
    wall = _advances("GetWallclockTime")
    periodic = AlarmFlag.PERIODIC
    return {
        "GetCycleFrequency": (
            positive("constant", expect=_frequency),
            boundary("interrupts on", expect=_frequency),
            negative(_IGNORE, expect=_frequency),
        ),
        "GetCycleCounter": (
            positive("real", arguments={"counter": Counter.REAL}, expect=_advances("GetCycleCounter")),
            positive("available", arguments={"counter": Counter.AVAILABLE}, expect=_adds_up),
            boundary(
                "stolen",
                arguments={"counter": Counter.STOLEN},
                expect=_advances("GetCycleCounter", counter=Counter.STOLEN),
            ),
            negative("a counter that there is not", arguments={"counter": 3}, expect=_zero),
            negative("the highest number", arguments={"counter": ALL}, expect=_zero),
        ),
        "SetAlarm": (
            positive("once", **_alarm(Counter.REAL, 0, Counter.REAL)),
            positive("periodic", **_alarm(Counter.AVAILABLE | periodic, 1000, Counter.AVAILABLE)),
            boundary("periodic with period 0", **_alarm(Counter.REAL | periodic, 0, Counter.REAL)),
            negative("the stolen counter has none", **_alarm(Counter.STOLEN, 0, Counter.STOLEN, armed=False)),
            negative("a counter that there is not", **_alarm(_NO_COUNTER, 0, _NO_COUNTER, armed=False)),
        ),
        "CancelAlarm": (
            positive("none is set", arguments={"counter": Counter.REAL}, expect=_cancels),
            boundary("the other counter", arguments={"counter": Counter.AVAILABLE}, expect=_never_armed),
            negative("a counter that there is not", arguments={"counter": ALL}, expect=_never_armed),
        ),
        "GetWallclockTime": (
            positive("never backwards", expect=wall),
            boundary("interrupts on", expect=wall),
            negative(_IGNORE, expect=wall),
        ),
        "WallclockUpdated": (
            positive("a poll clears it", expect=_cleared),
            boundary("interrupts on", expect=_cleared),
            negative(_IGNORE, expect=_cleared),
        ),
    }
