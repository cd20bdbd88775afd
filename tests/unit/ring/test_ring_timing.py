# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What Python decides about time, and who is offered the calls for it."""

from __future__ import annotations

import mmap
import time
from pathlib import Path

import pytest

from openvmi.abi import Call, wire
from openvmi.abi.wire import Action, Mode, RingExit, RingInfo, WireHeader, WirePayload
from openvmi.abi.wire import Path as Way
from openvmi.errors import UsageError
from openvmi.hypervisor import Continue, Hypervisor, Value
from openvmi.hypervisor.link import SWITCHABLE, Link
from openvmi.hypervisor.load import load_hypervisor
from openvmi.hypervisor.ring import Decision, Ring
from openvmi.hypervisor.vcpu import Vcpu

from .test_ring_exits import Asked

FREQUENCY = wire.RING_INFO_OFFSET + RingInfo.OFFSETS["frequency"]
SECOND = 1_000_000_000
TIMER = {Call(number) for number in range(66, 72)}


class Alarms(Ring):
    seen: tuple[int, int, int] = (0, 0, 0)

    def on_set_alarm(self, vcpu: Vcpu, flags: int, expiry: int, period: int) -> Decision:
        del vcpu
        self.seen = (flags, expiry, period)
        return Continue(expiry=expiry + 1, period=2 * period)

    def on_cancel_alarm(self, vcpu: Vcpu, counter: int) -> Decision:
        del vcpu, counter
        return Value(1)


def told(after: dict[str, int]) -> int:
    return after["eax"] | after["edx"] << 32


def test_alarms_are_the_monitors_unless_there_is_a_method() -> None:
    assert {RingExit.SET_ALARM, RingExit.CANCEL_ALARM}.isdisjoint(Ring().asked())
    ring = Alarms()
    assert {RingExit.SET_ALARM, RingExit.CANCEL_ALARM} <= set(ring.asked())
    asked = Asked(ring)
    action, after = asked.ask(RingExit.SET_ALARM, eax=0x10101, edx=0xFFFFFFFF, ecx=1, s1=7, s2=1)
    assert ring.seen == (0x10101, 0x1_FFFF_FFFF, 0x1_0000_0007)
    assert action == Action.CHANGED
    assert [after[name] for name in ("eax", "edx", "ecx", "s1", "s2")] == [0x10101, 0, 2, 14, 2]
    action, after = asked.ask(RingExit.CANCEL_ALARM, eax=1)
    assert (action, after["eax"]) == (Action.RETURN, 1)


def test_the_wall_clock_is_the_hosts() -> None:
    asked, before = Asked(Ring()), time.time_ns()
    action, after = asked.ask(RingExit.WALLCLOCK, eax=1, edx=0)
    assert action == Action.RETURN
    assert before <= told(after) <= time.time_ns()


def test_whether_the_clock_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, now = Asked(Ring()), [5 * SECOND]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    asked.link.bytes[FREQUENCY : FREQUENCY + 8] = (2 * SECOND).to_bytes(8, "little")
    answers = []
    for seconds, wall in ((1, 5), (2, 6), (3, 17), (4, 18)):
        now[0] = wall * SECOND
        ticks = 2 * SECOND * seconds
        _, after = asked.ask(RingExit.WALLCLOCK_SET, eax=ticks & 0xFFFFFFFF, edx=ticks >> 32)
        answers.append(after["eax"])
    assert answers == [1, 0, 1, 0]


def test_ring_offers_the_timer_and_others_do_not() -> None:
    assert Ring.offers == TIMER
    assert not Hypervisor.offers
    payload = WirePayload(wire.WIRE_HASH, 8, 0, 0, wire.WIRE_BASE + wire.WIRE_CODE_OFFSET).pack() + bytes(4096)
    link = Link(mmap.mmap(-1, wire.WIRE_SIZE), 1, payload, dict.fromkeys(Ring.offers, Way.SWITCHABLE))
    assert set(link.offered) == {*SWITCHABLE, *TIMER}
    link.set_mode(Mode.COUNT)
    assert link.mode(Call.SetAlarm) is Mode.COUNT
    assert link.bytes[WireHeader.OFFSETS["paths"] + Call.SetAlarm] == Way.SWITCHABLE
    assert Call.SetAlarm not in Link(mmap.mmap(-1, wire.WIRE_SIZE), 1, payload).offered


@pytest.mark.parametrize(("base", "works"), [("Ring", True), ("Hypervisor", False)])
def test_a_class_may_have_a_method_for_a_call_that_is_offered(tmp_path: Path, base: str, works: bool) -> None:  # noqa: FBT001 - a case
    file = tmp_path / "mine.py"
    file.write_text(
        f"from openvmi.hypervisor import {base}\n\n\nclass Mine({base}):\n"
        "    def set_alarm(self, vcpu, flags, expiry, period):\n        return None\n",
        encoding="utf-8",
    )
    if works:
        assert load_hypervisor(str(file)).routed() == (Call.SetAlarm,)
    else:
        with pytest.raises(UsageError, match="set_alarm is never asked") as caught:
            load_hypervisor(str(file))
        assert "from Ring" in caught.value.help
