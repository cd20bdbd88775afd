# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("asyncio", "qemu.qmp", "rich", "openvmi.machine", "click")


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pytest", "-p", "openvmi.pytest_plugin", "-p", "no:cacheprovider", "-q"]
    # without everybody else's plugins: they take most of the time
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [*words, *arguments, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env=alone,
    )


@pytest.fixture
def suite(tmp_path: Path, kernel: Path) -> Path:
    """Return a directory for a test-suite; ``KERNEL`` stands for a kernel's path in the test of :func:`write`."""
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(f"KERNEL = {str(kernel)!r}\n")
    return folder


def write(suite: Path, body: str) -> None:
    (suite / "test_it.py").write_text(f"from conftest import KERNEL\n\n{body}")


def test_registering_loads_nothing_heavy(suite: Path) -> None:
    write(suite, f"import sys\n\ndef test():\n    assert not set({HEAVY!r}) & set(sys.modules)\n")
    done = run_pytest(suite)
    assert done.returncode == 0, done.stdout


def test_fixture_and_options(suite: Path, fake_qemu: Path, tmp_path: Path) -> None:
    del fake_qemu
    write(
        suite,
        "def test_two(vm):\n"
        "    for text in 'ab':\n"
        "        machine = vm(kernel=KERNEL, append=f'console={text};result=exit 0;event=guest-shutdown')\n"
        "        assert machine.config.timeout == 7.5\n"
        "        assert machine.plan.accel.name == 'tcg'\n"
        "        assert machine.wait().ok\n",
    )
    logs = tmp_path / "kept"
    done = run_pytest(suite, "--openvmi-timeout=7.5", "--openvmi-accel=tcg", f"--openvmi-keep-logs={logs}")
    assert done.returncode == 0, done.stdout
    assert {path.name: path.read_text() for path in logs.iterdir()} == {
        "test_two-0.console.log": "a",
        "test_two-0.result.log": "exit 0\n",
        "test_two-1.console.log": "b",
        "test_two-1.result.log": "exit 0\n",
    }


def test_failure_shows_what_the_machine_said(suite: Path, fake_qemu: Path) -> None:
    del fake_qemu
    write(
        suite,
        "def test_it(vm):\n"
        "    machine = vm(kernel=KERNEL, append='console=last words;result=hello 1;event=guest-reset')\n"
        "    assert machine.wait().ok\n",
    )
    done = run_pytest(suite)
    assert done.returncode == 1
    assert "machine 0 (the guest reset the machine: a reboot or a triple fault): console" in done.stdout
    assert "last words" in done.stdout
    assert "ms  hello 1" in done.stdout


def test_machine_ends_with_its_test(suite: Path, fake_qemu: Path) -> None:
    del fake_qemu
    write(
        suite,
        "import os\n"
        "PIDS = []\n\n"
        "def test_one(vm):\n"
        "    PIDS.append(vm(kernel=KERNEL, append='sleep=30').pid)\n\n"
        "def test_two():\n"
        "    assert not os.path.exists(f'/proc/{PIDS[0]}')\n",
    )
    done = run_pytest(suite)
    assert done.returncode == 0, done.stdout


def test_no_qemu_is_a_skip_with_its_reason(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVMI_QEMU", "/nonexistent")
    write(suite, "def test_it(vm):\n    vm(kernel=KERNEL)\n")
    done = run_pytest(suite, "-rs")
    assert done.returncode == 0, done.stdout
    assert "qemu: OPENVMI_QEMU=/nonexistent: this QEMU is not a program that can be run" in done.stdout
