# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plots as SVG text: no library, no network, nothing from a trace that is not escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

COLOURS: Final = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#edc948", "#9c755f",
)  # fmt: skip
GREY: Final = "#a9a9a9"


def tint(colour: str, part: float) -> str:
    """Return ``colour`` (``#rrggbb``) mixed with white, of which it keeps ``part`` (0 to 1)."""
    channels = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - channel) * part):02x}" for channel in channels)


def short(value: float) -> str:
    """Return a number for an axis: ``1.2 k``, ``35 M``."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.3g}"


def ticks(top: float, about: int = 5) -> list[float]:
    """Return round values from 0 to ``top``, about as many as asked for."""
    if top <= 0 or not math.isfinite(top):
        return [0.0]
    step: float = 10 ** math.floor(math.log10(top / about))
    step *= next(factor for factor in (1, 2, 5, 10) if top / (step * factor) <= about)
    return [step * index for index in range(int(top / step + 1e-9) + 1)]


def text(x: float, y: float, words: str, *, anchor: str = "start", style: str = "") -> str:
    """Return a line of text."""
    extra = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, title: str = "", more: str = "") -> str:  # noqa: PLR0913, PLR0917 - as many as it has
    """Return a rectangle, with a tooltip when there is a ``title``."""
    shape = f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(width, 0):.2f}" height="{height:.2f}" fill="{fill}"{more}'
    return f"{shape}><title>{escape(title)}</title></rect>" if title else f"{shape}/>"


def svg(width: int, height: int, parts: Sequence[str], more: str = "") -> str:
    """Return a drawing of ``parts`` that scales with its place."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join((f"{head}{more}>", *parts, "</svg>"))
