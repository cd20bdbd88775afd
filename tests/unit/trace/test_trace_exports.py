# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Other people's formats, read back; hostile names in them."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from openvmi.trace import Filter, SymbolTable, TraceMeta
from openvmi.trace.export import FORMATS, exporter, svg

from .builders import event, source, story, symbols, write_trace


def exported(name: str, path: Path, chosen: Filter | None = None) -> bytes:
    out = io.BytesIO()
    exporter(name)(source(path, chosen), out)
    return out.getvalue()


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write_trace(tmp_path / "t", story(), table=symbols(), lost=1)


def test_json_lines(trace: Path) -> None:
    lines = [json.loads(line) for line in exported("json", trace).splitlines()]
    assert len(lines) == 270
    assert lines[0] == {
        "time": 1000,
        "seconds": 0.0,
        "cpu": 0,
        "sequence": 1,
        "kind": "call",
        "call": "SetPxE",
        "number": 38,
        "arguments": {"value": 7, "entry": 0xC0300000, "flags": 0},
        "caller": 0xC1001010,
        "function": "do_fork",
        "offset": 16,
    }
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


def test_folded_stacks(trace: Path) -> None:
    assert exported("folded", trace).decode().splitlines() == [
        "FlushTLB;0x00000010 50",
        "SetCR3;schedule 20",
        "SetPxE;do_fork 200",
    ]


def test_the_flame_graph_is_well_formed_and_its_widths_are_counts(trace: Path) -> None:
    root = ET.fromstring(exported("flame", trace))  # noqa: S314 - our own output
    boxes = {(node.attrib["data-n"], float(node.attrib["data-w"])) for node in root.iter() if "data-n" in node.attrib}
    widths = dict(boxes)
    assert widths["all"] == 1180
    assert widths["SetPxE"] == pytest.approx(1180 * 200 / 270, abs=0.01)
    assert {"do_fork", "do_fork+0x10", "schedule", "0x00000010"} <= set(widths)


def test_perfetto_decodes_to_the_same_events(trace: Path) -> None:
    proto = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="perfetto: not installed")
    decoded = proto.Trace.FromString(exported("perfetto", trace))
    names: dict[int, str] = {}
    calls, open_slices = [], 0
    tracks = {
        p.track_descriptor.uuid: p.track_descriptor.name for p in decoded.packet if p.HasField("track_descriptor")
    }
    for packet in decoded.packet:
        names |= {entry.iid: entry.name for entry in packet.interned_data.event_names}
        one = packet.track_event
        open_slices += (one.type == one.TYPE_SLICE_BEGIN) - (one.type == one.TYPE_SLICE_END)
        if one.type == one.TYPE_INSTANT:
            notes = {note.name: note.string_value or note.pointer_value for note in one.debug_annotations}
            calls.append((packet.timestamp, tracks[one.track_uuid], names[one.name_iid], notes))
    assert open_slices == 0
    assert len(calls) == 270
    assert calls[0] == (
        0,
        "CPU 0",
        "SetPxE",
        {"caller": "do_fork+0x10", "value": 7, "entry": 0xC0300000, "flags": 0},
    )
    assert [call[0] for call in calls] == [one.time - 1000 for one in sorted(story())]


class _Page(HTMLParser):
    """Takes a page apart: what it loads, and its tags in balance."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.loads += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_whole_and_loads_nothing(trace: Path) -> None:
    text = exported("html", trace).decode()
    page = _Page()
    page.feed(text)
    assert not page.open
    assert not page.loads
    assert "{{" not in text
    data = json.loads(re.findall(r'id="rates-data">(.*?)</script>', text)[0])
    assert {one["name"]: sum(one["values"]) for one in data["series"]} == {"SetPxE": 200, "FlushTLB": 50, "SetCR3": 20}
    assert "2 records were lost" in text
    assert "20 switches (SetCR3) between 3 address spaces" in text


def test_names_from_a_file_stay_names(tmp_path: Path) -> None:
    evil = "</script><img/src=x>"
    path = write_trace(tmp_path / "t", story(), table=SymbolTable([(0xC1001000, evil), (0xC1002000, '"&')]))
    for name in ("html", "flame"):
        text = exported(name, path).decode()
        assert "<img" not in text
        assert "&lt;img" in text
        assert "Linux <2.6.32>" not in text


@pytest.mark.parametrize("name", FORMATS)
def test_no_events_and_one_event(tmp_path: Path, name: str) -> None:
    if name == "perfetto":
        pytest.importorskip("perfetto", reason="perfetto: not installed")
    meta = TraceMeta()
    exported(name, write_trace(tmp_path / "none", [], meta=meta))
    exported(name, write_trace(tmp_path / "one", [event()], meta=meta))
    exported(name, write_trace(tmp_path / "far", [event(0), event((1 << 64) - 1)], meta=meta))


def test_axes() -> None:
    assert svg.ticks(10) == [0, 2, 4, 6, 8, 10]
    assert svg.ticks(0) == [0]
    assert svg.ticks(float("inf")) == [0]
    assert [svg.short(value) for value in (0, 950, 1234, 5e6, 2e9)] == ["0", "950", "1.23 k", "5 M", "2 G"]
    assert (svg.tint("#000000", 1), svg.tint("#000000", 0), svg.tint("#804020", 0.5)) == (
        "#000000",
        "#ffffff",
        "#c0a090",
    )


def test_times_beyond_what_perfetto_can_hold_are_its_last(tmp_path: Path) -> None:
    proto = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="perfetto: not installed")
    late = [event(0), event((1 << 64) - 1, sequence=2)]
    data = exported("perfetto", write_trace(tmp_path / "t", late, meta=TraceMeta(tsc_hz=1)))
    trace = proto.Trace.FromString(data)
    assert max(packet.timestamp for packet in trace.packet) == (1 << 63) - 1


def test_a_file_may_have_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "\udcff", story(), meta=TraceMeta(cpus=2))
    assert b"VMI trace" in exported("html", path)
