# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces of the boundary between a kernel and its hypervisor: events, files, filters, counts, comparisons, replays.

Live or from a file: records come as batches of 32-byte records (:mod:`.event`), go to a :class:`TraceWriter` or a
:class:`~openvmi.trace.top.Top`, and are read back by a :class:`TraceReader`, which takes its file for hostile.
Plots and other formats are in :mod:`.export`.
"""

from __future__ import annotations

from .event import FIELDS, RECORD_SIZE, Event, Kind
from .filters import Filter, parse_calls, parse_where
from .reader import Batch, CpuTotals, TraceReader
from .schema import ArgumentReader, TraceMeta
from .source import Source
from .symbols import SymbolTable, load_symbols
from .writer import Sink, TraceWriter

__all__ = [
    "FIELDS",
    "RECORD_SIZE",
    "ArgumentReader",
    "Batch",
    "CpuTotals",
    "Event",
    "Filter",
    "Kind",
    "Sink",
    "Source",
    "SymbolTable",
    "TraceMeta",
    "TraceReader",
    "TraceWriter",
    "load_symbols",
    "parse_calls",
    "parse_where",
]
