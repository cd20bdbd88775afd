# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From samples to medians, spreads and ratios; pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FLAT = frozenset({"copy-4k", "compute"})
"""Benchmarks that hardly enter the kernel: they show what the engine and the clock do, and count in no mean."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One benchmark in one column.

    Args:
        median: of the rounds' medians, in the table's unit per operation.
        spread: (largest - smallest) / median of the rounds; 0 when they are identical or there is but one.
        ratio: median / the first column's median; None where the first column has no figure.
        rounds: each round's median, in the order they ran.
    """

    median: float
    spread: float
    ratio: float | None
    rounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """What one guest did under one hypervisor: its label, and figures by benchmark name."""

    label: str
    figures: Mapping[str, Figure]

    def geometric_mean(self) -> float | None:
        """Return the geometric mean of the ratios but for :data:`FLAT`, None where there is none."""
        ratios = [figure.ratio for name, figure in self.figures.items() if figure.ratio and name not in FLAT]
        return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios)) if ratios else None

    def largest(self) -> float | None:
        """Return the largest ratio, None where there is none."""
        return max((figure.ratio for figure in self.figures.values() if figure.ratio), default=None)


Rounds = Sequence[Mapping[str, float]]


def columns(samples: Mapping[str, Rounds]) -> list[Column]:
    """Return a column for each label of ``samples``; the first is the base of the ratios.

    Args:
        samples: by label, one mapping a round from benchmark name to the median per operation.
    """
    base: dict[str, float] | None = None
    result = []
    for label, rounds in samples.items():
        names = list(dict.fromkeys(name for one in rounds for name in one))
        values = {name: tuple(one[name] for one in rounds if name in one) for name in names}
        medians = {name: statistics.median(taken) for name, taken in values.items()}
        if base is None:
            base = medians
        result.append(Column(label, {name: _figure(taken, base.get(name)) for name, taken in values.items()}))
    return result


def _figure(taken: tuple[float, ...], base: float | None) -> Figure:
    median = statistics.median(taken)
    spread = (max(taken) - min(taken)) / median if median else 0.0
    return Figure(median, spread, median / base if base else None, taken)
