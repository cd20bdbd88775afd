# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi run`` with a head start: the same result, and nothing left, whatever the command line comes to."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openvmi.machine import HeadStart

from ..unit.machine.builders import multiboot
from ..unit.machine.fake import write_fake
from .conftest import Openvmi

MAIN = "from openvmi.cli import main; main()"
DONE = ("console=booting", "result=hello 1", "result=exit 3", "event=guest-shutdown")


@pytest.fixture
def kernel(tmp_path: Path) -> str:
    path = tmp_path / "kernel.elf"
    path.write_bytes(multiboot())
    return str(path)


@pytest.fixture
def pids(openvmi: Openvmi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let QEMU write its process id into a file before it does anything; return the file."""
    del openvmi
    path = tmp_path / "pids"
    qemu = tmp_path / "counting"
    fake = write_fake(tmp_path)
    qemu.write_text(f'#!/bin/sh\ntest "$1" = --version || echo $$ >> {path}\nexec {fake} "$@"\n')
    qemu.chmod(0o755)
    monkeypatch.setenv("OPENVMI_QEMU", str(qemu))
    return path


def words(kernel: str, *steps: str) -> list[str]:
    return ["run", "--kernel", kernel, "--hypervisor", "none", "--accel", "tcg", "--append", ";".join(steps)]


def started(pids: Path) -> list[int]:
    """Return the process ids of the starts since the last call; none of them runs."""
    found = [int(line) for line in pids.read_text().split()] if pids.exists() else []
    pids.unlink(missing_ok=True)
    assert not [pid for pid in found if lives(pid)]
    return found


def lives(pid: int) -> bool:
    """Say whether it runs; one whose parent has died may still wait for somebody to take its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] not in "ZX"
    except OSError:
        return False


def noted(command: list[str], argv: list[str], files: list[str]) -> None:
    """Write the note that ``command`` would have left had it started ``argv``."""
    head_start = HeadStart(command)
    head_start.begin()
    head_start.discard()
    head_start.remember(argv, files)


def run_with(change: str, command: list[str]) -> tuple[int, str]:
    """Run the command after a change to the modules that it imports."""
    code = f"import time\nimport openvmi.boot as boot\n{change}\n{MAIN}"
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )
    return done.returncode, done.stderr


def test_one_start_and_the_same_words(openvmi: Openvmi, kernel: str, pids: Path) -> None:
    first = openvmi(*words(kernel, *DONE))
    assert len(started(pids)) == 1
    second = openvmi(*words(kernel, *DONE))
    assert len(started(pids)) == 1
    assert first[:2] == second[:2] == (3, "booting")
    # the log's name holds a process id
    assert second[2].count("\n") == first[2].count("\n")


def test_only_what_was_started_is_noted(openvmi: Openvmi, kernel: str, pids: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "openvmi" / "starts"
    openvmi(*words(kernel, *DONE), "--dry-run")
    openvmi(*words(kernel, *DONE), "--no-such-option")
    openvmi(*words(kernel, *DONE), "--json", str(tmp_path / "out.json"))
    openvmi(*words(kernel, *DONE), "--console", str(tmp_path / "log"))
    assert len(started(pids)) == 2
    assert not cache.exists()


@pytest.mark.parametrize(
    ("more", "status"),
    [((), 3), (("--dry-run",), 0), (("--no-such-option",), 2), (("--memory", "1"), 2), (("--help",), 0)],
)
def test_a_note_of_something_else(  # noqa: PLR0913, PLR0917 - fixtures
    more: tuple[str, ...], status: int, openvmi: Openvmi, kernel: str, pids: Path, tmp_path: Path
) -> None:
    command = [*words(kernel, *DONE), *more]
    expected = openvmi(*command)
    truly = len(started(pids))
    wrong = tmp_path / "wrong"
    wrong.write_text(f"#!/bin/sh\necho $$ >> {pids}\nexec sleep 30\n")
    wrong.chmod(0o755)
    noted(command, [str(wrong)], [kernel])
    started(pids)
    code, out, _ = openvmi(*command)
    assert (code, out) == expected[:2]
    assert code == status
    # what was started early may have been killed before it could say so
    assert truly <= len(started(pids)) <= truly + 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("boot.InputError('no')", 2),
        ("RuntimeError('no')", 1),
        ("KeyboardInterrupt", 130),
        ("SystemExit(9)", 9),
        ("MemoryError", 1),
    ],
)
def test_an_error_on_the_way(error: str, status: int, openvmi: Openvmi, kernel: str, pids: Path) -> None:
    command = words(kernel, "sleep=20")
    openvmi(*command, "--timeout", "0.2")
    noted_too = [*command, "--timeout", "0.2"]
    assert len(started(pids)) == 1
    code, err = run_with(f"def fail(request):\n time.sleep(0.2)\n raise {error}\nboot.configure = fail", noted_too)
    assert code == status
    assert ("interrupted" in err) is (error == "KeyboardInterrupt")
    assert len(started(pids)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_between_start_and_taking_over(number: int, openvmi: Openvmi, kernel: str, pids: Path) -> None:
    command = [*words(kernel, "sleep=20"), "--timeout", "0.2"]
    openvmi(*command)
    started(pids)
    code, _ = run_with(
        f"import os\ndef fail(request):\n time.sleep(0.2)\n os.kill(os.getpid(), {int(number)})\nboot.configure = fail",
        command,
    )
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    time.sleep(0.1)  # the host's kernel kills it after us
    assert len(started(pids)) == 1


def test_the_variable(openvmi: Openvmi, kernel: str, pids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openvmi(*words(kernel, *DONE))
    started(pids)
    monkeypatch.setenv("OPENVMI_NO_SPECULATION", "1")
    code, _ = run_with("boot.configure = None", words(kernel, *DONE))
    assert code == 1
    assert not started(pids)


def test_the_head_start_needs_little() -> None:
    code = "import sys; had = set(sys.modules); import openvmi.cli; print(' '.join(set(sys.modules) - had))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    heavy = {"click", "enum", "typing", "re", "dataclasses", "pathlib", "threading", "subprocess", "json"}
    assert not heavy & set(done.stdout.split())
