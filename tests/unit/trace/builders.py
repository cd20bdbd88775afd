# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records, traces and symbol files, built."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from openvmi.abi import Call
from openvmi.trace import Event, Filter, Source, SymbolTable, TraceMeta, TraceReader, TraceWriter

SYSTEM_MAP = """\
c1000000 T _text
c1001000 T do_fork
c1002000 t schedule
c1003000 T sys_mmap
c1004000 D some_data
c1005000 T _etext
"""
OPEN: list[TraceReader] = []
"""Readers that the test's end closes."""
META = TraceMeta(cpus=2, tsc_hz=1_000_000_000, kernel="Linux <2.6.32>", machine="a test", started=1.7e9)


def event(  # noqa: PLR0913 - as many fields as a record has
    time: int = 0,
    call: int = Call.SetPxE,
    *,
    cpu: int = 0,
    caller: int = 0xC1001010,
    eax: int = 0,
    edx: int = 0,
    ecx: int = 0,
    sequence: int = 1,
    kind: int = 1,
) -> Event:
    return Event(time, call, cpu, kind, 0, caller, eax, edx, ecx, sequence)


def symbols() -> SymbolTable:
    from openvmi.trace.symbols import parse_symbols

    return parse_symbols(SYSTEM_MAP.encode())


def story() -> list[Event]:
    """Return a short run on two CPUs: forks, switches, and a flush from code without a name."""
    told: list[Event] = []
    for index in range(200):
        told.append(event(1000 + index * 10, Call.SetPxE, eax=index << 12 | 7, edx=0xC0300000, sequence=len(told) + 1))
        if index % 10 == 0:
            told.append(
                event(
                    1003 + index * 10, Call.SetCR3, caller=0xC1002020, eax=0x1000 << index % 3, sequence=len(told) + 1
                )
            )
    other = [event(1001 + 20 * i, Call.FlushTLB, cpu=1, caller=0x10, eax=1, sequence=i + 1) for i in range(50)]
    return [*told, *other]


def write_trace(
    path: Path, events: Iterable[Event], *, table: SymbolTable | None = None, lost: int = 0, meta: TraceMeta = META
) -> Path:
    by_cpu: dict[int, bytearray] = {}
    for one in events:
        by_cpu.setdefault(one.cpu, bytearray()).extend(one.pack())
    with TraceWriter(path, meta) as writer:
        if table is not None:
            writer.symbols(table)
        for cpu, records in by_cpu.items():
            writer.append(cpu, records[:320])
            writer.lost(cpu, lost)
            writer.append(cpu, records[320:])
    return path


def source(path: Path, chosen: Filter | None = None) -> Source:
    reader = TraceReader(path)
    OPEN.append(reader)
    return Source(reader, chosen or Filter(), reader.symbols())


def elf(names: Iterable[tuple[str, int, int]], base: int = 0) -> bytes:
    """Return a little ELF32 with symbols: name, value, type (0 none, 1 object, 2 function), all in its only section.

    That has 16 bytes, from ``base``.
    """
    strings, table = b"\0", struct.pack("<IIIBBH", 0, 0, 0, 0, 0, 0)
    for name, value, kind in names:
        table += struct.pack("<IIIBBH", len(strings), value, 0, kind, 0, 1)
        strings += name.encode() + b"\0"
    shstr = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    parts, offset, places = [b"\x90" * 16, table, strings, shstr], 52, []
    for part in parts:
        places.append(offset)
        offset += len(part)
    rows: list[tuple[int, ...]] = [(0,) * 10]
    kinds = [(1, 1, 6, 0, 0), (7, 2, 0, 3, 16), (15, 3, 0, 0, 0), (23, 3, 0, 0, 0)]
    for (at_name, kind, flags, link, size), at, part in zip(kinds, places, parts, strict=True):
        rows.append(
            (at_name, kind, flags, base if kind == 1 else 0, at, len(part), link, 1 if kind == 2 else 0, 1, size)
        )
    head = struct.pack(
        "<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 3, 1, 0, 0, offset, 0, 52, 32, 0, 40, len(rows), 4
    )
    return head + b"".join(parts) + b"".join(struct.pack("<10I", *row) for row in rows)
