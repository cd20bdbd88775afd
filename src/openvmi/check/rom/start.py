# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls what a guest calls first, vmi_init or slot 4's Init, and says what it answered."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...abi import RelocType
from ...abi.model import Argument
from . import board
from .bench import Answer, Bench
from .case import Case, Contract, Problem
from .generation import Generation
from .judge import EVERYTHING, judge
from .model import CaseResult, Kind
from .seen import End, Seen

_ANY = tuple(Argument(name, "UINT32", 32, (name,)) for name in ("eax", "edx", "ecx"))
_YES, _NO = 0, 0xFFFFFFFF
_OWN = ((board.GDT, board.PAGE), (board.IDT, board.PAGE), (board.TSS, board.PAGE))


@dataclass(frozen=True, slots=True)
class Start:
    """What came of it.

    Args:
        answer: as text.
        active: it said yes.
        ended: it came back, so that the PC has gone on from there.
        problems: what is wrong with it.
        where: address of the code.
        cases: how it was called, for generations in which it is a call itself.
    """

    answer: str
    active: bool
    ended: bool
    problems: tuple[Problem, ...]
    where: int
    cases: tuple[CaseResult, ...] = ()


def start(bench: Bench, generation: Generation, virtual_top: int, copy: int = 0) -> Start:
    """Call init, twice with other registers; the PC goes on from the first call.

    Args:
        bench: with the PC.
        generation: of the image.
        virtual_top: of the header.
        copy: where a guest will copy the image to, 0 for nowhere.
    """
    pc, contract = bench.pc, generation.init
    target = Answer(pc.base + generation.init_entry, RelocType.CALL_REL)
    case = Case(Kind.POSITIVE, "", changes=EVERYTHING, writes=_OWN)
    other = replace(contract, takes=_ANY)
    again = bench.enter(other, target, replace(case, arguments={"eax": _NO, "edx": 0, "ecx": _NO}))
    pc.restore()
    told = {argument.name: copy or pc.base for argument in contract.takes}
    seen = bench.enter(contract, target, replace(case, arguments=told))
    if seen.end is End.OUTSIDE:
        reason = f"not executed here: {seen.reason}"
        return Start(reason, False, False, (), target.eip, _cases(generation, seen.reason))
    problems = list(judge(contract, case, seen, virtual_top))
    if seen.end is not End.RETURNED:
        return Start(seen.says(), False, False, tuple(problems), seen.eip, _cases(generation, ""))
    pc.save()
    answer = seen.get("eax")
    problems += _judge_answer(answer, again, contract)
    said = "active (0)" if answer == _YES else "declined (-1)" if answer == _NO else f"declined ({answer:#x})"
    return Start(said, answer == _YES, True, tuple(problems), seen.eip, _cases(generation, ""))


def _judge_answer(answer: int, again: Seen, contract: Contract) -> list[Problem]:
    del contract
    if answer not in {_YES, _NO}:
        return [Problem("init-answer", "0 or 0xffffffff", f"{answer:#x}")]
    if again.end is End.RETURNED and again.get("eax") != answer:
        return [Problem("init-answer", f"{answer:#x}, as with other registers", f"{again.get('eax'):#x}")]
    return []


def _cases(generation: Generation, reason: str) -> tuple[CaseResult, ...]:
    """Return how init is called, where it is a call itself."""
    if generation.init_call is None:
        return ()
    titles = {
        Kind.POSITIVE: "told where it lies",
        Kind.BOUNDARY: "told where it will be copied to",
        Kind.NEGATIVE: "told the highest address",
    }
    return tuple(CaseResult(kind, title, reason=reason) for kind, title in titles.items())
