# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Time as the interface has it: three counters, and two alarms for each CPU. Free of any clock: callers say the time.

At each moment real = available + stolen: one reading of the real counter, and of it what was stolen; the rest is
available. A CPU's time is stolen while it is ready, that is, would run and does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

REAL: Final = 0
AVAILABLE: Final = 1
STOLEN: Final = 2
_COUNTER: Final = 0xFF
PERIODIC: Final = 0x100
WIRED_LVTT: Final = 0x10000


class State(Enum):
    """What a CPU is doing."""

    RUNNING = "runs"
    HALTED = "waits for an interrupt"
    READY = "would run"


class Wiring(Enum):
    """Where an alarm arrives."""

    IRQ0 = "as the timer chip's interrupt"
    LVTT = "at the local APIC timer's vector, unless that is masked"


@dataclass(slots=True)
class Alarm:
    """One alarm.

    Args:
        armed: it will fire.
        expiry: counter's value from which on it has expired.
        period: of a periodic one; 0 for one shot.
        wiring: where it arrives.
    """

    armed: bool = False
    expiry: int = 0
    period: int = 0
    wiring: Wiring = Wiring.IRQ0

    def fire(self, now: int) -> bool:
        """Fire if the counter, at ``now``, has come to it; a periodic one then waits for the first time after."""
        if not self.armed or now < self.expiry:
            return False
        if self.period:
            self.expiry += ((now - self.expiry) // self.period + 1) * self.period
        else:
            self.armed = False
        return True


@dataclass(slots=True)
class CpuClock:
    """One CPU's counters and alarms. Times are values of the real counter, and never go back.

    Args:
        state: what it is doing.
        since: since when.
        stolen: what was stolen before.
    """

    state: State = State.RUNNING
    since: int = 0
    stolen: int = 0
    alarms: dict[int, Alarm] = field(default_factory=lambda: {REAL: Alarm(), AVAILABLE: Alarm()})

    def read(self, counter: int, now: int) -> int:
        """Return a counter at ``now``; 0 for one that does not exist."""
        stolen = self._stolen(now)
        return {REAL: now, AVAILABLE: now - stolen, STOLEN: stolen}.get(counter, 0)

    def steal(self, cycles: int, now: int) -> None:
        """Take note of ``cycles`` in which a CPU that ran did not; no more than there were."""
        self.stolen += max(0, min(cycles, now - self.stolen))

    def change(self, state: State, now: int) -> None:
        """Take note that the CPU does something else from ``now`` on."""
        self.stolen = self._stolen(now)
        self.since = max(self.since, now)
        self.state = state

    def set_alarm(self, flags: int, expiry: int, period: int) -> None:
        """SetAlarm: arm the alarm of a counter, whatever it was doing; of a counter without one, do nothing."""
        alarm = self.alarms.get(flags & _COUNTER)
        if alarm is None:
            return
        alarm.armed, alarm.expiry = True, expiry
        alarm.period = period if flags & PERIODIC else 0
        alarm.wiring = Wiring.LVTT if flags & WIRED_LVTT else Wiring.IRQ0

    def cancel_alarm(self, counter: int) -> bool:
        """CancelAlarm: say whether it was armed."""
        alarm = self.alarms.get(counter & _COUNTER)
        was = alarm is not None and alarm.armed
        if alarm is not None:
            alarm.armed = False
        return was

    def has_expired(self, now: int) -> bool:
        """Say whether an alarm waits for the CPU to run; one that is halted becomes ready by it."""
        return any(alarm.armed and self.read(counter, now) >= alarm.expiry for counter, alarm in self.alarms.items())

    def wake(self, now: int) -> bool:
        """Make a halted CPU ready if an alarm of it has expired; say whether it did."""
        if self.state is not State.HALTED or not self.has_expired(now):
            return False
        self.change(State.READY, now)
        return True

    def fire(self, now: int) -> list[Wiring]:
        """Return where alarms arrive now; nowhere unless the CPU runs. Each at most once, however late it is."""
        if self.state is not State.RUNNING:
            return []
        return [alarm.wiring for counter, alarm in self.alarms.items() if alarm.fire(self.read(counter, now))]

    def due(self, now: int) -> int | None:
        """Return the real time at which the next alarm expires if nothing is stolen until then; None without one."""
        behind = self._stolen(now)
        times = [
            alarm.expiry + (behind if counter == AVAILABLE else 0)
            for counter, alarm in self.alarms.items()
            if alarm.armed
        ]
        return max(now, min(times)) if times else None

    def _stolen(self, now: int) -> int:
        return self.stolen + (max(0, now - self.since) if self.state is State.READY else 0)


@dataclass(slots=True)
class Wallclock:
    """Nanoseconds since 1970 as the host has them, against the real counter: whether the host's clock was set.

    Args:
        tolerance_ns: what two readings may differ by without that.
    """

    tolerance_ns: int = 1_000_000
    _offset: int | None = None

    def updated(self, wall_ns: int, real_ns: int) -> bool:
        """WallclockUpdated: say whether it was set since the last time; the first time it was."""
        offset = wall_ns - real_ns
        before, self._offset = self._offset, offset
        return before is None or abs(offset - before) > self.tolerance_ns
