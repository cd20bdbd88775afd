# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What get_reloc answers, and whether a guest can live with it (vmi-abi.md 2.6, 3.5, 10.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ...abi import RelocType
from ...abi.model import CallSpec, Interface
from .bench import Answer, Bench
from .case import Case, Contract, Problem, Problems
from .generation import QUERY, Generation
from .judge import judge
from .model import Kind
from .seen import End

BEYOND: Final = (74, 75, 85, 100, 127, 128, 0xFF, 0x100, 0x10021, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers that are no call: the next ones, those of other generations, and what tables are overrun with."""
_NOTHING: Final = frozenset({RelocType.NONE, RelocType.NOP})


def ask_all(bench: Bench, generation: Generation, virtual_top: int) -> tuple[dict[int, Answer], list[Problem]]:
    """Ask every number twice over in the PC's present state; return the answers, and what is wrong with the asking.

    It ends at the first question that has no answer.
    """
    numbers = [*(call.number for call in generation.tables.calls), *BEYOND]
    first, problems = _round(bench, generation, numbers, virtual_top)
    if problems:
        return first, problems
    second, problems = _round(bench, generation, numbers, virtual_top)
    for number, answer in second.items():
        if answer != first[number]:
            name = name_of(generation.tables, number)
            problems.append(Problem("answer-stable", f"{first[number]} for {name}", f"{answer}, asked again"))
            break
    return first, problems


def name_of(tables: Interface, number: int) -> str:
    """Return the name of a call, or the number that is none."""
    return next((call.name for call in tables.calls if call.number == number), f"number {number:#x}")


def _round(
    bench: Bench, generation: Generation, numbers: list[int], virtual_top: int
) -> tuple[dict[int, Answer], list[Problem]]:
    contract = Contract.of_jump_point(generation.point(QUERY))
    target = Answer(bench.pc.base + generation.entries[QUERY], RelocType.CALL_REL)
    answers: dict[int, Answer] = {}
    problems: dict[str, Problem] = {}
    for number in numbers:
        case = Case(Kind.POSITIVE, "", {"call": number})
        seen = bench.enter(contract, target, case)
        for problem in judge(contract, case, seen, virtual_top):
            asked = f"{problem.seen}, asked for {name_of(generation.tables, number)}"
            problems.setdefault(problem.rule, problem._replace(seen=asked))
        if seen.end is not End.RETURNED:
            break
        answers[number] = Answer(seen.get("eax"), seen.get("edx") & 0xFF, seen.get("edx") >> 8)
    return answers, list(problems.values())


def judge_answer(spec: CallSpec, answer: Answer, *, active: bool) -> Problems:
    """Yield what is wrong with the answer for one call.

    Args:
        spec: the call.
        answer: as given after vmi_init.
        active: vmi_init has said yes; a ROM that declines may say NONE to everything.
    """
    known = {kind.value for kind in RelocType}
    name = RelocType(answer.kind).name if answer.kind in known else ""
    if name not in spec.answers:
        absent = answer.kind in _NOTHING
        if absent and answer.kind == RelocType.NONE and not active:
            return
        yield Problem(
            "answer-missing" if absent and "NONE" not in spec.answers else "answer-type", _may(spec), str(answer)
        )
    if answer.reserved:
        yield Problem("answer-reserved", "0", f"{answer.reserved:#x}")


def _may(spec: CallSpec) -> str:
    return " or ".join(spec.answers)


def judge_target(bench: Bench, answer: Answer, header: int, virtual_top: int) -> Problems:
    """Yield what is wrong with where a call is."""
    if not answer.callable or in_image(bench, answer, header) or in_hole(answer, virtual_top):
        return
    start, end = bench.pc.base + header, bench.pc.base + len(bench.pc.image)
    hole = f" or from {virtual_top:#010x}" if virtual_top else ""
    yield Problem("answer-target", f"{start:#010x}..{end - 1:#010x}{hole}", f"{answer.eip:#010x}")


def in_image(bench: Bench, answer: Answer, header: int) -> bool:
    """Tell whether the code is in the image, past its header."""
    return header <= answer.eip - bench.pc.base < len(bench.pc.image)


def in_hole(answer: Answer, virtual_top: int) -> bool:
    """Tell whether the code is in the hypervisor's hole."""
    return 0 < virtual_top <= answer.eip


def judge_groups(tables: Interface, answers: Mapping[int, Answer]) -> Iterator[tuple[str, Problem]]:
    """Yield calls that are missing from a group whose leader is there."""
    for whole in tables.wholes:
        leader = answers.get(tables.call(whole.leader).number)
        if leader is None or leader.kind == RelocType.NONE:
            continue
        for member in whole.members:
            answer = answers.get(tables.call(member).number)
            if answer is not None and answer.kind != RelocType.CALL_REL and member != whole.leader:
                yield member, Problem("answer-group", f"CALL_REL, as {whole.leader} is there", str(answer))


def judge_unknown(answers: Mapping[int, Answer]) -> Problems:
    """Yield numbers that are no call and have an answer all the same."""
    wrong = [f"{number:#x}: {answers[number]}" for number in BEYOND if answers.get(number, Answer(0, 0)).kind]
    if wrong:
        yield Problem("answer-unknown", "NONE", ", ".join(wrong[:4]))
