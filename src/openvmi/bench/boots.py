# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots a guest for a measurement, and keeps account of what Python behind it was asked, and of what was lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..abi.wire import GuestState
from ..boot import Request, configure, machine_of
from ..errors import HarnessError
from ..hypervisor import HOSTED, NAMES
from ..hypervisor.base import Hypervisor
from ..hypervisor.session import Session
from ..report import Report, parse_report
from .hypervisors import OWN, Trace

if TYPE_CHECKING:
    from ..abi import Call
    from ..hypervisor.link import Link
    from ..machine import Machine, Outcome

_PATIENCE = 20.0  # seconds for a thread to see that its machine has ended
COLUMNS = (*NAMES, *OWN)
"""Hypervisors that columns can be named after."""


@dataclass(frozen=True, slots=True)
class Account:
    """What passed between a guest and Python in one boot or several, and what did not.

    Args:
        upcalls: calls that Python answered.
        wakes: how often it was asleep when one came.
        records: trace records that were taken.
        fastest: the most records in a second.
        lost_upcalls: calls that were done natively, because no answer came in time.
        lost_records: records for which there was no room, or that were never finished.
        complaints: what else is wrong, in words.
    """

    upcalls: int = 0
    wakes: int = 0
    records: int = 0
    fastest: float = 0.0
    lost_upcalls: int = 0
    lost_records: int = 0
    complaints: tuple[str, ...] = ()

    def __add__(self, other: Account) -> Account:
        return Account(
            self.upcalls + other.upcalls,
            self.wakes + other.wakes,
            self.records + other.records,
            max(self.fastest, other.fastest),
            self.lost_upcalls + other.lost_upcalls,
            self.lost_records + other.lost_records,
            tuple(dict.fromkeys((*self.complaints, *other.complaints))),
        )

    def wrong(self) -> list[str]:
        """Return why the figures that go with this don't mean what they say; empty if they do."""
        found = list(self.complaints)
        if self.lost_upcalls:
            found.append(f"{self.lost_upcalls:,} upcalls lost: no answer came in time")
        if self.lost_records:
            found.append(f"{self.lost_records:,} trace records lost")
        return found

    def said(self) -> str:
        """Return in words what passed; empty if nothing did."""
        parts = [f"{self.upcalls:,} upcalls ({self.wakes:,} from sleep)"] if self.upcalls else []
        if self.records:
            rate = f", at most {self.fastest / 1e6:.2f} million/s" if self.fastest else ""
            parts.append(f"{self.records:,} records{rate}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot.

    Args:
        report: what the guest reported.
        seconds: from QEMU's start to the guest's last word.
        account: what passed between it and Python.
        counts: how often each call was counted.
    """

    report: Report
    seconds: float
    account: Account
    counts: Mapping[Call, int]


def is_own(name: str) -> bool:
    """Say whether ``name`` is one of the hypervisors that only measurements know."""
    return name in OWN


def run(request: Request, hypervisor: Hypervisor | None = None) -> Boot:
    """Boot ``request`` once, with ``hypervisor`` in place of the one that it names, if given.

    Raises:
        OpenVmiError: it did not end with status 0.
    """
    with machine(request, hypervisor) as running:
        outcome = running.wait()
        account = Account() if not isinstance(running, Session) else account_of(running)
        counts = running.link.counts() if isinstance(running, Session) else {}
    if not outcome.ok:
        raise outcome.error() or HarnessError(outcome.reason, where=f"{request.kernel} under {request.hypervisor}")
    return Boot(parse_report(outcome.report), _seconds(outcome), account, counts)


def machine(request: Request, hypervisor: Hypervisor | None = None) -> Machine | Session:
    """Return what ``request`` asks for, ready for a ``with`` statement; names in :data:`OWN` are known here too."""
    if hypervisor is None and is_own(request.hypervisor):
        hypervisor = OWN[request.hypervisor]()
    if hypervisor is None:
        return machine_of(request)
    return Session(hypervisor, configure(replace(request, hypervisor=HOSTED)), symbols=request.symbols)


def beside(session: Session, work: Callable[[], object], limit: float) -> None:
    """Do ``work`` in a thread while the machine of ``session`` runs, until it is done, or the machine ends.

    Args:
        session: has been started.
        work: must not raise.
        limit: seconds for both.
    """
    ours, theirs = os.pipe()
    done = threading.Event()

    def do() -> None:
        work()
        done.set()
        os.close(theirs)  # which wakes who waits for the machine

    thread = threading.Thread(target=do, name="openvmi-bench", daemon=True)
    try:
        session.machine.add_input(ours, lambda _: None)
        thread.start()
        session.machine.wait_for(done.is_set, timeout=limit)
    finally:
        session.machine.stop()
        thread.join(_PATIENCE)
        session.machine.remove_input(ours)
        os.close(ours)


def account_of(session: Session) -> Account:
    """Return what passed in a session that has ended.

    Raises:
        HarnessError: the hypervisor raised something.
    """
    losses, brain, decides = session.link.losses(), session.brain, session.hypervisor
    if brain is not None and brain.failure is not None:
        failure = brain.failure
        raise HarnessError(f"the hypervisor raised {type(failure).__name__}: {failure}") from failure
    trace = decides if isinstance(decides, Trace) else None
    return Account(
        0 if brain is None else brain.answered,
        0 if brain is None else brain.wakes,
        0 if trace is None else trace.records,
        0.0 if trace is None else trace.fastest,
        losses.upcalls,
        losses.records,
        _complaints(session.link, asked=bool(decides.routed() or decides.modes)),
    )


def _complaints(link: Link, *, asked: bool) -> tuple[str, ...]:
    found = [link.refusal()]
    if asked and link.guest_state is GuestState.SILENT:
        found.append("the guest never asked for the interface: nothing reached Python (a VMI kernel of API 3.0?)")
    if link.fault:
        found.append(f"the guest wrote nonsense into the shared memory: {link.fault}")
    return tuple(text for text in found if text)


def _seconds(outcome: Outcome) -> float:
    said = [line.at for line in outcome.report]
    return said[-1] / 1e9 if said else 0.0
