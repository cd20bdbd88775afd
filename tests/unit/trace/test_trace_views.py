# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters, counts, the live view, comparisons."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from openvmi.abi import Call
from openvmi.errors import InputError, UsageError
from openvmi.trace import Batch, Event, Filter, SymbolTable, TraceMeta, parse_calls, parse_where
from openvmi.trace import tally as tallies
from openvmi.trace.counts import Counts, counts_of, load_counts, parse_counts, write_counts
from openvmi.trace.diff import compare, render
from openvmi.trace.event import events, pack
from openvmi.trace.tally import OTHER, SLOTS, Tally, count, span_text
from openvmi.trace.top import Top, summarize, watch
from openvmi.trace.top import render as render_top

from .builders import META, event, source, story, symbols, write_trace

CALLERS = (0xC1001010, 0xC1002020, 0xC1003000, 0x10)
EVENTS = st.builds(
    event, st.integers(0, (1 << 64) - 1), st.integers(0, 80), cpu=st.integers(0, 1), caller=st.sampled_from(CALLERS)
)
FILTERS = st.builds(
    Filter,
    st.none() | st.frozensets(st.integers(0, 80)),
    st.none() | st.just(((0xC1001000, 0xC1002000),)) | st.just(((0, 0x20), (0xC1002020, 0xC1002021))),
)


@given(st.lists(EVENTS, max_size=30), FILTERS)
def test_bulk_and_single_filters_agree(batch: list[Event], chosen: Filter) -> None:
    assert list(events(chosen.select(pack(batch)))) == list(chosen.events(batch))


def test_first_is_by_time_across_cpus(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "t", story())
    wanted = sorted(story())[:15]
    shown = source(path, Filter(first=15))
    assert list(shown.events()) == wanted
    assert shown.tally().calls == Counter(one.call for one in wanted)


def test_words_of_filters() -> None:
    assert parse_calls("setpxe, SetCR3", TraceMeta()) == {Call.SetPxE, Call.SetCR3}
    with pytest.raises(UsageError, match="nonsense"):
        parse_calls("nonsense", TraceMeta())
    assert parse_where(["do_fork", "0x10-0x20", "0x5"], symbols()) == (
        (0xC1001001, 0xC1002001),
        (0x10, 0x20),
        (5, 6),
    )
    for wrong in ("no_such", "0x20-0x10"):
        with pytest.raises(UsageError):
            parse_where([wrong], symbols())


@settings(deadline=None)
@given(st.lists(st.lists(EVENTS, max_size=20), max_size=5))
def test_counts_are_the_events_whatever_their_times(batches: list[list[Event]]) -> None:
    told = [one for batch in batches for one in batch]
    tally = count(pack(batch) for batch in batches)
    assert tally.calls == Counter(one.call for one in told)
    assert tally.callers == Counter((one.call, one.origin) for one in told)
    assert tally.cpus == Counter(one.cpu for one in told)
    span, lists = tally.rates()
    assert len(span) <= SLOTS
    assert {call: sum(row) for call, row in lists.items()} == dict(tally.calls)
    if told:
        assert (tally.first, tally.last) == (min(one.time for one in told), max(one.time for one in told))


def test_switches_of_address_space(tmp_path: Path) -> None:
    tally = source(write_trace(tmp_path / "t", story())).tally()
    assert tally.spaces.switches == {0x1000: 7, 0x2000: 7, 0x4000: 6}
    assert tally.spaces.ticks.total() == 1900
    assert sum(tally.spaces.slots.values()) == 20


def test_many_callers_and_spaces_are_thrown_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "_MOST_CALLERS", 10)
    monkeypatch.setattr(tallies, "_MOST_SPACES", 10)
    tally = Tally()
    for index in range(100):
        tally.add(pack([event(index, Call.SetCR3, caller=0x1000 + index, eax=0x1000 * (index + 1))] * 2))
    assert len(tally.callers) <= 12
    assert len(tally.spaces.switches) <= 12
    assert tally.records == tally.callers.total() == tally.spaces.switches.total() == 200
    assert tally.spaces.switches[OTHER] > 100
    assert sum(tally.spaces.slots.values()) == 200


def test_spans_for_people() -> None:
    meta = TraceMeta(tsc_hz=1_000_000)
    assert [span_text(ticks, meta) for ticks in (5, 5_000, 5_000_000)] == ["5 us", "5 ms", "5.00 s"]
    assert span_text(5000, TraceMeta()) == "5,000 ticks"


def test_the_live_view_shows_rates_of_the_last_interval() -> None:
    now = [0.0]
    top = Top(META, symbols(), clock=lambda: now[0])
    top.append(0, pack([event()] * 100))
    now[0] = 2.0
    view = top.snapshot()
    assert (view.rate, view.total, view.calls[0].name, view.calls[0].most) == (50.0, 100, "SetPxE", "do_fork")
    top.append(1, pack([event(call=Call.SetCR3, caller=0xC1002020)] * 30))
    top.lost(1, 7)
    now[0] = 3.0
    view = top.snapshot()
    assert [(row.name, row.rate, row.total) for row in view.calls] == [("SetCR3", 30.0, 30), ("SetPxE", 0.0, 100)]
    assert [row.name for row in view.functions] == ["schedule", "do_fork"]
    assert (view.lost, view.seconds) == (7, 3.0)
    now[0] = 4.0
    top.rewind()  # the last picture is of the whole time
    view = top.snapshot()
    assert [(row.name, row.rate) for row in view.calls] == [("SetPxE", 25.0), ("SetCR3", 7.5)]


