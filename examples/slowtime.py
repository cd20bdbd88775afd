# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's clock runs at half speed once programs run.

    openvmi run --hypervisor examples/slowtime.py

A clock of our own takes the place of the time-stamp counter, so that the kernel measures it while it boots. The first
return to a program slows it down. A Linux has to believe in it: ``--append tsc=reliable`` (from 2.6.32 on).
"""

import time

from openvmi.abi import Call
from openvmi.abi.wire import Mode
from openvmi.hypervisor import Hypervisor, Value, Vcpu


class SlowTime(Hypervisor):
    """RDTSC of the kernel counts nanoseconds, then half of them; a program's own RDTSC never comes here."""

    speed = 0.5
    slow_since = 0  # in ticks; 0: not yet

    def __init__(self) -> None:
        self.origin = time.monotonic_ns()

    def ticks(self) -> int:
        """Return the nanoseconds of the true clock."""
        return time.monotonic_ns() - self.origin

    def rdtsc(self, vcpu: Vcpu) -> Value:
        """Answer with our clock."""
        del vcpu
        now = self.ticks()
        return Value(now if not self.slow_since else self.slow_since + int((now - self.slow_since) * self.speed))

    def iret(self, vcpu: Vcpu, frame: int) -> None:
        """Look where it leads; once that is a program, nobody has to ask any more."""
        if not self.slow_since and vcpu.memory.u16(frame + 4) & 3 == 3:
            self.begin()

    def sysexit(self, vcpu: Vcpu, eip: int, esp: int) -> None:
        """Always leads to a program."""
        del vcpu, eip, esp
        self.begin()

    def begin(self) -> None:
        """Slow down from now on."""
        self.slow_since = self.slow_since or self.ticks()
        if self.link:
            self.link.set_mode(Mode.NATIVE, [Call.IRET, Call.SYSEXIT])
