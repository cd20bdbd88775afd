# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine under ``ring`` whose guest has nothing to do is switched, traced and left again as any other."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

OPENVMI = [sys.executable, "-m", "openvmi"]
NAME = "ring-attach"


def openvmi(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*OPENVMI, *words], capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture(autouse=True)
def idle() -> Iterator[None]:
    """Run a guest that sleeps, and is halted at nearly all of its interrupts."""
    command = [*OPENVMI, "run", "--hypervisor", "ring", "--quiet", "--timeout", "60", "--name", NAME]
    with subprocess.Popen([*command, "--append", "-- idle"], stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 15
            while '"active"' not in openvmi("ps", "--json").stdout:
                assert time.monotonic() < end
            time.sleep(1)  # for userland, where it is idle
            yield
        finally:
            process.terminate()
            process.wait(10)


def test_what_stubs_do_is_seen_while_the_guest_idles() -> None:
    done = openvmi("trace", "--attach", NAME, "--calls", "DisableInterrupts", "--first", "50")
    assert done.returncode == 0, done.stderr
    assert "50 records" in done.stderr


def test_what_runs_after_a_detach_is_what_ran_before() -> None:
    for _ in range(3):
        openvmi("switch", NAME, "DisableInterrupts,GetCycleCounter=count")
        time.sleep(0.1)
        done = openvmi("detach", NAME)
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("the same as before") == 2
