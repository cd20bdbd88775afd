# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where commands write: readers that do not read, streams that are closed, disks that are full, files that are read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openvmi.errors import ExitCode

from ..unit.machine.builders import multiboot
from .conftest import Openvmi

MAIN = [sys.executable, "-c", "from openvmi.cli import main; main()"]
HELLO, OFF = "result=hello 1", "event=guest-shutdown"
FLOOD = "flood=5000"  # lines: more than a pipe takes


@pytest.fixture
def kernel(openvmi: Openvmi, tmp_path: Path) -> str:
    del openvmi
    path = tmp_path / "kernel.elf"
    path.write_bytes(multiboot())
    return str(path)


def run(kernel: str, *steps: str) -> list[str]:
    return ["run", "--kernel", kernel, "--hypervisor", "none", "--append", ";".join(steps)]


def shell(line: str, *words: str) -> tuple[int, str, str]:
    """Run the command with the shell's redirections ``line``."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {line}', "sh", *MAIN, *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=20,
    )
    return done.returncode, done.stdout, done.stderr


@contextmanager
def unread(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command with a stdout that nobody reads."""
    with subprocess.Popen(
        [*MAIN, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_reader_that_does_not_read_does_not_outlast_the_limit(kernel: str) -> None:
    with unread(*run(kernel, FLOOD, "sleep=30"), "--timeout", "1") as process:
        assert process.wait(10) == ExitCode.TIMEOUT
        assert process.stderr is not None
        assert b"no longer shown: nobody reads it" in process.stderr.read()


def test_ctrl_c_ends_a_run_whose_reader_does_not_read(kernel: str) -> None:
    with unread(*run(kernel, FLOOD, "sleep=30"), "--timeout", "60") as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == ExitCode.INTERRUPTED


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_stream_that_is_closed_does_not_change_the_status(kernel: str, closed: str) -> None:
    for status in (0, 7):
        code, _, err = shell(closed, *run(kernel, "console=booting", HELLO, f"result=exit {status}", OFF))
        assert code == status, err
        assert "Traceback" not in err


@pytest.mark.parametrize("words", [("abi",), ("completion", "bash"), ("--help",), ("--version",), ("run", "--help")])
def test_output_that_is_lost_is_an_error_in_a_line(openvmi: Openvmi, words: tuple[str, ...]) -> None:
    del openvmi
    code, _, err = shell(">/dev/full", *words)
    assert code == ExitCode.HARNESS
    assert err == "openvmi: stdout can't be written: No space left on device\n"
    assert shell(">&-", *words)[::2] == (0, "")


def test_a_reader_that_leaves_is_no_error_worth_a_word(openvmi: Openvmi) -> None:
    del openvmi
    assert shell("| true", "abi")[2] == ""


def test_the_guests_status_survives_json_that_is_lost(kernel: str) -> None:
    code, _, err = shell(">/dev/full", *run(kernel, HELLO, "result=exit 7", OFF), "--json", "-")
    assert code == 7
    assert "No space left" in err
    code, _, err = shell("", *run(kernel, HELLO, "result=exit 0", OFF), "--json", "/dev/full")
    assert code == ExitCode.HARNESS
    assert "No space left" in err


def test_json_is_whole_or_not_touched(kernel: str, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    file.write_text("before")
    assert shell("", "run", "--kernel", "/none", "--json", str(file))[0] == ExitCode.USAGE
    assert file.read_text() == "before"
    link = tmp_path / "link"
    link.symlink_to(file)
    assert shell("", *run(kernel, HELLO, "result=exit 0", OFF), "--json", str(link))[0] == 0
    assert link.is_symlink()
    assert json.loads(file.read_text())["status"] == 0
    assert not list(tmp_path.glob(".openvmi*"))


def test_json_through_a_pipe(kernel: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    words = [*run(kernel, HELLO, "result=exit 0", OFF), "--json", str(fifo)]
    code, _, err = shell("", *words)
    assert code == ExitCode.USAGE
    assert "can't write there" in err
    with subprocess.Popen(["/bin/cat", str(fifo)], stdout=subprocess.PIPE) as reader:
        time.sleep(0.2)
        assert shell("", *words)[0] == 0
        assert json.loads(reader.communicate(timeout=5)[0])["status"] == 0


@pytest.mark.parametrize("option", ["--json", "--console"])
def test_what_is_read_is_not_written(kernel: str, tmp_path: Path, option: str) -> None:
    before = Path(kernel).read_bytes()
    link = tmp_path / "link"
    link.symlink_to(kernel)
    for name in (kernel, str(link), f"{tmp_path}/../{tmp_path.name}/kernel.elf"):
        code, _, err = shell("", *run(kernel, OFF), option, name)
        assert code == ExitCode.USAGE
        assert "is read too" in err
    assert Path(kernel).read_bytes() == before


def test_two_outputs_are_two_files(kernel: str, tmp_path: Path) -> None:
    code, _, err = shell("", *run(kernel, OFF), "--json", f"{tmp_path}/one", "--console", f"{tmp_path}/one")
    assert code == ExitCode.USAGE
    assert "is written by --json too" in err
    assert shell("", *run(kernel, OFF), "--json", "/dev/null", "--console", "/dev/null")[0] == 0


def test_many_failed_checks_are_counted(kernel: str) -> None:
    fails = [f"result=fail group check {number}" for number in range(25)]
    code, _, err = shell("", *run(kernel, HELLO, *fails, "result=exit 1", OFF))
    assert code == 1
    assert err.count("failed check:") == 20
    assert "... and 5 more failed checks" in err


def test_names_do_not_break_messages(openvmi: Openvmi) -> None:
    _, _, err = openvmi("run", "--kernel", "/no\n\x1b[31mkernel")
    assert "\x1b" not in err
    assert "such" in err.splitlines()[0]


def test_completion_without_the_shells_variables(openvmi: Openvmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_OPENVMI_COMPLETE", "bash_complete")
    assert "Traceback" not in openvmi()[2]


def test_codes_that_are_needed_early_are_those_of_errors() -> None:
    from openvmi import _codes

    assert _codes.INTERRUPTED == ExitCode.INTERRUPTED
