# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Modes and hypervisors change under calls that are being made: every call gets an answer, and the right one."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openvmi.abi import Call
from openvmi.abi.wire import BrainState, Mode, Phase
from openvmi.errors import HarnessError, UsageError
from openvmi.hypervisor import switchboard
from openvmi.hypervisor.answers import Answer
from openvmi.hypervisor.base import Hypervisor
from openvmi.hypervisor.link import SWITCHABLE
from openvmi.hypervisor.vcpu import Vcpu

from .wired import HEADER, Cpu, Guest, Named, Wired

LONG = 3.0  # seconds; far more than what is waited for takes on a busy host
MIXED = st.lists(
    st.one_of(
        st.tuples(st.just("switch"), st.sampled_from([Mode.NATIVE, Mode.COUNT, Mode.TRACE])),
        st.tuples(st.just("attach"), st.integers(1, 5)),
        st.tuples(st.just("detach"), st.just(0)),
    ),
    max_size=12,
)


def test_a_switch_changes_all_calls_and_says_what_they_were(wired: Wired) -> None:
    change = wired.board.switch(Mode.COUNT)
    assert set(change.calls) == set(SWITCHABLE)
    assert set(change.calls.values()) == {(Mode.NATIVE, Mode.COUNT)}
    assert {wired.link.mode(call) for call in SWITCHABLE} == {Mode.COUNT}
    again = wired.board.switch(Mode.COUNT, [Call.SetCR3])
    assert not again.calls
    assert 0 < change.took < 2


def test_a_call_that_has_no_stub_can_not_be_switched(wired: Wired) -> None:
    with pytest.raises(UsageError, match="can't be switched"):
        wired.board.switch(Mode.COUNT, [Call.SetCR3, Call.APICRead])
    assert wired.link.mode(Call.SetCR3) is Mode.NATIVE


def test_python_can_be_asked_only_where_somebody_answers(wired: Wired) -> None:
    with pytest.raises(UsageError, match="does not answer"):
        wired.board.switch(Mode.UPCALL, [Call.GetCR2])
    wired.board.attach(Named(1))
    wired.board.switch(Mode.NATIVE)
    assert wired.board.switch(Mode.UPCALL, [Call.GetCR2]).calls == {Call.GetCR2: (Mode.NATIVE, Mode.UPCALL)}


def test_an_attached_hypervisor_answers_and_a_detached_one_does_not(wired: Wired) -> None:
    cpu, hypervisor = Cpu(wired, 0), Named(1000)
    assert cpu.call(Call.GetCR2, 1) is None
    change = wired.board.attach(hypervisor)
    assert set(change.calls) == {Call.GetCR2, Call.GetCR3}
    assert wired.board.hypervisor is hypervisor
    assert hypervisor.link is wired.link
    assert cpu.call(Call.GetCR2, 1) == 1001
    assert set(wired.board.detach().calls) == {Call.GetCR2, Call.GetCR3}
    assert cpu.call(Call.GetCR2, 1) is None
    assert not wired.board.hypervisor.routed()


def test_a_hypervisor_that_is_replaced_leaves_nothing_of_its_own(wired: Wired) -> None:
    class Other(Hypervisor):
        def __init__(self) -> None:
            self.modes = {Call.SetCR3: Mode.COUNT}

        def get_cr3(self, vcpu: Vcpu) -> Answer:
            del vcpu
            return None

    wired.board.attach(Named(1))
    wired.board.attach(Other())
    modes = {call: wired.link.mode(call) for call in SWITCHABLE if wired.link.mode(call) is not Mode.NATIVE}
    assert modes == {Call.GetCR3: Mode.UPCALL, Call.SetCR3: Mode.COUNT}


def test_a_request_in_its_mailbox_is_answered_by_whom_it_was_sent_to(wired: Wired) -> None:
    slow = Named(1000, pause=0.3)
    wired.board.attach(slow)
    answers: dict[int, int | None] = {}
    cpus = [Cpu(wired, 0), Cpu(wired, 1)]
    threads = [
        threading.Thread(target=lambda cpu=cpu: answers.update({cpu.index: cpu.call(Call.GetCR2, cpu.index)}))
        for cpu in cpus
    ]
    for thread in threads:
        thread.start()
    while wired.link.words[cpus[1].box] & 3 != Phase.REQUEST or not slow.asked:
        time.sleep(0.001)
    change = wired.board.detach()
    for thread in threads:
        thread.join(5)
    # one is being answered, the other waits: both are his
    assert answers == {0: 1000, 1: 1001}
    assert not change.outstanding


