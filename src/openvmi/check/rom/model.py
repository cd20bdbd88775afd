# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a check of a ROM file gives: findings, and what was executed. Plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a case is for: ordinary values, the ends of what is allowed, what is outside it or must not matter."""

    POSITIVE = "positive"
    BOUNDARY = "boundary"
    NEGATIVE = "negative"


class Status(StrEnum):
    """What became of a call."""

    EXECUTED = "executed"
    SKIPPED = "not executed here"
    NONE = "NONE"
    NOP = "NOP"
    REFUSED = "not executed"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a ROM breaks.

    Args:
        rule: its stable name.
        severity: ``fail``, or ``warn`` for what is odd and does no harm.
        text: the rule, as a sentence.
        call: the call or jump point, empty for the image itself.
        case: which of its cases, empty if there is none.
        expected: what the rule asks for.
        seen: what there is.
        where: offset in the image, or linear address, as text; empty if there is none.
        source: where the rule is written.
        image: number of the image in its file, from 0.
    """

    rule: str
    severity: str
    text: str
    call: str
    case: str
    expected: str
    seen: str
    where: str
    source: str
    image: int = 0

    def __str__(self) -> str:
        subject = f"{self.call}{f' ({self.case})' if self.case else ''}: " if self.call else ""
        detail = f"expected {self.expected}, seen {self.seen}" if self.expected else self.seen
        return f"{subject}{self.text}: {detail}{f', at {self.where}' if self.where else ''}"

    def as_dict(self) -> dict[str, object]:
        """Return the finding as plain data, for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case of a call: ``reason`` says why it was not executed; empty if it was."""

    kind: Kind
    title: str
    findings: tuple[Finding, ...] = ()
    reason: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the case as plain data."""
        return {"kind": self.kind.value, "title": self.title, "reason": self.reason, "findings": len(self.findings)}


@dataclass(frozen=True, slots=True)
class CallResult:
    """One call: its answer as text, what became of it, its cases."""

    number: int
    name: str
    answer: str
    status: Status
    cases: tuple[CaseResult, ...] = ()
    reason: str = ""

    @property
    def served(self) -> bool:
        """Whether the ROM has code for it."""
        return self.status not in {Status.NONE, Status.NOP}

    def as_dict(self) -> dict[str, object]:
        """Return the call as plain data."""
        return {
            "number": self.number,
            "name": self.name,
            "answer": self.answer,
            "status": self.status.value,
            "reason": self.reason,
            "cases": [case.as_dict() for case in self.cases],
        }


@dataclass(frozen=True, slots=True)
class ImageReport:
    """One image of the file.

    Args:
        number: in the file, from 0.
        offset: in the file, in bytes.
        generation: ``D`` or ``B``, or empty if no table here fits the image.
        title: what it is, one line.
        init: what vmi_init answered, as text; empty if it was not executed.
        findings: every broken rule.
        calls: every call of the generation, if it was executed.
        reason: why nothing was executed; empty if it was.
        points: what is called besides the calls: init, and the query if there is one.
    """

    number: int
    offset: int
    generation: str
    title: str
    init: str = ""
    findings: tuple[Finding, ...] = ()
    calls: tuple[CallResult, ...] = ()
    reason: str = ""
    points: tuple[str, ...] = ("vmi_init", "get_reloc")

    @property
    def served(self) -> int:
        """Calls for which the ROM has code."""
        return sum(call.served for call in self.calls)

    @property
    def executed(self) -> int:
        """Calls that were executed."""
        return sum(call.status is Status.EXECUTED for call in self.calls)

    @property
    def complete(self) -> bool:
        """Whether everything that the ROM serves was executed, in every case."""
        reasons = any(case.reason for call in self.calls for case in call.cases)
        outside = self.init.startswith(Status.SKIPPED)
        return not (self.reason or outside or reasons) and self.executed == self.served

    def count(self, kind: Kind | None = None) -> int:
        """Return how many cases were executed, of one kind or of all."""
        cases = (case for call in self.calls for case in call.cases if not case.reason)
        return sum(kind in {None, case.kind} for case in cases)

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain data."""
        return {
            "image": self.number,
            "offset": self.offset,
            "generation": self.generation,
            "title": self.title,
            "init": self.init,
            "reason": self.reason,
            "served": self.served,
            "executed": self.executed,
            "cases": {kind.value: self.count(kind) for kind in Kind},
            "findings": [finding.as_dict() for finding in self.findings],
            "calls": [call.as_dict() for call in self.calls],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """A whole file."""

    images: tuple[ImageReport, ...] = field(default=())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, image by image."""
        return tuple(finding for image in self.images for finding in image.findings)

    @property
    def passed(self) -> bool:
        """Whether no rule is broken, warnings aside."""
        return all(finding.severity != "fail" for finding in self.findings)

    @property
    def complete(self) -> bool:
        """Whether everything that the ROM serves was executed."""
        return all(image.complete for image in self.images)

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain data."""
        return {"passed": self.passed, "complete": self.complete, "images": [image.as_dict() for image in self.images]}
