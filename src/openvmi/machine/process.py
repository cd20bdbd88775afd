# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU as a process: watched, signalled, never left behind. Module ``launcher`` says how it is started."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from ..errors import HarnessError
from .launcher import spawn_here

_POLL = 0.005


class QemuProcess:
    """A process in a process group of its own, which ends with it: QEMU may be started by a script that waits for it.

    Args:
        pid: its process id; not yet waited for.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.pidfd = _open_pidfd(pid)
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit status (minus the signal's number when killed by one), or None while it runs."""
        with self._lock:
            if self.returncode is None:
                try:
                    self.returncode = self._reap()
                except ChildProcessError:
                    # somebody else's handler took the status; that it has ended is all that is left to know
                    self.returncode = 0
            return self.returncode

    def _reap(self) -> int | None:
        """Take its status if it has ended, and what is left of its group with it: until then the number is ours."""
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        self._signal(signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _signal(self, number: int) -> bool:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def wait(self, seconds: float) -> int | None:
        """Wait until it has ended, at most ``seconds``; return what :meth:`poll` does."""
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(_POLL)
        return self.returncode

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the whole group, unless it has ended."""
        if self.poll() is None:
            self._signal(number)

    def kill_unreaped(self) -> bool:
        """Kill it from another thread than the one that waits for it; say whether that was possible."""
        with self._lock:
            return self.returncode is None and self._signal(signal.SIGKILL)

    def end(self, grace: float = 1.0) -> None:
        """End it: SIGTERM, so that disks are flushed, and SIGKILL after ``grace`` seconds. Does not return before."""
        self.kill(signal.SIGTERM)
        if self.wait(grace) is None:
            self.kill()
            self.wait(60.0)

    def close(self) -> None:
        """End it without grace if it still runs, and give its descriptor back."""
        self.kill()
        self.wait(60.0)
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None


def spawn(argv: Sequence[str], files: Sequence[int]) -> int:
    """Start a program that dies with this process; return its process id.

    The parent-death signal is tied to the thread that starts it, so other threads than the main one hand
    the start to a thread that lives as long as the process.

    Args:
        argv: the program and its arguments.
        files: as :func:`spawn_here`.

    Raises:
        HarnessError: it could not be started.
    """
    try:
        if threading.current_thread() is threading.main_thread():
            return spawn_here(argv, files)
        return _SPAWNER.call(lambda: spawn_here(argv, files))
    except (OSError, RuntimeError) as error:  # RuntimeError: no thread left
        reason = error.strerror if isinstance(error, OSError) else error
        raise HarnessError(f"can't start a process: {reason}", where=argv[0]) from error


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # Linux before 5.3 and some sandboxes: the wait loop looks at intervals instead


class _Spawner:
    """A thread that starts processes for other threads and ends only with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._work = threading.Semaphore(0)
        self._done = threading.Semaphore(0)
        self._job: object = None
        self._answer: int | BaseException = 0

    def call(self, job: object) -> int:
        with self._lock:
            self._start_thread()
            self._job = job
            self._work.release()
            self._done.acquire()
            answer = self._answer
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _start_thread(self) -> None:
        if self._owner != os.getpid():  # none yet, or this process is a fork of the one that had it
            self._work, self._done = threading.Semaphore(0), threading.Semaphore(0)
            threading.Thread(target=self._run, name="openvmi-spawner", daemon=True).start()
            self._owner = os.getpid()

    def _run(self) -> None:
        while True:
            self._work.acquire()
            try:
                self._answer = self._job()  # type: ignore[operator]
            except OSError as error:
                self._answer = error
            self._done.release()


_SPAWNER = _Spawner()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for the time of a few statements that belong together; it arrives right after them.

    So are SIGTERM and SIGHUP where something has been made to catch them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    caught = (number for number in (signal.SIGTERM, signal.SIGHUP) if callable(signal.getsignal(number)))
    before = {number: signal.signal(number, lambda *what: held.append(what)) for number in (signal.SIGINT, *caught)}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: the handler was not set from Python, and can't be set again from here
            signal.signal(number, handler if handler is not None else signal.default_int_handler)
        for what in held[:1]:
            handler = before[signal.Signals(what[0])]
            if callable(handler):
                handler(*what)
