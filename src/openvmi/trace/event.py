# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One record of a trace, and many at a time.

A record is 32 bytes, little-endian, written by the payload in the guest. :class:`Event` is one record for people and
policies; :class:`Columns` is a batch of them for whoever counts, some ten times faster.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from ..abi import Call

RECORD: Final = Struct("<QBBBBIIIII")
RECORD_SIZE: Final = RECORD.size
_WORDS: Final = RECORD_SIZE // 4
_SEQUENCE: Final = 28  # offset
_U32: Final = (1 << 32) - 1
JUMPS: Final = frozenset((Call.IRET, Call.SYSEXIT))
"""Calls that a kernel jumps to: the word in their records' place of a return address is none."""
NOWHERE: Final = -1
"""What such a call comes from; no record can hold it."""
_JUMP: Final = bytes(number in JUMPS for number in range(256))


class Kind(IntEnum):
    """What happened."""

    CALL = 1
    ANSWERED = 2


@dataclass(frozen=True, slots=True)
class RecordField:
    """A field of a record: its ``name``, ``offset`` in bytes, ``type`` and meaning."""

    name: str
    offset: int
    type: str
    doc: str


FIELDS: Final = (
    RecordField("time", 0, "u64", "TSC ticks"),
    RecordField("call", 8, "u8", "number of the call"),
    RecordField("cpu", 9, "u8", "index of the CPU"),
    RecordField("kind", 10, "u8", "1: a call, before it is done; 2: one that was answered, under `ring`"),
    RecordField("reserved", 11, "u8", "0"),
    RecordField("caller", 12, "u32", "return address of the call; none of IRET and SYSEXIT, which are jumps"),
    RecordField("eax", 16, "u32", "EAX as passed"),
    RecordField("edx", 20, "u32", "EDX as passed"),
    RecordField("ecx", 24, "u32", "ECX as passed"),
    RecordField("sequence", 28, "u32", "number on this CPU, from 1; after the largest comes 0"),
)


class Event(NamedTuple):
    """One record. A named tuple and not a dataclass: it is made by the million, four times as fast.

    Args:
        time: TSC ticks.
        call: number of the call; whatever the payload wrote, not always a known one.
        cpu: index of the CPU.
        kind: see :class:`Kind`.
        reserved: 0.
        caller: return address of the call; see :attr:`origin`.
        eax: register as passed.
        edx: register as passed.
        ecx: register as passed.
        sequence: number of the record on its CPU, from 1.
    """

    time: int
    call: int
    cpu: int
    kind: int
    reserved: int
    caller: int
    eax: int
    edx: int
    ecx: int
    sequence: int

    @property
    def origin(self) -> int:
        """Where the call comes from: its return address, or :data:`NOWHERE`."""
        return NOWHERE if self.call in JUMPS else self.caller

    def pack(self) -> bytes:
        """Return the record's 32 bytes.

        Raises:
            struct.error: a value does not fit its field.
        """
        return RECORD.pack(*self)


def events(records: bytes | memoryview) -> Iterator[Event]:
    """Yield the events of ``records``; bytes after the last whole record are left out."""
    whole = len(records) - len(records) % RECORD_SIZE
    return map(Event._make, RECORD.iter_unpack(records[:whole]))


def pack(batch: Iterable[Event]) -> bytes:
    """Return the records of ``batch``, one after another."""
    return b"".join(RECORD.pack(*event) for event in batch)


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch of records by fields, each a sequence of as many integers as there are records.

    ``caller`` is :data:`NOWHERE` for calls that have none.
    """

    time: Sequence[int]
    call: bytes
    caller: Sequence[int]
    eax: Sequence[int]

    @classmethod
    def of(cls, records: bytes) -> Columns:
        """Return the columns of ``records``, whose length has to be a multiple of a record's."""
        if sys.byteorder == "little":
            view = memoryview(records)
            words = view.cast("I")
            times = view.cast("Q")[:: _WORDS // 2].tolist()
            calls = records[8::RECORD_SIZE]
            return cls(times, calls, _origins(calls, words[3::_WORDS].tolist()), words[4::_WORDS].tolist())
        rows = list(RECORD.iter_unpack(records))
        calls = bytes(row[1] for row in rows)
        return cls([row[0] for row in rows], calls, _origins(calls, [r[5] for r in rows]), [r[6] for r in rows])


def _origins(calls: bytes, callers: list[int]) -> list[int]:
    """Return ``callers`` without those of calls that have none."""
    jumps = calls.translate(_JUMP)
    at = jumps.find(1)
    while at >= 0:
        callers[at] = NOWHERE
        at = jumps.find(1, at + 1)
    return callers


def renumbered(records: bytes, first: int) -> bytes:
    """Return ``records`` with the numbers ``first``, ``first`` + 1, ... instead of their own."""
    fresh = bytearray(records)
    count = len(records) // RECORD_SIZE
    numbers = struct.pack(f"<{count}I", *((first + index) & _U32 for index in range(count)))
    for byte in range(4):
        fresh[_SEQUENCE + byte :: RECORD_SIZE] = numbers[byte::4]
    return bytes(fresh)


def sequences(records: bytes) -> tuple[int, int]:
    """Return the numbers of the first and the last of ``records``, of which there has to be one."""
    return (
        int.from_bytes(records[28:32], "little"),
        int.from_bytes(records[-4:], "little"),
    )
