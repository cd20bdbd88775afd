# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A report for people: findings by function, then what they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from .model import Cover, Finding, Report
from .output import NOT_SURE, state, summary

_BYTES = 8
_TITLES = {"effect": "by what happens", "instruction": "by instruction", "section": "by section"}
_STATES = (Cover.NONE.value, NOT_SURE, *(cover.value for cover in Cover if cover is not Cover.NONE))


def lines(file: str, report: Report, shown: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of a report.

    Args:
        file: name of the kernel's file.
        report: what was found.
        shown: the findings to list, by address.
    """
    for (section, function), group in groupby(shown, key=lambda finding: (finding.section, finding.function)):
        yield f"{section} {function or '(no symbol)'}"
        yield from (_line(finding) for finding in group)
    if shown:
        yield ""
    yield from _stretches(report)
    yield from _tables(report.findings)
    yield ""
    yield f"{file}: {'; '.join(report.notes)}"
    yield f"{report.instructions} instructions in {report.code_bytes} bytes of code"


def _line(finding: Finding) -> str:
    hit = finding.hit
    code = hit.data[:_BYTES].hex(" ") + (" .." if len(hit.data) > _BYTES else "")
    words = (state(finding), finding.doubt, finding.note)
    said = ": ".join(word for word in words if word and word != Cover.NONE.value)
    line = f"  +{finding.offset:<#7x} {hit.address:08x}  {code:<23} {hit.text:<28} {hit.rule.effect.value:<8} {said}"
    return line.rstrip()


def _stretches(report: Report) -> Iterator[str]:
    if not report.doubts:
        return
    yield "not sure of these stretches: data among code, or code of another kind"
    for doubt in report.doubts:
        yield f"  {doubt.start:08x}-{doubt.end:08x}  {doubt.place:<28} {doubt.reason}"
    yield ""


def _tables(findings: Iterable[Finding]) -> Iterator[str]:
    found = summary(findings)
    present = [name for name in _STATES if any(name in row for row in found["effect"].values())]
    for table, rows in found.items():
        yield f"{_TITLES[table]:<22}" + "".join(f"{name:>16}" for name in present)
        for name, row in rows.items():
            yield f"  {name:<20}" + "".join(f"{row.get(kind, 0) or '-':>16}" for kind in present)
    if not present:
        yield "  nothing that matters"
