# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two counts compared: which calls came more, which fewer, and from where."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .counts import Counts

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST_PLACES: Final = 5
_SHORTEST: Final = 1e-9
"""Seconds: over less, rates mean nothing, and may be infinite."""


@dataclass(frozen=True, slots=True)
class Change:
    """One call, or one function, in both.

    Args:
        name: of it.
        before: how often in A.
        after: how often in B; with rates, both are per second.
        places: where the difference comes from, the largest first.
    """

    name: str
    before: float
    after: float
    places: tuple[Change, ...] = ()

    @property
    def percent(self) -> float:
        """How much more, in percent of A; infinite for what A has not."""
        if self.before == self.after:
            return 0.0
        return 100 * (self.after - self.before) / self.before if self.before else math.inf

    def as_dict(self) -> dict[str, object]:
        """Return plain data; a percentage of nothing is None."""
        data: dict[str, object] = {
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "percent": self.percent if math.isfinite(self.percent) else None,
        }
        return data | ({"from": [place.as_dict() for place in self.places]} if self.places else {})


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs.

    Args:
        calls: every call of either, the largest change first.
        total: all calls together.
        threshold: percent beyond which a change counts.
        least: calls that are rarer than that in both don't count.
        notes: what makes the comparison weaker than it looks.
    """

    calls: tuple[Change, ...]
    total: Change
    threshold: float
    least: float
    notes: tuple[str, ...]

    def beyond(self) -> tuple[Change, ...]:
        """Return the calls, and the total, that changed by more than the threshold."""
        return tuple(
            change
            for change in (*self.calls, self.total)
            if abs(change.percent) > self.threshold and max(change.before, change.after) >= self.least
        )

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "threshold": self.threshold,
            "min": self.least,
            "beyond": [change.name for change in self.beyond()],
            "notes": list(self.notes),
            "total": self.total.as_dict(),
            "calls": [change.as_dict() for change in self.calls],
        }


def compare(a: Counts, b: Counts, *, threshold: float, least: float = 0, rates: bool = False) -> Difference:
    """Return how ``b`` differs from ``a``.

    Args:
        a: what is compared with.
        b: what is compared.
        threshold: percent beyond which a change counts.
        least: calls rarer than that in both don't count.
        rates: compare calls per second; both have to say how long they took.

    Raises:
        ValueError: rates are asked for, and one of the two has no time.
    """
    if rates and min(a.seconds or 0, b.seconds or 0) < _SHORTEST:
        raise ValueError("one of the two does not say how long it took, or took no time")
    before, after = (1 / a.seconds, 1 / b.seconds) if rates and a.seconds and b.seconds else (1, 1)
    with_places = bool(a.callers and b.callers) and a.named == b.named
    changes = []
    for name in {*a.calls, *b.calls}:
        places = _places(a.callers.get(name, {}), b.callers.get(name, {}), before, after) if with_places else ()
        changes.append(Change(name, a.calls.get(name, 0) * before, b.calls.get(name, 0) * after, places))
    changes.sort(key=lambda change: (-abs(change.after - change.before), change.name))
    total = Change("all calls", sum(a.calls.values()) * before, sum(b.calls.values()) * after)
    return Difference(tuple(changes), total, threshold, least, _notes(a, b))


def _places(a: Mapping[str, int], b: Mapping[str, int], before: float, after: float) -> tuple[Change, ...]:
    changes = [Change(name, a.get(name, 0) * before, b.get(name, 0) * after) for name in {*a, *b}]
    changed = [change for change in changes if change.before != change.after]
    changed.sort(key=lambda change: (-abs(change.after - change.before), change.name))
    return tuple(changed[:_MOST_PLACES])


def _notes(a: Counts, b: Counts) -> tuple[str, ...]:
    notes = [f"{name} lost {counts.lost:,} calls" for name, counts in (("A", a), ("B", b)) if counts.lost]
    if a.callers and b.callers and a.named != b.named:
        notes.append("one has the kernel's symbols and the other has not: where calls come from can't be compared")
    elif a.callers and b.callers and not a.named and a.kernel != b.kernel:
        notes.append("places are addresses of two kernels: give --symbols to compare functions")
    return tuple(notes)


def render(difference: Difference) -> RenderableType:
    """Return the difference as a table; what is beyond the threshold stands out."""
    from rich import box  # noqa: PLC0415 - 40 ms of imports
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("call", min_width=22)
    for head in ("A", "B", "difference", ""):
        table.add_column(head, justify="right")
    beyond = difference.beyond()
    for change in (*difference.calls, difference.total):
        style = "bold" if change in beyond else "dim" if not change.percent else ""
        if change is difference.total:
            table.add_section()
        table.add_row(*(Text(cell, style=style) for cell in _cells(change, "")))
        for place in change.places if change in beyond else ():
            table.add_row(*(Text(cell, style="dim") for cell in _cells(place, "  from ")))
    return table


def _cells(change: Change, indent: str) -> tuple[str, ...]:
    percent = change.percent
    share = "" if not percent else "new" if math.isinf(percent) else "gone" if not change.after else f"{percent:+.1f} %"
    delta = change.after - change.before
    return indent + change.name, _number(change.before), _number(change.after), f"{delta:+,.0f}", share


def _number(value: float) -> str:
    return f"{value:,.0f}"
