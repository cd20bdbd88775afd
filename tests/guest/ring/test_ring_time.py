# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Time for a guest off ring 0: the bundled kernel ticks by VMI alarms and counts them, and Python sees and decides."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from openvmi.abi import wire
from openvmi.abi.wire import RingExit, RingShared
from openvmi.boot import Request, configure
from openvmi.hypervisor import Continue, Delay, Value
from openvmi.hypervisor.answers import Answer
from openvmi.hypervisor.ring import Decision, Ring
from openvmi.hypervisor.session import Session
from openvmi.hypervisor.vcpu import Vcpu

REQUEST = Request(hypervisor="ring", append="-- check", accel="tcg", timeout=60)
TIME_CHECKS = 17
"""More than a kernel that ticks by the PC's timers makes."""
HALT_SECONDS = 2.0


def finished(ring: Ring, request: Request) -> tuple[Session, dict[str, list[str]]]:
    """Run to the end, which must be a good one; return the session and what the guest has reported, by first word."""
    with Session(ring, configure(request)) as session:
        outcome = session.wait()
        assert outcome.ok, outcome.reason
        assert session.machine.result.of("fail") == []
        assert session.brain is not None
        assert session.brain.failure is None
        told: dict[str, list[str]] = {}
        for kind in ("info", "check"):
            for line in session.machine.result.of(kind):
                told.setdefault(str(line.words[0]), []).append(str(line.words[1]))
        return session, told


@pytest.mark.parametrize(
    ("kernel", "cpus", "append", "model"),
    [
        ("guest", 1, "", "qemu32"),
        ("guest-pae", 2, "", "qemu32"),
        ("guest", 2, "", "qemu32"),
        ("guest-pae", 1, "noapic", "qemu32"),
        ("guest", 1, "", "qemu32,-apic"),
    ],
    ids=["lvtt", "lvtt-pae-2", "lvtt-2", "irq0", "pit"],
)
def test_ticks_are_counted(kernel: str, cpus: int, append: str, model: str) -> None:
    """None lost, none twice, and no counter goes back (guest/kernel/kcheck_smp.c)."""
    ring = Ring()
    request = replace(REQUEST, kernel=kernel, cpus=cpus, append=f"{append} -- check", cpu_model=model)
    _, told = finished(ring, request)
    assert told["timer"] == ["vmi"]
    assert int(told["kernel-time"][0]) == TIME_CHECKS
    counts = ring.exit_counts()
    assert counts[RingExit.TIMER] > 0
    assert counts[RingExit.WALLCLOCK] == 1


def test_with_instructions_counted_python_is_not_needed() -> None:
    ring = Ring().unasked()
    session, told = finished(ring, replace(REQUEST, icount=True))
    assert int(told["kernel-time"][0]) == TIME_CHECKS
    assert session.brain is not None
    assert session.brain.answered == 0


def stolen(ring: Ring, cpu: int) -> int:
    assert ring.link is not None
    at = wire.RING_CPUS_OFFSET + cpu * wire.RING_CPU_SIZE + wire.RING_CPU_SHARED + RingShared.OFFSETS["stolen"]
    return int.from_bytes(ring.link.bytes[at : at + 8], "little")


class Slow(Ring):
    """Takes its time over CPUID."""

    asked_for = 0

    def on_cpuid(self, vcpu: Vcpu, leaf: int, subleaf: int, a: int, b: int, c: int, d: int) -> Decision:  # noqa: PLR0913, PLR0917 - the instruction's
        self.asked_for += 1
        answer = super().on_cpuid(vcpu, leaf, subleaf, a, b, c, d)
        assert isinstance(answer, Value)
        return Delay(0.1, then=answer)


def test_a_wait_for_python_is_stolen() -> None:
    """The guest's own checks say that real = available + stolen all the same."""
    ring, began = Slow(), time.monotonic()
    finished(ring, REQUEST)
    took = time.monotonic() - began
    seconds = stolen(ring, 0) / ring.frequency
    assert ring.asked_for > 0
    assert 0.1 * ring.asked_for <= seconds < took


class Late(Ring):
    """Has each alarm come a millisecond later, and is told of each call."""

    flags: Sequence[int] = ()
    cancelled = 0

    def on_set_alarm(self, vcpu: Vcpu, flags: int, expiry: int, period: int) -> Decision:
        del vcpu
        self.flags = (*self.flags, flags)
        return Continue(expiry=expiry + self.frequency // 1000, period=period)

    def cancel_alarm(self, vcpu: Vcpu, counter: int) -> Answer:
        del vcpu, counter
        self.cancelled += 1
        return None


def test_python_decides_about_alarms() -> None:
    ring = Late()
    finished(ring, REQUEST)
    assert set(ring.flags) == {0x10101, 0x10000}, "periodic ones of the available counter, single ones of the real"
    assert ring.cancelled > 0


class Stopped(Ring):
    """A guest that gets no alarm at all."""

    def on_set_alarm(self, vcpu: Vcpu, flags: int, expiry: int, period: int) -> Decision:
        del vcpu, flags, expiry, period
        return Value()


def used(pid: int | str) -> float:
    """Return the seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("hypervisor", [Ring, Stopped])
def test_a_halted_guest_leaves_the_host_alone(hypervisor: type[Ring]) -> None:
    """Some 1.5 % of a core with the tick, and next to nothing without; a busy host tells no more than this."""
    with Session(hypervisor(), configure(replace(REQUEST, append="-- idle", timeout=30))) as session:
        time.sleep(1.0)
        processes: tuple[int | str, ...] = (session.machine.pid, "self")
        before = [used(pid) for pid in processes]
        time.sleep(HALT_SECONDS)
        qemu, brain = (used(pid) - then for pid, then in zip(processes, before, strict=True))
        assert qemu < HALT_SECONDS / 8
        assert brain < HALT_SECONDS / 8
