# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What exporters and views work on: a trace file, a filter, and symbols, together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .event import Event
from .filters import Filter
from .reader import CpuTotals, TraceReader
from .schema import TraceMeta
from .symbols import SymbolTable
from .tally import Tally, count


@dataclass(frozen=True, slots=True)
class Source:
    """A filtered trace.

    Args:
        reader: the file.
        filter: what of it counts.
        symbols: of the kernel; empty: addresses are shown.
    """

    reader: TraceReader
    filter: Filter
    symbols: SymbolTable

    @property
    def meta(self) -> TraceMeta:
        """Where the trace comes from."""
        return self.reader.meta

    def events(self) -> Iterator[Event]:
        """Yield the events that are let through, by time.

        Raises:
            InputError: the file contradicts itself.
        """
        return self.filter.events(self.reader.events())

    def tally(self) -> Tally:
        """Return the counts of what is let through.

        Raises:
            InputError: the file contradicts itself.
        """
        tally = count(self.filter.batches(self.reader))
        tally.lost = sum(cpu.lost + cpu.missing for cpu in self.totals().values())
        return tally

    def totals(self) -> dict[int, CpuTotals]:
        """Return what the file holds of each CPU, unfiltered.

        Raises:
            InputError: the file contradicts itself.
        """
        return self.reader.totals()

    def notes(self) -> list[str]:
        """Return what a reader of the figures has to know about the file; known after a pass over it."""
        found = []
        totals = self.totals()
        if lost := sum(cpu.lost for cpu in totals.values()):
            found.append(f"{lost:,} records were lost while tracing: counts are too low by so many")
        if missing := sum(cpu.missing for cpu in totals.values()):
            found.append(f"{missing:,} records are missing by their numbers, and the writer does not say why")
        if self.reader.truncated_at is not None:
            found.append(f"the file stops within the block at offset {self.reader.truncated_at:#x}")
        elif not self.reader.complete:
            found.append("the writer did not end the file: the last records may not be in it")
        if self.reader.guessed:
            found.append("functions are from a file beside the kernel, which nobody compared with it")
        return found
