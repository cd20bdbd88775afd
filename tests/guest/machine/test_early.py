# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A head start of the real QEMU: the same results as without, and gone after Ctrl-C at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi.machine import MachineConfig

from .kernels import COM1, COM2, POWER_OFF, SPIN, say
from .test_lifecycle import gone

Guest = Callable[..., MachineConfig]
MAIN = "from openvmi.cli import main; main()"


@pytest.fixture
def command(tmp_path: Path, qemu: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("OPENVMI_QEMU", qemu)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("OPENVMI_NO_SPECULATION", raising=False)
    kernel = str(tmp_path / "kernel.elf")
    return [sys.executable, "-c", MAIN, "run", "--kernel", kernel, "--hypervisor", "none", "--timeout", "20"]


def test_results_are_the_same(
    guest: Guest, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = guest(say(COM1, b"0123456789abcdef" * 6), say(COM2, b"hello 1\nexit 9\n"), POWER_OFF)

    def run() -> tuple[int, str, str]:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=40
        )
        return done.returncode, done.stdout, done.stderr.partition("; ended after")[0]

    first = run()
    assert first[:2] == (9, "0123456789abcdef" * 6)
    assert len(list((tmp_path / "cache" / "openvmi" / "starts").iterdir())) == 1
    assert [run() for _ in range(3)] == [first] * 3
    monkeypatch.setenv("OPENVMI_NO_SPECULATION", "1")
    assert run() == first
    assert gone(config.kernel)


def test_ctrl_c_at_any_moment(guest: Guest, command: list[str]) -> None:
    config = guest(SPIN)
    for milliseconds in (500, *range(4, 130, 9)):
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(milliseconds / 1000)
        os.kill(child.pid, signal.SIGINT)
        assert child.wait(15) != 0
        assert gone(config.kernel), milliseconds
