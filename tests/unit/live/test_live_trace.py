# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From rings to sinks: every record once, in order, or counted as lost."""

from __future__ import annotations

import threading
import time
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openvmi.abi import Call
from openvmi.cli._live import live
from openvmi.cli.trace import LiveRequest
from openvmi.errors import UsageError
from openvmi.hypervisor.control_client import ControlClient
from openvmi.hypervisor.link import area
from openvmi.hypervisor.rings import DRAINED, in_order
from openvmi.trace import RECORD_SIZE, Batch, CpuTotals, Filter, SymbolTable, TraceMeta, TraceReader, TraceWriter
from openvmi.trace import live as live_module
from openvmi.trace.clock import TscClock, host_ticks
from openvmi.trace.event import events
from openvmi.trace.live import ROUND, LiveTrace
from openvmi.trace.top import Top, render

from .wired import RING, Cpu, Wired


class Kept:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.records = {0: b"", 1: b""}
        self.gone = {0: 0, 1: 0}
        self.hold = threading.Event()
        self.hold.set()

    def append(self, cpu: int, records: bytes) -> None:
        self.hold.wait(5)
        self.records[cpu] += records

    def lost(self, cpu: int, count: int) -> None:
        self.gone[cpu] += count

    def numbers(self, cpu: int) -> list[int]:
        return [event.sequence for event in events(self.records[cpu])]


def test_every_record_comes_once_andin_order(wired: Wired) -> None:
    kept, cpus = Kept(), [Cpu(wired, 0), Cpu(wired, 1)]
    trace = LiveTrace(wired.link, [kept])
    for round_ in range(20):
        for cpu in cpus:
            cpu.record(Call.SetPxE, count=37 * (round_ + cpu.index))
        trace.pump()
    trace.finish()
    trace.finish()
    for cpu in cpus:
        assert kept.numbers(cpu.index) == list(range(1, cpu.records + 1))
    assert trace.records == sum(cpu.records for cpu in cpus)
    assert (trace.lost, trace.error) == (0, None)


def test_a_full_ring_loses_records_and_says_how_many_and_where(wired: Wired) -> None:
    kept, cpu = Kept(), Cpu(wired, 1)
    trace = LiveTrace(wired.link, [kept])
    size = wired.link.words[area(1) // 4 + RING["mask"]] + 1
    written = cpu.record(Call.IRET, count=size + 100)
    assert written < size
    assert trace.pump()  # there is more than a round
    trace.finish()
    assert len(kept.records[1]) == written * RECORD_SIZE
    assert kept.gone == {0: 0, 1: size + 100 - written}
    assert trace.lost == size + 100 - written


def test_what_was_lost_before_is_none_of_ours(wired: Wired) -> None:
    wired.link.words[area(0) // 4 + RING["lost"]] = 7
    trace = LiveTrace(wired.link, [Kept()])
    Cpu(wired, 0).record(Call.IRET)
    trace.finish()
    assert (trace.records, trace.lost) == (1, 0)


def test_the_first_so_many_and_no_more(wired: Wired) -> None:
    kept, full = Kept(), []
    trace = LiveTrace(wired.link, [kept], Filter(frozenset((Call.SetPxE,)), None, 100), lambda: full.append(1))
    cpus = [Cpu(wired, 0), Cpu(wired, 1)]
    for _ in range(5):
        for cpu in cpus:
            cpu.record(Call.SetPxE, count=15)
            cpu.record(Call.IRET, count=15)
        trace.pump()
    trace.finish()
    assert trace.full
    assert full == [1]
    assert trace.records == 100
    assert sum(map(len, kept.records.values())) == 100 * RECORD_SIZE
    assert wired.link.drain(0) == b""


def test_what_a_filter_left_out_is_not_missing(wired: Wired, tmp_path: Path) -> None:
    file = tmp_path / "some.vmitrace"
    with TraceWriter(file, TraceMeta(cpus=2)) as writer:
        trace = LiveTrace(wired.link, [writer], Filter(frozenset((Call.SetPxE,))))
        cpus = [Cpu(wired, 0), Cpu(wired, 1)]
        for round_ in range(4):
            for cpu in cpus:
                cpu.record(Call.SetPxE, count=5)
                cpu.record(Call.IRET, count=round_ + cpu.index)
                cpu.record(Call.SetPxE)
            trace.pump()
        trace.finish()
    with TraceReader(file) as reader:
        assert [event.sequence for event in reader.events() if event.cpu == 1] == list(range(1, 25))
        assert {cpu: (got.records, got.lost, got.missing) for cpu, got in reader.totals().items()} == {
            0: (24, 0, 0),
            1: (24, 0, 0),
        }


@pytest.mark.usefixtures("server")
def test_who_may_not_trace_empties_no_file_and_who_is_sent_away_has_names(wired: Wired, tmp_path: Path) -> None:
    file, other = tmp_path / "first.vmitrace", tmp_path / "other.vmitrace"
    (tmp_path / "System.map").write_text("c0100000 T do_fork\nc0101000 T schedule\n")  # beside the kernel
    other.write_text("precious")
    first, second = (LiveRequest("", (), None, None, None, output, 9, "box", ()) for output in (file, other))
    tracer = threading.Thread(target=live, args=[first])
    tracer.start()
    with ControlClient("box") as client:
        until = time.monotonic() + 10
        while not client.ask(op="status")["traced"] and time.monotonic() < until:
            time.sleep(0.01)
        Cpu(wired, 0).record(Call.SetPxE, caller=0xC0100004)
        with pytest.raises(UsageError, match="somebody is tracing"):
            live(second)
        assert other.read_text() == "precious"
        client.ask(op="detach")
    tracer.join(10)
    with TraceReader(file) as reader:
        assert [reader.symbols().function(event.caller) for event in reader.events()] == ["do_fork"]


def test_a_sink_that_fails_ends_the_trace_and_nothing_else(wired: Wired) -> None:
    class Full(Kept):
        def append(self, cpu: int, records: bytes) -> None:
            raise OSError(28, f"No space left on device for {len(records)} bytes of CPU {cpu}")

    full: list[int] = []
    trace = LiveTrace(wired.link, [Full()], on_full=lambda: full.append(1))
    cpu = Cpu(wired, 0)
    until = time.monotonic() + 3
    while not full and time.monotonic() < until:
        cpu.record(Call.IRET)
        trace.pump()
        time.sleep(0.001)
    trace.finish()
    assert full == [1]
    assert isinstance(trace.error, OSError)


def test_records_wait_in_the_ring_while_the_disk_can_not_keep_up(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "_WAITING", 10 * RECORD_SIZE)
    kept, cpu = Kept(), Cpu(wired, 0)
    kept.hold.clear()
    trace = LiveTrace(wired.link, [kept])
    for _ in range(8):
        cpu.record(Call.IRET, count=8)
        trace.pump()
    assert trace.records == 16
    kept.hold.set()
    trace.finish()
    assert kept.numbers(0) == list(range(1, 65))


def test_a_round_is_what_a_ring_gives_at_once(wired: Wired) -> None:
    assert ROUND == DRAINED
    Cpu(wired, 0).record(Call.IRET, count=ROUND + 5)
    assert len(wired.link.drain(0)) < ROUND * RECORD_SIZE + 1


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, (1 << 32) - 1),
    st.integers(0, 300),
    st.lists(st.tuples(st.integers(0, 299), st.integers(0, (1 << 32) - 1)), max_size=2),
)
def test_numbers_in_order_are_told_from_others(first: int, count: int, damage: list[tuple[int, int]]) -> None:
    import array

    count = min(count, (1 << 16) - first % (1 << 16))
    numbers = list(range(first, first + count))
    for at, value in damage:
        if at < count:
            numbers[at] = value
    wrong = [at for at in range(count) if numbers[at] != first + at]
    spread = array.array("I", [value for number in numbers for value in (7, number)])
    assert in_order(memoryview(spread)[1::2], first) == (wrong[0] if wrong else count)


