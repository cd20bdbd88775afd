# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A flame graph as one SVG: below, everything; then calls; then the functions they come from, widths by count.

A click on a box makes it as wide as the picture; a click on the lowest goes back.
"""

from __future__ import annotations

from collections import defaultdict
from html import escape
from typing import BinaryIO, Final, NamedTuple

from ..schema import TraceMeta
from ..source import Source
from ..symbols import SymbolTable
from ..tally import Tally
from . import svg

_WIDTH: Final = 1180
_ROW: Final = 22
_LEVELS: Final = 4
_TOP: Final = 46
_LETTER: Final = 7.0
_THINNEST: Final = 0.3
_TINTS: Final = (1.0, 0.75, 0.5)

_STYLE: Final = """<style>
.flame text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#111;pointer-events:none}
.flame .head{font:600 16px system-ui,sans-serif}.flame .sub{font:12px system-ui,sans-serif;fill:#555}
.flame rect.f{stroke:#fff;stroke-width:.6;cursor:pointer}.flame rect.f:hover{stroke:#000}
</style>"""
_SCRIPT: Final = """<script><![CDATA[
(function(){var s=document.currentScript.parentNode,W=%d,L=%g,g=[].slice.call(s.querySelectorAll('g.f'));
function zoom(x,w){g.forEach(function(e){var a=+e.dataset.x,b=+e.dataset.w;
var l=Math.max(0,(a-x)/w*W),r=Math.min(W,(a+b-x)/w*W);
e.style.display=r-l<=0.3?'none':'';var q=e.querySelector('rect'),t=e.querySelector('text');q.setAttribute('x',l);
q.setAttribute('width',Math.max(0,r-l));t.setAttribute('x',l+4);var n=Math.floor((r-l-8)/L),f=e.dataset.n;
t.textContent=n<3?'':f.length<=n?f:f.slice(0,n-1)+'\u2026'})}
g.forEach(function(e){e.addEventListener('click',function(){zoom(+e.dataset.x,+e.dataset.w)})})})();
]]></script>""" % (_WIDTH, _LETTER)  # noqa: UP031 - braces are the script's


class _Box(NamedTuple):
    level: int
    x: float
    width: float
    name: str
    calls: int
    fill: str


def write(source: Source, out: BinaryIO) -> None:
    """Write ``source`` to ``out``.

    Raises:
        InputError: the file contradicts itself.
    """
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    out.write((head + draw(source.tally(), source.meta, source.symbols) + "\n").encode())


def draw(tally: Tally, meta: TraceMeta, symbols: SymbolTable) -> str:
    """Return the flame graph of ``tally`` as an SVG element."""
    height = _TOP + _LEVELS * _ROW + 6
    total = tally.records
    parts = [
        _STYLE,
        svg.text(_WIDTH / 2, 20, "VMI calls, and where they come from", anchor="middle", style="head"),
        svg.text(_WIDTH / 2, 38, f"{total:,} calls · {meta.kernel or 'unknown kernel'}", anchor="middle", style="sub"),
    ]
    parts += [_shape(box, total) for box in _boxes(tally, meta, symbols) if box.width >= _THINNEST]
    return svg.svg(_WIDTH, height, [*parts, _SCRIPT], ' class="flame"')


def _boxes(tally: Tally, meta: TraceMeta, symbols: SymbolTable) -> list[_Box]:
    scale = _WIDTH / max(tally.records, 1)
    boxes = [_Box(0, 0, _WIDTH, "all", tally.records, "#d7d7d7")]
    sites: defaultdict[int, defaultdict[str, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
    for (call, caller), count in tally.callers.items():
        function = symbols.function(caller) if caller else "(rare callers)"
        sites[call][function].append((symbols.place(caller) if caller else "(rare callers)", count))
    x = 0.0
    for rank, (call, count) in enumerate(tally.calls.most_common()):
        colour = svg.COLOURS[rank] if rank < len(svg.COLOURS) else svg.GREY
        boxes.append(_Box(1, x, count * scale, meta.name(call), count, colour))
        boxes += _functions(sites[call], x, scale, colour)
        x += count * scale
    return boxes


def _functions(functions: dict[str, list[tuple[str, int]]], x: float, scale: float, colour: str) -> list[_Box]:
    boxes = []
    sums = {name: sum(count for _, count in sites) for name, sites in functions.items()}
    for name, count in sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])):
        boxes.append(_Box(2, x, count * scale, name, count, svg.tint(colour, _TINTS[1])))
        at = x
        for site, part in sorted(functions[name], key=lambda pair: (-pair[1], pair[0])):
            boxes.append(_Box(3, at, part * scale, site, part, svg.tint(colour, _TINTS[2])))
            at += part * scale
        x += count * scale
    return boxes


def _shape(box: _Box, total: int) -> str:
    y = _TOP + (_LEVELS - 1 - box.level) * _ROW
    room = int((box.width - 8) / _LETTER)
    label = "" if room < 3 else box.name if len(box.name) <= room else box.name[: room - 1] + "…"
    title = f"{box.name}: {box.calls:,} calls, {100 * box.calls / max(total, 1):.2f} %"
    name = escape(box.name)
    rect = svg.box(box.x, y, box.width, _ROW - 1, box.fill, title, ' class="f" rx="2"')
    words = svg.text(box.x + 4, y + 15, label)
    return f'<g class="f" data-x="{box.x:.3f}" data-w="{box.width:.3f}" data-n="{name}">{rect}{words}</g>'
