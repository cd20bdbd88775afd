# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plots of the HTML report: rates over time, distribution, callers, address spaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from ..schema import TraceMeta
from ..symbols import SymbolTable
from ..tally import OTHER, Tally, span_text
from . import svg

WIDTH: Final = 1180
_LEFT: Final = 64
_RIGHT: Final = 12
_PLOT: Final = 260
_MOST_SERIES: Final = 8
_MOST_CALLERS: Final = 25
_MOST_SPACES: Final = 14
_STRIPS: Final = 128


@dataclass(frozen=True, slots=True)
class Series:
    """A call (or all the rare ones) over time: ``name``, ``colour``, and counts in each slot."""

    name: str
    colour: str
    values: Sequence[int]


def colours(tally: Tally) -> Mapping[int, str]:
    """Return a colour for each call; the rare ones share grey."""
    ranked = [call for call, _ in tally.calls.most_common()]
    return {call: svg.COLOURS[rank] if rank < _MOST_SERIES else svg.GREY for rank, call in enumerate(ranked)}


def series(tally: Tally, meta: TraceMeta) -> list[Series]:
    """Return the most frequent calls over time, then all others as one."""
    _, lists = tally.rates()
    ranked = [call for call, _ in tally.calls.most_common()]
    colour = colours(tally)
    made = [Series(meta.name(call), colour[call], lists[call]) for call in ranked[:_MOST_SERIES]]
    if rare := [lists[call] for call in ranked[_MOST_SERIES:]]:
        made.append(Series(f"{len(rare)} others", svg.GREY, [sum(row) for row in zip(*rare, strict=True)]))
    return made


def rates(tally: Tally, meta: TraceMeta) -> tuple[str, dict[str, object]]:
    """Return the stacked plot of calls over time, and the data that its tooltip shows."""
    stack, slots = series(tally, meta), len(tally.rates()[0])
    sums = [sum(row) for row in zip(*(one.values for one in stack), strict=True)]
    slot = meta.seconds(1 << tally.shift)
    top, unit = max(sums, default=0) / (slot or 1), "calls/s" if slot else "calls"
    step = (WIDTH - _LEFT - _RIGHT) / max(slots, 1)
    scale = (_PLOT - 20) / (max(sums, default=0) or 1)
    parts = [_grid_line(value, unit if value == 0 else "", top) for value in svg.ticks(top)]
    base = [0] * slots
    for one in stack:
        above = [low + value for low, value in zip(base, one.values, strict=True)]
        parts.append(_area(base, above, step, scale, one.colour))
        base = above
    parts += _time_axis(tally, meta)
    parts.append(f'<line id="cross" y1="10" y2="{_PLOT}" stroke="#1c2127" stroke-width="1" style="display:none"/>')
    legend = [(one.name, one.colour) for one in stack]
    at = [span_text(index << tally.shift, meta) for index in range(slots)]
    shown = [{"name": one.name, "values": list(one.values)} for one in stack]
    data: dict[str, object] = {"width": WIDTH, "left": _LEFT, "step": step, "at": at, "series": shown}
    return svg.svg(WIDTH, _PLOT + 26, parts, ' id="rates"') + _legend(legend), data


def calls(tally: Tally, meta: TraceMeta) -> str:
    """Return bars of how often each call came."""
    ranked = tally.calls.most_common()
    most, total, colour = ranked[0][1] if ranked else 1, max(tally.records, 1), colours(tally)
    rows = []
    for row, (call, count) in enumerate(ranked):
        y = row * 22
        rows.append(svg.text(160, y + 15, meta.name(call), anchor="end"))
        width = max((WIDTH - 400) * count / most, 1)
        rows.append(svg.box(170, y + 3, width, 15, colour[call], f"{meta.name(call)}: {count:,}", ' rx="2"'))
        share = f"{count:,}   {100 * count / total:.2f} %"
        rows.append(svg.text(178 + width, y + 15, share, style="dim num"))
    return svg.svg(WIDTH, max(len(ranked) * 22, 22), rows)


def callers(tally: Tally, meta: TraceMeta, symbols: SymbolTable) -> str:
    """Return a table of the functions that call most, each with a bar of what it calls."""
    functions: dict[str, Counter[int]] = {}
    for (call, function), count in tally.by_function(symbols).items():
        functions.setdefault(function, Counter())[call] += count
    ranked = sorted(functions.items(), key=lambda pair: (-pair[1].total(), pair[0]))
    most, total, colour = (ranked[0][1].total() if ranked else 1), max(tally.records, 1), colours(tally)
    rows = []
    for function, counts in ranked[:_MOST_CALLERS]:
        parts = "".join(
            f'<div title="{escape(meta.name(call))}: {count:,}" style="background:{colour[call]};flex:{count}"></div>'
            for call, count in counts.most_common()
        )
        bar = f'<div class="bar" style="width:{100 * counts.total() / most:.2f}%">{parts}</div>'
        what = ", ".join(f"{meta.name(call)} {count:,}" for call, count in counts.most_common(3))
        cells = [f"<code>{escape(function)}</code>", bar, escape(what) + (" …" if len(counts) > 3 else "")]
        rows.append((*cells, f"{counts.total():,}", f"{100 * counts.total() / total:.1f} %"))
    if rare := ranked[_MOST_CALLERS:]:
        count = sum(counts.total() for _, counts in rare)
        rows.append((f"{len(rare)} others", "", "", f"{count:,}", f"{100 * count / total:.1f} %"))
    return table(("function", "", "most", "calls", "share"), rows, numbers=2, widths={1: "32%"})


