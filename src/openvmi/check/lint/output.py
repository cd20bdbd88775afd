# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A report as plain data: JSON of our own, and SARIF 2.1.0 for the tools that show findings beside code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from ... import __version__
from .model import Cover, Effect, Finding, Report, Rule
from .rules import RULES

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Effect.SILENT: "error", Effect.DEPENDS: "warning", Effect.TRAPS: "warning"}
NOT_SURE = "not sure"


def state(finding: Finding) -> str:
    """Return what covers ``finding``, or that nothing does, or that it may be no instruction."""
    return NOT_SURE if finding.doubt else finding.cover.value


def summary(findings: Iterable[Finding]) -> dict[str, dict[str, dict[str, int]]]:
    """Return how many findings there are, by effect, by instruction and by section, and each by what covers them."""
    tables: dict[str, dict[str, Counter[str]]] = {"effect": {}, "instruction": {}, "section": {}}
    for finding in findings:
        names = (finding.hit.rule.effect.value, finding.hit.rule.id, finding.section)
        for table, name in zip(tables.values(), names, strict=True):
            table.setdefault(name, Counter())[state(finding)] += 1
    return {name: {row: dict(counts) for row, counts in sorted(table.items())} for name, table in tables.items()}


def as_json(file: str, report: Report, new: Sequence[Finding], gone: int) -> dict[str, object]:
    """Return the whole report as plain data.

    Args:
        file: name of the kernel's file.
        report: what was found.
        new: the open findings that no baseline knows.
        gone: how many findings of the baseline are there no more.
    """
    fresh = {finding.hit.address for finding in new}
    return {
        "version": 1,
        "file": file,
        "notes": list(report.notes),
        "instructions": report.instructions,
        "code_bytes": report.code_bytes,
        "new": len(new),
        "gone": gone,
        "summary": summary(report.findings),
        "findings": [_finding(finding, new=finding.hit.address in fresh) for finding in report.findings],
        "not_sure": [
            {"start": doubt.start, "end": doubt.end, "place": doubt.place, "reason": doubt.reason}
            for doubt in report.doubts
        ],
    }


def _finding(finding: Finding, *, new: bool) -> dict[str, object]:
    hit = finding.hit
    return {
        "address": hit.address,
        "section": finding.section,
        "function": finding.function,
        "offset": finding.offset,
        "bytes": hit.data.hex(),
        "text": hit.text,
        "rule": hit.rule.id,
        "effect": hit.rule.effect.value,
        "cover": finding.cover.value,
        "sure": not finding.doubt,
        "doubt": finding.doubt,
        "note": finding.note,
        "new": new,
    }


def as_sarif(file: str, findings: Iterable[Finding], new: Iterable[Finding] | None) -> dict[str, object]:
    """Return the open ones of ``findings`` as a SARIF 2.1.0 log.

    Args:
        file: name of the kernel's file.
        findings: of the report.
        new: those that no baseline knows; None if there is no baseline.
    """
    fresh = None if new is None else {finding.hit.address for finding in new}
    driver = {
        "name": "openvmi lint",
        "version": __version__,
        "rules": [_sarif_rule(rule) for rule in RULES],
    }
    results = [_sarif_result(file, finding, fresh) for finding in findings if finding.cover is Cover.NONE]
    run = {"tool": {"driver": driver}, "artifacts": [{"location": {"uri": _uri(file)}}], "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _uri(file: str) -> str:
    return quote(file)


def _sarif_rule(rule: Rule) -> dict[str, object]:
    instead = f" A VMI kernel calls {rule.call} instead." if rule.call else ""
    return {
        "id": rule.id,
        "shortDescription": {"text": f"{rule.id}: {rule.effect.value} below CPL 0"},
        "fullDescription": {"text": f"{rule.id} {rule.effect.value}: {rule.text} ({rule.source}).{instead}"},
        "defaultConfiguration": {"level": _LEVELS[rule.effect]},
        "properties": {"effect": rule.effect.value, "source": rule.source},
    }


_INDEX = {rule.id: index for index, rule in enumerate(RULES)}


def _sarif_result(file: str, finding: Finding, fresh: set[int] | None) -> dict[str, object]:
    hit = finding.hit
    words = [
        f"{hit.text} at {finding.place}: {hit.rule.text}",
        finding.note,
        finding.doubt and f"not sure: {finding.doubt}",
    ]
    where = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(file), "index": 0},
            "address": {"absoluteAddress": hit.address, "length": len(hit.data), "fullyQualifiedName": finding.place},
        },
        "logicalLocations": [{"name": finding.function or finding.section, "kind": "function"}],
    }
    result: dict[str, object] = {
        "ruleId": hit.rule.id,
        "ruleIndex": _INDEX[hit.rule.id],
        "level": "note" if finding.doubt else _LEVELS[hit.rule.effect],
        "message": {"text": "; ".join(word for word in words if word)},
        "locations": [where],
        "partialFingerprints": {"place/v1": f"{finding.place} {hit.rule.id}"},
        "properties": {"bytes": hit.data.hex(), "section": finding.section, "sure": not finding.doubt},
    }
    if fresh is not None:
        result["baselineState"] = "new" if hit.address in fresh else "unchanged"
    return result
