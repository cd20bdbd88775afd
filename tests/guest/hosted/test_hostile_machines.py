# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real machines whose shared memory is written full of nonsense: whatever becomes of the guest, our side ends well."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from openvmi.errors import ExitCode
from openvmi.trace import TraceReader

OPENVMI = [sys.executable, "-m", "openvmi"]
LIMIT = 6
"""Seconds after which a guest that hangs is ended; how we end takes no longer than as much again."""
DOCUMENTED = {*range(124), ExitCode.TIMEOUT, ExitCode.HARNESS, ExitCode.PANIC}

# A hypervisor that stands in for a hostile guest: the memory is the same from either side.
SCRIBBLER = """
import random, threading, time
from openvmi.abi import wire
from openvmi.hypervisor import Hypervisor
from openvmi.hypervisor.link import area

DATA = [
    *range(64, 128, 4),  # of the header, what changes while a guest runs
    *range(128, 208, 4),  # modes
    *(area(cpu) + at for cpu in range(2) for at in range(0, 256, 4)),  # mailboxes and rings
    *(area(cpu) + at for cpu in range(2) for at in range(256, 900, 4)),  # counters
    *range(wire.WIRE_SITES_OFFSET, wire.WIRE_SITES_OFFSET + 4096, 4),
    *range(wire.WIRE_RINGS_OFFSET, wire.WIRE_RINGS_OFFSET + 4096, 4),
]
ALL = [*range(0, 0x28000, 4), *DATA]  # header, code and page tables, too
SMALL = [0, 1, 2, 3, 4, 5, 0x80, 0xFF, 1 << 31, (1 << 32) - 1]

class Scribbled(Hypervisor):
    places, pause, seed, seen = DATA, 0.001, 0, 0

    def set_cr3(self, vcpu, value):
        self.seen += 1
        f"{vcpu.call} {vcpu.where} {vcpu.stack()} {vcpu.task}"

    def set_pxe(self, vcpu, value, entry, flags):
        self.seen += 1

    def started(self, machine):
        threading.Thread(target=self._scribble, daemon=True).start()

    def _scribble(self):
        pick = random.Random(self.seed)
        words = self.link.words
        while self.link.guest_state.name == "SILENT":
            time.sleep(0.001)
        while True:
            words[pick.choice(self.places) // 4] = pick.choice([*SMALL, pick.getrandbits(32)])
            time.sleep(self.pause)
"""


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Consoles of guests that end badly are kept with the test's other files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_running(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


def outlive(*words: object) -> tuple[int, str]:
    """Run a command to its end; return its status and stderr. No QEMU of it is left."""
    began, qemus = time.monotonic(), set[int]()
    command = [*OPENVMI, *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not qemus and process.poll() is None and time.monotonic() < began + 5:
            qemus.update(children(process.pid))
            time.sleep(0.02)
        try:
            _, stderr = process.communicate(timeout=2 * LIMIT + 10)
        finally:
            process.kill()
    assert qemus
    assert not any(map(is_running, qemus))
    return process.returncode, stderr.decode()


def scribbler(folder: Path, seed: int, places: str, pause: float) -> Path:
    file = folder / "scribbler.py"
    changes = f"\n    seed, places, pause = {seed}, {places}, {pause}\n"
    file.write_text(SCRIBBLER + f"\nclass Mine(Scribbled):{changes}")
    return file


@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("seed", [1, 2])
def test_nonsense_where_guest_and_brain_meet(tmp_path: Path, seed: int, cpus: int) -> None:
    file, trace = scribbler(tmp_path, seed, "DATA", 0.001), tmp_path / "trace"
    machine = ["--hypervisor", f"{file}:Mine", "--cpus", cpus, "--timeout", LIMIT, "--append", "-- check bench"]
    status, stderr = outlive("trace", "-o", trace, "--", *machine)
    assert status in DOCUMENTED, stderr
    assert "Traceback" not in stderr
    assert re.search(r"[\d,]+ records in ", stderr), stderr
    with TraceReader(trace) as reader:
        assert set(reader.totals()) <= set(range(cpus))
        assert reader.complete
    assert outlive_view(trace) == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_nonsense_in_the_code_that_the_guest_runs(tmp_path: Path, seed: int) -> None:
    # a word of its code after the other, until the guest can't go on
    file, trace = scribbler(tmp_path, seed, "ALL", 0.0002), tmp_path / "trace"
    machine = ["--hypervisor", f"{file}:Mine", "--timeout", LIMIT, "--append", "-- check bench"]
    status, stderr = outlive("trace", "-o", trace, "--", *machine)
    assert status in DOCUMENTED, stderr
    assert "Traceback" not in stderr
    with TraceReader(trace) as reader:
        reader.totals()
        assert reader.complete
    status, stderr = outlive("run", "--quiet", *machine)
    assert status in DOCUMENTED, stderr
    assert "Traceback" not in stderr


def outlive_view(trace: Path) -> int:
    command = [*OPENVMI, "trace", "--read", str(trace), "--rows", "3"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode
