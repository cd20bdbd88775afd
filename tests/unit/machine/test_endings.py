# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way for a machine to end, with a QEMU that does as it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi.errors import ExitCode, GuestPanicError, GuestTimeoutError, HarnessError
from openvmi.machine import How, Machine, MachineConfig, Outcome
from openvmi.machine.outcome import Evidence, judge

Steps = Callable[..., MachineConfig]
OFF, RESET = "event=guest-shutdown", "event=guest-reset"
HELLO = "result=hello 1"

# name: (steps, changes to the configuration, how, exit code, words of the reason)
ENDINGS: dict[str, tuple[tuple[str, ...], dict[str, object], How, int, str]] = {
    "exit 0": ((HELLO, "result=exit 0", OFF), {}, How.EXITED, 0, "status 0"),
    "exit 5": ((HELLO, "result=exit 5", OFF), {"expect_report": True}, How.EXITED, 5, "status 5"),
    "exit 123": ((HELLO, "result=exit 123", OFF), {}, How.EXITED, 123, "status 123"),
    "exit 200 keeps clear of our codes": ((HELLO, "result=exit 200", OFF), {}, How.EXITED, 123, "status 200"),
    "exit, then reset": ((HELLO, "result=exit 0", RESET), {}, How.EXITED, 0, "status 0"),
    "exit, no power-off": ((HELLO, "result=exit 0", "sleep=9"), {}, How.EXITED, 0, "status 0"),
    "exit, deaf QEMU": (("deaf=1", "result=exit 2", "sleep=9"), {}, How.EXITED, 2, "status 2"),
    "exit, QEMU crashes": ((HELLO, "result=exit 0", "signal=11"), {}, How.EXITED, 0, "status 0"),
    "power-off": ((OFF,), {}, How.POWERED_OFF, 0, "powered off"),
    "power-off, report expected": ((OFF,), {"expect_report": True}, How.SILENT, 125, "never reported"),
    "hello, power-off": ((HELLO, OFF), {}, How.SILENT, 125, "without giving an exit status"),
    "impossible status": ((HELLO, "result=exit 999", OFF), {}, How.SILENT, 125, "without giving"),
    "reset": ((RESET,), {}, How.RESET, 255, "a reboot or a triple fault"),
    "hello, reset": ((HELLO, RESET), {}, How.RESET, 255, "reset"),
    "panic, power-off": ((HELLO, "result=panic no stack", OFF), {}, How.PANIC, 255, "panicked: no stack"),
    "panic, reset": (("result=panic", RESET), {}, How.PANIC, 255, "did not say why"),
    "panic, hang": (("result=panic x", "sleep=9"), {}, How.PANIC, 255, "panicked: x"),
    "panic, exit 0": (("result=panic x", "result=exit 0", OFF), {}, How.PANIC, 255, "panicked: x"),
    "panic told by a device": (("event=guest-panic",), {}, How.PANIC, 255, "told QEMU so"),
    "spins": (("sleep=9",), {"timeout": 0.15}, How.TIMEOUT, 124, "within 0.15 s (it never reported)"),
    "hello, spins": ((HELLO, "sleep=9"), {"timeout": 0.6}, How.TIMEOUT, 124, "gave no exit status"),
    "QEMU refuses": (("stderr=qemu: bad option", "status=1"), {}, How.QEMU_FAILED, 125, "status 1: qemu: bad option"),
    "QEMU crashes": (("signal=11",), {}, How.QEMU_FAILED, 125, "killed by signal 11 and said nothing"),
    "QEMU ends well, no event": ((), {}, How.QEMU_FAILED, 125, "ended with status 0"),
    "QEMU is told to quit": (("event=host-qmp-quit",), {}, How.INTERRUPTED, 130, "told to quit"),
    "QEMU is ended by another": (("event=host-signal",), {}, How.QEMU_FAILED, 125, "from outside (host-signal)"),
    "QEMU's KVM gives up": (
        ("stderr=KVM internal error. Suberror: 1", "sleep=9"),
        {},
        How.QEMU_FAILED,
        125,
        "KVM could not run the guest",
    ),
}


def ended(config: MachineConfig) -> Outcome:
    with Machine(config) as vm:
        return vm.wait()


@pytest.mark.parametrize("name", ENDINGS)
def test_ending(name: str, steps: Steps) -> None:
    words, changes, how, code, reason = ENDINGS[name]
    outcome = ended(steps(*words, **changes))
    assert (outcome.how, outcome.exit_code) == (how, code), outcome
    assert reason in outcome.reason
    assert outcome.ok == (code == 0)


def test_every_ending_has_a_row() -> None:
    assert {row[2] for row in ENDINGS.values()} == set(How) - {How.STOPPED}  # which no evidence says


@pytest.mark.parametrize(
    ("evidence", "how"),
    [
        (Evidence(interrupted=True, returncode=-15), How.INTERRUPTED),
        (Evidence(interrupted=True, status=0), How.EXITED),
        (Evidence(interrupted=True, panic=""), How.PANIC),
        (Evidence(interrupted=True, timed_out=True), How.INTERRUPTED),
        (Evidence(timed_out=True, returncode=-9), How.TIMEOUT),
    ],
)
def test_what_comes_first(evidence: Evidence, how: How) -> None:
    assert judge(evidence).how is how


def test_errors_to_raise(steps: Steps) -> None:
    assert ended(steps("result=exit 1", OFF)).error() is None
    kinds = {RESET: GuestPanicError, "status=3": HarnessError, "sleep=9": GuestTimeoutError}
    for step, kind in kinds.items():
        outcome = ended(steps("console=last words\\n", step, timeout=2))
        error = outcome.error()
        assert type(error) is kind
        assert error.exit_code == ExitCode(outcome.exit_code)
        assert str(outcome.log) in error.help


def test_outcome_as_data(steps: Steps) -> None:
    data = ended(steps(HELLO, "result=mark userland", "result=exit 3", OFF)).as_dict()
    assert (data["how"], data["exit_code"], data["status"], data["qemu_status"]) == ("exited", 3, 3, 0)
    assert [line[:2] for line in data["report"]] == [["hello", "1"], ["mark", "userland"], ["exit", "3"]]  # type: ignore[attr-defined] # a list


def test_times(steps: Steps) -> None:
    outcome = ended(steps("sleep=0.2", "result=mark a", "result=exit 0", OFF))
    times = outcome.times
    assert 200e6 < times.marks["a"] <= times.duration < 5e9
    assert times.since_command("a") == times.to_start + times.marks["a"]
    assert times.since_command("b") is None


def test_warnings(steps: Steps) -> None:
    outcome = ended(steps("result=hello 9", "result=\\xff", "result=exit 0", "status=4"))
    assert outcome.ok
    assert [warning.split()[0] for warning in outcome.warnings] == ["the", "1", "QEMU"]


def test_log_is_kept_on_failure_only(steps: Steps, own_directories: Path) -> None:
    assert ended(steps("console=fine\\n", OFF)).log is None
    assert not list(own_directories.iterdir())
    outcome = ended(steps("console=one\\r\\n\\x1b[31mtwo\\r\\n", RESET))
    assert outcome.log is not None
    assert outcome.log.read_bytes() == b"one\r\n\x1b[31mtwo\r\n"
    assert outcome.console_tail == ("one", "two")
    outcome = ended(steps("console=kept\\n", OFF, keep_log=True))
    assert outcome.log is not None
    assert outcome.log.read_text() == "kept\n"