def test_the_live_view_on_a_terminal() -> None:
    console = Console(width=100, height=30, force_terminal=True, record=True)
    watch(Top(META, symbols()), [Batch(0, pack(story()[:50]), 3), Batch(1, b"", 0)], console, interval=0.0)
    shown = console.export_text()
    assert "SetPxE" in shown
    assert "do_fork" in shown
    assert "3 lost" in shown


def test_the_summary_of_a_file(tmp_path: Path) -> None:
    shown = source(write_trace(tmp_path / "t", story(), table=symbols()))
    view = summarize(shown.tally(), shown.meta, shown.symbols)
    assert view.total == 270
    assert [row.total for row in view.calls] == [200, 50, 20]
    console = Console(width=100, record=True)
    console.print(render_top(view, rates=False))
    assert "per second" not in console.export_text()


def test_counts_of_a_trace_and_back(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "t", story(), table=symbols(), lost=2)
    counts = counts_of(source(path))
    assert counts.calls == {"SetPxE": 200, "SetCR3": 20, "FlushTLB": 50}
    assert counts.callers["FlushTLB"] == {"0x00000010": 50}
    assert (counts.named, counts.lost) == (True, 4)
    write_counts(counts, tmp_path / "c")
    assert load_counts(tmp_path / "c") == load_counts(path) == counts
    with pytest.raises(UsageError):
        write_counts(counts, tmp_path / "no" / "c")


@pytest.mark.parametrize(
    "change",
    [
        {"calls": {"SetCR3": -1}},
        {"calls": {"SetCR3": 1.5}},
        {"calls": {"\x1b[31m": 1}},
        {"calls": [1]},
        {"callers": 3},
        {"callers": {"SetCR3": 3}},
        {"seconds": "long"},
        {"lost": True},
        {"kernel": 3},
        {"version": 9},
        {"format": "x"},
    ],
)
def test_lying_count_files_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        parse_counts(json.dumps(json.loads(Counts({"SetCR3": 1}).to_json()) | change).encode())


@settings(deadline=None)
@given(st.binary(max_size=60) | st.just(b"[" * 10_000))
def test_other_files_are_no_counts(text: bytes) -> None:
    with pytest.raises(InputError):
        parse_counts(text)


def test_a_difference_says_which_and_from_where() -> None:
    a = Counts({"SetPxE": 100, "SetCR3": 10, "CLTS": 5}, {"SetPxE": {"do_fork": 100}}, named=True)
    b = Counts({"SetPxE": 150, "SetCR3": 10, "Halt": 1}, {"SetPxE": {"do_fork": 100, "mmap": 50}}, named=True, lost=3)
    found = compare(a, b, threshold=20)
    assert [change.name for change in found.calls] == ["SetPxE", "CLTS", "Halt", "SetCR3"]
    assert [change.name for change in found.beyond()] == ["SetPxE", "CLTS", "Halt", "all calls"]
    assert [(place.name, place.after) for place in found.calls[0].places] == [("mmap", 50)]
    assert found.notes == ("B lost 3 calls",)
    json.dumps(found.as_dict(), allow_nan=False)
    console = Console(width=100, record=True)
    console.print(render(found))
    text = console.export_text()
    assert all(word in text for word in ("+50.0 %", "new", "gone", "from mmap"))
    assert [change.name for change in compare(a, b, threshold=20, least=50).beyond()] == ["SetPxE", "all calls"]
    assert not compare(a, a, threshold=0).beyond()


def test_rates_are_per_second() -> None:
    a, b = Counts({"SetCR3": 100}, seconds=1.0), Counts({"SetCR3": 200}, seconds=2.0)
    assert not compare(a, b, threshold=0, rates=True).beyond()
    assert compare(a, b, threshold=0).beyond()
    with pytest.raises(ValueError, match="how long"):
        compare(a, Counts({}), threshold=0, rates=True)
    with pytest.raises(ValueError, match="no time"):
        compare(a, Counts({"SetPxE": 1}, seconds=1e-320), threshold=0, rates=True)


def test_places_with_and_without_symbols_are_not_mixed() -> None:
    a = Counts({"SetCR3": 1}, {"SetCR3": {"schedule": 1}}, named=True)
    b = Counts({"SetCR3": 2}, {"SetCR3": {"0xc1002020": 2}}, named=False)
    found = compare(a, b, threshold=0)
    assert found.calls[0].places == ()
    assert "symbols" in found.notes[0]
    assert len(SymbolTable()) == 0
