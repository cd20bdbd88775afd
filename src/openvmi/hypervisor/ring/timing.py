# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Decisions about time: alarms, which are the monitor's unless a class has a method for them, and the wall clock."""

from __future__ import annotations

import time
from typing import Final

from ...abi.wire import RING_INFO_OFFSET, RingInfo
from ..answers import Value
from ..vcpu import Vcpu
from .answers import Decision
from .state import Kept

_FREQUENCY: Final = (RING_INFO_OFFSET + RingInfo.OFFSETS["frequency"]) // 4
_NS: Final = 1_000_000_000


class TimeDecisions(Kept):
    """What time it is for the guest, and when it is told."""

    @property
    def frequency(self) -> int:
        """Cycles a second of the counters, as the monitor has measured; 0 before the guest has asked."""
        link = self.link
        return 0 if link is None else link.words[_FREQUENCY] | link.words[_FREQUENCY + 1] << 32

    def on_set_alarm(self, vcpu: Vcpu, flags: int, expiry: int, period: int) -> Decision:
        """SetAlarm; ``flags`` as the call's. None: it is set; ``Continue(expiry=)``: so; a Value: it is not."""

    def on_cancel_alarm(self, vcpu: Vcpu, counter: int) -> Decision:
        """CancelAlarm. None: done; a Value: nothing is, and the guest is told that."""

    def on_wallclock(self, vcpu: Vcpu, real: int) -> Decision:
        """GetWallclockTime, at ``real`` of the real counter: nanoseconds since 1970. The default has the host's.

        None: what the machine's clock chip says, to the second.
        """
        del vcpu, real
        return Value(max(0, time.time_ns()))

    def on_wallclock_set(self, vcpu: Vcpu, real: int) -> Decision:
        """WallclockUpdated: was the clock set since the last time, against the real counter? The first time it was."""
        del vcpu
        frequency = self.frequency
        return Value(int(self.wallclock.updated(time.time_ns(), real * _NS // frequency if frequency else 0)))
