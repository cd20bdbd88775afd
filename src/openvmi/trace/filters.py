# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which records count: by call, by where in the kernel, and only so many. The same words serve live and from a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress, islice
from typing import Final

from ..errors import UsageError
from .event import RECORD_SIZE, Columns, Event, pack
from .reader import TraceReader
from .schema import TraceMeta
from .symbols import SymbolTable

_ADDRESSES: Final = 1 << 32
_BATCH: Final = 4096
_RANGE: Final = re.compile(r"(0x[0-9a-fA-F]+)(?:(-)(0x[0-9a-fA-F]+))?")


@dataclass(frozen=True, slots=True)
class Filter:
    """What is let through.

    Args:
        calls: numbers of calls; None: all of them.
        ranges: where the return address has to lie, each ``(first, end)`` with the end excluded; None: anywhere.
        first: only so many, by time; None: all.
    """

    calls: frozenset[int] | None = None
    ranges: tuple[tuple[int, int], ...] | None = None
    first: int | None = None

    @property
    def selects(self) -> bool:
        """Whether records are left out by call or place."""
        return self.calls is not None or self.ranges is not None

    def admits(self, event: Event) -> bool:
        """Tell whether ``event`` is of the calls and places."""
        return (self.calls is None or event.call in self.calls) and (self.ranges is None or self._within(event.origin))

    def events(self, stream: Iterable[Event]) -> Iterator[Event]:
        """Yield the events of ``stream``, which comes by time, that are let through."""
        return islice(filter(self.admits, stream), self.first)

    def select(self, records: bytes) -> bytes:
        """Return those of ``records`` that are of the calls and places; :attr:`first` is not looked at."""
        if not self.selects:
            return records
        columns = Columns.of(records)
        wanted = range(256) if self.calls is None else self.calls
        mask: Iterable[int] = columns.call.translate(bytes(number in wanted for number in range(256)))
        if self.ranges is not None:
            hits = {caller: self._within(caller) for caller in set(columns.caller)}
            mask = [chosen and hits[caller] for chosen, caller in zip(mask, columns.caller, strict=True)]
        starts = compress(range(0, len(records), RECORD_SIZE), mask)
        return b"".join([records[start : start + RECORD_SIZE] for start in starts])

    def batches(self, reader: TraceReader) -> Iterator[bytes]:
        """Yield the records of ``reader`` that are let through, many at a time.

        Raises:
            InputError: the file contradicts itself.
        """
        if self.first is None:
            for batch in reader.batches():
                yield self.select(batch.records)
            return
        stream = self.events(reader.events())
        while part := pack(islice(stream, _BATCH)):
            yield part

    def _within(self, caller: int) -> bool:
        return any(first <= caller < end for first, end in self.ranges or ())


def parse_calls(text: str, meta: TraceMeta) -> frozenset[int]:
    """Return the numbers of the calls that ``text`` names, with commas between.

    Raises:
        UsageError: there is no such call.
    """
    found = set()
    for word in filter(None, map(str.strip, text.split(","))):
        try:
            found.add(meta.number(word))
        except KeyError as error:
            raise UsageError(f"no call is named {word!r}", where="--calls", help="openvmi abi --list") from error
    return frozenset(found)


def parse_where(words: Iterable[str], symbols: SymbolTable) -> tuple[tuple[int, int], ...]:
    """Return the ranges of return addresses that ``words`` name: ``sys_fork``, ``*_pte*``, ``0xc1000000-0xc1010000``.

    A call is in a function when the call instruction is, so a function's range begins and ends one byte later here.

    Raises:
        UsageError: no function has such a name, or the range is none.
    """
    found: list[tuple[int, int]] = []
    for word in words:
        match = _RANGE.fullmatch(word)
        if match:
            first = int(match[1], 16)
            end = int(match[3], 16) if match[2] else first + 1
            if not first < end <= _ADDRESSES:
                raise UsageError(f"{word} is no range of addresses", where="--where")
            found.append((first, end))
            continue
        ranges = symbols.ranges(word)
        if not ranges:
            help = "--symbols vmlinux" if not len(symbols) else "* and ? stand for letters"  # noqa: A001 - as in errors
            raise UsageError(f"no function is named {word!r}", where="--where", help=help)
        found += [(first + 1, end + 1) for first, end in ranges]
    return tuple(found)
