# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Executes one image: vmi_init, the relocation query, then every call that it serves, case by case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...abi import RelocType
from ...abi.model import Argument, CallSpec
from ...rom import ImageInfo, VmiHeader
from . import answers as relocations
from . import board
from .bench import Answer, Bench
from .case import Case, Contract, Problem
from .generation import Generation
from .judge import EVERYTHING, judge
from .model import CallResult, CaseResult, Finding, ImageReport, Kind, Status
from .pc import Pc
from .query import Asked
from .rules import RULES
from .seen import End, Seen

_ANY = tuple(Argument(name, "UINT32", 32, (name,)) for name in ("eax", "edx", "ecx"))
_YES, _NO = 0, 0xFFFFFFFF
_OWN = ((board.GDT, board.PAGE), (board.IDT, board.PAGE), (board.TSS, board.PAGE))
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
_USED_UP = "the instructions that one image may take are used up"
_GIVEN_UP = "an earlier case of it did not end"


def executed(image: ImageInfo, vmi: VmiHeader, generation: Generation, report: ImageReport) -> ImageReport:
    """Return ``report`` with everything that comes of executing ``image``."""
    size = len(image.data)
    if size > board.WINDOW_END - board.WINDOW:
        return replace(report, reason="it does not fit into the ROM window")
    place = board.PREFERRED if size <= board.WINDOW_END - board.PREFERRED else board.WINDOW
    return _Execution(Pc(image.data, place, vmi.virtual_top), vmi, generation, report).run()


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
    def __init__(self, pc: Pc, vmi: VmiHeader, generation: Generation, report: ImageReport) -> None:
        self._pc = pc
        self._top = vmi.virtual_top
        self._generation = generation
        self._report = report
        self._bench = Bench(pc, generation.tables, {})
        self._findings: list[Finding] = list(report.findings)
        self._active = False

    def run(self) -> ImageReport:
        """Execute everything; return the report."""
        ask = self._generation.calls.ask
        before = ask(self._bench, self._top, twice=False)
        self._pc.restore()
        init = self._init()
        self._pc.restore()
        after = ask(self._bench, self._top, twice=True)
        self._pc.restore()
        self._bench.answers = after.answers
        self._answers(before, after)
        calls = tuple(self._call(spec, after) for spec in self._generation.tables.calls)
        return replace(self._report, init=init, findings=tuple(self._findings), calls=calls)

    def _answers(self, before: Asked, after: Asked) -> None:
        tables, query = self._generation.tables, self._generation.calls.contract
        self._add((after.problems | before.problems).values(), query)
        self._add(relocations.judge_unknown(tables, after.answers), query)
        for name, problem in relocations.judge_groups(tables, after.answers):
            self._add([problem], Contract.of_call(tables.call(name)))

    def _add(self, problems: Iterable[Problem], contract: Contract, where: str = "") -> None:
        self._findings += [make_finding(p, contract, None, where, self._report.number) for p in problems]

    def _where(self, address: int) -> str:
        offset = address - self._pc.base
        return f"image+{offset:#x}" if 0 <= offset < len(self._pc.image) else f"{address:#010x}"

    # ---- vmi_init -------------------------------------------------------------------------------------------------

    def _init(self) -> str:
        """Call vmi_init, twice with other registers; return its answer. The PC goes on from the first."""
        contract = self._generation.init
        target = Answer(self._pc.base + self._generation.init_entry, RelocType.CALL_REL)
        other = replace(contract, takes=_ANY)
        case = Case(Kind.POSITIVE, "", changes=EVERYTHING, writes=_OWN)
        again = self._bench.enter(other, target, replace(case, arguments={"eax": _NO, "edx": 0, "ecx": _NO}))
        self._pc.restore()
        seen = self._bench.enter(contract, target, case)
        if seen.end is End.OUTSIDE:
            return f"not executed here: {seen.reason}"
        self._add(judge(contract, case, seen, self._top), contract, self._where(seen.eip))
        if seen.end is not End.RETURNED:
            return seen.says()
        self._pc.save()
        answer = seen.get("eax")
        self._active = answer == _YES
        if answer not in {_YES, _NO}:
            self._add([Problem("init-answer", "0 or 0xffffffff", f"{answer:#x}")], contract)
        elif again.end is End.RETURNED and again.get("eax") != answer:
            self._add(
                [Problem("init-answer", f"{answer:#x}, as with other registers", f"{again.get('eax'):#x}")], contract
            )
        return "active (0)" if self._active else "declined (-1)" if answer == _NO else f"declined ({answer:#x})"

    # ---- calls ----------------------------------------------------------------------------------------------------

    def _call(self, spec: CallSpec, asked: Asked) -> CallResult:
        answer = asked.answers.get(spec.number)
        if answer is None:
            status = Status.SKIPPED if asked.reason else Status.REFUSED
            return CallResult(spec.number, spec.name, "", status, reason=asked.reason or "get_reloc did not answer")
        contract = Contract.of_call(spec)
        problems = [
            *relocations.judge_answer(spec, answer, active=self._active),
            *relocations.judge_target(self._bench, answer, self._generation.header_size, self._top),
        ]
        self._add(problems, contract, self._where(answer.eip) if answer.callable else "")
        result = CallResult(spec.number, spec.name, str(answer), Status.REFUSED, reason="its answer is no good")
        if any(problem.rule != "answer-reserved" for problem in problems):
            return result
        if not answer.callable:
            status = Status.NOP if answer.kind == RelocType.NOP else Status.NONE
            return replace(result, status=status, reason="")
        if not relocations.in_image(self._bench, answer, self._generation.header_size):
            return replace(result, status=Status.SKIPPED, reason="its code is in the hole, which its hypervisor fills")
        return self._cases(spec, contract, answer, result)

    def _cases(self, spec: CallSpec, contract: Contract, answer: Answer, result: CallResult) -> CallResult:
        cases: list[CaseResult] = []
        stuck = ""
        for case in self._generation.cases(spec):
            if stuck or self._pc.budget <= 0:
                cases.append(CaseResult(case.kind, case.title, reason=stuck or _USED_UP))
                continue
            done = self._case(contract, answer, case)
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

    def _case(self, contract: Contract, answer: Answer, case: Case) -> CaseResult:
        problems, seen = self._try(contract, answer, case)
        if seen.end is End.OUTSIDE:
            return CaseResult(case.kind, case.title, reason=seen.reason)
        if problems and case.frame and self._other_form_works(contract, answer, case):
            form = "called" if answer.kind == RelocType.JUMP_REL else "jumped to"
            problems = [Problem("entry-form", str(answer), f"code that works only if it is {form}")]
        where = self._where(seen.eip if seen.end is End.FAULT else answer.eip)
        found = [make_finding(p, contract, case, where, self._report.number) for p in problems]
        return CaseResult(case.kind, case.title, tuple(found))

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
        self._pc.restore()
        case.setup(self._bench)
        seen = self._bench.enter(contract, answer, case, poisoned=poisoned)
        problems = list(judge(contract, case, seen, self._top))
        if seen.end is not End.OUTSIDE and {problem.rule for problem in problems} <= _HARMLESS:
            problems += case.expect(self._bench, seen)
        return problems, seen

    def _other_form_works(self, contract: Contract, answer: Answer, case: Case) -> bool:
        other = RelocType.CALL_REL if answer.kind == RelocType.JUMP_REL else RelocType.JUMP_REL
        problems, seen = self._once(contract, replace(answer, kind=other), case, poisoned=True)
        return not problems and seen.end is not End.OUTSIDE
