# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor ``ring``, and the class that users derive theirs from.

Its methods ``on_...`` take exits as they come (``exits.py``), a mixin for each field; what they go by is in modules
free of any machine. A subclass overrides one to decide otherwise, or looks on and calls ``super()``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ...abi import Call
from ...abi.wire import (
    RING_COUNTERS,
    RING_CPU_SIZE,
    RING_CPUS_OFFSET,
    RING_EXITS,
    RING_INFO_OFFSET,
    RING_PORTS_OFFSET,
    Mode,
    RingExit,
    RingInfo,
    RingRefusal,
)
from .cautions import cautions
from .cpu import CpuDecisions
from .devices import DeviceDecisions
from .exits import EXITS, exit_handlers
from .life import LifeDecisions
from .place import place, window_part
from .stats import Watch
from .tables import TableDecisions
from .timing import TimeDecisions

if TYPE_CHECKING:
    from ...machine import MachineConfig
    from .._generated_calls import CallShape
    from ..handlers import Handler
    from ..link import Link
    from ..vcpu import Vcpu

_MODES: Final = RING_INFO_OFFSET + RingInfo.OFFSETS["modes"]
_REFUSAL: Final = (RING_INFO_OFFSET + RingInfo.OFFSETS["refusal"]) // 4
_WHY: Final = {
    RingRefusal.CPU: "the CPU lacks a feature that it needs (PSE, TSC)",
    RingRefusal.STATE: "not at CPL 0 with interrupts off, paging and CR0.WP on",
    RingRefusal.SEGMENTS: "code, stack or data segments are not flat",
    RingRefusal.TABLES: "descriptor tables are too large",
    RingRefusal.MEMORY: "the memory for shadows does not do",
    RingRefusal.ROOT: "the page tables can't be followed",
    RingRefusal.CPUS: "there are too many CPUs",
}
PATIENCE: Final = 0xFFFFFFFF
"""A quarter of the TSC ticks that a guest waits for an answer (firmware/ring/brain.c), all that there is room for.

A short pause of Python must lose no question: what a kernel asks by ports has no safe answer but Python's.
"""
_QUIET: Final = frozenset(
    {
        *(RingExit.DESCRIPTOR, RingExit.GATE, RingExit.SET_ROOT, RingExit.EXCEPTION, RingExit.ALLOCATE),
        *(RingExit.RELEASE, RingExit.READ_CR, RingExit.APIC, RingExit.IO_APIC, RingExit.RDPMC),
        *(RingExit.SET_ALARM, RingExit.CANCEL_ALARM),
    }
)


class Ring(CpuDecisions, DeviceDecisions, TableDecisions, LifeDecisions, TimeDecisions):
    """The guest's kernel at CPL 1, its programs at CPL 3, a monitor beneath that it can't touch, and this to decide.

    Attributes:
        quiet: exits that Python is not asked about although there is a method: they are common, and the monitor keeps
            the same rules. A subclass's own methods are always asked.
        watch: counts and times what is asked; None for nobody.
    """

    deprivileges = True
    offers = frozenset(Call(number) for number in range(Call.GetCycleFrequency, Call.WallclockUpdated + 1))
    quiet: frozenset[RingExit] = _QUIET
    watch: Watch | None = None

    def payload(self, cpus: int) -> bytes:
        """Return what lies in the window; it serves any number of CPUs up to :data:`RING_CPUS_MAX`."""
        del cpus
        return window_part()

    def install(self, link: Link, memory: int) -> None:
        """Put the monitor and what it goes by into the link's memory.

        Raises:
            HarnessError: the monitor has not been built.
            UsageError: there is more memory than is served.
        """
        self.prepare(link.cpus, len(link.bytes))
        place(link, memory)
        link.set_patience(PATIENCE)
        modes, ports = self.exit_modes(), self.ports.asked()
        link.bytes[_MODES : _MODES + len(modes)] = modes
        link.bytes[RING_PORTS_OFFSET : RING_PORTS_OFFSET + len(ports)] = ports

    def cautions(self, config: MachineConfig) -> Iterable[str]:
        """Return what in the machine weakens the boundary: devices that write memory by themselves."""
        return cautions(config, self.masters)

    def unasked(self) -> Ring:
        """Ask nothing, and return this: a guest that waits for answers executes instructions while it does."""
        self.quiet = frozenset(RingExit)
        return self

    @classmethod
    def exit_shapes(cls) -> tuple[CallShape, ...]:
        """Return the exits that there are methods for."""
        return tuple(EXITS.values())

    def asked(self) -> tuple[RingExit, ...]:
        """Return the exits that Python is asked about, by number."""
        return tuple(
            number
            for number, shape in EXITS.items()
            if number not in self.quiet or getattr(type(self), shape.method) is not getattr(Ring, shape.method)
        )

    def exit_modes(self) -> bytes:
        """Return a byte for each exit: whether the monitor asks, or counts and does it alone."""
        asked = frozenset(self.asked())
        return bytes(Mode.UPCALL if number in asked else Mode.COUNT for number in range(RING_EXITS))

    def exit_handlers(self, link: Link, vcpus: list[Vcpu]) -> list[Handler | None]:
        """Return what answers exits, by their number."""
        handlers, watch = exit_handlers(self, link, vcpus), self.watch
        if watch is None:
            return handlers
        return [each and watch.watched(RingExit(number), each, link) for number, each in enumerate(handlers)]

    def refusal(self) -> str:
        """Return why the monitor did not take the guest's kernel; empty if it did, or was not asked."""
        value = 0 if self.link is None else self.link.words[_REFUSAL]
        if not value:
            return ""
        try:
            return f"{RingRefusal(value).name}: {_WHY[RingRefusal(value)]}"
        except (ValueError, KeyError):
            return f"reason {value}"

    def exit_counts(self) -> Mapping[RingExit, int]:
        """Return how often each exit was made, on all CPUs; those that never were left out."""
        link = self.link
        if link is None:
            return {}
        found = {}
        for number in RingExit:
            places = (RING_CPUS_OFFSET + cpu * RING_CPU_SIZE + RING_COUNTERS + 8 * number for cpu in range(link.cpus))
            total = sum(int.from_bytes(link.bytes[at : at + 8], "little") for at in places)
            if total:
                found[number] = total
        return found
