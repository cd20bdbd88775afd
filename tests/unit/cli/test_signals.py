# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A signal that the interpreter has lost comes again."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOSING = """
import os, signal, sys, time
from openvmi.cli import _signals
_signals.insist()
_signals.catch()
class Callback:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        time.sleep(1)
try:
    Callback()
    time.sleep(10)
except KeyboardInterrupt as error:
    sys.exit(getattr(error, "status", 130))
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_what_comes_in_a_callback_comes_again(name: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOSING.format(name=name)], capture_output=True, check=False, timeout=20
    )
    assert (done.returncode, done.stderr) == (status, b"")


def test_other_exceptions_in_callbacks_are_told_as_ever() -> None:
    code = LOSING.replace("os.kill(os.getpid(), signal.{name})", "raise ValueError('x')").replace(
        "sleep(10)", "sleep(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0
    assert "Exception ignored" in done.stderr
    assert "ValueError: x" in done.stderr
