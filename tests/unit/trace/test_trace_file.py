# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The trace file: what is written is read, and whatever else is in a file does no harm."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openvmi.errors import InputError, UsageError
from openvmi.trace import (
    FIELDS,
    RECORD_SIZE,
    ArgumentReader,
    Event,
    Filter,
    Source,
    SymbolTable,
    TraceMeta,
    TraceReader,
    TraceWriter,
)
from openvmi.trace.container import BLOCK, BLOCK_MAGIC, HEAD, MAGIC, MAX_PAYLOAD
from openvmi.trace.event import Columns, events, pack
from openvmi.trace.schema import from_json, to_json

from .builders import META, elf, event, source, story, symbols, write_trace

HERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
U8, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 32, 64))
EVENTS = st.builds(Event, U64, U8, st.integers(0, 1), U8, U8, U32, U32, U32, U32, U32)


def rewrite(path: Path, change: dict[str, object]) -> None:
    """Write a head whose schema has other values; the checksum is right."""
    schema = json.loads(to_json(META)) | change
    text = json.dumps(schema).encode()
    path.write_bytes(HEAD.pack(MAGIC, 1, len(text), zlib.crc32(text)) + text)


def head() -> bytes:
    text = to_json(META)
    return HEAD.pack(MAGIC, 1, len(text), zlib.crc32(text)) + text


def read(path: Path) -> list[Event]:
    with TraceReader(path) as reader:
        return list(reader.events())


def test_fields_are_the_record() -> None:
    sizes = {"u8": 1, "u32": 4, "u64": 8}
    at = 0
    for field in FIELDS:
        assert field.offset == at
        at += sizes[field.type]
    assert at == RECORD_SIZE == 32
    assert Event._fields == tuple(field.name for field in FIELDS)


@given(st.lists(EVENTS, max_size=20))
def test_events_and_columns_are_what_was_packed(batch: list[Event]) -> None:
    data = pack(batch)
    assert list(events(data + b"tail")) == batch
    columns = Columns.of(data)
    rows = zip(columns.time, columns.call, columns.caller, columns.eax, strict=True)
    assert list(rows) == [(one.time, one.call, one.origin, one.eax) for one in batch]


@HERE
@given(st.lists(EVENTS, max_size=40), st.integers(0, 1 << 70))
def test_what_is_written_is_read(tmp_path: Path, batch: list[Event], lost: int) -> None:
    path = write_trace(tmp_path / "t", batch, lost=lost, table=symbols())
    with TraceReader(path) as reader:
        assert reader.meta == META
        found = list(reader.events())
        assert sorted(found) == sorted(batch)
        for cpu in (0, 1):
            assert [one for one in found if one.cpu == cpu] == [one for one in batch if one.cpu == cpu]
        assert reader.complete
        assert reader.truncated_at is None
        totals = reader.totals()
        assert all(cpu.lost == min(lost, (1 << 64) - 1) for cpu in totals.values())
        assert list(reader.symbols()) == list(symbols())


def test_cpus_are_merged_by_time(tmp_path: Path) -> None:
    times = [one.time for one in read(write_trace(tmp_path / "t", story()))]
    assert len(times) == len(story())
    assert times == sorted(times)


