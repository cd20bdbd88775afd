# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A report as lines for people, as JUnit XML, as TAP (version 13). JSON is the report's own ``as_dict``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ... import rom
from ...text import printable
from .model import CallResult, Finding, ImageReport, Kind, Report, Status
from .rules import RULES


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its group and name, what is wrong, or why it was not looked at."""

    group: str
    name: str
    findings: tuple[Finding, ...] = ()
    skipped: str = ""

    @property
    def failed(self) -> bool:
        """Whether something is wrong that is more than odd."""
        return any(finding.severity == "fail" for finding in self.findings)


def checks(report: Report) -> list[Check]:
    """Return everything that was looked at: rules of layout, jump points, answers, cases."""
    several = len(report.images) > 1
    return [check for image in report.images for check in _of_image(image, f"image{image.number}." if several else "")]


def _of_image(image: ImageReport, prefix: str) -> Iterator[Check]:
    left = list(image.findings)

    def take(*, rule: str = "", call: str = "", case: str | None = None) -> tuple[Finding, ...]:
        found = [
            finding
            for finding in left
            if (not rule or finding.rule == rule) and finding.call == call and (case is None or finding.case == case)
        ]
        for finding in found:
            left.remove(finding)
        return tuple(found)

    for rule in rom.RULES:
        yield Check(f"{prefix}layout", rule.id, take(rule=rule.id))
    skipped = image.reason
    for point in image.points:
        outside = image.init if point == image.points[0] and image.init.startswith(Status.SKIPPED) else ""
        yield Check(f"{prefix}jump-points", point, take(call=point, case=""), skipped or outside)
    for call in image.calls:
        for case in call.cases:
            title = f"{case.kind}: {case.title}"
            yield Check(f"{prefix}{call.name}", title, take(call=call.name, case=title), case.reason)
        yield Check(f"{prefix}{call.name}", "answer", take(call=call.name), _why(call))
    if left or image.reason:
        yield Check(f"{prefix}execution", "executed", tuple(left), image.reason)


def _why(call: CallResult) -> str:
    return call.reason if call.status is Status.SKIPPED else ""


def junit(report: Report, name: str) -> str:
    """Return the report as JUnit XML; ``name`` is the file's."""
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - written here, never read

    found = checks(report)
    failures, skipped = sum(check.failed for check in found), sum(bool(check.skipped) for check in found)
    counts = {"tests": str(len(found)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    root = ET.Element("testsuites", {"name": "openvmi check rom", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": printable(name), **counts})
    for check in found:
        case = ET.SubElement(suite, "testcase", {"classname": check.group, "name": check.name, "time": "0"})
        for finding in check.findings:
            failed = finding.severity == "fail"
            attributes = {"type": finding.rule, "message": printable(str(finding))} if failed else {}
            element = ET.SubElement(case, "failure" if failed else "system-out", attributes)
            element.text = f"{finding.rule}: {printable(str(finding))} [{finding.source}]"
        if check.skipped and not check.failed:
            ET.SubElement(case, "skipped", {"message": check.skipped})
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}\n"


def tap(report: Report) -> str:
    """Return the report as TAP version 13."""
    found = checks(report)
    lines = ["TAP version 13", f"1..{len(found)}"]
    for number, check in enumerate(found, 1):
        skip = f" # SKIP {check.skipped}" if check.skipped and not check.failed else ""
        name = f"{check.group}: {check.name}".replace("#", "")
        lines.append(f"{'not ok' if check.failed else 'ok'} {number} - {name}{skip}")
        for finding in check.findings:
            lines += [f"  # {finding.severity} {finding.rule}: {printable(str(finding))}", f"  #   {finding.source}"]
    return "\n".join(lines) + "\n"


def text(report: Report, name: str, *, every_call: bool = False) -> str:
    """Return the report for people; ``name`` is the file's.

    Args:
        report: what was found.
        name: the file's.
        every_call: a line for each call, too.
    """
    lines = [line for image in report.images for line in _image_lines(image, every_call=every_call)]
    fails = sum(finding.severity == "fail" for finding in report.findings)
    warnings = len(report.findings) - fails
    odd = f", {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    verdict = f"does not conform: {fails} finding{'s' * (fails != 1)}" if fails else "conforms"
    if not fails and not report.complete:
        verdict += ", as far as it could be executed here"
    elif not fails and any(image.calls for image in report.images) and not any(image.served for image in report.images):
        verdict += " (it serves no call, so none was executed)"
    return "\n".join([*lines, f"{printable(name)}: {verdict}{odd}"]) + "\n"


def _image_lines(image: ImageReport, *, every_call: bool) -> Iterator[str]:
    yield f"image {image.number}: {image.title}" + (f", generation {image.generation}" if image.generation else "")
    yield f"  layout       {len(rom.RULES)} rules"
    if image.reason:
        yield f"  execution    not executed: {image.reason}"
    else:
        yield from _execution_lines(image, every_call=every_call)
    shown: dict[tuple[str, str], int] = {}
    for finding in image.findings:
        key = finding.rule, finding.call
        shown[key] = shown.get(key, 0) + 1
    for finding in image.findings:
        more = shown.pop((finding.rule, finding.call), 0) - 1
        if more >= 0:
            yield f"{finding.severity:<6} {finding.rule:<16} {printable(str(finding))}"
            yield f"{'':<23} {finding.source}{f'; {more} more like this' if more else ''}"


def _execution_lines(image: ImageReport, *, every_call: bool) -> Iterator[str]:
    counted = {status: sum(call.status is status for call in image.calls) for status in Status}
    yield f"  {image.points[0]:<12} {image.init}"
    found = "get_reloc" if image.generation == "D" else "slots"
    yield f"  {found:<12} {image.served} served, {counted[Status.NONE]} NONE, {counted[Status.NOP]} NOP"
    kinds = ", ".join(f"{image.count(kind)} {kind}" for kind in Kind)
    yield f"  execution    {image.executed} of {image.served} calls executed; {image.count()} cases: {kinds}"
    for call in image.calls:
        cases = sum(not case.reason for case in call.cases)
        if call.status is Status.SKIPPED or (call.status is Status.REFUSED and not every_call):
            yield f"    {call.number:>2} {call.name}: {call.status}: {call.reason}"
        elif every_call:
            what = f"{cases} cases" if call.cases else call.reason or str(call.status)
            yield f"    {call.number:>2} {call.name:<18} {call.answer:<22} {what}"
        for case in call.cases:
            if case.reason and call.status is Status.EXECUTED:
                yield f"    {call.number:>2} {call.name}: {case.kind}: {case.title}: not executed here: {case.reason}"


def rule_names() -> tuple[str, ...]:
    """Return the stable names of all rules: of layout, then of execution."""
    return (*(rule.id for rule in rom.RULES), *RULES)
