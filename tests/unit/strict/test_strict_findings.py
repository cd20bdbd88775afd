# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings: once for a rule and a caller, with what led there; and no events that the judge can't take."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from openvmi.abi import Call
from openvmi.hypervisor.strict.early import MARK, Reports
from openvmi.hypervisor.strict.events import Early, Event, Start
from openvmi.hypervisor.strict.findings import MOST, Findings, as_text, report, summary
from openvmi.hypervisor.strict.judge import BEFORE, Judge
from openvmi.hypervisor.strict.offline import judge_records
from openvmi.hypervisor.strict.rules import RULES
from openvmi.hypervisor.strict.sight import Sight
from openvmi.trace import TraceMeta, TraceWriter
from openvmi.trace.symbols import SymbolTable

from .machine import record

SYMBOLS = SymbolTable([(0x1000, "one"), (0x2000, "two")])
DOCS = Path(__file__).resolve().parents[3] / "docs" / "strict.md"


def lazy(mode: int, caller: int = 0x1010) -> Event:
    return Event(0, Call.SetLazyMode, caller, mode, 0, 0)


def test_counted_by_rule_and_caller_with_the_functions_that_it_was_for() -> None:
    names = iter(["a", "b", "a", "c"])
    judge = Judge(active=True, blame=lambda _: next(names))
    for caller in (0x1010, 0x1010, 0x1010, 0x2010):
        judge.feed(lazy(7, caller))
    first, second = judge.findings
    assert (first.count, first.functions, second.count) == (3, {"a": 2, "b": 1}, 1)
    assert (len(judge.findings), judge.findings.errors) == (2, 2)
    text = as_text(judge.findings, SYMBOLS)
    assert "  3 times for a, b; first: CPU 0 SetLazyMode(mode=0x7) from one+0x10\n" in text
    assert "  once for c; first: CPU 0 SetLazyMode(mode=0x7) from two+0x10\n" in text
    assert summary(judge.findings) == "rules broken 4 times: 2 errors, 0 warnings"


def test_the_trace_is_what_came_before() -> None:
    judge = Judge(active=True)
    for value in range(BEFORE + 3):
        judge.feed(Event(0, Call.SetCR2, 0x1010, value, 0, 0))
    judge.feed(lazy(7))
    (finding,) = judge.findings
    assert [event.eax for event in finding.before] == list(range(3, BEFORE + 3))


def test_iret_has_no_caller() -> None:
    judge = Judge(active=True)
    for address in range(5):
        judge.feed(Event(0, Call.IRET, address, 0, 0, 0, s1=0x73, s2=2))
    (finding,) = judge.findings
    assert finding.count == 5


def test_places_without_end_are_counted() -> None:
    judge = Judge(active=True)
    for caller in range(MOST + 7):
        judge.feed(lazy(7, caller))
    assert (len(judge.findings), judge.findings.more) == (MOST, 7)
    assert "... and 7 more breaches elsewhere\n" in as_text(judge.findings, SYMBOLS)


def test_as_data() -> None:
    judge = Judge()
    judge.feed(Start(0x202, 0))
    judge.feed(lazy(7))
    data = json.loads(json.dumps(report(judge.findings, SYMBOLS)))
    assert [(each["rule"], each["place"]) for each in data["findings"]] == [
        ("init-interrupts", None),
        ("lazy-mode", "one+0x10"),
    ]
    assert data["errors"] == 2
    assert as_text(Findings(), SYMBOLS) == ""


def test_rules_are_documented_and_have_sections() -> None:
    text = DOCS.read_text("utf-8")
    assert [rule for rule in RULES if f"| `{rule}` |" not in text] == []
    assert all(rule.sections and rule.text for rule in RULES.values())


