# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that writes anything anywhere in the shared memory, at any time: nothing of ours gives way."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openvmi.abi import Call, wire
from openvmi.abi.wire import BrainState, Mode, Phase, WireMailbox
from openvmi.hypervisor import switchboard
from openvmi.hypervisor.answers import Answer, Continue, Delay, Refuse, Stop, Value
from openvmi.hypervisor.base import Hypervisor
from openvmi.hypervisor.control import ControlServer
from openvmi.hypervisor.control_client import ControlClient
from openvmi.hypervisor.fingerprint import Range, take
from openvmi.hypervisor.handlers import Verdict
from openvmi.hypervisor.link import SWITCHABLE, area
from openvmi.hypervisor.memory import GuestMemoryError
from openvmi.hypervisor.session import Session
from openvmi.hypervisor.vcpu import WORD, Vcpu
from openvmi.trace import RECORD_SIZE, SymbolTable, TraceMeta, TraceReader, TraceWriter
from openvmi.trace import live as live_module
from openvmi.trace.event import Event, pack
from openvmi.trace.live import LiveTrace
from openvmi.trace.top import Top, render

from .wired import HEADER, RING, Cpu, FakeRam, FakeSession, Named, Wired

LONG: Final = 2.0
"""Seconds that one step of ours may take on a busy host; most take a thousandth of that."""
CPUS: Final = 2
TEXT: Final = Range(0x1000, 0x800)

