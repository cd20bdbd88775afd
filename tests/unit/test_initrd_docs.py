# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The page about /init names exactly the groups, benchmarks and words that its source has."""

from __future__ import annotations

import re
from pathlib import Path

from openvmi.bench.measure import BENCHMARKS

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "guest" / "user" / "init"


def documented(heading: str) -> set[str]:
    """Return the names in the first column of the table below ``heading``."""
    text = (ROOT / "docs/reference/init.md").read_text().partition(heading)[2].partition("\n## ")[0]
    columns = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {name for column in columns for name in re.findall(r"`([^`]+)`", column)}


def test_checks() -> None:
    names = re.findall(r'{"([a-z-]+)", check_\w+}', (SOURCE / "check.c").read_text())
    assert len(names) > 10
    assert documented("## Checks") == set(names)


def test_benchmarks() -> None:
    names = re.findall(r'{"([a-z0-9-]+)", \d+, ', (SOURCE / "bench_operations.c").read_text())
    assert len(names) == 16
    assert documented("## Benchmarks") == set(names)
    assert tuple(names) == BENCHMARKS


def test_words() -> None:
    source = (SOURCE / "init.c").read_text()
    trials = re.search(r"trials\[\] = {(.*?)}", source)
    assert trials is not None
    words = {*re.findall(r'"(\w+)"', trials[1]), *re.findall(r'\(word, "(\w+=?)"\)', source)}
    pages = {re.sub(r"=.*", "=", word) for word in documented("# /init")}
    assert pages == words
