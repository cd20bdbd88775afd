# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The class that users derive their hypervisors from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from .. import images
from ..abi import Call
from ..abi.wire import Mode
from ._generated_calls import SHAPES, Calls, CallShape

if TYPE_CHECKING:
    from ..machine import Machine, MachineConfig, Outcome
    from .guest import Guest
    from .handlers import Handler
    from .link import Link
    from .vcpu import Vcpu


class Hypervisor(Calls):
    """A hypervisor of your own: override the methods of the calls that you care about.

    Each overridden method routes its call, and only its call, to Python; all others are done natively.
    ``modes`` says what else is done with calls that are not routed: counted or traced.

    Attributes:
        offers: calls that it serves beside those that every payload does.
        deprivileges: the guest's kernel runs at CPL 1, and the hypervisor is a :class:`~openvmi.hypervisor.ring.Ring`.
        period: seconds between two calls of :meth:`idle`, at most 0.1.
        link: the link to the guest, while there is one: counters, modes, losses.
        guest: what is known about the guest as a kernel, while there is a machine: symbols, tasks, memory.
        debugger: opens the prompt of a ``Debug`` answer; None: in the terminal, in the thread that answers calls.
    """

    modes: Mapping[Call, Mode] = {}
    offers: frozenset[Call] = frozenset()
    deprivileges: bool = False
    period: float = 0.1
    link: Link | None = None
    guest: Guest | None = None
    debugger: Callable[[Vcpu | None], None] | None = None

    def cautions(self, config: MachineConfig) -> Iterable[str]:
        """Return what the user must be told about a machine before it starts: warnings, a line each."""
        del config
        return ()

    def started(self, machine: Machine) -> None:
        """The machine runs, and this hypervisor has not been asked anything yet; an exception is the end of it."""

    def stopped(self, outcome: Outcome) -> None:
        """The machine has ended, as ``outcome`` has it; ``link`` can still be read."""

    def heard(self, data: bytes) -> None:
        """Called in the thread that answers with what the guest has written to the wake port, wake-ups included."""

    def idle(self) -> bool | None:
        """Called in the thread that answers, between calls, at least every ``period`` seconds, and before ``stopped``.

        Calls wait meanwhile. True: there is more to do at once. An exception ends the hypervisor as one of a call's
        method does.
        """

    def payload(self, cpus: int) -> bytes:
        """Return the image that serves the guest's calls on ``cpus`` CPUs.

        Raises:
            HarnessError: it has not been built.
        """
        return images.path("payload-up.bin" if cpus == 1 else "payload-smp.bin").read_bytes()

    def install(self, link: Link, memory: int) -> None:
        """Put what else the guest needs into the link's memory, before it starts; it has ``memory`` bytes of RAM."""

    @classmethod
    def exit_shapes(cls) -> tuple[CallShape, ...]:
        """Return the exits of ``ring`` that there are methods for; here none."""
        return ()

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
