# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is computed from boots under hypervisors in Python, and what is refused before one."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from click.testing import CliRunner
from rich.console import Console

from openvmi.abi import Call, wire
from openvmi.abi.wire import Mode, WirePayload
from openvmi.bench import boots
from openvmi.bench.boots import Account, Boot
from openvmi.bench.breakpoints import check_calls, stop_cost, stub_of
from openvmi.bench.changes import Timed, findings, percentile
from openvmi.bench.findings import Finding, median, number, table
from openvmi.bench.hypervisors import LEFT_ALONE, OWN, Everything, Pages, Trace
from openvmi.bench.latency import difference, each, with_words
from openvmi.bench.measure import refuse_uncountable, subjects
from openvmi.bench.statistics import columns
from openvmi.boot import Request
from openvmi.cli.bench import command
from openvmi.errors import HarnessError, OpenVmiError, UsageError
from openvmi.hypervisor.link import SWITCHABLE
from openvmi.hypervisor.load import check_methods
from openvmi.hypervisor.switchboard import Change
from openvmi.report import BenchSamples, Report


def boot(batches: int, count: int) -> Boot:
    return Boot(Report(benches={"x": BenchSamples(10, (5,) * batches)}), 1.0, Account(), {Call.SetPxE: count})


def test_whom_each_hypervisor_asks() -> None:
    for hypervisor in OWN.values():
        check_methods(hypervisor)
    assert set(Pages().routed()) == {Call.SetPxE, Call.SetPxELong, Call.SetCR3}
    assert set(Everything().routed()) == set(SWITCHABLE) - LEFT_ALONE
    assert {call.value for call in LEFT_ALONE} == {29, 30, 31, 32, 33, 34}
    assert set(OWN["count"]().modes.values()) == {Mode.COUNT}
    assert set(OWN["trace"]().modes) == set(SWITCHABLE)
    assert Trace([Call.SetCR3]).modes == {Call.SetCR3: Mode.TRACE}
    assert OWN["trace"]().period <= 0.01


def test_accounts_add_up() -> None:
    total = Account(upcalls=1, records=2, fastest=3.0, complaints=("a",)) + Account(1, 1, 1, 9.0, 0, 0, ("a", "b"))
    assert total == Account(2, 1, 3, 9.0, 0, 0, ("a", "b"))
    assert total.wrong() == ["a", "b"]
    assert Account().wrong() == []
    assert Account().said() == ""
    assert Account(5, 2, 1000, 2.5e6).said() == "5 upcalls (2 from sleep), 1,000 records, at most 2.50 million/s"
    assert Account(records=7).said() == "7 records"


def test_losses_are_told() -> None:
    assert Account(lost_upcalls=1000, lost_records=2).wrong() == [
        "1,000 upcalls lost: no answer came in time",
        "2 trace records lost",
    ]


def test_calls_per_operation_are_a_difference() -> None:
    # 10 + 30 operations of 3 calls each, in front of which both boots make 500
    assert difference(boot(1, 530), boot(3, 590), "x", [Call.SetPxE, Call.SetCR3]) == 3
    with pytest.raises(HarnessError, match="no such benchmark"):
        difference(boot(1, 1), boot(3, 2), "y", [Call.SetPxE])
    assert each([110.0, 130.0], [100.0, 100.0], 2) == [5.0, 15.0]


def test_words_for_init() -> None:
    request = with_words(Request(append="quiet", hypervisor="none"), ("a", "b"), 7)
    assert (request.hypervisor, request.append) == ("hosted", "quiet -- bench=a,b batches=7")


def test_what_a_stop_adds() -> None:
    # two stops in 3 ms; the same stretch takes 1000 ticks of 2 ns when it is recorded
    assert stop_cost([1.0, 1.001, 1.003], [500, 800, 1500, 9999], 2.0) == pytest.approx((3_000_000 - 2000) / 2)
    for stops, records in (([1.0], [1, 2]), ([1.0, 2.0, 3.0], [1, 2])):
        with pytest.raises(HarnessError, match="nothing to compare"):
            stop_cost(stops, records, 1.0)


