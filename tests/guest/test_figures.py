# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures that are counted in instructions: exact, so they can be tests. Limits as in the README."""

from __future__ import annotations

import pytest

from openvmi.bench.measure import Subject, measure, subjects, words
from openvmi.bench.statistics import Column, columns
from openvmi.boot import Request

BASE = Request(append=f"-- {words([], None)}", icount=True, timeout=60)
# Hardly enter the kernel: what they cost is what the engine and the clock cost.
FLAT = ("compute", "copy-4k")


def ratios(taken: list[Subject]) -> list[Column]:
    return columns(measure(taken, count="instructions", rounds=1, progress=lambda _: None))[1:]


def check(column: Column, limit: float, flat: float) -> None:
    assert len(column.figures) == 13
    for name, figure in column.figures.items():
        assert figure.ratio is not None
        assert abs(figure.ratio - 1) <= (flat if name in FLAT else limit), f"{column.label}: {name}: {figure.ratio:.4f}"


@pytest.mark.parametrize("paging", ["", "-pae"], ids=["legacy", "pae"])
def test_the_paravirt_layer_costs_nothing_without_a_rom(paging: str) -> None:
    (layer,) = ratios(subjects([f"plain{paging}", f"guest{paging}"], ["none"], BASE))
    check(layer, limit=0.01, flat=0.001)


@pytest.mark.parametrize("guest", ["guest", "guest-pae"])
def test_a_rom_that_declines_or_serves_natively_costs_nothing(guest: str) -> None:
    declining, native = ratios(subjects([guest], ["none", "declining", "native"], BASE))
    check(declining, limit=0.003, flat=0.003)
    check(native, limit=0.01, flat=0.001)