def test_a_mode_read_before_and_asked_about_after_a_detach_is_native(wired: Wired) -> None:
    cpu, hypervisor = Cpu(wired, 0), Named(1000)
    wired.board.attach(hypervisor)
    assert cpu.call(Call.GetCR2, 1, between=wired.board.detach) is None
    assert (cpu.lost, cpu.native, hypervisor.asked) == (0, 1, 0)
    assert not wired.link.fault


def test_a_cpu_that_never_stops_filling_its_mailbox_is_named_and_not_waited_for(wired: Wired) -> None:
    wired.board.attach(Named(1))
    wired.link.words[Cpu(wired, 1).box] = 4 + Phase.CLAIMED
    began = time.monotonic()
    assert wired.board.detach().outstanding == (1,)
    assert time.monotonic() - began < LONG


def test_a_cpu_that_asks_again_at_once_has_gone_on(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "SETTLE", LONG)
    wired.board.attach(Named(1))
    cpus, answer, ended = [Cpu(wired, 0), Cpu(wired, 1)], wired.brain._answer, threading.Event()

    def ask_again(index: int, box: int, state: int) -> None:
        answer(index, box, state)
        if not ended.is_set():
            cpus[index].post(Call.GetCR2)

    monkeypatch.setattr(wired.brain, "_answer", ask_again)
    for cpu in cpus:
        cpu.post(Call.GetCR2)
    change = wired.board.attach(Named(2))
    ended.set()
    assert not change.outstanding
    assert change.took < LONG / 2


def test_a_handler_may_detach_its_own_hypervisor(wired: Wired) -> None:
    class Once(Named):
        def get_cr2(self, vcpu: Vcpu) -> Answer:
            wired.board.detach()
            return super().get_cr2(vcpu)

    cpu = Cpu(wired, 0)
    wired.board.attach(Once(5))
    assert cpu.call(Call.GetCR2, 1) == 6
    assert cpu.call(Call.GetCR2, 1) is None


