# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The console: dialogue, logs that can't be written, and what is shown to people."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi.errors import ExitCode, GuestTimeoutError, HarnessError, UsageError
from openvmi.machine import Machine, MachineConfig
from openvmi.machine.console import Console, ConsoleLog
from openvmi.machine.pump import Stop

Steps = Callable[..., MachineConfig]
OFF = "event=guest-shutdown"


def quiet_console(**changes: object) -> Console:
    return Console(ConsoleLog(), lambda _: None, lambda *_: Stop.ENDED, **changes)  # type: ignore[arg-type] # sink only


def test_dialogue(steps: Steps) -> None:
    with Machine(steps("console=login: ", "echo=6", "console= welcome login: ", OFF)) as vm:
        assert vm.console.expect("login:", timeout=5) == "login:"
        vm.console.send("guest\n")
        assert vm.console.expect(re.compile(rb"wel\w+"), timeout=5) == " guest\n welcome"
        assert vm.console.expect(b"login:", timeout=5) == " login:"
        assert vm.wait().ok
    assert vm.console.text == "login: guest\n welcome login: "


def test_what_was_printed_before_the_end_is_found(steps: Steps) -> None:
    with Machine(steps("console=bye", OFF)) as vm:
        vm.wait()
        assert vm.console.expect("bye") == "bye"
        with pytest.raises(HarnessError, match="and the machine has ended") as caught:
            vm.console.expect("more")
        assert caught.value.help == "its last lines: bye"


def test_what_does_not_come_in_time(steps: Steps) -> None:
    with Machine(steps("console=one\\ntwo", "sleep=9")) as vm:
        with pytest.raises(GuestTimeoutError, match=r"did not show b'three' within 0.2 s") as caught:
            vm.console.expect("three", timeout=0.2)
        assert caught.value.help == "its last lines: one / two"


def test_flood_is_taken_whole(steps: Steps, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Machine(steps("flood=30000", OFF, console_log=log)) as vm:
        assert vm.wait().ok
    assert log.stat().st_size == 3_000_000
    assert len(vm.console.text) < 1_000_000


def test_sink_sees_everything_and_may_break(steps: Steps) -> None:
    seen: list[bytes] = []

    def sink(data: bytes) -> None:
        seen.append(data)
        if b"two" in data:
            raise BrokenPipeError(32, "Broken pipe")

    with Machine(
        steps("console=one", "sleep=0.1", "console=two", "sleep=0.1", "console=six", OFF), console_sink=sink
    ) as vm:
        outcome = vm.wait()
    assert b"".join(seen) == b"onetwo"
    assert outcome.ok
    assert outcome.warnings == ("the console is no longer shown: Broken pipe",)


def test_file_that_cant_be_written(steps: Steps, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, reason in (
        (tmp_path, "Is a directory"),
        (tmp_path / "no" / "log", "No such file"),
        (fifo, "No such dev"),
    ):
        with pytest.raises(UsageError, match=rf"can't write the console's file: {reason}") as caught:
            Machine(steps(OFF, console_log=path)).start()
        assert caught.value.exit_code == ExitCode.USAGE


def test_full_disk_does_not_stop_the_machine(steps: Steps) -> None:
    with Machine(steps("console=text\\n", "result=exit 3", OFF, console_log=Path("/dev/full"))) as vm:
        outcome = vm.wait()
    assert outcome.status == 3
    assert outcome.warnings == ("the console's log is not complete: /dev/full: No space left on device",)
    assert outcome.console_tail == ("text",)


def test_no_temporary_directory(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with Machine(steps("console=text\\n", "event=guest-reset")) as vm:
        outcome = vm.wait()
    assert outcome.log is None
    assert outcome.console_tail == ("text",)
    assert outcome.warnings == (
        "the console's log is not complete: a temporary file in any directory: No usable temporary directory found",
    )


def test_file_system_without_nameless_files(
    steps: Steps, own_directories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    # so much that it is not held in memory
    with Machine(steps("flood=2000", OFF)) as vm:
        assert vm.wait().log is None
    assert not list(own_directories.iterdir())
    with Machine(steps("console=x", "event=guest-reset")) as vm:
        log = vm.wait().log
    assert log is not None
    assert log.read_text() == "x"


def test_an_interruption_leaves_nothing_behind(steps: Steps, own_directories: Path) -> None:
    def fail(vm: Machine) -> None:
        vm.console.expect("x")
        raise ZeroDivisionError

    vm = Machine(steps("console=x", "sleep=9"))
    with pytest.raises(ZeroDivisionError), vm:
        fail(vm)
    assert vm.outcome is not None
    assert (vm.outcome.how, vm.outcome.log) == ("interrupted", None)
    assert vm.console.text == "x"
    assert not list(own_directories.iterdir())


def test_tail_is_harmless() -> None:
    console = quiet_console()
    console.feed(b"\x1b]0;title\x07a\x1b[31mred\x1b[0m\r\n\x9b2J\xe2\x82\xacb\0\tc\r\n\r\n")
    assert console.tail() == ("]0;titleared", "\N{REPLACEMENT CHARACTER}2J€b\tc")
    assert console.tail(1) == ("\N{REPLACEMENT CHARACTER}2J€b\tc",)
    assert quiet_console().tail() == ()


def test_window_moves_on() -> None:
    console = quiet_console()
    for _ in range(40):
        console.feed(b"x" * 65536)
    assert 262144 <= len(console.text) <= 2 * 262144


def test_a_log_that_is_kept_removes_those_of_last_week(steps: Steps, own_directories: Path) -> None:
    old = ["openvmi-1-0.log", "openvmi-22-7.log"]
    other = ["openvmi-x-0.log", "openvmi-1-0.log.gz", "my-openvmi-1-0.log", "openvmi-3-0.log", "openvmi-4-0.log"]
    for name in [*old, *other[:-1]]:
        (own_directories / name).write_text(name)
        os.utime(own_directories / name, (0, 0))
    os.utime(own_directories / "openvmi-3-0.log")
    (own_directories / "openvmi-4-0.log").mkdir()
    os.utime(own_directories / "openvmi-4-0.log", (0, 0))
    with Machine(steps("console=x", OFF)) as vm:
        assert vm.wait().log is None
    assert {path.name for path in own_directories.iterdir()} == {*old, *other}
    with Machine(steps("console=x", "event=guest-reset")) as vm:
        log = vm.wait().log
    assert log is not None
    assert {path.name for path in own_directories.iterdir()} == {*other, log.name}
