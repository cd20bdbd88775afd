# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs cases of calls in one PC and says what is wrong: the image where it lies, or a guest's copy of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...abi import RelocType
from . import board
from .bench import Answer, Bench
from .case import Case, Contract, Problem
from .judge import judge
from .seen import End, Seen

# A call that breaks a convention may still do its work; after other problems nobody can tell.
_HARMLESS = frozenset(
    (
        "registers",
        "flags",
        "system-flags",
        "segments-kept",
        "stack-balance",
        "stack-above",
        "side-effect",
        "rom-written",
    )
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What is wrong with one case, what the run did, and where the finding belongs."""

    problems: list[Problem]
    seen: Seen
    address: int

    @property
    def outside(self) -> bool:
        """Whether it wanted a hypervisor, so that nothing can be said."""
        return self.seen.end is End.OUTSIDE


class Runner:
    """Runs cases in one PC.

    Args:
        bench: with the PC, whose saved state every case begins with.
        virtual_top: of the header.
        shift: how far from the image, where answers point, the code is that is run.
    """

    def __init__(self, bench: Bench, virtual_top: int, shift: int = 0) -> None:
        self.bench = bench
        self._top = virtual_top
        self._shift = shift

    def case(self, contract: Contract, answer: Answer, case: Case) -> Tried:
        """Run one case of a call whose code is at ``answer`` in the image."""
        if self._shift:
            answer = replace(answer, eip=answer.eip + self._shift)
            own = (board.COPY, board.COPY_END - board.COPY)
            case = replace(case, writes=(*case.writes, own))
        problems, seen = self._try(contract, answer, case)
        if problems and case.frame and seen.end is not End.OUTSIDE and self._other_form_works(contract, answer, case):
            form = "called" if answer.kind == RelocType.JUMP_REL else "jumped to"
            problems = [Problem("entry-form", str(answer), f"code that works only if it is {form}")]
        return Tried(problems, seen, seen.eip if seen.end is End.FAULT else answer.eip)

    def _try(self, contract: Contract, answer: Answer, case: Case) -> tuple[list[Problem], Seen]:
        """Make a call with segments that lead nowhere; if it faults, once more with flat ones."""
        problems, seen = self._once(contract, answer, case, poisoned=True)
        if seen.end is not End.FAULT or not problems:
            return problems, seen
        flat, seen_flat = self._once(contract, answer, case, poisoned=False)
        if seen_flat.end is End.FAULT:
            return problems, seen
        promised = "CS, SS, DS, ES" if contract.flat else "CS and SS"
        return [Problem("segments-assumed", promised, f"{seen.says()} with other segments"), *flat], seen

    def _once(self, contract: Contract, answer: Answer, case: Case, *, poisoned: bool) -> tuple[list[Problem], Seen]:
        bench = self.bench
        bench.pc.restore()
        case.setup(bench)
        seen = bench.enter(contract, answer, case, poisoned=poisoned)
        problems = list(judge(contract, case, seen, self._top))
        if seen.end is not End.OUTSIDE and {problem.rule for problem in problems} <= _HARMLESS:
            problems += case.expect(bench, seen)
        return problems, seen

    def _other_form_works(self, contract: Contract, answer: Answer, case: Case) -> bool:
        other = RelocType.CALL_REL if answer.kind == RelocType.JUMP_REL else RelocType.JUMP_REL
        problems, seen = self._once(contract, replace(answer, kind=other), case, poisoned=True)
        return not problems and seen.end is not End.OUTSIDE
