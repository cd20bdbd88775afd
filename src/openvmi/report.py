# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest said on its result channel, as data.

The channel's lines are described in ``docs/reference/result-channel.md``. A guest is not trusted: a line that does not
parse is kept in ``odd`` and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

from .machine.channel import ResultLine

_LIMIT = 1 << 64


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """How one relocation query was answered (``vmi-abi.md`` 2.6).

    Args:
        number: the call's number.
        type: ``NONE``, ``CALL_REL``, ``JUMP_REL``, ``NOP``, or what the guest printed for an unknown one.
        eip: target linear address; 0 when the type has none.
    """

    number: int
    type: str
    eip: int


@dataclass(frozen=True, slots=True)
class SiteCount:
    """Patch sites of one call: how many there are, and how many now lead to the ROM."""

    sites: int
    patched: int


@dataclass(frozen=True, slots=True)
class CheckCount:
    """Self-checks of one group."""

    passed: int
    failed: int


@dataclass(frozen=True, slots=True)
class BenchSamples:
    """One benchmark: ``ticks`` of the cycle counter for each batch of ``operations``."""

    operations: int
    ticks: tuple[int, ...]

    def per_operation(self) -> list[float]:
        """Return ticks per operation, a value a batch."""
        return [value / self.operations for value in self.ticks]


@dataclass(slots=True)
class Report:
    """Everything that one boot reported."""

    hello: int | None = None
    info: dict[str, str] = field(default_factory=dict)
    calls: list[CallAnswer] = field(default_factory=list)
    sites: dict[str, SiteCount] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    checks: dict[str, CheckCount] = field(default_factory=dict)
    fails: list[str] = field(default_factory=list)
    benches: dict[str, BenchSamples] = field(default_factory=dict)
    summary: CheckCount | None = None
    panic: str | None = None
    exit: int | None = None
    odd: list[str] = field(default_factory=list)

    def answers(self) -> Mapping[str, int]:
        """Return how many queries got each type of answer."""
        counts: dict[str, int] = {}
        for call in self.calls:
            counts[call.type] = counts.get(call.type, 0) + 1
        return counts

    def patched(self) -> int:
        """Return how many patch sites lead to the ROM."""
        return sum(site.patched for site in self.sites.values())

    def as_dict(self) -> dict[str, object]:
        """Return plain data, for ``--json``."""
        return asdict(self)


def parse_report(lines: Iterable[ResultLine]) -> Report:
    """Return what ``lines`` of a result channel say; never raises, whatever they hold."""
    report = Report()
    for line in lines:
        try:
            _READERS.get(line.verb, _unknown)(report, line.text, line.at)
        except ValueError:
            report.odd.append(f"{line.verb} {line.text}".rstrip())
    return report


def number(text: str, base: int = 10) -> int:
    """Return the number that ``text`` writes, which a guest could have: 64 bits.

    Raises:
        ValueError: it is none.
    """
    value = int(text, base) if len(text) <= 80 else _LIMIT
    if not -_LIMIT < value < _LIMIT:
        raise ValueError(text)
    return value


def _unknown(report: Report, rest: str, time: int) -> None:
    del report, time
    raise ValueError(rest)


def _info(report: Report, rest: str, time: int) -> None:
    del time
    key, _, value = rest.partition(" ")
    report.info[key] = value


def _call(report: Report, rest: str, time: int) -> None:
    del time
    which, kind, eip = rest.split()
    report.calls.append(CallAnswer(number(which), kind, number(eip, 16)))


def _site(report: Report, rest: str, time: int) -> None:
    del time
    name, sites, patched = rest.split()
    report.sites[name] = SiteCount(number(sites), number(patched))


def _mark(report: Report, rest: str, time: int) -> None:
    report.marks.setdefault(rest, time)


def _check(report: Report, rest: str, time: int) -> None:
    del time
    group, passed, failed = rest.split()
    report.checks[group] = CheckCount(number(passed), number(failed))


def _bench(report: Report, rest: str, time: int) -> None:
    del time
    name, operations, *ticks = rest.split()
    if number(operations) <= 0 or not ticks:
        raise ValueError(rest)
    report.benches[name] = BenchSamples(number(operations), tuple(number(value) for value in ticks))


def _summary(report: Report, rest: str, time: int) -> None:
    del time
    passed, failed = rest.split()
    report.summary = CheckCount(number(passed), number(failed))


def _hello(report: Report, rest: str, time: int) -> None:
    del time
    report.hello = number(rest)


def _fail(report: Report, rest: str, time: int) -> None:
    del time
    report.fails.append(rest)


def _panic(report: Report, rest: str, time: int) -> None:
    del time
    if report.panic is None:
        report.panic = rest


def _exit(report: Report, rest: str, time: int) -> None:
    del time
    if report.exit is None:
        report.exit = number(rest)


_READERS: Mapping[str, Callable[[Report, str, int], None]] = {
    "hello": _hello,
    "info": _info,
    "call": _call,
    "site": _site,
    "mark": _mark,
    "check": _check,
    "fail": _fail,
    "bench": _bench,
    "summary": _summary,
    "panic": _panic,
    "exit": _exit,
}
