# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From the rings of a running machine to a file and a view.

Two threads: whoever may not wait (the one that answers calls) takes records out of the rings, :meth:`LiveTrace.pump`;
another writes and counts them. Between the two is a queue of limited size: when the disk can't keep up, records stay in
the rings. A guest whose ring is full waits a while; what has no room even then the payload counts. So a busy host loses
nothing, and nothing is lost in silence.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from .event import RECORD_SIZE, renumbered
from .filters import Filter
from .writer import Sink

ROUND: Final = 1 << 14
"""Records that a ring gives at once, at most; whoever gets so many asks again."""
_WAITING: Final = 256 << 20  # bytes: a disk that stalls for most of a second
_EMPTY: Final = 1 << 10  # bytes for an entry without records: a guest may say all the time that it lost one
_PATIENCE: Final = 10.0
ROOM_CYCLES: Final = 1 << 30
"""TSC ticks, some 0.4 s, that a guest waits for room: many times what takes a ring's records out."""


class Losses(Protocol):
    """What did not reach us."""

    @property
    def records(self) -> int:
        """Trace records for which there was no room, or that were never finished."""


class Rings(Protocol):
    """The rings of a machine: what of :class:`openvmi.hypervisor.link.Link` is used here."""

    cpus: int

    def drain(self, cpu: int) -> bytes:
        """Take the records that are ready in a CPU's ring."""

    def losses(self, cpu: int | None = None) -> Losses:
        """Return what did not reach us so far."""

    def wait_for_room(self, cycles: int) -> None:
        """Let a guest wait for room in a ring."""


class LiveTrace:
    """A trace of a running machine.

    Args:
        rings: where records come from.
        sinks: where they go, in this order, each batch to all of them; in a thread of their own.
        wanted: which records count; ``first`` of it is by their arrival, across all CPUs.
        on_full: called once, in the pump's thread, when there are enough, or nobody takes them any more.

    Attributes:
        records: how many went to the sinks.
        lost: how many were lost.
        error: what a sink raised; None if nothing. It gets no more.
    """

    def __init__(
        self,
        rings: Rings,
        sinks: Sequence[Sink],
        wanted: Filter | None = None,
        on_full: Callable[[], object] = lambda: None,
    ) -> None:
        self.records = 0
        self.lost = 0
        self.error: Exception | None = None
        self._rings = rings
        self._sinks = sinks
        self._filter = wanted or Filter()
        self._on_full = on_full
        self._full = False
        self._numbered = [0] * rings.cpus
        self._known = [rings.losses(cpu).records for cpu in range(rings.cpus)]
        self._queue: queue.SimpleQueue[tuple[int, bytes, int] | None] = queue.SimpleQueue()
        self._given = 0
        self._taken = 0
        self._thread = threading.Thread(target=self._run, name="openvmi-trace", daemon=True)
        self._thread.start()
        rings.wait_for_room(ROOM_CYCLES)

    @property
    def full(self) -> bool:
        """Whether no more records are wanted."""
        return self._full

    def pump(self) -> bool:
        """Take what is in the rings, a round; say whether there is more to take at once."""
        return self._round() == ROUND

    def _round(self) -> int:
        """Take a round from each ring; return how many records the fullest gave."""
        if self.error is not None:
            self._fill()
        if self._given - self._taken > _WAITING:
            return 0
        most = 0
        self._rings.wait_for_room(ROOM_CYCLES)
        for cpu in range(self._rings.cpus):
            records = self._rings.drain(cpu)
            most = max(most, len(records) // RECORD_SIZE)
            lost = self._rings.losses(cpu).records
            if records or lost != self._known[cpu]:
                self._give(cpu, records, max(0, lost - self._known[cpu]))
                self._known[cpu] = lost
        return most

    def finish(self) -> None:
        """Take the rest, and wait until it is written. A second time is nothing to do."""
        if not self._thread.is_alive():
            return
        until = time.monotonic() + _PATIENCE  # a guest that lies could give records for ever
        while time.monotonic() < until and (self._round() or self._given - self._taken > _WAITING):
            time.sleep(0)
        self._rings.wait_for_room(0)
        self._queue.put(None)
        self._thread.join()

    def _give(self, cpu: int, records: bytes, lost: int) -> None:
        """Put a batch into the queue, as far as it is wanted."""
        if self._full:
            return  # what was on its way when it was enough
        records = self._filter.select(records)
        if self._filter.first is not None and self.records + len(records) // RECORD_SIZE >= self._filter.first:
            records = records[: (self._filter.first - self.records) * RECORD_SIZE]
            self._fill()
        if self._filter.selects:  # what was left out is not missing: the file has no gaps but those of lost records
            records = renumbered(records, self._numbered[cpu] + 1)
            self._numbered[cpu] += len(records) // RECORD_SIZE
        self.records += len(records) // RECORD_SIZE
        self.lost += lost
        if records or lost:
            self._given += len(records) or _EMPTY
            self._queue.put((cpu, records, lost))

    def _fill(self) -> None:
        if not self._full:
            self._full = True
            self._on_full()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            cpu, records, lost = item
            if self.error is None:
                try:
                    for sink in self._sinks:
                        sink.lost(cpu, lost)
                        sink.append(cpu, records)
                except Exception as error:  # noqa: BLE001 - a full disk, for one; the machine runs on
                    self.error = error
            self._taken += len(records) or _EMPTY
