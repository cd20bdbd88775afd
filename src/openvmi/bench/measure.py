# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots guests and collects what their benchmarks say.

Instructions: with instruction counting on, the cycle counter counts instructions, and a second round must give
the same digits; one that does not is reported. Time: the rounds of all columns are interleaved, and medians taken.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..boot import BUNDLED, Request, configure
from ..errors import HarnessError, UsageError
from ..machine import Machine
from ..report import Report, number, parse_report

COUNTS = ("instructions", "time", "userland")
UNITS = {"instructions": "instructions", "time": "ns"}
BENCHMARKS = (
    *("null-int80", "null-sysenter", "switch", "fork-exit", "fork-exec", "map-touch-unmap", "page-fault", "protect"),
    *("signal", "interrupt", "copy-4k", "compute"),
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


def check_names(only: Sequence[str], columns: Sequence[Subject]) -> None:
    """Refuse names that are no benchmarks where our ``/init`` will run; somebody else's may have its own.

    Raises:
        UsageError: there is one; or a column can't be booted.
        HarnessError: a bundled image has not been built.
    """
    unknown = [name for name in only if name not in BENCHMARKS]
    if unknown and any(configure(column.request).expect_report for column in columns):
        raise UsageError(
            f"no such benchmark: {', '.join(unknown)}", where="--only", help=f"known: {', '.join(BENCHMARKS)}"
        )


def measure(
    columns: Sequence[Subject], *, count: str, rounds: int, progress: Callable[[str], None]
) -> dict[str, list[Mapping[str, float]]]:
    """Boot each column ``rounds`` times, interleaved, and return each round's medians per operation, by label.

    Args:
        columns: what to boot.
        count: ``instructions`` or ``time``.
        rounds: boots of each.
        progress: called with a line before each boot.

    Raises:
        OpenVmiError: a boot failed, or reported no benchmark.
    """
    results: dict[str, list[Mapping[str, float]]] = {subject.label: [] for subject in columns}
    for turn in range(rounds):
        for subject in columns:
            progress(f"{subject.label}, round {turn + 1} of {rounds}")
            results[subject.label].append(_medians(boot(subject.request), count, subject.label))
    return results


def boot(request: Request) -> Report:
    """Boot ``request`` once and return its report.

    Raises:
        OpenVmiError: it did not end with status 0.
    """
    with Machine(configure(request)) as machine:
        outcome = machine.wait()
    if not outcome.ok:
        raise outcome.error() or HarnessError(outcome.reason, where=f"{request.kernel} under {request.hypervisor}")
    return parse_report(outcome.report)


def _medians(report: Report, count: str, label: str) -> Mapping[str, float]:
    if not report.benches:
        raise HarnessError("the guest reported no benchmark", where=label, help="does its /init know the word `bench`?")
    scale = 1.0 if count == "instructions" else _ns_per_tick(report, label)
    return {name: statistics.median(bench.per_operation()) * scale for name, bench in report.benches.items()}


def _ns_per_tick(report: Report, label: str) -> float:
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