def test_handlers_that_change_hypervisors_from_within_one_another_are_never_asked_twice(wired: Wired) -> None:
    class Detaching(Named):
        def get_cr2(self, vcpu: Vcpu) -> Answer:
            del vcpu
            self.asked += 1
            while wired.link.words[other.box] & 3 != Phase.REQUEST and self.asked == 1:
                time.sleep(0.001)
            wired.board.detach()
            return None

    cpu, other = Cpu(wired, 0), Cpu(wired, 1)
    hypervisor = Detaching(1)
    wired.board.attach(hypervisor)
    threads = [threading.Thread(target=each.call, args=(Call.GetCR2,)) for each in (cpu, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert hypervisor.asked == 2
    assert (cpu.native, other.native, cpu.lost, other.lost) == (1, 1, 0, 0)


def test_a_handler_that_hangs_delays_the_detach_and_not_the_modes(
    wired: Wired,
) -> None:
    hypervisor = Named(1, pause=2.0)
    wired.board.attach(hypervisor)
    thread = threading.Thread(target=Cpu(wired, 0).call, args=(Call.GetCR2,))
    thread.start()
    while not hypervisor.asked:
        time.sleep(0.001)
    with pytest.raises(HarnessError, match="not come back"):
        wired.brain.run(lambda: None, patience=0.1)
    began = time.monotonic()
    wired.board.switch(Mode.NATIVE)
    assert time.monotonic() - began < 1.5
    assert wired.link.mode(Call.GetCR2) is Mode.NATIVE
    assert not wired.board.detach().outstanding
    thread.join(5)


def test_a_handler_that_raises_costs_no_answer(wired: Wired) -> None:
    class Broken(Named):
        def get_cr2(self, vcpu: Vcpu) -> Answer:
            raise ValueError(vcpu.index)

    wired.on_verdict = lambda _: wired.board.detach()
    cpu = Cpu(wired, 0)
    wired.board.attach(Broken(1))
    assert cpu.call(Call.GetCR2) is None
    assert (cpu.lost, cpu.native) == (0, 1)
    assert [verdict.kind for verdict in wired.verdicts] == ["failed"]
    assert wired.link.mode(Call.GetCR3) is Mode.NATIVE
    assert wired.board.attach(Named(7)).calls
    assert cpu.call(Call.GetCR2, 1) == 8


def test_a_brain_that_the_guest_gave_up_is_asked_again(wired: Wired) -> None:
    wired.board.attach(Named(1))
    wired.link.words[HEADER["brain"]] = BrainState.LOST
    until = time.monotonic() + 2
    while wired.link.brain != BrainState.ALIVE and time.monotonic() < until:
        time.sleep(0.01)
    assert wired.link.brain == BrainState.ALIVE
    assert wired.brain.revivals == 1


def test_who_does_not_come_back_is_known(wired: Wired) -> None:
    wired.board.attach(Named(1, pause=0.5))
    cpu = Cpu(wired, 0)
    assert wired.brain.hanging is None
    assert cpu.ask(Call.GetCR2, 1, patience=0.1) is None
    assert wired.brain.hanging == Call.GetCR2
    until = time.monotonic() + 2
    while wired.link.brain != BrainState.ALIVE and time.monotonic() < until:
        time.sleep(0.01)
    assert wired.brain.hanging is None
    assert wired.brain.late == {Call.GetCR2}


def test_after_the_end_there_is_nobody_to_change_anything_for() -> None:
    with Wired() as wired:
        hypervisor = Named(1, pause=0.5)
        wired.board.attach(hypervisor)
        guest = threading.Thread(target=Cpu(wired, 0).call, args=(Call.GetCR2,))
        guest.start()
        while not hypervisor.asked:
            time.sleep(0.001)
        errors: list[Exception] = []

        def detach() -> None:
            try:
                wired.board.detach()
            except HarnessError as error:
                errors.append(error)

        waiting = threading.Thread(target=detach)
        waiting.start()
        time.sleep(0.05)
        wired.brain.stop()
        waiting.join(3)
        guest.join(3)
        assert not waiting.is_alive()
        assert [str(error) for error in errors] == ["the machine has ended"]


def test_what_the_chores_raise_ends_the_chores_alone() -> None:
    with Wired() as wired:
        wired.board.attach(Named(1))
        calls: list[int] = []

        def chores() -> None:
            calls.append(1)
            raise OSError("no space")

        wired.brain.run(lambda: setattr(wired.brain, "_chores", chores))
        until = time.monotonic() + 2
        while not calls and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.25)
        assert len(calls) == 1
        assert str(wired.brain.failure) == "no space"
        assert Cpu(wired, 0).call(Call.GetCR2, 1) == 2


@settings(max_examples=30, deadline=None)
@given(MIXED)
def test_whatever_is_changed_no_call_is_lost_and_each_is_answered_by_one_who_was_there(
    steps: list[tuple[str, int]],
) -> None:
    with Wired() as wired:
        guests = [Guest(wired, 0), Guest(wired, 1)]
        for guest in guests:
            guest.start()
        there: list[tuple[int, float, float]] = []
        now, since = 0, time.monotonic()
        for what, value in steps:
            began = time.monotonic()
            if what == "switch":
                wired.board.switch(Mode(value))
                continue
            change = wired.board.attach(Named(value << 24)) if what == "attach" else wired.board.detach()
            assert not change.outstanding
            there.append((now, since, time.monotonic()))
            now, since = value, began
            time.sleep(0.002)
        there.append((now, since, time.monotonic() + 5))
        for guest in guests:
            guest.end()
        assert [guest.cpu.lost for guest in guests] == [0, 0]
        for guest in guests:
            for began, ended, number, answer in guest.answers:
                assert answer is not None
                assert answer & 0xFFFFFF == number
                who = {name for name, first, last in there if first <= ended and began <= last}
                assert answer >> 24 in who
        assert not wired.link.fault
