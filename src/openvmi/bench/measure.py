# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots guests and collects what their benchmarks say.

Instructions: with instruction counting on, the cycle counter counts instructions, and a second round must give
the same digits; one that does not is reported. Time: the rounds of all columns are interleaved, and medians taken.
Boot: the time to userland, in the same way.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..boot import BUNDLED, Request, configure
from ..errors import HarnessError, UsageError
from ..report import Report, number
from .boots import Account, run
from .hypervisors import OWN

UNITS = {"instructions": "instructions", "time": "ns", "boot": "ms"}
BENCHMARKS = (
    *("null-int80", "null-sysenter", "read-4k", "switch", "pipe", "fork-exit", "fork-exec"),
    *(
        "map-touch-unmap",
        "page-fault",
        "touch-unmap-rare",
        "protect-page",
        "protect",
        "signal",
        "interrupt",
        "copy-4k",
        "compute",
    ),
)
"""What our ``/init`` measures, in its order; a test holds the list against its source."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One column to be measured: a label and what to boot."""

    label: str
    request: Request


def subjects(guests: Sequence[str], hypervisors: Sequence[str], base: Request) -> list[Subject]:
    """Return a column for each guest under each hypervisor; ``base`` gives everything else.

    Raises:
        UsageError: there is nothing to measure, or a column twice.
    """
    found = [
        Subject(
            hypervisor if len(guests) == 1 else f"{_short(guest)} {hypervisor}",
            replace(base, kernel=guest, hypervisor=hypervisor),
        )
        for guest in guests
        for hypervisor in hypervisors
    ]
    labels = [subject.label for subject in found]
    if not labels or len(set(labels)) != len(labels):
        raise UsageError("nothing to measure, or the same thing twice", where=", ".join(labels))
    return found


def words(only: Sequence[str], batches: int | None) -> str:
    """Return the words that make ``/init`` run benchmarks: all of them, or ``only`` those named."""
    bench = f"bench={','.join(only)}" if only else "bench"
    return f"{bench} batches={batches}" if batches else bench


def refuse_uncountable(columns: Sequence[Subject]) -> None:
    """Refuse hypervisors under which a guest does not execute the same instructions each time.

    Raises:
        UsageError: there is one.
    """
    for subject in columns:
        own = OWN.get(subject.request.hypervisor)
        routed = own().routed() if own is not None else ()
        if routed:
            raise UsageError(
                f"instructions can't be counted while Python answers {routed[0].name}: a waiting guest executes some",
                where=subject.label,
                help="--count time",
            )


def check_names(only: Sequence[str], columns: Sequence[Subject]) -> None:
    """Refuse names that are no benchmarks where our ``/init`` will run; somebody else's may have its own.

    Raises:
        UsageError: there is one; or a column can't be booted.
        HarnessError: a bundled image has not been built.
    """
    unknown = [name for name in only if name not in BENCHMARKS]
    if unknown and any(_runs_ours(column.request) for column in columns):
        raise UsageError(
            f"no such benchmark: {', '.join(unknown)}", where="--only", help=f"known: {', '.join(BENCHMARKS)}"
        )


def _runs_ours(request: Request) -> bool:
    return configure(replace(request, hypervisor="none", roms=())).expect_report


def measure(
    columns: Sequence[Subject],
    *,
    count: str,
    rounds: int,
    progress: Callable[[str], None],
    accounts: dict[str, Account] | None = None,
) -> dict[str, list[Mapping[str, float]]]:
    """Boot each column ``rounds`` times, interleaved, and return each round's medians per operation, by label.

    Args:
        columns: what to boot.
        count: ``instructions``, ``time`` or ``boot``.
        rounds: boots of each.
        progress: called with a line before each boot.
        accounts: filled with what passed between each column's guests and Python, by label.

    Raises:
        OpenVmiError: a boot failed, or reported no benchmark.
    """
    results: dict[str, list[Mapping[str, float]]] = {subject.label: [] for subject in columns}
    for turn in range(rounds):
        for subject in columns:
            progress(f"{subject.label}, round {turn + 1} of {rounds}")
            done = run(subject.request)
            results[subject.label].append(_figures(done.report, count, subject.label))
            if accounts is not None:
                accounts[subject.label] = accounts.get(subject.label, Account()) + done.account
    return results


def boot(request: Request) -> Report:
    """Boot ``request`` once and return its report.

    Raises:
        OpenVmiError: it did not end with status 0.
    """
    return run(request).report


def _figures(report: Report, count: str, label: str) -> Mapping[str, float]:
    if count != "boot":
        return medians(report, count, label)
    if "userland" not in report.marks:
        raise HarnessError("the guest never said that it reached userland", where=label)
    return {"time to userland": report.marks["userland"] / 1e6}


def medians(report: Report, count: str, label: str) -> Mapping[str, float]:
    """Return the median of each benchmark's batches per operation, in instructions or ns.

    Raises:
        HarnessError: there are no benchmarks, or the guest did not say how fast its clock is.
    """
    if not report.benches:
        raise HarnessError("the guest reported no benchmark", where=label, help="does its /init know the word `bench`?")
    scale = 1.0 if count == "instructions" else ns_per_tick(report, label)
    return {name: statistics.median(bench.per_operation()) * scale for name, bench in report.benches.items()}


def ns_per_tick(report: Report, label: str) -> float:
    """Return how long a tick of the guest's cycle counter is.

    Raises:
        HarnessError: the guest did not say.
    """
    try:
        khz = number(report.info["tsc-khz"])
    except (KeyError, ValueError) as error:
        raise HarnessError("the guest did not say how fast its cycle counter is", where=label) from error
    if khz <= 0:
        raise HarnessError("the guest's cycle counter stands still", where=label)
    return 1e6 / khz


def differing(rounds: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the benchmarks whose rounds do not all give the same digits."""
    return [name for name in rounds[0] if len({one.get(name) for one in rounds}) > 1] if rounds else []


def _short(guest: str) -> str:
    return guest if guest in BUNDLED else guest.rsplit("/", 1)[-1]
