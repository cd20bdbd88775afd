# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Executes one image: init, the relocation query if there is one, then every call that it serves, case by case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...abi import RelocType
from ...abi.model import CallSpec
from ...rom import ImageInfo, VmiHeader
from . import answers as relocations
from . import board
from .bench import Answer, Bench
from .case import Case, Contract, Problem
from .generation import Generation
from .model import CallResult, CaseResult, Finding, ImageReport, Status
from .pc import Pc
from .query import Asked
from .rules import RULES
from .runner import Runner, Tried
from .start import Start, start

_USED_UP = "the instructions that one image may take are used up"
_GIVEN_UP = "an earlier case of it did not end"


def executed(image: ImageInfo, vmi: VmiHeader, generation: Generation, report: ImageReport) -> ImageReport:
    """Return ``report`` with everything that comes of executing ``image``."""
    size = len(image.data)
    if size > board.WINDOW_END - board.WINDOW:
        return replace(report, reason="it does not fit into the ROM window")
    place = board.PREFERRED if size <= board.WINDOW_END - board.PREFERRED else board.WINDOW
    return _Execution(image.data, place, vmi, generation, report).run()


def make_finding(
    problem: Problem, contract: Contract | None = None, case: Case | None = None, where: str = "", number: int = 0
) -> Finding:
    """Return a broken rule with its place and its source."""
    rule = RULES[problem.rule]
    sections = rule.sections or (contract.sections if contract else ())
    source = f"vmi-abi.md {', '.join(sections)}"
    call, title = contract.name if contract else "", f"{case.kind}: {case.title}" if case and case.title else ""
    return Finding(rule.id, "fail", rule.text, call, title, problem.expected, problem.seen, where, source, number)


