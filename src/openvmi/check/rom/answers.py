# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a ROM answers for its calls, and whether a guest can live with it (vmi-abi.md 2.6, 3.5, 10.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ...abi import RelocType
from ...abi.model import CallSpec, Interface
from .bench import Answer, Bench
from .case import Problem, Problems

_NOTHING: Final = frozenset({RelocType.NONE, RelocType.NOP})


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


def judge_unknown(tables: Interface, answers: Mapping[int, Answer]) -> Problems:
    """Yield numbers that are no call and have an answer all the same."""
    known = {call.number for call in tables.calls}
    wrong = [f"{number:#x}: {answer}" for number, answer in answers.items() if answer.kind and number not in known]
    if wrong:
        yield Problem("answer-unknown", "NONE", ", ".join(wrong[:4]))
