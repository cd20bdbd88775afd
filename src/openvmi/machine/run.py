# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of QEMU: its process, channels and limits, from the start to the verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .channel import PROTOCOL, ResultChannel, ResultLine
from .config import MachineConfig
from .console import Console, ConsoleLog
from .events import Events
from .launch import Launched
from .process import QemuProcess
from .pump import Pump, Stop

if TYPE_CHECKING:
    from .outcome import Evidence, Outcome, Verdict

_STDERR_LIMIT = 1 << 16
# The watchdog is for programs that do something else than wait; the wait loop comes first, and knows more.
_WATCHDOG_LATE = 1.0
# QEMU stops the machine and lives on: without this the guest would seem to spin.
_KVM_TROUBLE = (b"KVM internal error", b"kvm run failed")


class Run:
    """A started QEMU.

    Args:
        config: what it runs.
        launched: its process and channels; ours from now on.
        sink: shows the console, or None.
        on_result: called with each line of the result channel, or None.

    Attributes:
        launched: as given.
        console: the console.
        result: the result channel.
        pump: the wait loop.
    """

    def __init__(
        self,
        config: MachineConfig,
        launched: Launched,
        sink: Callable[[bytes], object] | None = None,
        on_result: Callable[[ResultLine], None] | None = None,
    ) -> None:
        self.launched = launched
        self._state = _State(launched.started / 1e9 + config.timeout)
        # first: there may be no thread left
        self._watchdog = _Watchdog(launched.process, self._state.deadline + _WATCHDOG_LATE - time.monotonic())
        self.pump = Pump(lambda: self._process.poll() is not None, launched.process.pidfd)
        self.console = Console(ConsoleLog(config.console_log, launched.log), self.pump.write, self.until, sink)
        self.result = ResultChannel(on_result)
        self._config = config
        self._process = launched.process
        self._events = Events()
        self._stderr = bytearray()
        self._connect()

    def _connect(self) -> None:
        wires = self.launched.wires
        self.pump.add(wires.console_out, self.console.feed, gentle=True)
        self.pump.add(wires.result, self._take_result)
        self.pump.add(wires.events, self._events.feed)
        self.pump.add(wires.stderr, self._take_stderr)
        self.pump.set_output(wires.console_in)

    def until(self, condition: Callable[[], bool], seconds: float = float("inf")) -> Stop:
        """Carry on until ``condition`` holds, ``seconds`` have passed, or the machine has ended for whatever reason."""
        limit = time.monotonic() + seconds
        stop = self.pump.run(condition, lambda: min(limit, self._state.deadline))
        if stop is Stop.LATE and time.monotonic() >= self._state.deadline:
            self._state.timed_out = not self.result.ended
            self._end()
            return Stop.ENDED
        return stop

    @property
    def time_left(self) -> float:
        """Seconds until the machine is ended, at least 0."""
        return max(0.0, self._state.deadline - time.monotonic())

    def met(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Carry on as :meth:`until`; say whether ``condition`` came to hold."""
        return self.until(condition, seconds) is Stop.MET

    def interrupt(self) -> None:
        """End the machine because somebody wants it, even if the console's output has nowhere to go."""
        self.console.silence()
        self._state.interrupted = self._process.poll() is None
        self._end()

    def finish(self, command_start: int) -> Outcome:
        """Judge the run, whose process ends now if it has not."""
        from .outcome import Outcome, Times, judge  # noqa: PLC0415 - after QEMU's start

        self._end()
        duration = self._state.ended - self.launched.started
        self.result.finish(duration)
        evidence = self._evidence()
        verdict = judge(evidence)
        # an interruption leaves nothing behind
        failed = verdict.exit_code != 0 and verdict.how != "interrupted"
        log = self.console.log.finish(keep=self._config.keep_log or failed)
        return Outcome(
            how=verdict.how,
            exit_code=verdict.exit_code,
            reason=verdict.reason,
            status=self.result.status,
            qemu_status=self._process.returncode,
            stderr=evidence.stderr,
            times=Times(
                to_start=self.launched.started - command_start, duration=duration, marks=dict(self.result.marks)
            ),
            report=tuple(self.result.lines),
            report_dropped=self.result.dropped,
            console_tail=self.console.tail(),
            log=log,
            warnings=self._warnings(verdict),
        )

    def close(self) -> None:
        """End QEMU if it lives, and give every descriptor back. Harmless when repeated."""
        self._watchdog.cancel()
        self.launched.process.close()
        self.console.log.finish(keep=False)
        self.pump.close()
        self.launched.wires.close()

    def _take_result(self, data: bytes) -> None:
        before = self.result.ended
        self.result.feed(data, time.monotonic_ns() - self.launched.started)
        if self.result.ended and not before:
            self._state.deadline = min(self._state.deadline, time.monotonic() + self._config.exit_grace)

    def _take_stderr(self, data: bytes) -> None:
        self._stderr += data
        del self._stderr[:-_STDERR_LIMIT]
        if any(words in self._stderr for words in _KVM_TROUBLE):
            self._state.complaint = "KVM could not run the guest, although its probe said so"
            self._end()

    def _end(self) -> None:
        """End QEMU if it has not ended, and take what it left in the channels."""
        if self._process.poll() is None:
            self._state.ended_by_us = True
            self._process.end()
        self._state.ended = self._state.ended or time.monotonic_ns()
        self.pump.drain()

    def _evidence(self) -> Evidence:
        from .outcome import Evidence  # noqa: PLC0415

        return Evidence(
            status=self.result.status,
            panic=self.result.panic,
            hello=self.result.hello is not None,
            expect_report=self._config.expect_report,
            shutdown=self._events.shutdown,
            returncode=self._process.returncode,
            timed_out=self._state.timed_out or self._watchdog.fired,
            interrupted=self._state.interrupted,
            complaint=self._state.complaint,
            stderr=self._said(),
            timeout=self._config.timeout,
        )

    def _said(self) -> str:
        """Return what QEMU wrote on stderr, without its word that it was ended when that was our doing."""
        lines = self._stderr.decode("utf-8", "replace").splitlines(keepends=True)
        return "".join(line for line in lines if not (self._state.ended_by_us and "terminating on signal" in line))

    def _warnings(self, verdict: Verdict) -> tuple[str, ...]:
        result, code = self.result, self._process.returncode
        found = [self.console.log.warning, self.console.warning]
        if result.hello not in {None, PROTOCOL}:
            found.append(f"the guest speaks version {result.hello!r} of the result protocol, not {PROTOCOL}")
        if result.cut:
            found.append(f"{result.cut} lines of the result channel were too long or not ASCII, and were mended")
        if result.dropped:
            found.append(f"{result.dropped} lines of the result channel were too many, and were dropped")
        if code and not self._state.ended_by_us and verdict.how != "qemu-failed":
            found.append(f"QEMU ended with status {code}")
        return tuple(text for text in found if text)


@dataclass(slots=True)
class _State:
    """What the wait loop has decided.

    Args:
        deadline: when the machine is ended, as time.monotonic() has it.
        timed_out: that has happened, before the guest gave its status.
        interrupted: somebody ended it.
        ended_by_us: QEMU did not end by itself.
        complaint: why QEMU is taken for failed.
        ended: time.monotonic_ns() when its end was noticed.
    """

    deadline: float
    timed_out: bool = False
    interrupted: bool = False
    ended_by_us: bool = False
    complaint: str = ""
    ended: int = 0


class _Watchdog:
    """Kills a process at its time limit even if nobody waits for it.

    Args:
        process: the process; it must live at least until :meth:`cancel`.
        seconds: from now.
    """

    def __init__(self, process: QemuProcess, seconds: float) -> None:
        self.fired = False
        self._process = process
        self._lock = threading.Lock()
        self._cancelled = False
        # the longest wait that a lock takes is some 292 years on a 64-bit host
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._fire)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Let the process be; when this returns, it will not be signalled any more."""
        self._timer.cancel()
        with self._lock:
            self._cancelled = True

    def _fire(self) -> None:
        with self._lock:
            if not self._cancelled:
                self.fired = self._process.kill_unreaped()
