# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots in a row while Python is stopped at random, for up to a second each time: none fails, and no call is lost.

OPENVMI_BOOTS=1000 pytest -s tests/guest/ring/test_ring_boots.py    # so many on each kind of machine
OPENVMI_BOOTS_FIRST=1000 pytest ...                                 # others: each number has its own pauses
OPENVMI_BOOTS_KERNEL=bzImage pytest ...                             # another kernel than ours
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from openvmi.boot import Request, configure
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.ring.answers import Decision
from openvmi.hypervisor.session import Session
from openvmi.hypervisor.vcpu import Vcpu

BOOTS = int(os.environ.get("OPENVMI_BOOTS", "2"))
FIRST = int(os.environ.get("OPENVMI_BOOTS_FIRST", "0"))
KERNEL = os.environ.get("OPENVMI_BOOTS_KERNEL", "")
PAUSE = 1.0
START = 0.2
"""Seconds that Python itself needs before there is a machine."""


def interrupt(process: subprocess.Popen[bytes], dice: random.Random) -> float:
    """Stop and continue the process until it ends; return for how long it was stopped, altogether."""
    stopped, gap = 0.0, START + dice.uniform(0, 0.4)
    while True:
        try:
            process.wait(gap)
        except subprocess.TimeoutExpired:
            pause = dice.uniform(0, PAUSE)
            process.send_signal(signal.SIGSTOP)
            time.sleep(pause)
            process.send_signal(signal.SIGCONT)
            stopped += pause
            gap = dice.uniform(0.1, 0.3)  # less would be one pause
        else:
            return stopped


def boot(kernel: str, cpus: int, folder: Path, dice: random.Random) -> tuple[str, int, float]:
    """Return what went wrong, if anything; how many questions were answered; and for how long nobody answered."""
    found = folder / "found.json"
    words = ("--kernel", kernel, "--cpus", str(cpus), "--append", "" if KERNEL else "-- check", "--timeout", "100")
    command = (sys.executable, "-m", "openvmi", "run", "--hypervisor", "ring", "--quiet", "--accel", "tcg")
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [*command, *words, "--json", found], stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            stopped = interrupt(process, dice)
        finally:
            process.kill()  # who breaks this off may leave it stopped for ever
    said_last = (folder / "said").read_text(errors="replace")[-600:]
    if process.returncode:
        return f"exit code {process.returncode}: {said_last}", 0, stopped
    told = json.loads(found.read_text())
    asked = told["hosted"]
    if not told["rom"]["state"].startswith("active") or not asked["upcalls"]:
        return f"not under ring: {told['rom']}", 0, stopped
    lost = asked["lost_upcalls"] + asked["lost_records"]
    return f"{lost} lost: {said_last}" if lost else "", asked["upcalls"], stopped


@pytest.mark.timeout(BOOTS * 12 + 60)
@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("kernel", [KERNEL] if KERNEL else ["guest", "guest-pae"])
def test_boots_while_python_is_interrupted(kernel: str, cpus: int, tmp_path: Path) -> None:
    failures: Counter[str] = Counter()
    answered, stopped = 0, 0.0
    for number in range(FIRST, FIRST + BOOTS):
        dice = random.Random(f"{kernel} {cpus} {number}")  # noqa: S311 - a test
        why, asked, pauses = boot(kernel, cpus, tmp_path, dice)
        answered += asked
        stopped += pauses
        if why:
            failures[why] += 1
            sys.stdout.write(f"\nboot {number}: {why}\n")
    sys.stdout.write(
        f"\n{kernel}, {cpus} CPUs: {BOOTS} boots, {failures.total()} failed; "
        f"{answered:,} questions answered, nobody there for {stopped:.0f} s\n"
    )
    assert not failures


class Slow(Ring):
    """Thinks for long about the first port that it is asked about: a busy host's doing, or a pause upon a pause."""

    thinking = 2.5

    def on_out(self, vcpu: Vcpu, port: int, size: int, value: int) -> Decision:
        time.sleep(self.thinking)
        self.thinking = 0.0
        return super().on_out(vcpu, port, size, value)


def test_a_guest_waits_for_some_seconds() -> None:
    config = configure(Request(kernel="guest", hypervisor="ring", append="-- check", accel="tcg", timeout=60))
    with Session(Slow(), config) as session:
        assert session.wait().ok
        assert session.link.losses().upcalls == 0
