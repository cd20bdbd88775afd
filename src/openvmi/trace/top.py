# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel does right now: calls per second, by call and by function of the kernel.

:class:`Top` is the model, a sink like a trace file: batches of records go in as they are drained. :func:`render` makes
tables of it, and :func:`watch` shows them on a terminal until the records end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from .event import RECORD_SIZE, Columns
from .reader import Batch
from .schema import TraceMeta
from .symbols import SymbolTable
from .tally import Tally

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_MOST_CALLERS: Final = 50_000
_RARE: Final = "(rare callers)"
_Names = Mapping[tuple[int, int], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the view.

    Args:
        name: of the call or function.
        rate: records per second in the last interval.
        total: records since the beginning.
        most: what it mostly is: the function that calls most, or the call that it makes most.
    """

    name: str
    rate: float
    total: int
    most: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The view at one moment.

    Args:
        seconds: since the beginning.
        rate: records per second in the last interval.
        total: records since the beginning.
        lost: records lost since the beginning.
        calls: by call, the busiest first.
        functions: by function of the kernel, the busiest first.
        part: of the records that were counted one by one, 0 to 1; the others are taken to be like them.
    """

    seconds: float
    rate: float
    total: int
    lost: int
    calls: tuple[Row, ...]
    functions: tuple[Row, ...]
    part: float = 1.0


class Top:
    """Counts records and turns them into rates.

    Args:
        meta: names of the calls.
        symbols: of the kernel; empty: addresses are shown.
        clock: gives seconds; the intervals of :meth:`snapshot` are its.
        share: of the time, 0 to 1, that counting may take; batches beyond that are taken to be like the others.
    """

    def __init__(
        self, meta: TraceMeta, symbols: SymbolTable, clock: Callable[[], float] = time.monotonic, share: float = 1.0
    ) -> None:
        self._meta = meta
        self._symbols = symbols
        self._clock = clock
        self._start = self._then = clock()
        self._counts: Counter[tuple[int, int]] = Counter()
        self._before: Counter[tuple[int, int]] = Counter()
        self._lost = 0
        self._share = share
        self._spent = 0.0
        self._skipped = self._skipped_before = 0

    def append(self, cpu: int, records: bytes) -> None:
        """Count whole ``records``."""
        del cpu
        began = self._clock()
        if self._spent > self._share * (began - self._start) and self._counts:
            self._skipped += len(records) // RECORD_SIZE
            return
        self._count(records)
        self._spent += self._clock() - began

    def _count(self, records: bytes) -> None:
        columns = Columns.of(records[: len(records) - len(records) % RECORD_SIZE])
        self._counts.update(zip(columns.call, columns.caller, strict=True))
        if len(self._counts) > _MOST_CALLERS:
            self._bound()

    def lost(self, cpu: int, count: int) -> None:
        """Take note of lost records."""
        del cpu
        self._lost += count

    def rename(self, symbols: SymbolTable) -> None:
        """Take other symbols from now on."""
        self._symbols = symbols

    def rewind(self) -> None:
        """Have the next snapshot's rates be those of the whole time."""
        self._then, self._before, self._skipped_before = self._start, Counter(), 0

    def snapshot(self) -> Snapshot:
        """Return totals, and the rates since the snapshot before."""
        now = self._clock()
        span = now - self._then
        fresh = self._counts - self._before
        scale = 1 / span if span > 0 else 0.0
        names = _names(self._counts, self._meta, self._symbols)
        calls, functions = (_rows(self._counts, fresh, scale, names, side) for side in (0, 1))
        counted, skipped = self._counts.total(), self._skipped - self._skipped_before
        if self._skipped:
            every, lately = _factor(self._skipped, counted), _factor(skipped, fresh.total())
            calls, functions = (_scaled(rows, every, lately) for rows in (calls, functions))
        self._then, self._before, self._skipped_before = now, self._counts.copy(), self._skipped
        rate = (fresh.total() + skipped) * scale
        part = counted / (counted + self._skipped) if self._skipped else 1.0
        return Snapshot(now - self._start, rate, counted + self._skipped, self._lost, calls, functions, part)

    def _bound(self) -> None:
        """Throw rare callers together: a guest may invent as many as it likes."""
        for pair, _ in self._counts.most_common()[_MOST_CALLERS // 2 :]:
            for counts in (self._counts, self._before):
                count = counts.pop(pair, 0)  # first: it may be the place that it goes to
                counts[pair[0], 0] += count


def _factor(skipped: int, counted: int) -> float:
    return (counted + skipped) / counted if counted else 1.0


def _scaled(rows: Iterable[Row], every: float, lately: float) -> tuple[Row, ...]:
    return tuple(replace(row, rate=row.rate * lately, total=round(row.total * every)) for row in rows)


def summarize(tally: Tally, meta: TraceMeta, symbols: SymbolTable) -> Snapshot:
    """Return the view of a whole trace: rates are averages, and 0 where the TSC's frequency is not known."""
    seconds = meta.seconds(tally.ticks) or 0.0
    scale = 1 / seconds if seconds else 0.0
    names = _names(tally.callers, meta, symbols)
    calls, functions = (_rows(tally.callers, tally.callers, scale, names, side) for side in (0, 1))
    return Snapshot(seconds, tally.records * scale, tally.records, tally.lost, calls, functions)


def _names(pairs: Iterable[tuple[int, int]], meta: TraceMeta, symbols: SymbolTable) -> _Names:
    return {(call, caller): (meta.name(call), symbols.function(caller) if caller else _RARE) for call, caller in pairs}


def _rows(
    counts: Counter[tuple[int, int]], fresh: Counter[tuple[int, int]], scale: float, names: _Names, side: int
) -> tuple[Row, ...]:
    """Return lines by call (side 0) or by function (side 1), the busiest first."""
    rates: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    partners: dict[str, Counter[str]] = {}
    for pair, count in counts.items():
        name, other = names[pair][side], names[pair][1 - side]
        totals[name] += count
        rates[name] += fresh[pair]
        partners.setdefault(name, Counter())[other] += count
    ranked = sorted(totals, key=lambda name: (-rates[name], -totals[name], name))
    return tuple(Row(n, rates[n] * scale, totals[n], partners[n].most_common(1)[0][0]) for n in ranked)


def render(view: Snapshot, *, rows: int = 15, rates: bool = True) -> RenderableType:
    """Return the view as tables.

    Args:
        view: what to show.
        rows: at most so many in each table.
        rates: whether there are rates, which a trace of unknown frequency lacks.
    """
    from rich.console import Group  # noqa: PLC0415 - 40 ms of imports
    from rich.text import Text  # noqa: PLC0415

    lost = f", {view.lost:,} lost" if view.lost else ""
    if view.part < 0.9995:
        lost += f"; shares from {100 * view.part:.1f} % of them"
    rate = f", {view.rate:,.0f}/s" if rates else ""
    head = Text(f"{view.total:,} calls in {view.seconds:.2f} s{rate}{lost}" if rates else f"{view.total:,} calls{lost}")
    calls = _table("call", "mostly from", view.calls[:rows], view.total, rates=rates)
    return Group(head, calls, _table("function", "mostly", view.functions[:rows], view.total, rates=rates))


def _table(head: str, most: str, rows: Iterable[Row], total: int, *, rates: bool) -> RenderableType:
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(head, min_width=24)
    if rates:
        table.add_column("per second", justify="right", min_width=12)
    table.add_column("calls", justify="right", min_width=12)
    table.add_column("share", justify="right", min_width=7)
    table.add_column(most)
    for row in rows:
        rate = [f"{row.rate:,.0f}"] if rates else []
        share = f"{100 * row.total / max(total, 1):.1f} %"
        table.add_row(Text(row.name), *rate, f"{row.total:,}", share, Text(row.most))
    return table


def watch(top: Top, batches: Iterable[Batch], console: Console, *, interval: float = 1.0) -> None:
    """Show ``top`` on a terminal while ``batches`` come, and once more when they have ended.

    Args:
        top: the model.
        batches: records as they are drained; one may be empty, so that the view lives on when nothing comes.
        console: the terminal.
        interval: seconds between two pictures.
    """
    from rich.live import Live  # noqa: PLC0415

    due = time.monotonic() + interval
    with Live(console=console, auto_refresh=False, transient=False) as live:
        for batch in batches:
            top.lost(batch.cpu, batch.lost)
            top.append(batch.cpu, batch.records)
            if time.monotonic() >= due:
                live.update(render(top.snapshot(), rows=max((console.height - 8) // 2, 3)), refresh=True)
                due = time.monotonic() + interval
        live.update(render(top.snapshot(), rows=max((console.height - 8) // 2, 3)), refresh=True)
