# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What was found: each breach once for a rule and a caller, counted, with the first one's circumstances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ...abi import Call
from ...trace.symbols import SymbolTable
from .events import Event
from .rules import RULES, Rule, Severity

MOST: Final = 500
"""Findings that are kept apart; of more, only the number is."""
_ASKED: Final = 16  # breaches of one finding whose function is looked for: that reads the guest's stack
_JUMPS: Final = frozenset((int(Call.IRET), int(Call.SYSEXIT)))


@dataclass(slots=True)
class Finding:
    """A rule that was broken at one place.

    Args:
        rule: which.
        seen: what was seen the first time.
        event: the first call that broke it.
        before: the calls before that one, on all CPUs.
        count: how often.
        functions: for whom the first calls were made.
    """

    rule: Rule
    seen: str
    event: Event
    before: tuple[Event, ...]
    count: int = 0
    functions: dict[str, int] = field(default_factory=dict)

    @property
    def is_start(self) -> bool:
        """It is about ``vmi_init`` and not about a call."""
        return self.event.call < 0


class Findings:
    """All findings, in the order of their first breach.

    Attributes:
        more: breaches at places beyond :data:`MOST`.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int], Finding] = {}
        self.more = 0

    def add(
        self,
        rule: str,
        seen: str,
        event: Event,
        before: tuple[Event, ...],
        blame: Callable[[Event], str] | None = None,
    ) -> None:
        """Take note of a breach."""
        # IRET and SYSEXIT have no caller but the code that they return to
        key = (rule, event.call, 0 if event.call in _JUMPS else event.caller)
        finding = self._found.get(key)
        if finding is None:
            if len(self._found) >= MOST:
                self.more += 1
                return
            finding = self._found[key] = Finding(RULES[rule], seen, event, before)
        finding.count += 1
        if blame is not None and finding.count <= _ASKED and event.call >= 0:
            name = blame(event)
            finding.functions[name] = finding.functions.get(name, 0) + 1

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Finding]:
        return iter(tuple(self._found.values()))

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.rule.severity is Severity.ERROR for finding in self._found.values())


def summary(findings: Findings) -> str:
    """Return in words how much was found."""
    if not len(findings):
        return "no rule broken"
    breaches = sum(finding.count for finding in findings) + findings.more
    errors, others = findings.errors, len(findings) - findings.errors
    return f"rules broken {breaches:,} times: {errors} errors, {others} warnings"


def report(findings: Findings, symbols: SymbolTable) -> dict[str, object]:
    """Return what was found as plain data."""
    return {
        "errors": findings.errors,
        "warnings": len(findings) - findings.errors,
        "more": findings.more,
        "findings": _dicts(findings, symbols),
    }


def _dicts(findings: Findings, symbols: SymbolTable) -> list[dict[str, object]]:
    return [
        {
            "rule": finding.rule.id,
            "severity": finding.rule.severity.value,
            "sections": list(finding.rule.sections),
            "text": finding.rule.text,
            "seen": finding.seen,
            "count": finding.count,
            "cpu": finding.event.cpu,
            "call": None if finding.is_start else finding.event.text(),
            "caller": None if finding.is_start else finding.event.caller,
            "place": None if finding.is_start or finding.event.call in _JUMPS else symbols.place(finding.event.caller),
            "functions": list(finding.functions),
            "before": [_line(event, symbols) for event in finding.before],
        }
        for finding in findings
    ]


def as_text(findings: Findings, symbols: SymbolTable) -> str:
    """Return the findings for people; empty if there are none."""
    lines = []
    for finding in findings:
        rule, event = finding.rule, finding.event
        lines.append(f"{rule.severity}: {rule.id}: {rule.text} (vmi-abi.md {', '.join(rule.sections)})")
        lines.append(f"  {finding.seen}")
        if not finding.is_start:
            times = "once" if finding.count == 1 else f"{finding.count:,} times"
            lines.append(f"  {times}{_whom(finding)}; first: {_line(event, symbols)}")
        lines.extend(f"    before: {_line(each, symbols)}" for each in finding.before)
    if findings.more:
        lines.append(f"... and {findings.more:,} more breaches elsewhere")
    return "".join(f"{line}\n" for line in lines)


def _whom(finding: Finding) -> str:
    names = list(finding.functions)
    if not names:
        return ""
    return f" for {', '.join(names[:4])}{' and others' if len(names) > 4 else ''}"


def _line(event: Event, symbols: SymbolTable) -> str:
    where = "" if event.call in _JUMPS else f" from {symbols.place(event.caller)}"
    return f"CPU {event.cpu} {event.text()}{where}"
