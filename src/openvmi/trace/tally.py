# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts of a trace: per call, per caller, over time, and switches of address space.

Records go in by the batch. What is kept is bounded whatever they hold: time is cut into at most 512 slots that grow
with the trace, and of too many callers or address spaces the rare ones are thrown together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Final, TypeVar

from ..abi import Call
from .event import RECORD_SIZE, Columns
from .schema import TraceMeta
from .symbols import SymbolTable

SLOTS: Final = 512
OTHER: Final = 0
"""Caller, or CR3, that stands for the rare ones when there are too many."""
_MOST_CALLERS: Final = 100_000
_MOST_SPACES: Final = 20_000
_FIRST_SHIFT: Final = 10
_SWITCH: Final = bytes(number == Call.SetCR3 for number in range(256))
_K = TypeVar("_K", bound=Hashable)


@dataclass(slots=True)
class Spaces:
    """Switches of address space, by the value given to SetCR3.

    Args:
        switches: how often to each.
        ticks: how long in each, all CPUs together.
        slots: how often to each in each slot of time.
    """

    switches: Counter[int] = field(default_factory=Counter)
    ticks: Counter[int] = field(default_factory=Counter)
    slots: Counter[tuple[int, int]] = field(default_factory=Counter)
    _now: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, cpu: int, switches: Iterable[tuple[int, int]], shift: int) -> None:
        """Count ``switches``, each a time and a value, of one CPU in its order."""
        for time, value in switches:
            before = self._now.get(cpu)
            if before is not None:
                self.ticks[before[1]] += max(time - before[0], 0)
            self._now[cpu] = (time, value)
            self.switches[value] += 1
            self.slots[time >> shift, value] += 1

    def bound(self) -> None:
        """Throw the rare ones together when there are too many."""
        if len(self.switches) > _MOST_SPACES:
            rare = set(_lump(self.switches, lambda _: OTHER, _MOST_SPACES))
            moved = {(slot, value): count for (slot, value), count in self.slots.items() if value in rare}
            for (slot, value), count in moved.items():
                del self.slots[slot, value]
                self.slots[slot, OTHER] += count
            for value in rare:
                self.ticks[OTHER] += self.ticks.pop(value, 0)


@dataclass(slots=True)
class Tally:
    """Counts of records.

    Args:
        calls: how often each call.
        callers: how often each call from each return address.
        slots: how often each call in each slot of time; slot = TSC >> :attr:`shift`.
        spaces: switches of address space.
        first: lowest time stamp.
        last: highest time stamp.
        lost: records that are missing.
        cpus: records of each CPU.
    """

    calls: Counter[int] = field(default_factory=Counter)
    callers: Counter[tuple[int, int]] = field(default_factory=Counter)
    slots: Counter[tuple[int, int]] = field(default_factory=Counter)
    spaces: Spaces = field(default_factory=Spaces)
    first: int = 0
    last: int = 0
    shift: int = _FIRST_SHIFT
    lost: int = 0
    cpus: Counter[int] = field(default_factory=Counter)

    @property
    def records(self) -> int:
        """How many were counted."""
        return self.calls.total()

    @property
    def ticks(self) -> int:
        """Time from the first record to the last."""
        return self.last - self.first

    def add(self, records: bytes) -> None:
        """Count ``records``: whole ones, and of several CPUs only when they come by time."""
        if not records:
            return
        columns = Columns.of(records)
        self._stretch(min(columns.time), max(columns.time))
        self.calls.update(columns.call)
        self.cpus.update(records[9::RECORD_SIZE])
        self.callers.update(zip(columns.call, columns.caller, strict=True))
        if len(self.callers) > _MOST_CALLERS:
            _lump(self.callers, lambda pair: (pair[0], OTHER), _MOST_CALLERS)
        self._time(columns)
        self._switches(records, columns)

    def by_function(self, symbols: SymbolTable) -> Counter[tuple[int, str]]:
        """Return how often each call from each function."""
        found: Counter[tuple[int, str]] = Counter()
        for (call, caller), count in self.callers.items():
            found[call, symbols.function(caller) if caller else "(rare callers)"] += count
        return found

    def rates(self) -> tuple[range, Mapping[int, list[int]]]:
        """Return all slots of time in order, and for each call how often it came in each of them."""
        span = range(self.first >> self.shift, (self.last >> self.shift) + 1)
        lists = {call: [0] * len(span) for call in self.calls}
        for (slot, call), count in self.slots.items():
            lists[call][slot - span.start] = count
        return span, lists

    def _stretch(self, low: int, high: int) -> None:
        """Make the span of time reach from ``low`` to ``high``, in slots large enough."""
        known = bool(self.calls)
        self.first = min(self.first, low) if known else low
        self.last = max(self.last, high) if known else high
        shift = self.shift
        while (self.last >> shift) - (self.first >> shift) >= SLOTS:
            shift += 1
        if shift != self.shift:
            by = shift - self.shift
            self.slots = _coarser(self.slots, by)
            self.spaces.slots = _coarser(self.spaces.slots, by)
            self.shift = shift

    def _time(self, columns: Columns) -> None:
        shift = self.shift
        if min(columns.time) >> shift == max(columns.time) >> shift:
            slot = columns.time[0] >> shift
            self.slots.update({(slot, call): count for call, count in Counter(columns.call).items()})
            return
        self.slots.update(zip([time >> shift for time in columns.time], columns.call, strict=True))

    def _switches(self, records: bytes, columns: Columns) -> None:
        mask = columns.call.translate(_SWITCH)
        if 1 not in mask:
            return
        cpus = compress(records[9::RECORD_SIZE], mask)
        for cpu, switch in zip(cpus, compress(zip(columns.time, columns.eax, strict=True), mask), strict=True):
            self.spaces.add(cpu, (switch,), self.shift)
        self.spaces.bound()


def _coarser(slots: Counter[tuple[int, int]], by: int) -> Counter[tuple[int, int]]:
    made: Counter[tuple[int, int]] = Counter()
    for (slot, key), count in slots.items():
        made[slot >> by, key] += count
    return made


def _lump(counts: Counter[_K], other: Callable[[_K], _K], most: int) -> list[_K]:
    """Keep half of ``most`` entries, add the others to what ``other`` says stands for them, and return those."""
    rare = [key for key, _ in counts.most_common()[most // 2 :] if other(key) != key]
    for key in rare:
        counts[other(key)] += counts.pop(key)
    return rare


def count(batches: Iterable[bytes]) -> Tally:
    """Return the counts of ``batches`` of records."""
    tally = Tally()
    for records in batches:
        tally.add(records)
    return tally


def span_text(ticks: int, meta: TraceMeta) -> str:
    """Return ``ticks`` for people: in seconds, or as ticks when the frequency is not known."""
    seconds = meta.seconds(ticks)
    if seconds is None:
        return f"{ticks:,} ticks"
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.2f} s"
