# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""After a detach a kernel runs what it ran before: instruction for instruction, byte for byte.

Two machines whose cycle counter counts instructions boot, check themselves, and measure. One is never touched. In the
other, between the first check and the first measurement, all calls are counted or traced and let go again.

What may differ is when a call site becomes an instruction: the first time that it runs while its call is native, so in
the second machine some sites remain calls until the measurements. Each measurement's warm-up runs all its sites; that
is why its batches are compared and not the whole boot. A timer interrupt falls into other batches than it did, since
the checks took more instructions: the medians hold none of them.

Both make the same checks, once: what a switch or a fork costs depends on where in the kernel's table processes lie, and
so on how many there have been.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

import pytest

from openvmi import images
from openvmi.abi.wire import Mode
from openvmi.hypervisor.base import Hypervisor
from openvmi.hypervisor.fingerprint import Fingerprint, find_text, take
from openvmi.hypervisor.session import Session
from openvmi.machine import MachineConfig
from openvmi.report import Report, parse_report

Change = Callable[[Session, Callable[[], None]], None]


def counted(session: Session, a_while: Callable[[], None]) -> None:
    session.switch(Mode.COUNT)
    a_while()


def traced(session: Session, a_while: Callable[[], None]) -> None:
    session.switch(Mode.TRACE)
    a_while()


def all_sorts(session: Session, a_while: Callable[[], None]) -> None:
    for mode in (Mode.COUNT, Mode.TRACE, Mode.NATIVE, Mode.TRACE):
        session.switch(mode)
        a_while()
        session.detach()


def boot(kernel: str, change: Change | None) -> tuple[Report, Fingerprint]:
    """Run a machine; return what it measured, and its fingerprint once all was let go."""
    path = images.path(kernel)
    config = MachineConfig(
        kernel=path, append="-- check bench batches=9", accel="tcg", icount=True, timeout=100, expect_report=True
    )
    errors: list[str] = []
    with Session(Hypervisor(), config) as session:

        def verbs() -> list[str]:
            return [line.verb for line in session.machine.result.lines]

        def a_while() -> None:
            """Return when another group of checks is done: not by time, for each boot has to make the same checks."""
            done = verbs().count("check")
            while verbs().count("check") == done and session.machine.outcome is None:
                time.sleep(0.001)

        def work() -> None:
            try:
                a_while()
                if change is not None:
                    change(session, a_while)
                    if not session.detach().sites:
                        errors.append("sites were not switched back")
                    if "bench" in verbs():
                        errors.append("too late: it measures already")
            except Exception as error:  # noqa: BLE001 - looked at below
                errors.append(repr(error))

        thread = threading.Thread(target=work)
        thread.start()
        outcome = session.wait()
        thread.join(10)
        assert outcome.ok, outcome.reason
        assert not errors
        assert bool(session.link.counts()) == (change is not None)
        return parse_report(outcome.report), take(session.link, session.machine.ram, find_text(path))


def medians(report: Report) -> dict[str, float]:
    return {name: statistics.median(each.ticks) for name, each in report.benches.items()}


@pytest.mark.parametrize("kernel", ["guest.elf", "guest-pae.elf"])
def test_after_a_detach_all_is_as_if_nobody_had_been_there(kernel: str) -> None:
    untouched, prints = boot(kernel, None)
    wanted = medians(untouched)
    assert len(wanted) == 13
    assert prints.text
    for change in (counted, traced, all_sorts):
        report, after = boot(kernel, change)
        assert medians(report) == wanted, change
        assert after == prints, change