words = st.one_of(st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 1, 2, 7, 0x10, 0x11, 0x31, 0x1000, 0xFFFFFFFF]))
maybe = st.one_of(st.none(), words)
events = st.builds(
    Event,
    cpu=st.integers(0, 3),
    call=st.one_of(st.sampled_from(list(Call)), st.integers(0, 255)),
    **dict.fromkeys(("caller", "eax", "edx", "ecx"), words),
    **dict.fromkeys(Event._fields[6:-1], maybe),
)
steps = st.one_of(events, st.builds(Start, maybe, maybe), st.builds(Early, st.integers(0, 255), words))


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=40), st.binary(max_size=64), st.sampled_from([None, 0, 1]))
def test_no_events_are_too_strange(happened: list[Event], filling: bytes, pae: int | None) -> None:
    def read(address: int, length: int) -> bytes | None:
        if address % 5 == 4 or length > 4096:
            return None
        return (filling * (length // len(filling) + 1))[:length] if filling else bytes(length)

    judge = Judge(Sight(read), active=pae is not None, pae=None if pae is None else bool(pae), top=0xFE000000)
    for event in happened:
        judge.feed(event)
    text = as_text(judge.findings, SYMBOLS)
    json.dumps(report(judge.findings, SYMBOLS))
    assert bool(text) == bool(len(judge.findings))


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 0xFFFFFFFF))), st.integers(1, 7))
def test_early_reports_survive_wake_ups_and_any_cutting(reports: list[tuple[int, int]], piece: int) -> None:
    sent = bytearray()
    for call, caller in reports:
        sent.append(MARK)
        sent += bytes(int(digit, 16) << 2 | 2 for digit in f"{caller:08x}{call:02x}")
        sent.append(0x45)  # a wake-up
    taker = Reports()
    assert [found for at in range(0, len(sent), piece) for found in taker.take(bytes(sent[at : at + piece]))] == reports


@given(st.binary())
def test_early_reports_of_nonsense(data: bytes) -> None:
    for call, caller in Reports().take(data):
        assert 0 <= call <= 0xFF
        assert 0 <= caller <= 0xFFFFFFFF


def test_a_recorded_run() -> None:
    calls = [
        record(Call.SetLinearMapping, 0, 0xC0000000, 0x100),
        record(Call.AllocatePage, 0x50, 0x41),
        record(Call.SetPxE, 7, 0xC0050000, 1),
        record(Call.ReleasePage, 0x50, 0x41),
    ]
    assert len(judge_records(calls).findings) == 0
    found = judge_records([*calls, record(Call.DisableInterrupts), record(Call.SetPxE, 7, 0xC0050000, 1)]).findings
    assert [finding.rule.id for finding in found] == ["table-released"]
    (finding,) = found
    assert finding.before[-1].call == Call.ReleasePage


def test_a_run_recorded_from_its_middle_is_not_blamed_for_what_was_before() -> None:
    calls = [record(Call.SetPxE, 7, 0xC0050000, 1), record(Call.ReleasePage, 0x50, 0x41), record(Call.SetCR3, 0x60000)]
    assert len(judge_records(calls).findings) == 0


def test_check_guest(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from openvmi.cli.check import command

    trace = tmp_path / "x.vmitrace"
    with TraceWriter(trace, TraceMeta(cpus=1)) as writer:
        writer.append(0, b"".join(record(Call.SetLazyMode, mode, number=n + 1).pack() for n, mode in enumerate((1, 2))))
    done = CliRunner().invoke(command, ["guest", str(trace), "--json", str(tmp_path / "x.json")])
    assert done.exit_code == 1
    assert "error: lazy-nested: " in done.stdout
    assert json.loads((tmp_path / "x.json").read_text("utf-8"))["errors"] == 1


def test_check_guest_of_no_calls_does_not_praise(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from openvmi.cli.check import command

    said = []
    for calls in ((), (0,)):
        trace = tmp_path / f"{len(calls)}.vmitrace"
        with TraceWriter(trace, TraceMeta(cpus=1)) as writer:
            for value in calls:
                writer.append(0, record(Call.SetLazyMode, value, number=1).pack())
        done = CliRunner().invoke(command, ["guest", str(trace)])
        assert done.exit_code == 0
        said.append(done.stdout.splitlines()[-1])
    assert said == ["no call in it: nothing was judged", "no rule broken"]
