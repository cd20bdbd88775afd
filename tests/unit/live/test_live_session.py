# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a session makes of what a hypervisor does beyond answers, without a machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from openvmi.abi import Call
from openvmi.abi.wire import GuestState, Mode
from openvmi.cli._hosted import Hosted
from openvmi.errors import HarnessError
from openvmi.hypervisor.answers import Answer, Debug, Delay, Snapshot
from openvmi.hypervisor.base import Hypervisor
from openvmi.hypervisor.handlers import Verdict
from openvmi.hypervisor.session import Session
from openvmi.hypervisor.vcpu import Vcpu
from openvmi.machine import Machine

from .wired import HEADER, Cpu, Named, Wired


class FakeQmp:
    """A machine monitor in which a migration ends as it is told."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.asked: list[str] = []

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> dict[str, object]:
        del arguments
        self.asked.append(command)
        if command == "migrate" and self.status == "refused":
            raise HarnessError("no")
        return {"status": self.status}


class FakeMachine:
    outcome = None

    def __init__(self, status: str = "completed") -> None:
        self.qmp = FakeQmp(status)


def session_of(wired: Wired, status: str = "completed") -> Session:
    """Return a session whose machine is made of wire."""
    made = Session.__new__(Session)
    made._first, made._link, made._brain, made._board = wired.board.hypervisor, wired.link, wired.brain, wired.board
    made._chores, made._told, made._pipe, made.stop, made.failure = (lambda: None), False, None, None, None
    made.guest = None
    made.machine = cast("Machine", FakeMachine(status))
    wired.on_verdict = made._verdict
    wired.brain._chores = made._do_chores
    return made


def until(condition: Any) -> None:  # noqa: ANN401
    end = time.monotonic() + 3
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)


def held(wired: Wired) -> bool:
    return wired.link.words[HEADER["hold"]] != 0


def test_sys_exit_in_idle_stops_the_machine_as_in_a_method(wired: Wired) -> None:
    class Leaving(Named):
        def idle(self) -> None:
            raise SystemExit(3)

    session = session_of(wired)
    session._first = leaving = Leaving(1)
    wired.board.hypervisor = leaving
    until(lambda: session.stop)
    assert session.stop is not None
    assert session.stop.status == 3
    assert wired.brain._thread.is_alive()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError("x")])
def test_no_exception_takes_the_brain_along(wired: Wired, error: BaseException) -> None:
    def fails(*_: object) -> None:
        raise error

    wired.brain._chores = fails
    until(lambda: wired.brain.failure)
    assert type(error).__name__ in f"{wired.brain.failure!r}"
    wired.brain.failure = None
    wired.on_verdict = fails
    wired.board.attach(Asking(Debug()))
    assert Cpu(wired, 0).call(Call.GetCR2) is None
    assert type(error).__name__ in f"{wired.brain.failure!r}"
    assert wired.brain._thread.is_alive()


def test_who_is_attached_is_started_before_it_is_asked(wired: Wired) -> None:
    session = session_of(wired)

    class Starting(Named):
        before: object = None

        def started(self, machine: Machine) -> None:
            del machine
            assert self.link is wired.link
            self.before = wired.link.mode(Call.GetCR2), wired.board.hypervisor

    starting = Starting(1)
    there = wired.board.hypervisor
    session.attach(starting)
    assert starting.before == (Mode.NATIVE, there)


def test_who_can_not_be_started_is_not_attached(wired: Wired) -> None:
    session = session_of(wired)

    class Broken(Named):
        def started(self, machine: Machine) -> None:
            raise ValueError("no", machine)

    session.attach(Named(5))
    with pytest.raises(ValueError, match="no"):
        session.attach(Broken(1))
    assert Cpu(wired, 0).call(Call.GetCR2, 1) == 6


class Asking(Hypervisor):
    """Answers GetCR2 with what it is given."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def get_cr2(self, vcpu: Vcpu) -> Answer:
        del vcpu
        return self.answer


@pytest.mark.parametrize("answer", [Delay(1e30), Debug()])
def test_a_wait_without_limit_ends_whatever_fails_in_it(wired: Wired, answer: Answer) -> None:
    session = session_of(wired)

    def debugger(vcpu: Vcpu | None) -> None:
        raise ValueError(vcpu)

    hypervisor = Asking(answer)
    hypervisor.debugger = debugger
    session.attach(hypervisor)
    assert Cpu(wired, 0).call(Call.GetCR2) is None
    assert not held(wired)


def test_what_can_not_be_started_is_closed(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    session, closed = session_of(wired), threading.Event()

    def fails() -> None:
        raise ValueError("started() failed")

    monkeypatch.setattr(session, "start", fails)
    monkeypatch.setattr(session, "close", closed.set)
    with pytest.raises(ValueError, match="failed"), session:
        pass
    assert closed.is_set()


def test_two_that_have_the_guest_wait_let_it_go_when_both_are_done(wired: Wired) -> None:
    began, ended = threading.Event(), threading.Event()

    def look_up_symbols() -> None:
        with wired.link.hold:
            began.set()
            ended.wait(3)

    other = threading.Thread(target=look_up_symbols)
    with wired.link.hold:
        other.start()
        began.wait(3)
    assert held(wired)
    ended.set()
    other.join(3)
    assert not held(wired)


@pytest.mark.parametrize("status", ["completed", "failed", "refused"])
def test_a_snapshot_that_fails_is_said_and_the_guest_goes_on(wired: Wired, status: str) -> None:
    session = session_of(wired, status)
    verdict = Verdict("snapshot", answer=Snapshot("file"))
    said: list[str] = []
    session._warn = said.append
    session._verdict(verdict)
    assert bool(said) == (status != "completed")
    assert cast("Any", session.machine.qmp).asked[-1] == "cont"
    assert not held(wired)


def test_a_machine_that_nobody_can_attach_to_says_why(wired: Wired) -> None:
    made = Hosted.__new__(Hosted)
    made._session, made.hypervisor = session_of(wired), Hypervisor()
    made._stage = cast("Any", SimpleNamespace(dropped=0, failed=0))
    made._control = cast("Any", SimpleNamespace(warning=""))
    wired.link.words[HEADER["guest_state"]] = GuestState.ACTIVE
    assert not list(made._warnings())
    made._control.warning = "others may write there"
    assert list(made._warnings()) == ["nobody could attach: others may write there"]
