# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes what is done with calls while the guest makes them: other modes, another hypervisor, none.

A mode is a byte that the guest's stub reads, so a change of modes needs nobody's consent and stops nobody. What answers
upcalls changes in the brain's thread, between two answers:

- a request that is in its mailbox when a hypervisor goes is still answered by it;
- a CPU that has read its call's mode before the change and asks after it is answered by whoever is there then, and by
  nobody's word "natively".
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..abi import CALL_COUNT, Call
from ..abi.wire import Mode, Path, WireHeader
from ..errors import UsageError
from .base import Hypervisor
from .brain import Brain
from .handlers import Handler, make_handlers
from .link import Link
from .vcpu import Vcpu

SETTLE: Final = 0.05
"""Seconds that the last requests have to come and be answered; what comes later is done natively."""
SITES: Final = 0.5
"""Seconds that the guest has to switch its call sites."""
_LOOK: Final = 0.0005
_NOBODY: Final[list[Handler | None]] = [None] * CALL_COUNT
_PATHS: Final = WireHeader.OFFSETS["paths"]
_EVERYWHERE: Final = (0, 1 << 32)


@dataclass(frozen=True, slots=True)
class Change:
    """What a change did.

    Args:
        calls: those whose mode is another now, each with the mode before and after.
        took: seconds from the request until it was in force on all CPUs.
        sites: whether all of the kernel's call sites are as it wants them; False: the guest makes no calls at which it
            would switch them, and meanwhile flag calls go on as before.
        pause: the longest time in seconds for which no upcall could be answered; calls in other modes never wait.
        outstanding: CPUs that still had not asked, or not gone on, when the time for that was over.
    """

    calls: Mapping[Call, tuple[Mode, Mode]]
    took: float
    pause: float = 0.0
    outstanding: tuple[int, ...] = ()
    sites: bool = True


@dataclass(slots=True)
class _Clock:
    """Measures a change."""

    link: Link
    began: float = field(default_factory=time.perf_counter)
    before: list[Mode] = field(init=False)

    def __post_init__(self) -> None:
        self.before = [self.link.mode(call) for call in self.link.offered]

    def changed(self) -> dict[Call, tuple[Mode, Mode]]:
        found = {}
        for call, before in zip(self.link.offered, self.before, strict=True):
            if (after := self.link.mode(call)) is not before:
                found[call] = (before, after)
        return found

    @property
    def took(self) -> float:
        return time.perf_counter() - self.began


class Switchboard:
    """Who answers which call, for one machine.

    Args:
        link: the shared memory.
        brain: answers.
        vcpus: the CPUs, for handlers.
        hypervisor: whose methods the brain's handlers are.

    Attributes:
        hypervisor: who decides; one that routes nothing while nobody is attached.
    """

    def __init__(self, link: Link, brain: Brain, vcpus: list[Vcpu], hypervisor: Hypervisor) -> None:
        self.hypervisor = hypervisor
        self._link = link
        self._brain = brain
        self._vcpus = vcpus
        # as it is now: what the guest writes there later changes nothing
        self._switchable = tuple(call for call in link.offered if link.bytes[_PATHS + call] == Path.SWITCHABLE)

    @property
    def switchable(self) -> tuple[Call, ...]:
        """The calls whose mode can be changed in this machine."""
        return self._switchable

    def switch(self, mode: Mode, calls: Iterable[Call] | None = None) -> Change:
        """Do ``mode`` with ``calls`` from now on; None: with all that can be switched.

        Raises:
            UsageError: a call can't be switched in this machine, or Python was asked for and nobody is attached who
                answers it.
        """
        wanted = self._switchable if calls is None else tuple(calls)
        clock = _Clock(self._link)
        self._check(wanted)
        if mode is Mode.UPCALL:
            self._brain.run(lambda: self._route(wanted))
        else:
            self._link.set_mode(mode, wanted)
        return self._settled(clock, Change(clock.changed(), clock.took))

    def check(self, hypervisor: Hypervisor) -> None:
        """Make sure that ``hypervisor`` can be attached.

        Raises:
            UsageError: it wants a call that can't be switched in this machine.
        """
        self._check((*hypervisor.routed(), *hypervisor.modes))

    def attach(self, hypervisor: Hypervisor) -> Change:
        """Let ``hypervisor`` decide from now on; one that is attached goes.

        Raises:
            UsageError: it wants a call that can't be switched in this machine.
            HarnessError: a handler of the one before does not come back, or the machine has ended.
        """
        clock = _Clock(self._link)
        self.check(hypervisor)
        handlers = make_handlers(hypervisor, self._link, self._vcpus)
        return self._settled(clock, self._brain.run(lambda: self._exchange(clock, hypervisor, handlers)))

    def detach(self) -> Change:
        """Have everything done natively again, and nobody asked.

        What is switched to is in force even when this raises.

        Raises:
            HarnessError: a handler does not come back, or the machine has ended.
        """
        clock = _Clock(self._link)
        self._link.set_mode(Mode.NATIVE)
        return self._settled(clock, self._brain.run(lambda: self._exchange(clock, Hypervisor(), _NOBODY)))

    def _settled(self, clock: _Clock, change: Change) -> Change:
        """Wait for the guest to switch its call sites, a while; not in the brain's thread, which has to answer it."""
        if self._brain.is_here():
            return change
        until = time.perf_counter() + SITES
        while not (sites := self._link.settle()) and time.perf_counter() < until:
            time.sleep(_LOOK)
        return replace(change, took=clock.took, sites=sites)

    def _check(self, calls: tuple[Call, ...]) -> None:
        for call in calls:
            if call not in self._switchable:
                raise UsageError("this call can't be switched in this machine", where=call.name)

    def _route(self, calls: tuple[Call, ...]) -> None:
        nobody = [call.name for call in calls if self._brain.handlers[call] is None]
        if nobody:
            what = f"{type(self.hypervisor).__name__} does not answer"
            raise UsageError(what, where=", ".join(nobody), help="openvmi attach --hypervisor FILE.py")
        self._brain.revive()
        self._link.set_mode(Mode.UPCALL, calls)

    def _exchange(self, clock: _Clock, hypervisor: Hypervisor, handlers: list[Handler | None]) -> Change:
        """Put ``hypervisor`` in the place of the one that is there, in the brain's thread."""
        routed, began = hypervisor.routed(), time.perf_counter()
        before = {*self.hypervisor.routed(), *self.hypervisor.modes}
        self._link.set_mode(Mode.NATIVE, before.difference(routed, hypervisor.modes))
        pause = time.perf_counter() - began
        busy = self._brain.settle(SETTLE)  # answers all the while: no pause
        began = time.perf_counter()
        self._brain.handlers = handlers
        self.hypervisor = hypervisor
        hypervisor.link = self._link
        if handlers is _NOBODY:
            self._link.set_mode(Mode.NATIVE)
            self._link.set_trace_range(*_EVERYWHERE)
        else:
            self._brain.revive()
            for call, mode in hypervisor.modes.items():
                self._link.set_mode(mode, [call])
            self._link.set_mode(Mode.UPCALL, routed)
        took, pause = clock.took, max(pause, time.perf_counter() - began)
        return Change(clock.changed(), took, pause, tuple(busy))
