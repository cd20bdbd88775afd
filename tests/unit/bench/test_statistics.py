# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians, spreads and ratios."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.bench.statistics import columns


def test_ratios_are_against_the_first_column() -> None:
    none, native = columns(
        {"none": [{"a": 100.0, "b": 50.0}, {"a": 110.0, "b": 50.0}, {"a": 90.0}], "native": [{"a": 200.0, "c": 1.0}]}
    )
    assert none.figures["a"].median == 100.0
    assert none.figures["a"].spread == pytest.approx(0.2)
    assert none.figures["a"].ratio == 1.0
    assert none.figures["b"].rounds == (50.0, 50.0)
    assert native.figures["a"].ratio == 2.0
    assert native.figures["c"].ratio is None
    assert "b" not in native.figures


def test_summary_of_a_column() -> None:
    _, second = columns({"x": [{"a": 1.0, "b": 1.0}], "y": [{"a": 4.0, "b": 1.0}]})
    assert second.geometric_mean() == pytest.approx(2.0)
    assert second.largest() == 4.0
    assert columns({"x": [{}]})[0].geometric_mean() is None
    assert columns({"x": [{}]})[0].largest() is None


@given(st.lists(st.floats(min_value=0, max_value=1e12), min_size=1, max_size=9))
def test_median_lies_between_the_extremes(values: list[float]) -> None:
    (column,) = columns({"x": [{"a": value} for value in values]})
    figure = column.figures["a"]
    assert min(values) <= figure.median <= max(values)
    assert figure.spread >= 0
