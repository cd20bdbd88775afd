# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of all kinds, 50 ms apart, under a guest that checks itself without pause.

OPENVMI_STRESS_SECONDS=600 pytest tests/guest/hosted/test_stress.py -s   # ten minutes on each of four machines
"""

from __future__ import annotations

import os
import random
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openvmi import images
from openvmi.abi import Call
from openvmi.abi.wire import Mode
from openvmi.errors import HarnessError
from openvmi.hypervisor._generated_calls import SHAPES
from openvmi.hypervisor.answers import Answer, Continue, Refuse
from openvmi.hypervisor.base import Hypervisor
from openvmi.hypervisor.fingerprint import find_text, take
from openvmi.hypervisor.link import SWITCHABLE
from openvmi.hypervisor.session import Session
from openvmi.hypervisor.switchboard import Change
from openvmi.hypervisor.vcpu import Vcpu
from openvmi.machine import MachineConfig
from openvmi.report import parse_report
from openvmi.trace.live import LiveTrace

SECONDS = float(os.environ.get("OPENVMI_STRESS_SECONDS", "3"))
EVERY = 0.05
ROUND = 12
"""Changes until the books are balanced."""
# Done natively, they do nothing: to refuse them is the same.
NOTHING = (Call.SetLazyMode, Call.UpdateKernelStack, Call.AllocatePage, Call.ReleasePage, Call.IODelay)


class Few(Hypervisor):
    """Takes what a kernel calls often, and has it done: as it was passed, with the same arguments, or not at all."""

    def set_cr3(self, vcpu: Vcpu, value: int) -> Answer:
        del vcpu
        return Continue(value=value)

    def set_pxe(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> Answer:
        del vcpu
        return Continue(value=value, entry=entry, flags=flags)

    def disable_interrupts(self, vcpu: Vcpu) -> Answer:
        del vcpu
        return None

    def set_lazy_mode(self, vcpu: Vcpu, mode: int) -> Answer:
        del vcpu, mode
        return Refuse()


def _answering(call: Call) -> Callable[..., Answer]:
    names = [name for name, _, _ in SHAPES[call].takes]
    answer = Refuse() if call in NOTHING else None
    scope: dict[str, object] = {"answer": answer}
    exec(f"def method(self, vcpu, {', '.join(names)}): return answer", scope)  # noqa: S102 - it needs the names
    method = scope["method"]
    assert callable(method)
    return method


ALL = type("All", (Hypervisor,), {SHAPES[call].method: _answering(call) for call in SWITCHABLE})


class Forgetful:
    """Takes records and keeps none."""

    def append(self, cpu: int, records: bytes) -> None:
        """Forget them."""

    def lost(self, cpu: int, count: int) -> None:
        """Nothing was kept."""


@dataclass
class Stress:
    """Changes a machine until it ends.

    Attributes:
        rounds: after which the books were balanced.
        errors: what went wrong.
    """

    session: Session
    trace: LiveTrace
    random: random.Random
    kernel: Path
    rounds: int = 0
    changes: list[Change] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    calls: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def __str__(self) -> str:
        pauses = sorted(1e6 * change.pause for change in self.changes)
        late = sum(not change.sites for change in self.changes)
        report = parse_report(self.session.machine.result.lines)
        rounds = report.info.get("check-rounds", "no")
        parts = (
            f"{len(pauses)} changes in {self.rounds} rounds, {self.calls:,} calls balanced",
            f"{self.trace.lost:,} records lost and counted",
            f"pauses {pauses[len(pauses) // 2]:.0f} us, at most {pauses[-1]:.0f}",
            f"{late} changes whose sites took longer than 0.5 s",
            f"the guest checked itself {rounds} times {report.fails}",
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB",
        )
        return "; ".join(parts)

    def run(self) -> None:
        text = find_text(self.kernel)
        try:
            while self.going():
                before = self.books()
                counting = self.rounds % 2 == 1
                for _ in range(ROUND):
                    self.ended.wait(EVERY)
                    if self.going():
                        self.changes.append(self.change(counting=counting))
                if not self.going():
                    return
                last = self.session.detach()
                self.balance(before, counting=counting)
                if last.sites and self.is_up() and self.going():
                    self.texts.add(take(self.session.link, self.session.machine.ram, text).text)
                self.rounds += 1
        except Exception as error:  # noqa: BLE001 - looked at by the test
            if self.going() or not isinstance(error, HarnessError):  # else the machine ended under it
                self.errors.append(f"{type(error).__name__}: {error}")

    def is_up(self) -> bool:
        """Say whether the kernel has long patched what it patches itself."""
        return any((line.verb, line.text) == ("mark", "userland") for line in self.session.machine.result.lines)

    def going(self) -> bool:
        return self.session.machine.outcome is None and not self.ended.is_set()

    def change(self, *, counting: bool) -> Change:
        what, session = self.random.randrange(6), self.session
        if what == 0:
            change = session.attach(Few())
        elif what == 1:
            change = session.attach(ALL())
        elif what == 2:
            change = session.detach()
        else:
            modes = [Mode.NATIVE, Mode.TRACE, Mode.COUNT if counting else Mode.TRACE]
            some = self.random.sample(SWITCHABLE, self.random.randrange(1, len(SWITCHABLE)))
            change = session.switch(self.random.choice(modes), self.random.choice([None, some]))
        assert not change.outstanding
        return change

    def books(self) -> tuple[int, int]:
        """Return what the payload has counted, and what has reached us."""
        brain = self.session.brain
        assert brain is not None
        return sum(self.session.link.counts().values()), brain.answered + self.trace.records + self.trace.lost

    def balance(self, before: tuple[int, int], *, counting: bool) -> None:
        """Compare what was counted with what came, when it was all traced or asked; else wait until no more comes."""
        until, last = time.monotonic() + 5, -1
        while self.going():
            counted, came = (now - then for now, then in zip(self.books(), before, strict=True))
            if counted == came or (counting and came == last):
                self.calls += came
                return
            if time.monotonic() > until:
                self.errors.append(f"round {self.rounds}: {counted} calls were counted, and {came} came")
                return
            last = came
            time.sleep(0.05)  # what was under way


@pytest.mark.timeout(2 * SECONDS + 100)
@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("kernel", ["guest.elf", "guest-pae.elf"])
def test_changes_of_all_kinds_under_stress(kernel: str, cpus: int) -> None:
    config = MachineConfig(
        kernel=images.path(kernel),
        cpus=cpus,
        append=f"-- loop={max(1, round(SECONDS))}",
        accel="tcg",
        timeout=SECONDS * 2 + 60,
        expect_report=True,
    )
    pump: list[LiveTrace] = []
    session = Session(Hypervisor(), config, chores=lambda: bool(pump) and pump[0].pump(), period=0.002)
    with session:
        trace = LiveTrace(session.link, [Forgetful()])
        pump.append(trace)
        stress = Stress(session, trace, random.Random(f"{kernel}{cpus}"), images.path(kernel))  # noqa: S311 - a test
        thread = threading.Thread(target=stress.run)
        thread.start()
        outcome = session.wait()
        stress.ended.set()
        thread.join(20)
        trace.finish()
        sys.stdout.write(f"\n{kernel}, {cpus} CPUs: {stress}\n")
        assert not thread.is_alive()
        assert outcome.ok, f"{outcome.reason}: {parse_report(outcome.report).fails}"
        assert session.machine.result.status == 0
        assert session.link.losses().upcalls == 0
        assert session.failure is None
        assert not session.link.fault
    assert not stress.errors
    assert stress.rounds > SECONDS / (ROUND * EVERY) / 4
    assert len(stress.texts) == 1
    assert "" not in stress.texts
