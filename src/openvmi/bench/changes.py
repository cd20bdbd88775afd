# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a running guest waits when what is done with its calls changes, and how long such a change takes.

All calls go from one of native, counted, recorded and answered by Python to another, at random, while the guest runs
its benchmarks. Nobody stops a guest for that; what it can wait for is its call sites, of which it switches a batch at a
call, and an answer, while the brain's thread exchanges hypervisors.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from ..abi.wire import Mode, WireHeader
from ..boot import Request, configure
from ..errors import HarnessError, OpenVmiError
from ..hypervisor.base import Hypervisor
from ..hypervisor.session import Session
from ..hypervisor.switchboard import Change
from ..report import parse_report
from .boots import Account, account_of
from .findings import Finding, median
from .hypervisors import Pages, Trace
from .measure import ns_per_tick, words

_LONGEST: Final = WireHeader.OFFSETS["longest"] // 4
_KINDS: Final = ("native", "count", "trace", "pages")
_GAP: Final = 0.005  # seconds between two changes
_START: Final = 30.0  # seconds for the guest to reach userland
_BOOTS: Final = 100
_JOIN: Final = 20.0


@dataclass(frozen=True, slots=True)
class Timed:
    """One change.

    Args:
        kind: what was changed to.
        change: what it did.
        batch: the longest time for which a CPU switched call sites meanwhile; ns, or TSC ticks where that is said.
    """

    kind: str
    change: Change
    batch: float


@dataclass(slots=True)
class Changer:
    """Makes changes in a running machine, in a thread of its own, until there were enough or the machine has ended.

    Args:
        session: has been started.
        wanted: how many.
        kinds: gives the next kind, other than the one before.
    """

    session: Session
    wanted: int
    kinds: random.Random
    done: list[Timed] = field(default_factory=list)
    error: Exception | None = None
    ended: bool = False

    def __call__(self) -> None:
        """Wait for userland, then make changes."""
        try:
            if self._userland():
                self._change()
        except OpenVmiError as error:
            if not self.ended and self.session.machine.outcome is None:
                self.error = error

    def _userland(self) -> bool:
        until = time.monotonic() + _START
        while not self.ended and time.monotonic() < until:
            if "userland" in self.session.machine.result.marks:
                return True
            time.sleep(_GAP)
        return False

    def _change(self) -> None:
        now = _KINDS[0]
        while len(self.done) < self.wanted and not self.ended:
            now = self.kinds.choice([kind for kind in _KINDS if kind != now])
            words = self.session.link.words
            words[_LONGEST] = 0
            change = apply(self.session, now)
            if not self.ended:
                self.done.append(Timed(now, change, words[_LONGEST]))
            time.sleep(_GAP)


def apply(session: Session, kind: str) -> Change:
    """Have all calls of a machine done in one of four ways: native, count, trace, pages."""
    if kind == "native":
        return session.detach()
    if kind == "pages":
        return session.attach(Pages())
    return session.switch(Mode[kind.upper()])


def change(
    base: Request, *, changes: int, rounds: int, progress: Callable[[str], None]
) -> tuple[list[Finding], Account]:
    """Measure changes of all calls of a running guest.

    Args:
        base: what to boot, without words for ``/init``.
        changes: how many, in as many boots as it takes.
        rounds: as many times all that.
        progress: called with a line before each boot.

    Raises:
        OpenVmiError: a boot or a change failed, or a guest runs so shortly that there is no time for changes.
    """
    request = replace(base, append=f"{base.append} -- {words([], 64)}".strip())
    kinds = random.Random(1)  # noqa: S311 - the same sequence each time
    done: list[Timed] = []
    account = Account()
    for boot in range(_BOOTS):
        progress(f"boot {boot + 1}, {len(done)} of {changes * rounds} changes")
        some, passed = _boot(request, changes * rounds - len(done), kinds)
        done += some
        account += passed
        if len(done) >= changes * rounds:
            return findings(done, boot + 1), account
    raise HarnessError(f"in {_BOOTS} boots there was time for only {len(done)} changes", where=base.kernel)


def _boot(request: Request, wanted: int, kinds: random.Random) -> tuple[list[Timed], Account]:
    """Boot once, and make changes until there are enough or the guest ends; return them, with times in ns."""
    drain = Trace(())
    with Session(Hypervisor(), configure(request), chores=drain.idle, period=drain.period) as session:
        drain.link = session.link
        changer = Changer(session, wanted, kinds)
        thread = threading.Thread(target=changer, name="openvmi-bench", daemon=True)
        thread.start()
        try:
            outcome = session.wait()
        finally:
            changer.ended = True
            thread.join(_JOIN)
        account = account_of(session) + Account(records=drain.records, fastest=drain.fastest)
    if changer.error is not None:
        raise changer.error
    if not outcome.ok:
        raise outcome.error() or HarnessError(outcome.reason, where=request.kernel)
    ns = ns_per_tick(parse_report(outcome.report), "changes")
    return [replace(one, batch=one.batch * ns) for one in changer.done], account


def findings(done: list[Timed], boots: int) -> list[Finding]:
    """Return the figures of changes: what the guest waited, and what they took.

    Args:
        done: the changes, one at least.
        boots: in how many boots.
    """
    changes = [one.change for one in done]
    batches = [one.batch / 1e3 for one in done]
    pauses = [one.pause * 1e6 for one in changes]
    took = [one.took * 1e3 for one in changes]
    late = sum(not one.sites for one in changes)
    waiting = sum(bool(one.outstanding) for one in changes)
    return [
        Finding("changes", len(done), "", how=f"in {boots} boots, among {', '.join(_KINDS)}"),
        median("pause: call sites", batches, "us", "each change's longest batch of sites that a CPU switched"),
        Finding("... 99 of 100 below", percentile(batches, 99), "us"),
        Finding("... the longest", max(batches), "us"),
        median("pause: answers", pauses, "us", "no upcall could be answered"),
        Finding("... 99 of 100 below", percentile(pauses, 99), "us"),
        Finding("... the longest", max(pauses), "us"),
        median("time until in force", took, "ms", "on all CPUs and at all call sites"),
        Finding("... the longest", max(took), "ms"),
        Finding("call sites not there yet", late, "", how="changes after which the guest made no call for 0.5 s"),
        Finding("CPUs not there yet", waiting, "", how="changes after which a CPU had not gone on in 0.05 s"),
    ]


def percentile(samples: list[float], percent: int) -> float:
    """Return the smallest sample that is not below ``percent`` of 100 samples."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
