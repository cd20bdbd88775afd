# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``ring`` keeps in mind about a machine while it runs: in Python's memory, where no guest gets."""

from __future__ import annotations

from collections import Counter
from typing import Final

from ...abi.wire import RING_WINDOW_SIZE, WIRE_BAR, WIRE_BASE, WIRE_DEVICE_SIZE, WIRE_WAKE_PORT, RingExit
from ..base import Hypervisor
from .answers import End, Fault
from .clock import CpuClock, Wallclock
from .debug import DebugRegisters
from .features import Features
from .msrs import Msrs
from .pci import Function, PciFilter
from .ports import Ports

TOP: Final = WIRE_BASE + RING_WINDOW_SIZE
"""First linear address that the guest may not reach."""

MOST: Final = 4096
"""What a guest makes Python remember, of each kind."""


class Kept(Hypervisor):
    """The state that decisions go by.

    Attributes:
        masters: PCI functions that may be told to write memory by themselves. Empty; whoever puts one here gives up
            protection against a kernel that tells it to write the monitor's.
        features: what CPUID may show; set anew for each machine.
        ports: what is behind I/O ports that are looked at.
        msrs: of each CPU.
        debug: debug registers of each CPU.
        clocks: counters and alarms of each CPU.
        wallclock: whether the host's clock was set.
        faults: decisions that gave the guest a fault, by exit and reason; 4,096 kinds of them.
        end: why the guest was ended, the first reason; empty if it was not.
    """

    masters: frozenset[Function] = frozenset()
    features: Features
    ports: Ports
    msrs: list[Msrs]
    debug: list[DebugRegisters]
    clocks: list[CpuClock]
    wallclock: Wallclock
    faults: Counter[str]
    end: str = ""

    def prepare(self, cpus: int, device: int = WIRE_DEVICE_SIZE) -> None:
        """Begin anew, for a machine that is about to start.

        Args:
            cpus: it has so many.
            device: bytes of memory that the monitor's device has.
        """
        self.features = Features()
        self.ports = Ports(PciFilter(range(WIRE_BAR, WIRE_BAR + device), masters=self.masters), wake=WIRE_WAKE_PORT)
        self.msrs = [Msrs(TOP) for _ in range(cpus)]
        self.debug = [DebugRegisters() for _ in range(cpus)]
        self.clocks = [CpuClock() for _ in range(cpus)]
        self.wallclock = Wallclock()
        self.faults = Counter()
        self.end = ""

    def note_fault(self, number: RingExit, fault: Fault) -> None:
        """Take note that a decision about exit ``number`` gave the guest ``fault``."""
        what = f"{number.name}: {fault.reason}"
        if what in self.faults or len(self.faults) < MOST:
            self.faults[what] += 1

    def note_end(self, end: End) -> None:
        """Take note that a decision ended the guest; the first reason stands."""
        self.end = self.end or end.reason
