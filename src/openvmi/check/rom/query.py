# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the calls of a ROM by its relocation query, get_reloc (vmi-abi.md 2.4, 2.6): generations C and D."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...abi import RelocType
from ...abi.model import Interface
from .bench import Answer, Bench
from .case import Case, Contract, Problem
from .judge import judge
from .model import Kind
from .seen import End

QUERY: Final = "get_reloc"
BEYOND: Final = (74, 75, 85, 100, 127, 128, 0xFF, 0x100, 0x10021, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers that are no call: the next ones, those of other generations, and what tables are overrun with."""


@dataclass(slots=True)
class Asked:
    """What came of asking for calls.

    Args:
        answers: by number.
        problems: what is wrong with the asking, by rule.
        reason: what of a hypervisor the ROM wanted, if it did.
        slots: where calls are without being asked for (generation B).
    """

    answers: dict[int, Answer]
    problems: dict[str, Problem]
    reason: str = ""
    slots: dict[int, Answer] = field(default_factory=dict)

    def targets(self) -> dict[int, Answer]:
        """Return how a guest reaches each call: as it was told or, where it was told nothing, by the slot."""
        told = {number: answer for number, answer in self.answers.items() if answer.callable}
        return {**self.answers, **self.slots, **told}


class Query:
    """Asks a ROM's relocation query.

    Args:
        tables: of the generation.
        contract: of the query.
        entry: its offset in the image.
        beyond: numbers that are no call.
    """

    def __init__(self, tables: Interface, contract: Contract, entry: int, beyond: tuple[int, ...] = BEYOND) -> None:
        self._tables = tables
        self._entry = entry
        self._beyond = beyond
        self.contract: Contract | None = contract
        self._contract = contract

    def ask(self, bench: Bench, virtual_top: int, *, twice: bool) -> Asked:
        """Ask every number in the PC's present state, up to the first question that has no answer.

        Args:
            bench: with the PC.
            virtual_top: of the header.
            twice: ask everything again, and compare.
        """
        first = self._round(bench, virtual_top)
        if first.problems or first.reason or not twice:
            return first
        second = self._round(bench, virtual_top)
        first.problems |= second.problems
        for number, answer in second.answers.items():
            if answer != first.answers[number]:
                expected = f"{first.answers[number]} for {self._name(number)}"
                first.problems["answer-stable"] = Problem("answer-stable", expected, f"{answer}, asked again")
                break
        return first

    def _name(self, number: int) -> str:
        return next((call.name for call in self._tables.calls if call.number == number), f"number {number:#x}")

    def _round(self, bench: Bench, virtual_top: int) -> Asked:
        target = Answer(bench.pc.base + self._entry, RelocType.CALL_REL)
        asked = Asked({}, {})
        for number in (*(call.number for call in self._tables.calls), *self._beyond):
            case = Case(Kind.POSITIVE, "", {"call": number})
            seen = bench.enter(self._contract, target, case)
            if seen.end is End.OUTSIDE:
                asked.reason = f"{self._contract.name}: {seen.reason}"
                break
            for problem in judge(self._contract, case, seen, virtual_top):
                words = f"{problem.seen}, asked for {self._name(number)}"
                asked.problems.setdefault(problem.rule, problem._replace(seen=words))
            if seen.end is not End.RETURNED:
                break
            asked.answers[number] = Answer(seen.get("eax"), seen.get("edx") & 0xFF, seen.get("edx") >> 8)
        return asked
