# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads trace files, which may be anybody's.

Memory is bounded whatever the file says: a block at a time (1 MiB) for each CPU. A file that just stops is read up to
its last whole record, and says so; one that contradicts itself is refused.
"""

from __future__ import annotations

import heapq
import os
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from ..errors import InputError
from .container import (
    BLOCK,
    BLOCK_MAGIC,
    HEAD,
    MAGIC,
    MAX_PAYLOAD,
    MAX_SCHEMA,
    MAX_SYMBOL_TEXT,
    SYMBOLS_GUESSED,
    VERSION,
    BlockHeader,
    BlockKind,
)
from .event import RECORD_SIZE, Event, events, sequences
from .schema import TraceMeta, from_json
from .symbols import SymbolTable, parse_map

_NUMBERS = 1 << 32


class Batch(NamedTuple):
    """Records of one CPU that lie together.

    Args:
        cpu: whose.
        records: whole records, in the order of the CPU's ring; at most 1 MiB, possibly none.
        lost: how many were lost just before.
    """

    cpu: int
    records: bytes
    lost: int


@dataclass(slots=True)
class CpuTotals:
    """What a file holds of one CPU.

    Args:
        records: how many.
        lost: how many were lost, as the writer says.
        missing: how many more are missing by their sequence numbers.
    """

    records: int = 0
    lost: int = 0
    missing: int = 0
    _last: int | None = field(default=None, repr=False)
    _unseen: int = field(default=0, repr=False)

    def add(self, batch: Batch) -> None:
        """Count ``batch``, the next of this CPU."""
        self.lost += batch.lost
        self._unseen += batch.lost
        count = len(batch.records) // RECORD_SIZE
        self.records += count
        if count:
            first, last = sequences(batch.records)
            gap = 0 if self._last is None else (first - self._last - 1) % _NUMBERS
            self.missing += max(gap - self._unseen, 0) + max((last - first) % _NUMBERS - (count - 1), 0)
            self._last, self._unseen = last, 0


class TraceReader:
    """A trace file.

    Args:
        path: the file.

    Raises:
        InputError: it can't be read, is no trace file, or has a version or layout that is not known.
    """

    __slots__ = ("_file", "_size", "_start", "_symbols", "complete", "guessed", "meta", "path", "truncated_at")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = self._open()
        self.complete = False
        """Whether the writer ended it; known after a pass over all batches."""
        self.truncated_at: int | None = None
        """Offset of the block in which the file stops; known after a pass over all batches."""
        self.guessed = False
        """Whether nobody has compared the symbols with the kernel; known when they have been asked for."""
        self._symbols: SymbolTable | None = None
        try:
            self._size = self._file.seek(0, os.SEEK_END)
            self._file.seek(0)
            self.meta: TraceMeta = self._schema()
        except BaseException:
            self._file.close()
            raise
        self._start = self._file.tell()

    def batches(self) -> Iterator[Batch]:
        """Yield all records, a block at a time, in the order of the file.

        Raises:
            InputError: the file contradicts itself.
        """
        for offset, header in self._headers():
            if header.kind == BlockKind.RECORDS:
                yield Batch(header.cpu, self._payload(offset, header), header.lost)

    def events(self) -> Iterator[Event]:
        """Yield all events of all CPUs by time; those of one CPU stay in their order.

        Raises:
            InputError: the file contradicts itself.
        """
        places: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))
        for offset, header in self._headers():
            if header.kind == BlockKind.RECORDS:
                places[header.cpu].append(offset)
        streams = [self._timed(cpu, places[cpu]) for cpu in sorted(places)]
        return (event for _, _, event in heapq.merge(*streams, key=lambda entry: entry[:2]))

    def totals(self) -> dict[int, CpuTotals]:
        """Return what the file holds of each CPU, after a pass over all of it.

        Raises:
            InputError: the file contradicts itself.
        """
        totals: defaultdict[int, CpuTotals] = defaultdict(CpuTotals)
        for batch in self.batches():
            totals[batch.cpu].add(batch)
        return dict(totals)

    def symbols(self) -> SymbolTable:
        """Return the kernel's symbols, as far as the file has them; empty when it has none.

        Raises:
            InputError: they are broken.
        """
        if self._symbols is None:
            text, self.guessed = self._symbol_text()
            self._symbols = parse_map(text) if text else SymbolTable()
        return self._symbols

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> BinaryIO:
        try:
            if not self.path.is_file():
                raise InputError("not a file" if self.path.exists() else "no such file", where=str(self.path))
            return self.path.open("rb")
        except OSError as error:
            raise InputError(f"can't be read: {error.strerror}", where=str(self.path)) from error

    def _schema(self) -> TraceMeta:
        head = self._read(0, HEAD.size)
        if not head.startswith(MAGIC) or len(head) < HEAD.size:
            raise InputError("not a trace file", where=str(self.path), help="openvmi trace -o FILE writes one")
        _, version, length, crc = HEAD.unpack(head)
        if version != VERSION:
            raise InputError(f"version {version} of the trace format; known is {VERSION}", where=str(self.path))
        text = self._read(HEAD.size, min(length, MAX_SCHEMA))
        if len(text) != length or zlib.crc32(text) != crc:
            raise InputError("the schema is cut off or damaged", where=str(self.path))
        try:
            return from_json(text)
        except InputError as error:
            raise InputError(error.what, where=str(self.path)) from error

    def _headers(self) -> Iterator[tuple[int, BlockHeader]]:
        """Yield where each payload begins, and its header; notes how the file ends."""
        at = self._start
        while at < self._size:
            header = self._header(at)
            if header is None:
                self.truncated_at = at
                return
            if header.kind == BlockKind.END:
                self.complete = True
                return
            payload = at + BLOCK.size
            at = payload + header.length
            if at > self._size:
                self.truncated_at = payload - BLOCK.size
            yield payload, header

    def _header(self, at: int) -> BlockHeader | None:
        """Return the header of the block at ``at``, checked; None where the file ends before it does."""
        raw = self._read(at, BLOCK.size)
        if len(raw) < BLOCK.size:
            return None
        header = BlockHeader._make(BLOCK.unpack(raw))
        self._check(at, header)
        return header

    def _check(self, at: int, header: BlockHeader) -> None:
        if header.magic != BLOCK_MAGIC:
            raise self._broken(at, "there is no block")
        if header.length > MAX_PAYLOAD:
            raise self._broken(at, f"a block of {header.length} bytes; {MAX_PAYLOAD} are the most")
        if header.kind not in BlockKind.__members__.values():
            raise self._broken(at, f"a block of unknown kind {header.kind}")
        if header.kind == BlockKind.RECORDS and (header.length % RECORD_SIZE or header.cpu >= self.meta.cpus):
            raise self._broken(at, f"{header.length} bytes of records of CPU {header.cpu}")

    def _payload(self, offset: int, header: BlockHeader) -> bytes:
        data = self._read(offset, header.length)
        if len(data) < header.length:  # where the file stops: what is there, and was written
            return data[: len(data) - len(data) % RECORD_SIZE]
        if zlib.crc32(data) != header.crc:
            raise self._broken(offset - BLOCK.size, "a block with another checksum than its own")
        return data

    def _timed(self, cpu: int, places: Iterable[int]) -> Iterator[tuple[int, int, Event]]:
        """Yield the events of one CPU, whose payloads are at ``places``, each with a time that never goes back."""
        time = 0
        for offset in places:
            header = self._header(offset - BLOCK.size)
            if header is None:
                return  # cut off since it was looked through
            for event in events(self._payload(offset, header)):
                time = max(time, event.time)
                yield time, cpu, event

    def _symbol_text(self) -> tuple[bytes, bool]:
        """Return the symbols' text, and whether nobody has compared them with the kernel."""
        guessed, parts, size = b"", list[bytes](), 0
        unpacker = zlib.decompressobj()
        for offset, header in self._headers():
            if header.kind != BlockKind.SYMBOLS or unpacker.eof:
                continue
            try:
                parts.append(unpacker.decompress(self._read(offset, header.length), MAX_SYMBOL_TEXT + 1 - size))
            except zlib.error as error:
                raise self._broken(offset, "symbols that can't be unpacked") from error
            size += len(parts[-1])
            if size > MAX_SYMBOL_TEXT:
                raise self._broken(offset, f"more than {MAX_SYMBOL_TEXT} bytes of symbols")
            if header.value == SYMBOLS_GUESSED and not guessed:
                guessed, parts, size = b"".join(parts), [], 0
                unpacker = zlib.decompressobj()
            elif header.value:
                return b"".join(parts), header.value == SYMBOLS_GUESSED
        return (guessed, True) if guessed else (b"".join(parts), False)

    def _read(self, offset: int, length: int) -> bytes:
        try:
            self._file.seek(offset)
            return self._file.read(length)
        except OSError as error:
            raise InputError(f"can't be read: {error.strerror}", where=str(self.path)) from error

    def _broken(self, at: int, what: str) -> InputError:
        return InputError(what, where=f"{self.path}: offset {at:#x}")