def spaces(tally: Tally, meta: TraceMeta) -> str:
    """Return a row for each of the most frequent address spaces: switches to it over time, and time in it."""
    ranked = tally.spaces.switches.most_common(_MOST_SPACES)
    if not ranked:
        return ""
    start, slots = tally.first >> tally.shift, len(tally.rates()[0])
    group = max(-(-slots // _STRIPS), 1)
    cells: Counter[tuple[int, int]] = Counter()
    for (slot, value), count in tally.spaces.slots.items():
        cells[value, (slot - start) // group] += count
    most = max((cells[key] for key in cells if key[0] in dict(ranked)), default=1)
    step = (WIDTH - 130 - 230) / max(-(-slots // group), 1)
    parts = [_right(WIDTH - 120, 14, "switches"), _right(WIDTH - 4, 14, "time in it")]
    for row, (value, count) in enumerate(ranked):
        y = 22 + row * 20
        parts += [
            svg.text(120, y + 13, _space(value), anchor="end", style="mono"),
            svg.box(130, y, WIDTH - 360, 17, "#f0f2f5"),
            _right(WIDTH - 120, y + 13, f"{count:,}"),
            _right(WIDTH - 4, y + 13, span_text(tally.spaces.ticks[value], meta)),
        ]
        parts += [
            svg.box(130 + column * step, y, step + 0.3, 17, _heat(hits / most), f"{_space(value)}: {hits:,} switches")
            for (which, column), hits in sorted(cells.items())
            if which == value
        ]
    return svg.svg(WIDTH, 26 + len(ranked) * 20, parts)


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int, widths: Mapping[int, str] | None = None
) -> str:
    """Return an HTML table of ready-made cells; the last ``numbers`` columns are numbers."""
    kind = [' class="n"' if index >= len(heads) - numbers else "" for index in range(len(heads))]
    style = [f' style="width:{width}"' if (width := (widths or {}).get(i)) else "" for i in range(len(heads))]
    head = "".join(f"<th{kind[i]}{style[i]}>{word}</th>" for i, word in enumerate(heads))
    body = "\n".join(f"<tr>{''.join(f'<td{kind[i]}>{c}</td>' for i, c in enumerate(row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _grid_line(value: float, unit: str, top: float) -> str:
    y = _PLOT - (_PLOT - 20) * value / (top or 1)
    line = f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + svg.text(_LEFT - 8, y + 4, unit or svg.short(value), anchor="end", style="dim num")


def _area(low: Sequence[int], high: Sequence[int], step: float, scale: float, colour: str) -> str:
    def edge(values: Sequence[int], order: Sequence[int]) -> list[str]:
        return [f"{_LEFT + (index + 0.5) * step:.1f},{_PLOT - values[index] * scale:.1f}" for index in order]

    forth = range(len(high))
    if len(high) == 1:
        return svg.box(_LEFT, _PLOT - high[0] * scale, step, (high[0] - low[0]) * scale, colour)
    points = " ".join((*edge(high, forth), *edge(low, forth[::-1])))
    return f'<polygon points="{points}" fill="{colour}"/>'


def _time_axis(tally: Tally, meta: TraceMeta) -> list[str]:
    slots = len(tally.rates()[0])
    seconds = meta.seconds(slots << tally.shift)
    parts = []
    for value in svg.ticks(seconds or float(slots << tally.shift), 10):
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * value / (seconds or float(slots << tally.shift))
        label = span_text(round(value * meta.tsc_hz), meta) if seconds else svg.short(value)
        parts.append(svg.text(x, _PLOT + 18, "0" if value == 0 else label, anchor="middle", style="dim num"))
    return parts


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    parts = "".join(f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in entries)
    return f'<div class="legend">{parts}</div>'


def _right(x: float, y: float, words: str) -> str:
    return svg.text(x, y, words, anchor="end", style="dim num")


def _space(value: int) -> str:
    return "(rare ones)" if value == OTHER else f"{value:#010x}"


def _heat(part: float) -> str:
    return svg.tint("#08519c", 0.12 + 0.88 * part)