# The words that somebody reads, and all the others.
READ: Final = [
    *HEADER.values(),
    *(area(cpu) // 4 + at for cpu in range(CPUS) for at in (*WORD.values(), *RING.values())),
    *(area(cpu) // 4 + wire.WIRE_CPU_COUNTERS // 4 + at for cpu in range(CPUS) for at in range(wire.WIRE_CALLS)),
    *range(HEADER["modes"], HEADER["modes"] + wire.WIRE_CALLS // 4),
    *range(wire.WIRE_SITES_OFFSET // 4, wire.WIRE_SITES_OFFSET // 4 + 8),
    *(wire.WIRE_RINGS_OFFSET // 4 + at for at in range(32)),
]
PLACES: Final = st.one_of(st.sampled_from(READ), st.sampled_from(READ), st.integers(0, wire.WIRE_SIZE // 4 - 1))
NUMBERS: Final = st.one_of(
    st.integers(0, 8),
    st.sampled_from([0x7F, 0x80, 0x83, 0xFF, 0x03030303, 0x80808080, (1 << 31) - 1, 1 << 31, 0xFE000000]),
    st.integers((1 << 32) - 70, (1 << 32) - 1),
    st.integers(0, (1 << 32) - 1),
)
POKES: Final = st.tuples(st.just("poke"), PLACES, NUMBERS)
ASKS: Final = st.tuples(
    st.just("ask"),
    st.integers(0, CPUS - 1),
    st.one_of(st.sampled_from([Call.GetCR2, Call.SetPxE, Call.IRET, Call.CPUID]), NUMBERS),
)
TORN: Final = st.tuples(st.just("state"), st.integers(0, CPUS - 1), NUMBERS)
DEEDS: Final = st.tuples(
    st.just("do"),
    st.sampled_from(["attach", "detach", "switch", "trace", "pump", "tell", "status", "print", "range", "flush"]),
    st.sampled_from([Mode.NATIVE, Mode.COUNT, Mode.TRACE]),
)
STEPS: Final = st.lists(st.one_of(POKES, POKES, ASKS, TORN, DEEDS), max_size=40)


class Curious(Hypervisor):
    """Looks at all that there is to see of a call, and answers in every way."""

    asked = 0

    def get_cr2(self, vcpu: Vcpu) -> Answer:
        return Value(self._look(vcpu))

    def set_pxe(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> Answer:
        with suppress(GuestMemoryError):
            vcpu.memory.write_entry(entry, value)
        self._look(vcpu)
        return Continue(flags=flags & 0xFF) if value & 1 else Delay(0.0, Refuse())

    def iret(self, vcpu: Vcpu, frame: int) -> Answer:
        with suppress(GuestMemoryError):
            vcpu.memory.u64(frame)
        return None if self._look(vcpu) else Refuse()

    def cpuid(self, vcpu: Vcpu, leaf: int, subleaf: int) -> Answer:
        return Value(self._look(vcpu), {"b": leaf, "d": subleaf})

    def _look(self, vcpu: Vcpu) -> int:
        self.asked += 1
        told = f"{vcpu.call.name} {vcpu.where} {vcpu.function} {vcpu.task} {vcpu.stack(64)}"
        for name in WORD:
            with suppress(GuestMemoryError):
                vcpu.memory.string(vcpu.register(name))
        with suppress(GuestMemoryError):
            told += f"{vcpu.memory.page(vcpu.register('esp'))}"
        return len(told)


class Machine:
    """Everything of ours that looks at the shared memory, and watches that it comes back."""

    def __init__(self, wired: Wired, folder: Path) -> None:
        self.wired = wired
        (folder / "kernel").write_bytes(b"no kernel")
        self.session = FakeSession(wired, folder / "kernel")
        self.server = ControlServer(cast("Session", self.session))
        self.file = folder / "trace"
        self.writer = TraceWriter(self.file, TraceMeta(cpus=CPUS))
        self.top = Top(TraceMeta(cpus=CPUS), SymbolTable())
        self.trace = LiveTrace(wired.link, [self.writer, self.top])
        self.fault = ""

    def do(self, what: str, first: int, second: int) -> None:
        began = time.monotonic()
        getattr(self, what)(first, second)
        assert time.monotonic() - began < LONG, what
        link = self.wired.link
        assert not self.fault or link.fault == self.fault
        self.fault = link.fault

    def poke(self, place: int, value: int) -> None:
        self.wired.link.words[place] = value

    def ask(self, cpu: int, number: int) -> None:
        words, box = self.wired.link.words, area(cpu) // 4
        words[box + WORD["call"]] = number
        words[box] = (words[box] & ~wire.WIRE_PHASE_MASK) + Phase.REQUEST
        os.write(self.wired.wake_write, b"x")  # else it looks again after 0.1 s
        until = time.monotonic() + 1
        while words[box] & wire.WIRE_PHASE_MASK == Phase.REQUEST:
            assert time.monotonic() < until, "the brain has not looked"
            time.sleep(0)

    def state(self, cpu: int, value: int) -> None:
        self.wired.link.words[area(cpu) // 4] = value

    def act(self, what: str, mode: int) -> None:
        wired, link = self.wired, self.wired.link
        if what == "attach":
            wired.board.attach(Curious())
        elif what == "detach":
            wired.board.detach()
        elif what == "switch":
            wired.board.switch(Mode(mode))
        elif what == "trace":
            wired.board.switch(Mode.TRACE, SWITCHABLE[mode:])
        elif what == "pump":
            self.trace.pump()
        elif what == "tell":
            assert sum(link.counts().values()) >= 0
            assert link.losses().records >= 0
            assert isinstance(f"{link.refusal()}{link.guest_state.name}{link.sites()}{link.pae}{link.low_base}", str)
        elif what == "status":
            assert self.server._status()["cpus"] == CPUS
        elif what == "print":
            take(link, wired.ram, TEXT)
        elif what == "range":
            link.set_trace_range(mode << 20, (mode << 20) + 7)
        else:
            link.flush()

    def finish(self) -> None:
        """Have the guest behave again, and see that nothing has broken."""
        wired, words = self.wired, self.wired.link.words
        self.trace.finish()
        self.writer.close()
        assert self.trace.error is None
        render(self.top.snapshot())
        with TraceReader(self.file) as reader:
            assert sum(each.records for each in reader.totals().values()) == self.trace.records
        for cpu in range(CPUS):
            words[area(cpu) // 4] = 0
        wired.board.attach(Named(1000))
        assert Cpu(wired, 1).call(Call.GetCR2, 7) == 1007
        wired.board.detach()
        assert wired.brain.failure is None
        assert not wired.verdicts
        assert wired.brain._thread.is_alive()


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    with Wired(CPUS) as wired:
        wired.ram.bytes[:] = random.Random(1).randbytes(len(wired.ram.bytes))  # noqa: S311 - a test
        yield Machine(wired, folder)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What waits for the guest waits less; and no thread of ours may die of an exception."""
    monkeypatch.setattr(switchboard, "SETTLE", 0.002)
    monkeypatch.setattr(switchboard, "SITES", 0.002)
    died: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    yield
    assert not died, died


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_the_guest_writes_our_side_goes_on(tmp_path: Path, steps: list[tuple[str, Any, int]]) -> None:
    with machine(tmp_path) as made:
        made.wired.board.attach(Curious())
        for what, first, second in steps:
            made.do("act" if what == "do" else what, first, second)
        made.finish()


@pytest.mark.parametrize("seed", range(3))
def test_two_cpus_that_write_all_the_time_are_survived(tmp_path: Path, seed: int) -> None:
    ended = threading.Event()

    def scribble(number: int) -> None:
        pick = random.Random(number)  # noqa: S311 - a test
        values = [0, 1, 2, 3, 5, 0x80, 0xFF, 1 << 31, (1 << 32) - 1]
        while not ended.is_set():
            for _ in range(50):
                value = pick.choice(values) if pick.random() < 0.7 else pick.getrandbits(32)
                words[pick.choice(READ)] = value
            time.sleep(0)

    with machine(tmp_path) as made:
        words = made.wired.link.words
        threads = [threading.Thread(target=scribble, args=(2 * seed + cpu,)) for cpu in range(CPUS)]
        for thread in threads:
            thread.start()
        pick, until = random.Random(seed), time.monotonic() + 0.7  # noqa: S311 - a test
        deeds = ["attach", "detach", "switch", "trace", "pump", "tell", "status", "print", "range", "flush"]
        while time.monotonic() < until:
            made.do("act", cast("int", pick.choice(deeds)), pick.choice([Mode.NATIVE, Mode.COUNT, Mode.TRACE]))
        ended.set()
        for thread in threads:
            thread.join(5)
        assert made.fault
        made.finish()


def test_the_first_reason_is_kept(tmp_path: Path) -> None:
    with machine(tmp_path) as made:
        made.ask(0, 0xDEAD)
        first = made.wired.link.fault
        assert "0xdead" in first
        made.ask(1, 0xBEEF)
        made.wired.link.words[area(0) // 4 + RING["head"]] = 1 << 30
        made.trace.pump()
        assert made.wired.link.fault == first
        made.finish()


def test_a_number_that_changes_while_a_method_runs_is_not_the_calls(wired: Wired) -> None:
    class Slow(Hypervisor):
        calls: tuple[Call, ...] = ()

        def get_cr2(self, vcpu: Vcpu) -> Answer:
            wired.link.words[area(vcpu.index) // 4 + WORD["call"]] = 0xDEAD
            self.calls = (*self.calls, vcpu.call)
            return Value(5)

    hypervisor = Slow()
    wired.board.attach(hypervisor)
    assert Cpu(wired, 0).call(Call.GetCR2) == 5
    assert hypervisor.calls == (Call.GetCR2,)
    assert not wired.verdicts


@pytest.mark.parametrize("value", [BrainState.GONE, BrainState.LOST, 77])
def test_a_guest_that_says_that_nobody_answers_is_asked_to_ask_again(wired: Wired, value: int) -> None:
    wired.link.words[HEADER["brain"]] = value
    until = time.monotonic() + 2
    while wired.link.brain != BrainState.ALIVE and time.monotonic() < until:
        time.sleep(0.005)
    assert wired.link.brain == BrainState.ALIVE
    assert ("brain" in wired.link.fault) == (value != BrainState.LOST)
    assert wired.brain.revivals == (value == BrainState.LOST)


def test_a_verdict_that_fails_costs_no_brain(wired: Wired) -> None:
    class Broken(Named):
        def get_cr2(self, vcpu: Vcpu) -> Answer:
            raise ValueError(vcpu.index)

    def fails(_: object) -> None:
        raise OSError("the machine has gone")

    wired.on_verdict = fails
    wired.board.attach(Broken(1))
    assert Cpu(wired, 0).call(Call.GetCR2) is None
    assert isinstance(wired.brain.failure, ValueError)
    wired.board.attach(Named(7))
    assert Cpu(wired, 1).call(Call.GetCR2, 1) == 8


def test_a_cpu_whose_call_ends_the_machine_never_goes_on_nor_does_another(wired: Wired) -> None:
    class Ends(Named):
        def get_cr2(self, vcpu: Vcpu) -> Answer:
            return Stop(f"CPU {vcpu.index}")

    wired.on_verdict = lambda verdict: isinstance(verdict, Verdict) and verdict.kind == "stop"
    wired.board.attach(Ends(1))
    Cpu(wired, 0).post(Call.GetCR2)
    until = time.monotonic() + 2
    while not wired.verdicts and time.monotonic() < until:
        time.sleep(0.001)
    Cpu(wired, 1).post(Call.GetCR2)
    time.sleep(0.05)
    wired.brain.stop()
    assert [verdict.answer for verdict in wired.verdicts] == [Stop("CPU 0")]
    for cpu in (0, 1):
        assert wired.link.words[area(cpu) // 4] & wire.WIRE_PHASE_MASK == Phase.REQUEST
    assert wired.brain.answered == 1


def test_a_record_whose_number_is_0_is_waited_for_like_any_other(wired: Wired) -> None:
    ring = area(0) // 4
    wired.link.words[ring + RING["head"]] = (1 << 32) - 1
    wired.link.flush()
    cpu = Cpu(wired, 0)
    cpu.record(Call.IRET, count=2)
    at = wire.WIRE_RINGS_OFFSET // 4
    words = wired.link.words
    assert words[ring + RING["head"]] == 1
    words[at + 7] = 99  # record 0, which is not there yet
    assert len(wired.link.drain(0)) == RECORD_SIZE
    assert wired.link.drain(0) == b""
    words[at + 7] = 0
    assert len(wired.link.drain(0)) == RECORD_SIZE
    assert wired.link.losses().records == 0


def test_callers_that_are_rare_are_thrown_together_and_counted_once() -> None:
    top = Top(TraceMeta(), SymbolTable())
    often = [(1, 16 * caller) for caller in range(1, 26_000)]
    once = [(2, 16 * caller) for caller in range(1, 26_000)]
    # 0 is where rare callers are thrown together, and may be one itself
    events = [Event(0, call, 0, 1, 0, caller, 0, 0, 0, 1) for call, caller in [*often, *often, *once, (5, 0)]]
    top.append(0, pack(events))
    assert top.snapshot().total == len(events)
    top.append(0, pack(events))
    assert top.snapshot().total == 2 * len(events)


def test_losses_that_go_up_and_down_take_no_memory(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck:
        go = threading.Event()

        def append(self, cpu: int, records: bytes) -> None:
            self.lost(cpu, len(records))

        def lost(self, cpu: int, count: int) -> None:
            assert cpu < CPUS
            assert count >= 0
            self.go.wait(20)

    most = 100_000
    monkeypatch.setattr(live_module, "_WAITING", most - 2000)
    sink = Stuck()
    trace = LiveTrace(wired.link, [sink])
    for number in range(20_000):
        wired.link.words[area(0) // 4 + RING["lost"]] = number * 0x9E3779B1 & 0xFFFFFFFF
        trace.pump()
        assert trace._given - trace._taken <= most
    sink.go.set()
    trace.finish()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(POKES, max_size=60), st.integers(0, 3))
def test_what_others_are_told_is_always_an_answer(
    server: ControlServer, wired: Wired, pokes: list[tuple[str, int, int]], what: int
) -> None:
    del server
    for _, place, value in pokes:
        wired.link.words[place] = value
    with ControlClient() as client, ControlClient() as other:
        request = (
            {"op": "trace", "calls": "all"},
            {"op": "switch", "mode": "count", "calls": "all"},
            {"op": "status"},
            {"op": "end"},
        )[what]
        assert client.ask(**cast("dict[str, Any]", request))["ok"]
        assert client.ask(op="status")["ok"]
        prints = cast("dict[str, Any]", other.ask(op="detach"))["fingerprints"]
        assert all(len(each) in {0, 64} for both in prints.values() for each in both)


class Changing(FakeRam):
    """Memory in which somebody is at work: a word is read as half of what it will be, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.reads = 0

    def read(self, address: int, length: int) -> bytes:
        self.reads += 1
        data = bytearray(super().read(address, length))
        if self.reads <= self.times:
            data[5:7] = self.reads.to_bytes(2, "little")
        return bytes(data)


def test_a_site_that_is_read_while_it_is_written_is_read_again(wired: Wired) -> None:
    settled = take(wired.link, FakeRam(), TEXT)
    assert take(wired.link, Changing(1), TEXT) == settled
    assert take(wired.link, Changing(3), TEXT) == settled
    restless = Changing(1 << 15)
    assert take(wired.link, restless, TEXT) != settled
    assert restless.reads < 20


def test_a_mailbox_is_a_cache_line_in_which_every_word_is_the_guests() -> None:
    assert 4 * len(WORD) == WireMailbox.SIZE