def test_stubs_of_a_payload() -> None:
    stubs = b"".join((0xFE000300 + 16 * call).to_bytes(4, "little") for call in Call)
    at = wire.WIRE_BASE + wire.WIRE_CODE_OFFSET + WirePayload.SIZE
    payload = WirePayload(hash=0, cpus=1, init=0, get_reloc=0, stubs=at, unused=bytes(12)).pack() + stubs
    assert stub_of(payload, Call.SetPxE) == 0xFE000300 + 16 * Call.SetPxE
    check_calls([Call.SetPxE, Call.SetCR3])
    for call in (Call.DisableInterrupts, Call.SetAlarm):
        with pytest.raises(UsageError):
            check_calls([call])


def test_figures_of_changes() -> None:
    changes = [
        Timed("count", Change({}, took=0.001, pause=0.00001), 1500.0),
        Timed("native", Change({}, took=0.003, pause=0.00005, sites=False), 500.0),
        Timed("pages", Change({}, took=0.002, outstanding=(1,)), 0.0),
    ]
    found = [(one.name, one.value) for one in findings(changes, 1)]
    assert found == [
        ("changes", 3),
        ("pause: call sites", 0.5),
        ("... 99 of 100 below", 1.5),
        ("... the longest", 1.5),
        ("pause: answers", pytest.approx(10)),
        ("... 99 of 100 below", pytest.approx(50)),
        ("... the longest", pytest.approx(50)),
        ("time until in force", pytest.approx(2)),
        ("... the longest", pytest.approx(3)),
        ("call sites not there yet", 1),
        ("CPUs not there yet", 1),
    ]
    assert percentile([float(one) for one in range(200)], 99) == 197.0
    assert percentile([5.0], 99) == 5.0


def test_findings_for_people() -> None:
    out = StringIO()
    found = [median("a", [3.0, 1.0, 2.5], "us", "how"), Finding("b", 12345.6, "times")]
    Console(file=out, width=140).print(table(found))
    for words in ("2.500 us", "1 - 3", "how", "12,346 times"):
        assert words in out.getvalue()
    assert [number(value) for value in (0.5, 7, 123.456, 1234.5)] == ["0.500", "7", "123.5", "1,234"]
    assert json.loads(json.dumps(found[0].as_dict()))["samples"] == [3.0, 1.0, 2.5]


def test_means_leave_out_what_hardly_enters_the_kernel() -> None:
    _, second = columns({"x": [{"a": 1.0, "compute": 1.0}], "y": [{"a": 4.0, "compute": 1.0}]})
    assert second.geometric_mean() == pytest.approx(4.0)


def test_a_guest_that_waits_can_not_be_counted() -> None:
    refuse_uncountable(subjects(["guest"], ["none", "hosted", "count", "trace"], Request()))
    for name in ("pages", "everything"):
        with pytest.raises(UsageError, match="can't be counted") as caught:
            refuse_uncountable(subjects(["guest"], ["none", name], Request()))
        assert caught.value.where == name


@pytest.mark.parametrize(
    "words",
    [
        ["--count", "upcall", "--hypervisors", "none"],
        ["--count", "upcall", "--calls", "SetPxE"],
        ["--count", "switch", "--guest", "guest,plain"],
        ["--count", "switch", "--events", "3"],
        ["--count", "gdb", "--changes", "3"],
        ["--count", "gdb", "--calls", "SetNothing"],
        ["--count", "gdb", "--calls", "DisableInterrupts"],
        ["--count", "gdb", "--cpus", "2"],
        ["--count", "time", "--events", "3"],
        ["--count", "userland", "--hypervisors", "pages"],
        ["--count", "userland", "--hypervisors", "none,ring"],
        ["--hypervisors", "none,everything"],
    ],
    ids=" ".join,
)
def test_what_does_not_fit_together(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def no_machine(*_: object) -> None:
        pytest.fail("a machine was started")

    monkeypatch.setattr(boots, "machine", no_machine)
    done = CliRunner().invoke(command, words, standalone_mode=False)
    assert isinstance(done.exception, OpenVmiError)
