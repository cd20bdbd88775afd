# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes trace files: raw records in, blocks out.

Each call of :meth:`TraceWriter.append` is on its way to the file when it returns, and nothing written is ever touched
again: a writer that is killed leaves a file that reads up to its last whole record.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from ..errors import UsageError
from .container import (
    BLOCK,
    BLOCK_MAGIC,
    HEAD,
    MAGIC,
    MAX_PAYLOAD,
    MAX_SCHEMA,
    SYMBOLS_GUESSED,
    SYMBOLS_LAST,
    VERSION,
    BlockHeader,
    BlockKind,
)
from .event import RECORD_SIZE
from .schema import MAX_CPUS, TraceMeta, to_json
from .symbols import SymbolTable

_U64: Final = (1 << 64) - 1


class Sink(Protocol):
    """Whatever takes records as they are drained: a file, a live view."""

    def append(self, cpu: int, records: bytes) -> None:
        """Take whole ``records`` of one CPU, in the order of its ring."""

    def lost(self, cpu: int, count: int) -> None:
        """Take note that ``count`` records of ``cpu`` were lost at this point."""


class TraceWriter:
    """A trace file being written.

    Args:
        file: a path, which is created or emptied; or a binary stream, which the caller closes.
        meta: where the trace comes from.

    Raises:
        UsageError: the file can't be created, or not even its head written.
    """

    __slots__ = ("_before", "_closed", "_file", "_lost", "_owned", "_total")

    def __init__(self, file: Path | BinaryIO, meta: TraceMeta) -> None:
        schema = to_json(meta)
        if len(schema) > MAX_SCHEMA:
            raise UsageError(f"a schema of {len(schema)} bytes does not fit a trace file")
        self._owned = isinstance(file, Path)
        self._file: BinaryIO = _create(file) if isinstance(file, Path) else file
        self._before = [0] * MAX_CPUS
        self._closed = False
        self._lost = 0
        self._total = 0
        try:
            self._write(HEAD.pack(MAGIC, VERSION, len(schema), zlib.crc32(schema)), schema)
        except OSError as error:
            if self._owned:
                self._file.close()
            raise UsageError(f"can't be written: {error.strerror}", where=str(file) if self._owned else "") from error

    @property
    def records(self) -> int:
        """How many records have been written."""
        return self._total

    @property
    def lost_records(self) -> int:
        """How many records were said to be lost."""
        return self._lost

    def append(self, cpu: int, records: bytes | bytearray | memoryview) -> None:
        """Write whole records of one CPU, in the order of its ring.

        Args:
            cpu: 0 to 255.
            records: a multiple of 32 bytes; empty is nothing to do.

        Raises:
            ValueError: not a multiple of 32 bytes.
            IndexError: no such CPU.
            OSError: the disk is full, or the file is gone.
        """
        if len(records) % RECORD_SIZE:
            raise ValueError(f"{len(records)} bytes are not a whole number of records")
        view = memoryview(records)
        for start in range(0, len(view), MAX_PAYLOAD):
            part = view[start : start + MAX_PAYLOAD]
            self._block(BlockKind.RECORDS, cpu, part, value=self._before[cpu])
            self._before[cpu] += len(part) // RECORD_SIZE
            self._total += len(part) // RECORD_SIZE

    def lost(self, cpu: int, count: int) -> None:
        """Write down that ``count`` records of ``cpu`` were lost at this point; 0 is nothing to do.

        Raises:
            IndexError: no such CPU.
            OSError: the disk is full, or the file is gone.
        """
        if count > 0:
            self._block(BlockKind.RECORDS, cpu, b"", lost=min(count, _U64), value=self._before[cpu])
            self._lost += count

    def symbols(self, table: SymbolTable, *, compared: bool = True) -> None:
        """Write the kernel's symbols into the file, so that its reader needs no vmlinux.

        Args:
            table: the symbols.
            compared: they are known to be this kernel's; otherwise they hold until such ones are written.

        Raises:
            OSError: the disk is full, or the file is gone.
        """
        packed = memoryview(zlib.compress(table.as_text().encode()))
        for start in range(0, len(packed), MAX_PAYLOAD):
            last = start + MAX_PAYLOAD >= len(packed)
            value = (SYMBOLS_LAST if compared else SYMBOLS_GUESSED) if last else 0
            self._block(BlockKind.SYMBOLS, 0, packed[start : start + MAX_PAYLOAD], value=value)

    def close(self) -> None:
        """End the file: whoever reads it knows that nothing is missing. A second time is nothing to do."""
        if self._closed:
            return
        self._closed = True
        try:
            self._block(BlockKind.END, 0, b"", value=self._total)
        finally:
            if self._owned:
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _block(self, kind: BlockKind, cpu: int, payload: bytes | memoryview, *, lost: int = 0, value: int = 0) -> None:
        if not 0 <= cpu < MAX_CPUS:
            raise IndexError(f"CPU {cpu} is not one of {MAX_CPUS}")
        header = BlockHeader(BLOCK_MAGIC, kind, cpu, len(payload), zlib.crc32(payload), lost, value)
        self._write(BLOCK.pack(*header), payload)

    def _write(self, *parts: bytes | memoryview) -> None:
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._file.flush()


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        raise UsageError(f"can't be written: {error.strerror}", where=str(path)) from error
