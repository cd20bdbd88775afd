# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands watched until userland: their time, their failures, and that none outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openvmi.bench.userland import first_sight
from openvmi.errors import GuestTimeoutError, HarnessError

SH = "/bin/sh"


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


def pid_in(file: Path) -> int:
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        if file.exists() and file.read_text().endswith("\n"):
            return int(file.read_text())
        time.sleep(0.01)
    raise TimeoutError(file)


def test_the_time_to_the_sign() -> None:
    assert 0.2 < first_sight([SH, "-c", "sleep 0.2; echo user; sleep 9"], b"user") < 2


def test_failures(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="without reaching"):
        first_sight([SH, "-c", "echo no"])
    with pytest.raises(GuestTimeoutError):
        first_sight([SH, "-c", "sleep 9"], limit=0.2)
    with pytest.raises(HarnessError, match="can't be started"):
        first_sight([str(tmp_path / "none")])


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    first_sight([SH, "-c", f"trap '' TERM; echo $$ > {file}; echo userland; while :; do sleep 0.1; done"])
    assert gone(pid_in(file))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_it_dies_with_us(tmp_path: Path, number: int) -> None:
    file = tmp_path / "pid"
    child = f"echo $$ > {file}; exec sleep 60"
    code = f"from openvmi.bench.userland import first_sight; first_sight([{SH!r}, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as us:
        pid = pid_in(file)
        os.kill(us.pid, number)
        us.wait(10)
    time.sleep(0.2)
    assert gone(pid)
