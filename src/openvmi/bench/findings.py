# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Single figures, each with what it was taken from: for measurements that are no table of benchmarks."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure.

    Args:
        name: what it is.
        value: the figure; a median where there are several samples.
        unit: of it.
        samples: what it is the median of; empty where it is none.
        how: how it comes about.
    """

    name: str
    value: float
    unit: str
    samples: tuple[float, ...] = ()
    how: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return plain data, for ``--json``."""
        return asdict(self)


def median(name: str, samples: Sequence[float], unit: str, how: str = "") -> Finding:
    """Return the finding that is the median of ``samples``, of which there is one at least."""
    return Finding(name, statistics.median(samples), unit, tuple(samples), how)


def table(findings: Sequence[Finding], title: str = "") -> Table:
    """Return the findings as a table for people."""
    from rich import box  # noqa: PLC0415 - 40 ms of imports
    from rich.table import Table  # noqa: PLC0415

    result = Table(title=title or None, box=box.SIMPLE, title_justify="left")
    for heading, justify in (("figure", "left"), ("median", "right"), ("from - to", "right"), ("how", "left")):
        result.add_column(heading, justify="right" if justify == "right" else "left")
    for finding in findings:
        result.add_row(finding.name, f"{number(finding.value)} {finding.unit}".rstrip(), _range(finding), finding.how)
    return result


def number(value: float) -> str:
    """Return ``value`` with about four digits."""
    digits = 0 if abs(value) >= 1000 or value == int(value) else 1 if abs(value) >= 100 else 3
    return f"{value:,.{digits}f}"


def _range(finding: Finding) -> str:
    if len(finding.samples) < 2:
        return ""
    return f"{number(min(finding.samples))} - {number(max(finding.samples))}"
