# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command as a user calls it, in a process of its own, with a fake QEMU and directories of the test's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..unit.machine.fake import write_fake

Openvmi = Callable[..., tuple[int, str, str]]


@pytest.fixture
def openvmi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Openvmi:
    """Return a function that runs ``openvmi`` with the given words; it returns exit code, stdout and stderr."""
    for name, folder in (("XDG_CACHE_HOME", "cache"), ("TMPDIR", "tmp")):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("OPENVMI_QEMU", str(write_fake(tmp_path)))

    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-c", "from openvmi.cli import main; main()", *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=30,
        )
        return done.returncode, done.stdout, done.stderr

    return run