def test_large_batches_become_several_blocks(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with TraceWriter(path, META) as writer:
        writer.append(1, bytes(MAX_PAYLOAD * 2 + RECORD_SIZE))
        assert writer.records == MAX_PAYLOAD * 2 // RECORD_SIZE + 1
    with TraceReader(path) as reader:
        assert [len(batch.records) for batch in reader.batches()] == [MAX_PAYLOAD, MAX_PAYLOAD, RECORD_SIZE]


def test_gaps_in_the_numbers_are_counted_beside_what_the_writer_says(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t", META) as writer:
        writer.append(0, pack(event(sequence=n) for n in (0xFFFFFFFE, 0xFFFFFFFF, 0, 1)))
        writer.lost(0, 3)
        writer.append(0, pack(event(sequence=n) for n in (5, 6)))
        writer.append(0, pack(event(sequence=n) for n in (17,)))
        assert writer.lost_records == 3
    with TraceReader(tmp_path / "t") as reader:
        (totals,) = reader.totals().values()
    assert (totals.records, totals.lost, totals.missing) == (7, 3, 10)


def test_every_truncation_reads_up_to_its_last_whole_record(tmp_path: Path) -> None:
    whole = write_trace(tmp_path / "t", story()[:20]).read_bytes()
    cut = tmp_path / "cut"
    for size in range(len(head()), len(whole), 3):
        cut.write_bytes(whole[:size])
        with TraceReader(cut) as reader:
            found = list(reader.events())
            assert found == story()[:20][: len(found)]
            assert not reader.complete
        missing = len(whole) - size - BLOCK.size  # of the records: the end block comes last
        if missing < 10 * RECORD_SIZE:
            assert len(found) == 20 - max(-(-missing // RECORD_SIZE), 0)
        assert source(cut).notes()


def test_a_head_cut_short_is_refused(tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    for size in range(0, len(head()), 97):
        cut.write_bytes(head()[:size])
        with pytest.raises(InputError):
            TraceReader(cut)


@HERE
@given(st.data())
def test_damage_raises_an_input_error_or_nothing(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(write_trace(tmp_path / "t", story()[:30], table=symbols()).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(whole)
    with suppress(InputError):
        shown = source(path)
        list(shown.events())
        shown.tally()


@HERE
@given(st.binary(max_size=200))
def test_anything_after_a_head(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "t"
    path.write_bytes(head() + tail)
    with suppress(InputError):
        assert all(len(one) == len(FIELDS) for one in read(path))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"magic": b"BLK?"}, "no block"),
        ({"length": MAX_PAYLOAD + 32}, "are the most"),
        ({"length": 0xFFFFFFFF}, "are the most"),
        ({"kind": 9}, "unknown kind 9"),
        ({"length": 33}, "33 bytes of records"),
        ({"cpu": 2}, "records of CPU 2"),
        ({"crc": 1, "length": 32}, "checksum"),
    ],
)
def test_lying_blocks_are_refused(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    block = {"magic": BLOCK_MAGIC, "kind": 1, "cpu": 0, "length": 0, "crc": 0, "lost": 0, "value": 0} | fields
    (tmp_path / "t").write_bytes(head() + BLOCK.pack(*block.values()) + bytes(32))
    with pytest.raises(InputError, match=message):
        read(tmp_path / "t")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"format": "other"},
        {"cpus": 0},
        {"cpus": 1 << 40},
        {"cpus": True},
        {"tsc_hz": -1},
        {"started": "now"},
        {"started": float("nan")},
        {"kernel": 5},
        {"machine": "x" * 1000},
        {"calls": []},
        {"calls": {"999": {"name": "X", "takes": []}}},
        {"calls": {"1": {"name": "<script>", "takes": []}}},
        {"calls": {"1": {"name": "X", "takes": [{"name": "a", "type": "A", "bits": 1 << 30, "at": ["eax"]}]}}},
        {"calls": {"1": {"name": "X", "takes": [{"name": "a", "type": "A", "bits": 32, "at": ["eax"] * 3}]}}},
        {"record": {"size": 64}},
        {"record": None},
    ],
)
def test_lying_schemas_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    rewrite(tmp_path / "t", change)
    with pytest.raises(InputError):
        TraceReader(tmp_path / "t")


@pytest.mark.parametrize("text", [b"", b"[" * 100_000, b"1" * 10_000, b"null", b"\xff\xfe", b"[1]"])
def test_schemas_that_are_none_are_refused(text: bytes) -> None:
    with pytest.raises(InputError):
        from_json(text)


def test_other_versions_and_other_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(HEAD.pack(MAGIC, 7, 0, 0))
    with pytest.raises(InputError, match="version 7"):
        TraceReader(path)
    path.write_text("not a trace at all, but long enough")
    with pytest.raises(InputError, match="not a trace file"):
        TraceReader(path)
    with pytest.raises(InputError, match="no such file"):
        TraceReader(tmp_path / "missing")
    with pytest.raises(InputError, match="not a file"):
        TraceReader(tmp_path)


def test_symbols_that_unpack_without_end_are_refused(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    block = BLOCK.pack(BLOCK_MAGIC, 2, 0, len(bomb), zlib.crc32(bomb), 0, 1)
    (tmp_path / "t").write_bytes(head() + block + bomb)
    with TraceReader(tmp_path / "t") as reader, pytest.raises(InputError, match="bytes of symbols"):
        reader.symbols()


def test_the_writer_refuses_what_no_reader_would_take(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t", META) as writer:
        with pytest.raises(ValueError, match="whole number"):
            writer.append(0, b"x")
        with pytest.raises(IndexError):
            writer.append(256, bytes(32))
    with pytest.raises(UsageError, match="can't be written"):
        TraceWriter(tmp_path / "no" / "t", META)


def test_closing_twice_writes_one_end() -> None:
    stream = io.BytesIO()
    writer = TraceWriter(stream, META)
    writer.close()
    writer.close()
    assert stream.getvalue() == head() + BLOCK.pack(BLOCK_MAGIC, 3, 0, 0, 0, 0, 0)


def test_arguments_have_their_names_and_widths() -> None:
    read = ArgumentReader(TraceMeta()).read
    assert read(event(call=38, eax=5, edx=6, ecx=7)) == {"value": 5, "entry": 6, "flags": 7}
    assert read(event(call=39, eax=1, edx=2, ecx=3)) == {"value": 1 | 2 << 32, "entry": 3}  # flags are on the stack
    assert read(event(call=4, eax=0x12345678)) == {"selector": 0x5678}
    assert read(event(call=200)) == {}


def test_unknown_calls_have_numbers_for_names() -> None:
    assert TraceMeta().name(250) == "call-250"
    with pytest.raises(KeyError):
        TraceMeta().number("NoSuchCall")


def test_symbols_of_a_file_are_a_text_and_no_elf(tmp_path: Path) -> None:
    packed = zlib.compress(elf([("do_fork", 0xC1001000, 2)]))
    block = BLOCK.pack(BLOCK_MAGIC, 2, 0, len(packed), zlib.crc32(packed), 0, 1)
    (tmp_path / "t").write_bytes(head() + block + packed)
    with TraceReader(tmp_path / "t") as reader, pytest.raises(InputError, match="no symbols of code"):
        reader.symbols()


def test_a_trace_without_symbols_has_none(tmp_path: Path) -> None:
    with TraceReader(write_trace(tmp_path / "t", story())) as reader:
        assert len(reader.symbols()) == len(SymbolTable()) == 0


def test_the_block_header_is_32_bytes() -> None:
    assert (BLOCK.size, HEAD.size, struct.calcsize("<8sIII")) == (32, 20, 20)


def test_many_empty_blocks_of_many_cpus_are_gone_through_once(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "t", [], meta=replace(META, cpus=64))
    start = path.read_bytes()
    start = start[: start.index(BLOCK_MAGIC)]
    blocks = b"".join(BLOCK.pack(BLOCK_MAGIC, 1, cpu, 0, 0, 0, 0) for cpu in range(64))
    path.write_bytes(start + blocks * 1000)
    began = time.process_time()
    with TraceReader(path) as reader:
        assert not list(reader.events())
    assert time.process_time() - began < 3


def test_a_full_disk_is_named_from_the_first_byte_on() -> None:
    with pytest.raises(UsageError, match="No space left on device") as caught:
        TraceWriter(Path("/dev/full"), TraceMeta())
    assert caught.value.where == "/dev/full"


def test_symbols_that_nobody_compared_hold_until_better_ones_come(tmp_path: Path) -> None:
    better = SymbolTable([(0xC1001000, "better")])
    for name, cut, wanted in (("whole", 0, "better"), ("cut", 90, "do_fork")):
        file = tmp_path / name
        with TraceWriter(file, META) as writer:
            writer.symbols(symbols(), compared=False)
            writer.append(0, event(1).pack())
            writer.symbols(better)
        os.truncate(file, file.stat().st_size - cut)
        with TraceReader(file) as reader:
            assert not reader.guessed
            assert reader.symbols().function(0xC1001010) == wanted
            assert reader.guessed is bool(cut)
            assert ("nobody compared" in str(Source(reader, Filter(), reader.symbols()).notes())) is bool(cut)
