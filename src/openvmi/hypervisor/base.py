# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The class that users derive their hypervisors from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..abi import Call
from ..abi.wire import Mode
from ._generated_calls import SHAPES, Calls

if TYPE_CHECKING:
    from ..machine import Machine, Outcome
    from .guest import Guest
    from .handlers import Handler
    from .link import Link
    from .vcpu import Vcpu


class Hypervisor(Calls):
    """A hypervisor of your own: override the methods of the calls that you care about.

    Each overridden method routes its call, and only its call, to Python; all others are done natively.
    ``modes`` says what else is done with calls that are not routed: counted or traced.

    Attributes:
        period: seconds between two calls of :meth:`idle`, at most 0.1.
        link: the link to the guest, while there is one: counters, modes, losses.
        guest: what is known about the guest as a kernel, while there is a machine: symbols, tasks, memory.
        debugger: opens the prompt of a ``Debug`` answer; None: in the terminal, in the thread that answers calls.
    """

    modes: Mapping[Call, Mode] = {}
    period: float = 0.1
    link: Link | None = None
    guest: Guest | None = None
    debugger: Callable[[Vcpu | None], None] | None = None

    def started(self, machine: Machine) -> None:
        """The machine has been switched on; the guest has not asked for anything yet."""

    def stopped(self, outcome: Outcome) -> None:
        """The machine has ended, as ``outcome`` has it; ``link`` can still be read."""

    def idle(self) -> bool | None:
        """Called in the thread that answers, between calls, at least every ``period`` seconds, and before ``stopped``.

        Calls wait meanwhile. True: there is more to do at once. An exception ends the hypervisor as one of a call's
        method does.
        """

    def exit_handlers(self, link: Link, vcpus: list[Vcpu]) -> list[Handler | None]:
        """Return what answers exits of the guest from ring 1, by their number; here there are none."""
        del link, vcpus
        return []

    def routed(self) -> tuple[Call, ...]:
        """Return the calls whose methods are overridden, by number."""
        return tuple(
            Call(number)
            for number, shape in SHAPES.items()
            if getattr(type(self), shape.method) is not getattr(Calls, shape.method)
        )
