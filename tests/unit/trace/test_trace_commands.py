# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi trace``, ``diff`` and ``replay``: what they print, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from openvmi.abi import load
from openvmi.hypervisor._generated_calls import SHAPES
from openvmi.hypervisor.answers import Value
from openvmi.hypervisor.replay import Replay, ReplayError, ReplayVcpu, method_name
from openvmi.trace import TraceMeta
from openvmi.trace.schema import CallInfo

from .builders import META, SYSTEM_MAP, event, story, symbols, write_trace
from .conftest import Run


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write_trace(tmp_path / "t", story(), table=symbols())


def test_a_trace_is_shown(openvmi: Run, trace: Path) -> None:
    status, out, err = openvmi("trace", "--read", trace)
    assert (status, err) == (0, "")
    assert "270 calls" in out
    assert "do_fork" in out


def test_filters(openvmi: Run, trace: Path) -> None:
    _, out, _ = openvmi("trace", "--read", trace, "--calls", "SetCR3", "--where", "sched*", "--export", "folded")
    assert out == "SetCR3;schedule 20\n"
    _, out, _ = openvmi("trace", "--read", trace, "--first", "3", "--export", "json")
    assert len(out.splitlines()) == 3


def test_symbols_may_be_given(openvmi: Run, tmp_path: Path) -> None:
    (tmp_path / "map").write_text(SYSTEM_MAP.replace("do_fork", "other"))
    bare = write_trace(tmp_path / "t", story())
    _, out, _ = openvmi("trace", "--read", bare, "--symbols", tmp_path / "map", "--export", "folded")
    assert "SetPxE;other 200" in out


def test_exports_go_to_files(openvmi: Run, trace: Path, tmp_path: Path) -> None:
    for form in ("html", "counts", "flame"):
        assert openvmi("trace", "--read", trace, "--export", form, "-o", tmp_path / form)[0] == 0
    assert json.loads((tmp_path / "counts").read_text())["calls"]["SetPxE"] == 200
    assert not list(tmp_path.glob(".*"))
    status, _, err = openvmi("trace", "--read", trace, "--export", "html", "-o", tmp_path / "no" / "x")
    assert (status, "can't be written" in err) == (2, True)


def test_a_broken_file_leaves_no_half_export(openvmi: Run, trace: Path, tmp_path: Path) -> None:
    trace.write_bytes(trace.read_bytes()[:-64] + b"x" * 64)
    status, _, err = openvmi("trace", "--read", trace, "--export", "json", "-o", tmp_path / "out")
    assert status == 2
    assert "offset" in err
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_what_weakens_the_figures_is_said(openvmi: Run, tmp_path: Path) -> None:
    path = write_trace(tmp_path / "t", story(), lost=5)
    path.write_bytes(path.read_bytes()[:-40])
    status, _, err = openvmi("trace", "--read", path)
    assert status == 0
    assert "10 records were lost" in err
    assert "the file stops within the block" in err


@pytest.mark.parametrize(
    "words",
    [
        ["--attach", "m", "--", "--quiet"],
        ["--", "--json", "x"],
        ["--read", "t", "-o", "x"],
        ["--read", "t", "--attach", "m"],
        ["--read", "missing"],
    ],
)
def test_wrong_uses(openvmi: Run, words: list[str]) -> None:
    status, out, err = openvmi("trace", *words)
    assert (status, out) == (2, "")
    assert "openvmi: " in err


def test_a_file_without_its_option_is_told_of_it(openvmi: Run, trace: Path) -> None:
    status, _, err = openvmi("trace", trace)
    assert status == 2
    assert "--read FILE" in err


@pytest.mark.parametrize("words", [["--hypervisor", "ring"], ["--first", "3", "--cpus=2"]])
def test_an_option_of_run_is_told_its_place(openvmi: Run, words: list[str]) -> None:
    status, out, err = openvmi("trace", *words)
    assert (status, out) == (2, "")
    assert "behind --: openvmi trace -- " in err


def test_diff(openvmi: Run, trace: Path, tmp_path: Path) -> None:
    more = write_trace(tmp_path / "more", [*story(), *[event(caller=0xC1003020)] * 100], table=symbols())
    assert openvmi("diff", trace, trace)[0] == 0
    status, out, _ = openvmi("diff", trace, more)
    assert status == 1
    assert "+50.0 %" in out
    assert "from sys_mmap" in out
    assert openvmi("diff", trace, more, "--threshold", "60")[0] == 0
    openvmi("trace", "--read", trace, "--export", "counts", "-o", tmp_path / "c")
    status, out, _ = openvmi("diff", tmp_path / "c", more, "--json")
    assert (status, json.loads(out)["beyond"]) == (1, ["SetPxE", "all calls"])
    (tmp_path / "c").write_text("{}")
    assert openvmi("diff", tmp_path / "c", more)[0] == 2


def test_methods_have_the_names_of_the_base_class() -> None:
    assert {call.number: method_name(call.name) for call in load().calls} == {
        number: shape.method for number, shape in SHAPES.items()
    }


POLICY = """
from openvmi.hypervisor.answers import Refuse
from openvmi.hypervisor.base import Hypervisor

class Policy(Hypervisor):
    def set_pxe(self, vcpu, value, entry, flags):
        return Refuse("page 7") if value >> 12 == 7 else None

    def set_cr3(self, vcpu, value):
        if value == 0x4000 and vcpu.cr3 != 0x2000:
            raise RuntimeError("unexpected order")
"""


