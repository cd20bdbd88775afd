# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest says on the result channel becomes data, whatever it says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.machine import ResultLine
from openvmi.report import BenchSamples, CallAnswer, CheckCount, Report, SiteCount, parse_report

BOOT = """\
hello 1
info rom found 0xc0000
info vmi active cpl 0
call 0 NONE 0
call 33 JUMP_REL c00c0100
site IRET 3 3
site EnableInterrupts 20 0
mark kernel
mark userland
check memory 12 0
fail fork child saw 7
check fork 3 1
bench null-int80 1000 120000 121000
summary 15 1
exit 1"""


def read(lines: list[str]) -> Report:
    pairs = [line.partition(" ") for line in lines]
    return parse_report(ResultLine(verb, rest.strip(), index) for index, (verb, _, rest) in enumerate(pairs))


def test_a_whole_boot() -> None:
    report = read(BOOT.split("\n"))
    assert report.hello == 1
    assert report.info == {"rom": "found 0xc0000", "vmi": "active cpl 0"}
    assert report.calls == [CallAnswer(0, "NONE", 0), CallAnswer(33, "JUMP_REL", 0xC00C0100)]
    assert report.answers() == {"NONE": 1, "JUMP_REL": 1}
    assert report.sites["EnableInterrupts"] == SiteCount(20, 0)
    assert report.patched() == 3
    assert report.marks == {"kernel": 7, "userland": 8}
    assert report.checks["fork"] == CheckCount(3, 1)
    assert report.fails == ["fork child saw 7"]
    assert report.benches["null-int80"].per_operation() == [120.0, 121.0]
    assert (report.summary, report.exit, report.panic, report.odd) == (CheckCount(15, 1), 1, None, [])


def test_the_first_word_wins() -> None:
    report = read(["exit 3", "exit 0", "panic a", "panic b"])
    assert (report.exit, report.panic) == (3, "a")


def test_odd_lines_are_kept_and_change_nothing() -> None:
    lines = ["exit one", "call 1", "site a b c", "bench x 0 5", "bench x 5", "nonsense", "summary 1"]
    report = read(lines)
    assert report.odd == lines
    assert report.exit is None
    assert report.benches == {}


def test_the_report_is_json() -> None:
    report = read(BOOT.split("\n"))
    data = json.loads(json.dumps(report.as_dict()))
    assert data["benches"]["null-int80"] == {"operations": 1000, "ticks": [120000, 121000]}
    assert BenchSamples(10, (50,)).per_operation() == [5.0]


@given(st.lists(st.text(max_size=60), max_size=20))
def test_no_line_raises(lines: list[str]) -> None:
    read(lines)


@given(st.sampled_from(["call", "site", "bench", "check", "exit", "hello", "summary"]), st.text(max_size=40))
def test_no_argument_raises(verb: str, rest: str) -> None:
    read([f"{verb} {rest}"])


@pytest.mark.parametrize(
    "line", [f"bench a 1 {'9' * 900}", f"bench a {1 << 64} 5", f"call {1 << 64} NOP 0", "call 1 NOP " + "f" * 17]
)
def test_a_number_that_no_guest_can_have_is_odd(line: str) -> None:
    verb, _, text = line.partition(" ")
    report = parse_report([ResultLine(verb, text, 0)])
    assert report.odd == [line]
    assert not report.benches
    assert not report.calls
