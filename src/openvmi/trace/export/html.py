# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One HTML file with everything in it, which a browser shows without a network."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import BinaryIO, Final

from ... import __version__
from ..reader import CpuTotals
from ..schema import TraceMeta
from ..source import Source
from ..tally import Tally, span_text
from . import charts, flame, svg

_PLACE: Final = re.compile(r"\{\{([A-Z_]+)\}\}")
_NO_SWITCHES: Final = "The trace has no SetCR3."


def write(source: Source, out: BinaryIO) -> None:
    """Write the report on ``source`` to ``out``.

    Raises:
        InputError: the file contradicts itself.
    """
    template = (files(__package__) / "report.html").read_text(encoding="utf-8")
    parts = _parts(source, source.tally())
    out.write(
        _PLACE.sub(lambda match: parts[match[1]], template).encode(errors="replace")
    )  # a file's name need not be text


def _parts(source: Source, tally: Tally) -> dict[str, str]:
    meta = source.meta
    plot, data = charts.rates(tally, meta)
    slot = span_text(1 << tally.shift, meta)
    named = len(source.symbols) > 0
    return {
        "TITLE": escape(meta.kernel or source.reader.path.name),
        "SUBTITLE": escape(_subtitle(source)),
        "TILES": "".join(f'<div class="tile"><b>{escape(b)}</b><span>{a}</span></div>' for a, b in _tiles(tally, meta)),
        "NOTES": "".join(f'<div class="warn">{escape(note)}.</div>' for note in source.notes()),
        "RATE_NOTE": f"Stacked, in slots of {slot}. Point at it for the numbers of a slot.",
        "RATES": plot,
        "RECORDS": f"{tally.records:,}",
        "CALLS": charts.calls(tally, meta),
        "CALLER_NOTE": "Kernel functions by what they call."
        if named
        else "Return addresses; with the kernel's symbols (--symbols vmlinux) they would be functions.",
        "CALLERS": charts.callers(tally, meta, source.symbols),
        "FLAME": flame.draw(tally, meta, source.symbols),
        "SPACE_NOTE": _space_note(tally),
        "SPACES": charts.spaces(tally, meta),
        "CPUS": _cpus(source.totals()),
        "VERSION": escape(__version__),
        "DATA": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }


def _subtitle(source: Source) -> str:
    meta = source.meta
    started = datetime.fromtimestamp(meta.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if meta.started else ""
    return " · ".join(word for word in ("VMI trace", meta.machine, started, source.reader.path.name) if word)


def _tiles(tally: Tally, meta: TraceMeta) -> list[tuple[str, str]]:
    seconds = meta.seconds(tally.ticks)
    rate = f"{svg.short(tally.records / seconds)}/s" if seconds else "-"
    return [
        ("calls", f"{tally.records:,}"),
        ("long", span_text(tally.ticks, meta)),
        ("on average", rate),
        ("kinds of calls", f"{len(tally.calls)}"),
        ("places in the kernel", f"{len(tally.callers):,}"),
        ("address spaces", f"{len(tally.spaces.switches):,}"),
        ("lost", f"{tally.lost:,}"),
    ]


def _space_note(tally: Tally) -> str:
    if not tally.spaces.switches:
        return _NO_SWITCHES
    count, total = len(tally.spaces.switches), tally.spaces.switches.total()
    return (
        f"{total:,} switches (SetCR3) between {count:,} address spaces; the darker, the more switches to it just then."
    )


def _cpus(totals: dict[int, CpuTotals]) -> str:
    rows = [
        (f"CPU {cpu}", f"{found.records:,}", f"{found.lost:,}", f"{found.missing:,}")
        for cpu, found in sorted(totals.items())
    ]
    return charts.table(("", "records", "lost, as the writer says", "missing by their numbers"), rows, numbers=3)
