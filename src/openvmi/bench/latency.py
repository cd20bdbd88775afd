# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What one call costs when Python answers it: a difference, by the guest's own cycle counter.

A benchmark of the guest, once with all calls native and once with some answered by a handler that does nothing; the
difference for an operation, divided by the calls that the operation makes, all of which it measures. One benchmark
makes them one soon after the other, so the brain spins; another pauses so long before each that it has fallen asleep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ..abi import Call
from ..boot import Request
from ..errors import HarnessError
from ..hypervisor import HOSTED
from .boots import Account, Boot, run
from .findings import Finding, median
from .hypervisors import Count, Pages
from .measure import medians

SPINNING = "map-touch-unmap"
ASLEEP = "touch-unmap-rare"
_FEW, _MORE = 1, 33  # batches


def latency(
    base: Request, *, rounds: int, batches: int | None, progress: Callable[[str], None]
) -> tuple[list[Finding], Account]:
    """Measure how long a call takes that Python answers, while the brain spins and from its sleep.

    Args:
        base: what to boot, without words for ``/init``.
        rounds: boots of each kind, interleaved.
        batches: measured batches in each boot; None for ``/init``'s default.
        progress: called with a line before each boot.

    Raises:
        OpenVmiError: a boot failed, or the benchmark makes none of the calls.
    """
    calls = Pages().routed()
    per_op = {name: calls_per_operation(base, name, calls, progress) for name in (SPINNING, ASLEEP)}
    if min(per_op.values()) <= 0:
        raise HarnessError("the guest makes no calls that could be answered", where=base.kernel)
    native: list[Mapping[str, float]] = []
    asked: list[Mapping[str, float]] = []
    account = Account()
    request = with_words(base, (SPINNING, ASLEEP), batches)
    for turn in range(rounds):
        for label, into in (("detached", native), ("asked", asked)):
            progress(f"{label}, round {turn + 1} of {rounds}")
            done = run(request, Pages() if into is asked else None)
            into.append(medians(done.report, "time", label))
            account += done.account
    findings: list[Finding] = []
    for name, what in ((SPINNING, "spinning"), (ASLEEP, "asleep")):
        findings += _findings(name, what, per_op[name], native, asked)
    return findings, account


def _findings(
    name: str,
    what: str,
    per_op: float,
    native: list[Mapping[str, float]],
    asked: list[Mapping[str, float]],
) -> list[Finding]:
    before, after = [one[name] for one in native], [one[name] for one in asked]
    return [
        median(f"{name}, detached", before, "ns"),
        median(f"{name}, calls answered", after, "ns", f"{per_op:.3f} upcalls per operation"),
        median(f"one upcall, {what}", each(after, before, per_op), "ns", "difference / upcalls, round by round"),
    ]


def each(after: Iterable[float], before: Iterable[float], per_op: float) -> list[float]:
    """Return what one call adds, round by round: what an operation takes longer, divided by its calls."""
    return [(more - less) / per_op for more, less in zip(after, before, strict=True)]


def calls_per_operation(
    base: Request, name: str, calls: Iterable[Call], progress: Callable[[str], None] = lambda _: None
) -> float:
    """Return how often benchmark ``name`` makes ``calls`` in one operation: two boots that differ in batches alone.

    Raises:
        HarnessError: there is no such benchmark.
    """
    progress(f"counting the calls of {name}")
    few, more = (run(with_words(base, (name,), batches), Count()) for batches in (_FEW, _MORE))
    return difference(few, more, name, calls)


def difference(few: Boot, more: Boot, name: str, calls: Iterable[Call]) -> float:
    """Return the calls per operation by which two boots differ.

    Raises:
        HarnessError: they did not report the benchmark.
    """
    try:
        one, other = few.report.benches[name], more.report.benches[name]
    except KeyError as error:
        raise HarnessError("the guest reported no such benchmark", where=name) from error
    made = sum(more.counts.get(call, 0) - few.counts.get(call, 0) for call in calls)
    return made / (other.operations * len(other.ticks) - one.operations * len(one.ticks))


def with_words(base: Request, benches: Iterable[str], batches: int | None) -> Request:
    """Return ``base``, under ``hosted``, with the words that have ``/init`` run ``benches``."""
    run_words = f"bench={','.join(benches)}" + (f" batches={batches}" if batches else "")
    return replace(base, hypervisor=HOSTED, append=f"{base.append} -- {run_words}".strip())
