# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How a machine ended: one judgement from all the evidence, as a table that can be tested row by row.

A guest must say that it is done, on the result channel: a status of 0 to 255. Silence, a reset, a panic, a time-out and
a QEMU that fails are different endings, and each has an exit code (:class:`openvmi.errors.ExitCode`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ..errors import ExitCode, GuestPanicError, GuestTimeoutError, HarnessError, OpenVmiError
from .channel import ResultLine

# Guests' own statuses end here, because the codes above have meanings of their own; as in xargs(1).
STATUS_PASSED_MAX = 123


class How(StrEnum):
    """The endings; ``stopped``, that whoever runs the machine has ended it on purpose, is for that one to say."""

    EXITED = "exited"
    POWERED_OFF = "powered-off"
    SILENT = "silent"
    RESET = "reset"
    PANIC = "panic"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    QEMU_FAILED = "qemu-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known when a machine has ended.

    Args:
        status: number of the guest's ``exit`` line, or None.
        panic: text of its ``panic`` line, or None.
        hello: it spoke the result protocol at all.
        expect_report: it had to.
        shutdown: reason of QEMU's SHUTDOWN event (QEMU qapi/run-state.json, ShutdownCause), or None.
        returncode: QEMU's exit status, negative for a signal.
        timed_out: we ended it at its time limit.
        interrupted: we ended it because somebody asked.
        complaint: what made us take QEMU for failed while it ran; empty if nothing.
        stderr: what QEMU wrote there.
        timeout: the limit in seconds, for the message.
    """

    status: int | None = None
    panic: str | None = None
    hello: bool = False
    expect_report: bool = False
    shutdown: str | None = None
    returncode: int | None = 0
    timed_out: bool = False
    interrupted: bool = False
    complaint: str = ""
    stderr: str = ""
    timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement.

    Args:
        how: the ending.
        exit_code: what a command should exit with.
        reason: one sentence.
    """

    how: How
    exit_code: int
    reason: str


def judge(evidence: Evidence) -> Verdict:
    """Return how the machine ended. The guest's own word comes first, then ours, then QEMU's."""
    if evidence.panic is not None:
        return Verdict(How.PANIC, ExitCode.PANIC, f"the guest panicked: {evidence.panic or 'it did not say why'}")
    if evidence.status is not None:
        passed = min(evidence.status, STATUS_PASSED_MAX)
        return Verdict(How.EXITED, passed, f"the guest exited with status {evidence.status}")
    if evidence.interrupted:
        return Verdict(How.INTERRUPTED, ExitCode.INTERRUPTED, "the machine was interrupted")
    if evidence.complaint:
        return Verdict(How.QEMU_FAILED, ExitCode.HARNESS, evidence.complaint)
    if evidence.timed_out:
        return Verdict(How.TIMEOUT, ExitCode.TIMEOUT, _timeout_reason(evidence))
    return _judge_end(evidence)


def _timeout_reason(evidence: Evidence) -> str:
    spoke = "it spoke on the result channel, but gave no exit status" if evidence.hello else "it never reported"
    return f"the guest did not end within {evidence.timeout:g} s ({spoke})"


def _judge_end(evidence: Evidence) -> Verdict:
    """Judge a QEMU that ended by itself, with no word from the guest."""
    if evidence.returncode or evidence.shutdown is None:
        return Verdict(How.QEMU_FAILED, ExitCode.HARNESS, _qemu_reason(evidence))
    if evidence.shutdown == "guest-panic":
        return Verdict(How.PANIC, ExitCode.PANIC, "the guest panicked, and told QEMU so")
    if evidence.shutdown == "guest-reset":
        return Verdict(How.RESET, ExitCode.PANIC, "the guest reset the machine: a reboot or a triple fault")
    if evidence.shutdown == "host-qmp-quit":
        return Verdict(How.INTERRUPTED, ExitCode.INTERRUPTED, "QEMU was told to quit")
    if evidence.shutdown != "guest-shutdown":
        return Verdict(How.QEMU_FAILED, ExitCode.HARNESS, f"QEMU was ended from outside ({evidence.shutdown})")
    if evidence.hello:
        return Verdict(How.SILENT, ExitCode.HARNESS, "the guest powered off without giving an exit status")
    if evidence.expect_report:
        return Verdict(How.SILENT, ExitCode.HARNESS, "the guest powered off and never reported")
    return Verdict(How.POWERED_OFF, ExitCode.OK, "the guest powered off")


def _qemu_reason(evidence: Evidence) -> str:
    code = evidence.returncode or 0
    end = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    said = [line for line in evidence.stderr.splitlines() if line.strip()]
    return f"QEMU {end}: {said[-1].strip()}" if said else f"QEMU {end} and said nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When things happened, in nanoseconds of one monotonic clock.

    Args:
        to_start: from the command's start to QEMU's.
        duration: from QEMU's start to its end.
        marks: from QEMU's start to the first arrival of each of the guest's ``mark`` lines.
    """

    to_start: int
    duration: int
    marks: Mapping[str, int]

    def since_command(self, mark: str) -> int | None:
        """Return the nanoseconds from the command's start to ``mark``, None if it never came."""
        at = self.marks.get(mark)
        return None if at is None else self.to_start + at


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a machine ended, and all that it left.

    Args:
        how: the ending.
        exit_code: what a command should exit with.
        reason: one sentence.
        status: the guest's own exit status, 0 to 255, or None.
        qemu_status: QEMU's exit status, negative for a signal; None when it never ran.
        stderr: what QEMU wrote there, the last 64 KiB.
        report: the lines of the result channel.
        report_dropped: how many lines more there were.
        times: when things happened.
        console_tail: the last lines of the console, with control characters made harmless.
        log: the whole console's file, when it was kept.
        warnings: troubles that did not stop the machine.
    """

    how: How
    exit_code: int
    reason: str
    status: int | None
    qemu_status: int | None
    stderr: str
    times: Times
    report: tuple[ResultLine, ...] = ()
    report_dropped: int = 0
    console_tail: tuple[str, ...] = ()
    log: Path | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether a command should exit with 0."""
        return self.exit_code == ExitCode.OK

    def error(self) -> OpenVmiError | None:
        """Return the failure as an error to raise; None if there is none, or if it is only the guest's own status."""
        kinds: dict[int, type[OpenVmiError]] = {
            ExitCode.TIMEOUT: GuestTimeoutError,
            ExitCode.PANIC: GuestPanicError,
            ExitCode.HARNESS: HarnessError,
        }
        kind = kinds.get(self.exit_code)
        if kind is None:
            return None
        return kind(self.reason, help=f"the console's log is {self.log}" if self.log else "")

    def as_dict(self) -> dict[str, object]:
        """Return the outcome as plain data, for JSON."""
        return {
            "how": str(self.how),
            "exit_code": int(self.exit_code),
            "reason": self.reason,
            "status": self.status,
            "qemu_status": self.qemu_status,
            "stderr": self.stderr,
            "times_ns": {
                "to_start": self.times.to_start,
                "duration": self.times.duration,
                "marks": dict(self.times.marks),
            },
            "report": [[line.verb, line.text, line.at] for line in self.report],
            "report_dropped": self.report_dropped,
            "console_tail": list(self.console_tail),
            "log": None if self.log is None else str(self.log),
            "warnings": list(self.warnings),
        }
