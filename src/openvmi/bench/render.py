# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of figures: for people, and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..text import printable
from .statistics import Column, Figure

if TYPE_CHECKING:
    from rich.table import Table


def as_dict(columns: Sequence[Column], unit: str) -> dict[str, object]:
    """Return the columns as plain data."""
    return {
        "unit": unit,
        "base": columns[0].label,
        "columns": {
            column.label: {
                "geometric_mean": column.geometric_mean(),
                "largest": column.largest(),
                "figures": {
                    name: {
                        "median": figure.median,
                        "spread": figure.spread,
                        "ratio": figure.ratio,
                        "rounds": list(figure.rounds),
                    }
                    for name, figure in column.figures.items()
                },
            }
            for column in columns
        },
    }


def table(columns: Sequence[Column], unit: str, title: str = "") -> Table:
    """Return a table of medians; from the second column on with the ratio to the first, and lines that sum up."""
    from rich import box  # noqa: PLC0415 - 40 ms of imports
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    result = Table(title=title or None, box=box.SIMPLE, title_justify="left", caption_justify="left")
    result.add_column(f"{unit} per operation")
    for index, column in enumerate(columns):
        result.add_column(Text(printable(column.label)), justify="right")
        if index:
            result.add_column("ratio", justify="right")
    for name in dict.fromkeys(name for column in columns for name in column.figures):
        # the guest's words; Text takes them as they are
        result.add_row(
            Text(printable(name)),
            *(word for index, column in enumerate(columns) for word in _cells(column, name, index)),
        )
    if len(columns) > 1 and any(column.geometric_mean() is not None for column in columns[1:]):
        result.add_section()
        for name, ratio in (("geometric mean", Column.geometric_mean), ("largest", Column.largest)):
            cells = (["", _ratio(ratio(column))] if index else [""] for index, column in enumerate(columns))
            result.add_row(name, *(word for pair in cells for word in pair))
    return result


def _cells(column: Column, name: str, index: int) -> list[str]:
    figure = column.figures.get(name)
    if figure is None:
        return ["-"] if index == 0 else ["-", "-"]
    return [_value(figure)] if index == 0 else [_value(figure), _ratio(figure.ratio)]


def _value(figure: Figure) -> str:
    value = f"{figure.median:,.0f}" if figure.median >= 1000 else f"{figure.median:.1f}"
    return f"{value} ±{figure.spread * 50:.0f}%" if figure.spread >= 0.01 else value


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.4f}" if abs(ratio - 1) < 0.1 else f"{ratio:.2f}"