def test_replay(openvmi: Run, trace: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.py"
    policy.write_text(POLICY)
    status, out, err = openvmi("replay", trace, "--hypervisor", policy)
    assert (status, err) == (0, "")
    assert "SetPxE from do_fork+0x10: Refuse(reason='page 7')" in out
    assert "220 calls fed, 50 not routed" in out
    status, out, _ = openvmi("replay", trace, "--hypervisor", policy, "--json", "--calls", "SetPxE")
    assert json.loads(out) == {"fed": 200, "decisions": {"SetPxE": {"native": 199, "refuse": 1}}, "passed": {}}


def test_a_policy_that_fails_is_shown_with_its_place(openvmi: Run, trace: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.py"
    policy.write_text(POLICY.replace("!= 0x2000", "== 0x2000"))
    status, out, err = openvmi("replay", trace, "--hypervisor", f"{policy}:Policy")
    assert status == 1
    assert "unexpected order" in err
    assert "called from schedule+0x20" in err
    assert "calls fed" in out


def test_any_object_with_methods_will_do() -> None:
    class Plain:
        def set_cr3(self, vcpu: ReplayVcpu, value: int) -> Value:
            return Value(value + vcpu.register("eax") + vcpu.index)

        def set_linear_mapping(self, _vcpu: ReplayVcpu, slot: int, va: int, pages: int, pfn: int) -> None:
            assert (slot, va, pages, pfn) == (1, 2, 3, 0)

    replay = Replay(Plain(), META)
    told = [event(call=17, eax=5, cpu=1), event(call=48, eax=1, edx=2, ecx=3), event(call=28)]
    assert [(one.kind, one.answer) for one in replay.run(told)] == [("value", Value(11)), ("native", None)]
    assert replay.routed == {17, 48}
    assert replay.summary.passed == {28: 1}


WRONG = {
    "return 7": "set_cr3 answered 7, which is no answer to a call; in a replay, at SetCR3 number ",
    "return Continue(vlaue=1)": "set_cr3 has nothing called 'vlaue' (it has value); ",
    "return Continue(value='1')": "set_cr3: value = '1' is not a number; ",
    "return Delay(1, Continue(value=1 << 32))": "does not fit in 32 bits; ",
    "return vcpu.task": "mine.py:4: set_cr3 asks for task, which a trace does not hold; ",
    "self.guest.symbols": "mine.py:4: self.guest.symbols is asked for, which a trace does not hold; ",
}


def mine(folder: Path, line: str) -> Path:
    file = folder / "mine.py"
    head = "from openvmi.hypervisor import *\nclass Mine(Hypervisor):\n    def set_cr3(self, vcpu, value):\n        "
    file.write_text(head + line)
    return file


@pytest.mark.parametrize("line", WRONG)
def test_a_replay_refuses_what_a_run_refuses(openvmi: Run, trace: Path, tmp_path: Path, line: str) -> None:
    status, _, err = openvmi("replay", trace, "--hypervisor", mine(tmp_path, line))
    assert status == 1
    assert WRONG[line] in err
    assert err.count("\n") == 1


def test_an_exception_in_a_replay_begins_with_the_users_code(openvmi: Run, trace: Path, tmp_path: Path) -> None:
    file = mine(tmp_path, "1 / 0")
    _, _, err = openvmi("replay", trace, "--hypervisor", file)
    assert err.splitlines()[1].startswith(f'  File "{file}", line 4')
    assert err.endswith(f"the hypervisor raised ZeroDivisionError at {file}:4\n")


def test_a_replay_tells_changed_arguments_and_ends_with_a_stop(openvmi: Run, trace: Path, tmp_path: Path) -> None:
    line = "return Continue(value=1) if vcpu.event.sequence < 20 else Stop('enough')"
    status, out, err = openvmi("replay", trace, "--hypervisor", mine(tmp_path, line))
    assert (status, err) == (0, "")
    assert ": Continue(value=0x1)\n" in out
    assert "continue 2, stop 1\n" in out


def test_a_replay_that_feeds_nothing_says_why(openvmi: Run, trace: Path, tmp_path: Path) -> None:
    for line, why in (("def rdtsc(self, vcpu): pass", "methods for RDTSC"), ("n = 0", "no method named after a call")):
        file = tmp_path / "other.py"
        file.write_text(f"from openvmi.hypervisor import *\nclass Mine(Hypervisor):\n    {line}\n")
        status, _, err = openvmi("replay", trace, "--hypervisor", file)
        assert status == 0
        assert f"nothing was fed to the hypervisor: it has {why}" in err


@pytest.mark.parametrize("what", ["memory", "cr3"])
def test_what_a_trace_does_not_hold_is_an_error(what: str) -> None:
    vcpu = ReplayVcpu(event(), TraceMeta(), symbols())
    with pytest.raises(ReplayError, match="does not hold"):
        getattr(vcpu, what)
    with pytest.raises(ReplayError, match="esi"):
        vcpu.register("esi")


def test_a_trace_can_not_have_methods_called_that_are_none_of_a_call() -> None:
    class Careful:
        def started(self, vcpu: ReplayVcpu) -> None:
            raise AssertionError(vcpu)

        _secret = started

    calls = {1: CallInfo("Started", ()), 2: CallInfo("_secret", ())}
    assert Replay(Careful(), TraceMeta(calls=calls)).routed == frozenset()


def test_a_name_that_is_none_is_shown_as_typed(openvmi: Run, trace: Path) -> None:
    assert "no call is named 'Set_PXE'" in openvmi("trace", "--read", trace, "--calls", "SetCR3,Set_PXE")[2]


def test_a_full_disk_is_said_of_stdout(trace: Path) -> None:
    command = [sys.executable, "-m", "openvmi", "trace", "--read", str(trace)]
    for more in ([], ["--export", "folded"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run([*command, *more], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (125, b"openvmi: stdout can't be written: No space left on device\n")