def test_a_ring_whose_numbers_wrap_is_read_on(wired: Wired) -> None:
    ring = area(0) // 4
    start = (1 << 32) - 40
    slack = wired.link._rings - 64
    wired.link.words[ring + RING["head"]] = start
    wired.link.flush()
    assert wired.link.words[ring + RING["stop"]] == (start + slack) % (1 << 32)
    cpu = Cpu(wired, 0)
    cpu.record(Call.IRET, count=100)
    records = wired.link.drain(0) + wired.link.drain(0)
    assert [event.sequence for event in events(records)] == [(start + index) % (1 << 32) for index in range(100)]
    assert not wired.link.fault
    totals = CpuTotals()
    for part in (records[: 40 * RECORD_SIZE], records[40 * RECORD_SIZE : 1600], records[1600:]):
        totals.add(Batch(0, part, 0))
    assert (totals.records, totals.missing) == (100, 0)


def test_the_clock_is_what_two_readings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    clock = TscClock(lambda: now[0] * 5 // 2)
    now[0] = 2_000_000_000
    assert clock.hz() == 2_500_000_000
    stuck = TscClock(lambda: 5)
    now[0] *= 2
    assert stuck.hz() == 0


def test_the_clock_of_this_host_is_a_steady_one() -> None:
    if host_ticks() is None:
        pytest.skip("tsc: this host has none that can be read")
    first, second = (TscClock().hz() for _ in range(2))
    assert 1e8 < first < 1e11
    assert abs(first - second) < first * 0.01


def test_a_host_without_such_a_clock_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert TscClock().hz() == 0


def test_a_view_that_can_not_keep_up_counts_a_part_and_knows_the_whole() -> None:
    from rich.console import Console

    now = [0.0]

    def clock() -> float:
        now[0] += 0.5  # each look costs half a second: counting takes more than its share at once
        return now[0]

    top = Top(TraceMeta(), SymbolTable(), clock, share=0.1)
    with Wired() as wired:
        cpu = Cpu(wired, 0)
        for _ in range(10):
            cpu.record(Call.SetPxE, count=10)
            top.append(0, wired.link.drain(0))
    view = top.snapshot()
    assert view.total == 100
    assert 0.0 < view.part < 1.0
    assert view.calls[0].total == 100
    out = StringIO()
    Console(width=100, file=out).print(render(view))
    assert "shares from" in out.getvalue()


def test_a_file_of_a_live_trace_reads_back(wired: Wired, tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t", TraceMeta(cpus=2)) as writer:
        trace = LiveTrace(wired.link, [writer])
        Cpu(wired, 1).record(Call.SetCR3, count=500)
        trace.finish()
    with TraceReader(tmp_path / "t") as reader:
        totals = reader.totals()
        assert (totals[1].records, totals[1].missing, reader.complete) == (500, 0, True)
