# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A file of known findings. It counts by function and rule, so that it survives a rebuild that moves everything."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from ...errors import InputError
from .model import Finding

VERSION = 1
MAX_FILE = 16 << 20
_Key = tuple[str, str]


def _key(finding: Finding) -> _Key:
    """Return what names a finding from one build to the next; one in doubt is another than a certain one."""
    doubt = "?" if finding.doubt else ""
    return finding.function or finding.section, f"{finding.hit.rule.id}{doubt}"


def write_baseline(findings: Iterable[Finding]) -> dict[str, object]:
    """Return the baseline of those ``findings`` that nothing covers, as plain data."""
    counts = Counter(_key(finding) for finding in findings if finding.open)
    known = [{"function": name, "rule": rule, "count": count} for (name, rule), count in sorted(counts.items())]
    return {"version": VERSION, "findings": known}


def read_baseline(data: bytes) -> Counter[_Key]:
    """Return how many findings a baseline file knows, by function and rule.

    Raises:
        InputError: not a baseline, or of another version.
    """
    try:
        content = json.loads(data)
        if content["version"] != VERSION:
            raise InputError(f"a baseline of version {content['version']!r}: this is for {VERSION}")
        known: Counter[_Key] = Counter()
        for entry in content["findings"]:
            known[str(entry["function"]), str(entry["rule"])] += int(entry["count"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"not a baseline: {error}", help="write one with --write-baseline") from error
    return known


def split(findings: Iterable[Finding], known: Counter[_Key]) -> tuple[list[Finding], list[Finding], int]:
    """Return the open findings that are new, those that are known, and how many known ones are gone.

    Where a function has more of a kind than the baseline knows, the last ones count as new.
    """
    left = Counter(known)
    new: list[Finding] = []
    old: list[Finding] = []
    for finding in findings:
        if finding.open:
            key = _key(finding)
            (old if left[key] > 0 else new).append(finding)
            left[key] -= 1
    return new, old, sum(count for count in left.values() if count > 0)
