# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""FILE.py and FILE.py:Class: every way in which they can be wrong has words of its own, and no traceback of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi.boot import Request, hypervisor_of
from openvmi.errors import OpenVmiError, UsageError
from openvmi.hypervisor import NAMES, Hypervisor, Stop, offer, split_name
from openvmi.hypervisor.blame import place_of, user_traceback
from openvmi.hypervisor.load import load_hypervisor

HEAD = "from openvmi.hypervisor import Hypervisor\n"
ONE = HEAD + "class One(Hypervisor):\n    def set_cr3(self, vcpu, value):\n        return None\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def made(text: str, name: str = "mine.py") -> str:
        file = tmp_path / name
        file.write_text(text)
        return str(file)

    return made


def test_one_class_needs_no_name(write: Callable[..., str]) -> None:
    found = load_hypervisor(write(ONE))
    assert type(found).__name__ == "One"
    assert [call.name for call in found.routed()] == ["SetCR3"]
    assert type(load_hypervisor(write(ONE + "class Two(One): pass\n"))).__name__ == "Two"
    assert type(load_hypervisor(write(ONE + "class Two(One): pass\n") + ":One")).__name__ == "One"


def test_a_file_may_be_called_like_a_module(write: Callable[..., str]) -> None:
    load_hypervisor(write(ONE, "json.py"))
    import json

    assert json.dumps({}) == "{}"


METHOD = HEAD + "class One(Hypervisor):\n    {}\n"
CALLS = (
    "from openvmi.abi import Call\nfrom openvmi.abi.wire import Mode\n"
    + HEAD
    + ("class One(Hypervisor):\n    modes = {{{}}}\n")
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "no hypervisor"),
        (ONE + "class Other(Hypervisor): pass\n", "several hypervisors: One, Other"),
        ("def f(:\n", "mine.py:1: does not run: SyntaxError"),
        ("\n\nimport nonesuch\n", "mine.py:3: does not run: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "does not run: SystemExit"),
        (METHOD.format("def set_cr3(self, vcpu): pass"), r"mine.py:3: set_cr3\(self, vcpu\) does not take"),
        (METHOD.format("def set_cr3(self, vcpu, value, more): pass"), "missing a required argument: 'more'"),
        (METHOD.format("def set_cr3(self, vcpu, *, value): pass"), "does not take"),
        (METHOD.format("set_cr3 = 5"), "set_cr3 is no method"),
        (METHOD.format("async def set_cr3(self, vcpu, value): pass"), "not a plain function"),
        (METHOD.format("def set_alarm(self, vcpu, flags, expiry, period): pass"), "never asked"),
        (METHOD.format("def SetCR3(self, vcpu, value): pass"), "mine.py:3: SetCR3 is no call's method"),
        (METHOD.format("def setcr3(self, vcpu, value): pass"), "setcr3 is no call's method"),
        (METHOD.format("modes = {'SetCR3': 'count'}"), "One.modes: 'SetCR3' is no call"),
        (METHOD.format("modes = {'SetCR3'}"), "One.modes: {'SetCR3'} is no mapping"),
        (CALLS.format("Call.SetCR3: 'count'"), "One.modes: 'count' is no mode for SetCR3"),
        (CALLS.format("Call.SetCR3: Mode.UPCALL"), "is no mode for SetCR3"),
        (CALLS.format("Call.SetAlarm: Mode.COUNT"), "SetAlarm has no native code"),
        (METHOD.format("def __init__(self): 1 / 0"), r"mine.py:3: One\(\) failed: ZeroDivisionError"),
    ],
)
def test_what_is_wrong_with_a_file(write: Callable[..., str], text: str, words: str) -> None:
    with pytest.raises(OpenVmiError, match=words) as caught:
        load_hypervisor(write(text))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "method",
    ["def set_cr3(self, *rest): pass", "def set_cr3(me, cpu, v, more=1): pass", "set_cr3 = staticmethod(print)"],
)
def test_methods_that_can_be_called_are_taken(write: Callable[..., str], method: str) -> None:
    assert load_hypervisor(write(METHOD.format(method))).routed()


def test_no_such_file_or_class(write: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(OpenVmiError, match="no such file"):
        load_hypervisor(str(tmp_path / "none.py"))
    with pytest.raises(OpenVmiError, match="no hypervisor 'Nix'") as caught:
        load_hypervisor(write(ONE) + ":Nix")
    assert "One" in caught.value.help


def test_instructions_are_not_counted_while_a_guest_waits(write: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match="can't be counted while Python answers SetCR3"):
        hypervisor_of(Request(hypervisor=write(ONE), icount=True))
    assert not hypervisor_of(Request(hypervisor="hosted", icount=True)).routed()
    counting = HEAD + "class C(Hypervisor): modes = {}\n"
    assert isinstance(hypervisor_of(Request(hypervisor=write(counting), icount=True)), Hypervisor)


@pytest.mark.parametrize("name", ["x.py", "x.py:Class", "a:b/x.py"])
def test_names_of_files(name: str) -> None:
    assert split_name(name) == (("x.py", "Class") if name.endswith("Class") else (name, ""))
    assert split_name("hosted") is None


def test_unknown_names_are_refused() -> None:
    assert {"none", "declining", "native", "hosted", "strict", "ring"} <= set(NAMES)
    with pytest.raises(UsageError, match="unknown hypervisor 'magic'") as caught:
        offer("magic")
    assert "FILE.py" in caught.value.help


@pytest.mark.parametrize("status", [-1, 256, "1"])
def test_a_status_must_be_one(status: int) -> None:
    with pytest.raises(UsageError, match="0 to 255"):
        Stop("", status)


def test_an_answer_that_can_not_be_is_blamed_on_who_made_it(write: Callable[..., str]) -> None:
    method = "    def set_cr3(self, vcpu, value):\n        return Stop('', 300)\n"
    file = write(f"{HEAD}from openvmi.hypervisor import Stop\nclass One(Hypervisor):\n{method}")
    with pytest.raises(UsageError) as caught:
        load_hypervisor(file).set_cr3(None, 7)  # type: ignore[arg-type]
    assert place_of(caught.value) == f"{file}:5"


def test_a_traceback_begins_with_the_users_code(write: Callable[..., str]) -> None:
    file = write(HEAD + "class One(Hypervisor):\n    def set_cr3(self, vcpu, value):\n        return {}[value]\n")
    hypervisor = load_hypervisor(file)
    with pytest.raises(KeyError) as caught:
        hypervisor.set_cr3(None, 7)  # type: ignore[arg-type]
    assert place_of(caught.value) == f"{file}:4"
    shown = user_traceback(caught.value)
    assert f'"{file}", line 4, in set_cr3' in shown
    assert shown.rstrip().endswith("KeyError: 7")