class _Execution:
    def __init__(self, image: bytes, place: int, vmi: VmiHeader, generation: Generation, report: ImageReport) -> None:
        self._image = image
        self._top = vmi.virtual_top
        self._generation = generation
        self._report = report
        self._findings: list[Finding] = list(report.findings)
        self._pc = Pc(image, place, self._top)
        self._place = Runner(Bench(self._pc, generation.tables, {}), self._top)
        self._copy: Runner | None = None

    def run(self) -> ImageReport:
        """Execute everything; return the report."""
        ask, bench = self._generation.calls.ask, self._place.bench
        before = ask(bench, self._top, twice=False)
        self._pc.restore()
        started = start(bench, self._generation, self._top)
        self._add(started.problems, self._generation.init, started.where)
        self._pc.restore()
        after = ask(bench, self._top, twice=True)
        self._pc.restore()
        bench.answers, bench.asked = after.targets(), after.answers
        self._answers(before, after)
        self._prepare_copy(started, after)
        calls = tuple(self._call(spec, after, started) for spec in self._generation.tables.calls)
        return replace(self._report, init=started.answer, findings=tuple(self._findings), calls=calls)

    def _prepare_copy(self, started: Start, asked: Asked) -> None:
        """Start another PC as a guest does that copies the image; what is wrong with that is init's."""
        room = board.COPY_END - board.COPY
        if not self._generation.copied or len(self._image) > room or not started.ended:
            return
        pc = Pc(self._image, self._pc.base - board.DIRECT, self._top)
        bench = Bench(pc, self._generation.tables, {})
        again = start(bench, self._generation, self._top, copy=board.COPY)
        self._add(again.problems, self._generation.init, again.where)
        if again.answer != started.answer:
            problem = Problem("init-answer", f"{started.answer}, as in place", again.answer)
            self._add([problem] if again.ended else [], self._generation.init, again.where)
        if not again.ended:
            return
        pc.restore()
        pc.write(board.COPY, pc.read(pc.base, len(self._image)))
        pc.save()
        shift = board.COPY - pc.base
        slots = asked.slots or asked.answers
        bench.answers = {n: replace(slot, eip=slot.eip + shift) for n, slot in slots.items() if slot.callable}
        bench.asked = asked.answers if asked.slots else {}
        self._copy = Runner(bench, self._top, shift)

    def _answers(self, before: Asked, after: Asked) -> None:
        tables, query = self._generation.tables, self._generation.calls.contract
        if query is None:
            return
        self._add((after.problems | before.problems).values(), query)
        self._add(relocations.judge_unknown(tables, after.answers), query)
        for name, problem in relocations.judge_groups(tables, after.answers):
            self._add([problem], Contract.of_call(tables.call(name)))

    def _add(self, problems: Iterable[Problem], contract: Contract, address: int = 0) -> None:
        where = self._where(address) if address else ""
        self._findings += [make_finding(p, contract, None, where, self._report.number) for p in problems]

    def _where(self, address: int) -> str:
        for start_of, what in ((self._pc.base, "image"), (board.COPY, "copy")):
            if 0 <= address - start_of < len(self._image):
                return f"{what}+{address - start_of:#x}"
        return f"{address:#010x}"

    # ---- calls ----------------------------------------------------------------------------------------------------

    def _call(self, spec: CallSpec, asked: Asked, started: Start) -> CallResult:
        answer, target = asked.answers.get(spec.number), asked.targets().get(spec.number)
        if spec.number == self._generation.init_call:
            return CallResult(spec.number, spec.name, str(target), Status.EXECUTED, started.cases)
        if target is None:
            status = Status.SKIPPED if asked.reason else Status.REFUSED
            return CallResult(spec.number, spec.name, "", status, reason=asked.reason or "get_reloc did not answer")
        contract = Contract.of_call(spec)
        problems = self._answer_problems(spec, answer, started) if answer is not None else []
        self._add(problems, contract, answer.eip if answer and answer.callable else 0)
        result = CallResult(
            spec.number, spec.name, str(answer or target), Status.REFUSED, reason="its answer is no good"
        )
        if any(problem.rule != "answer-reserved" for problem in problems):
            return result
        if not target.callable:
            status = Status.NOP if target.kind == RelocType.NOP else Status.NONE
            return replace(result, status=status, reason="")
        if not relocations.in_image(self._place.bench, target, self._generation.header_size):
            return replace(result, status=Status.SKIPPED, reason="its code is in the hole, which its hypervisor fills")
        return self._cases(spec, contract, target, asked.slots.get(spec.number, target), result)

    def _answer_problems(self, spec: CallSpec, answer: Answer, started: Start) -> list[Problem]:
        bench, header = self._place.bench, self._generation.header_size
        return [
            *relocations.judge_answer(spec, answer, active=started.active),
            *relocations.judge_target(bench, answer, header, self._top),
        ]

    def _cases(
        self, spec: CallSpec, contract: Contract, target: Answer, slot: Answer, result: CallResult
    ) -> CallResult:
        cases: list[CaseResult] = []
        stuck = ""
        for case in self._generation.cases(spec):
            if stuck or self._budget() <= 0:
                cases.append(CaseResult(case.kind, case.title, reason=stuck or _USED_UP))
                continue
            done = self._case(contract, target, slot, case)
            cases.append(done)
            if any(finding.rule == "endless" for finding in done.findings):
                stuck = _GIVEN_UP
        if all(case.reason == _USED_UP for case in cases):
            self._add([Problem("endless", "an end in time", _USED_UP)], contract)
        self._findings += [finding for case in cases for finding in case.findings]
        reason = next((case.reason for case in cases if case.reason), "")
        ran = any(not case.reason for case in cases)
        return replace(
            result,
            status=Status.EXECUTED if ran else Status.SKIPPED,
            cases=tuple(cases),
            reason="" if ran else reason,
        )

    def _budget(self) -> int:
        return min(self._pc.budget, self._copy.bench.pc.budget if self._copy else self._pc.budget)

    def _case(self, contract: Contract, target: Answer, slot: Answer, case: Case) -> CaseResult:
        """Run a case as guests do: where the image lies, by what the query said; in a copy, by the slots."""
        tried: Tried | None = None
        if self._generation.in_place or self._copy is None:
            tried = self._place.case(contract, target, case)
        if self._copy is not None and (tried is None or not (tried.problems or tried.outside)):
            tried = self._moved(self._copy, contract, slot, case)
        if tried is None or tried.outside:
            return CaseResult(case.kind, case.title, reason=tried.seen.reason if tried else "")
        where = self._where(tried.address)
        found = [make_finding(p, contract, case, where, self._report.number) for p in tried.problems]
        return CaseResult(case.kind, case.title, tuple(found))

    def _moved(self, copy: Runner, contract: Contract, slot: Answer, case: Case) -> Tried:
        """Run a case in the copy; what goes wrong only there is that the code can't be moved."""
        tried = copy.case(contract, slot, case)
        if not tried.problems or tried.outside:
            return tried
        in_place = self._place.case(contract, slot, case)
        if in_place.problems or in_place.outside:
            return in_place
        first = tried.problems[0]
        seen = f"in the copy {first.rule}: expected {first.expected}, seen {first.seen}"
        return replace(tried, problems=[Problem("moved", "what it does in place", seen)])
