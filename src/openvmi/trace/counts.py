# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts as data: of a trace, or from the payload's counters, in one small JSON file that two runs are compared by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from ..errors import InputError, UsageError
from .container import MAGIC
from .filters import Filter
from .reader import TraceReader
from .source import Source
from .symbols import SymbolTable

FORMAT: Final = "openvmi counts"
VERSION: Final = 1
_MOST_BYTES: Final = 64 << 20
_MOST: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each call was made.

    Args:
        calls: by name.
        callers: for each call, by function or address; empty: not known.
        named: whether callers are functions, which compare between kernels, and not addresses.
        seconds: how long it took; None: not known.
        lost: how many calls were not counted.
        kernel: the guest's kernel, for people.
    """

    calls: Mapping[str, int]
    callers: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    named: bool = False
    seconds: float | None = None
    lost: int = 0
    kernel: str = ""

    def to_json(self) -> str:
        """Return the content of a count file."""
        data = {
            "format": FORMAT,
            "version": VERSION,
            "kernel": self.kernel,
            "seconds": self.seconds,
            "lost": self.lost,
            "named": self.named,
            "calls": dict(self.calls),
            "callers": {call: dict(counts) for call, counts in self.callers.items()},
        }
        return json.dumps(data, indent=1) + "\n"


def load_counts(path: Path, symbols: SymbolTable | None = None) -> Counts:
    """Return the counts of a file: a trace, or a count file.

    Args:
        path: the file.
        symbols: of the kernel; None: those that a trace carries.

    Raises:
        InputError: it can't be read, or is neither.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(len(MAGIC))
            text = b"" if head == MAGIC else head + stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", where=str(path)) from error
    try:
        return parse_counts(text) if head != MAGIC else _of_trace(path, symbols)
    except InputError as error:
        raise InputError(error.what, where=error.where or str(path), help=error.help) from error


def counts_of(source: Source) -> Counts:
    """Return the counts of a trace.

    Raises:
        InputError: the file contradicts itself.
    """
    tally, meta = source.tally(), source.meta
    callers: dict[str, dict[str, int]] = {}
    for (call, function), count in tally.by_function(source.symbols).items():
        callers.setdefault(meta.name(call), {})[function] = count
    calls = {meta.name(call): count for call, count in tally.calls.items()}
    named = len(source.symbols) > 0
    return Counts(calls, callers, named, meta.seconds(tally.ticks), tally.lost, meta.kernel)


def parse_counts(text: bytes) -> Counts:
    """Return what a count file says.

    Raises:
        InputError: it is none.
    """
    help = "a trace of openvmi trace -o FILE, or counts of openvmi trace --export counts"  # noqa: A001 - as in errors
    try:
        data = json.loads(text) if len(text) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("version") != VERSION:
        raise InputError("neither a trace nor a count file of this version", help=help)
    callers = data.get("callers", {})
    if not isinstance(callers, dict):
        raise InputError("callers of the count file are not an object")
    seconds = data.get("seconds")
    if seconds is not None and (not isinstance(seconds, int | float) or not 0 <= seconds < 1e12):
        raise InputError("seconds of the count file is not a time")
    lost, kernel = data.get("lost", 0), data.get("kernel", "")
    if not _is_count(lost) or not isinstance(kernel, str):
        raise InputError("lost of the count file is not a number, or kernel is not a text")
    return Counts(
        _numbers(data.get("calls")),
        {_name(call): _numbers(counts) for call, counts in callers.items()},
        data.get("named") is True,
        seconds,
        lost,
        "".join(char if char.isprintable() else "?" for char in kernel[:400]),
    )


def write_counts(counts: Counts, path: Path) -> None:
    """Write a count file.

    Raises:
        UsageError: it can't be written.
    """
    try:
        path.write_text(counts.to_json())
    except OSError as error:
        raise UsageError(f"can't be written: {error.strerror}", where=str(path)) from error


def _of_trace(path: Path, symbols: SymbolTable | None) -> Counts:
    with TraceReader(path) as reader:
        return counts_of(Source(reader, Filter(), reader.symbols() if symbols is None else symbols))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def _name(value: str) -> str:
    if not 0 < len(value) <= 128 or not value.isprintable():
        raise InputError("a name in the count file is not a plain word")
    return value


def _numbers(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or not all(_is_count(count) for count in value.values()):
        raise InputError("counts in the count file are not numbers")
    return {_name(name): count for name, count in cast("dict[str, int]", value).items()}
