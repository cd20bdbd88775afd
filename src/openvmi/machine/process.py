# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU as a process: started without delay, never left behind.

A launcher stands between: ``setpriv`` asks the host's kernel to kill QEMU when its parent dies, and a line of shell
makes sure that the parent has not died before that. Both replace themselves, so QEMU has the process id that was
started. posix_spawn instead of fork: no copy of this process, no Python between fork and exec, safe with threads.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from ..errors import HarnessError

# $0 is the parent's process id as it was; a parent that died has left the launcher to another.
_IF_PARENT_LIVES = 'test "$PPID" = "$0" && exec "$@"'
_WITHOUT_SETPRIV = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) and os.execvp(sys.argv[2], sys.argv[2:])"
)
_POLL = 0.005


class QemuProcess:
    """A process in a process group of its own.

    Args:
        pid: its process id; not yet waited for.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.pidfd = _open_pidfd(pid)

    def poll(self) -> int | None:
        """Return the exit status (minus the signal's number when killed by one), or None while it runs."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                # somebody else's handler took the status; that it has ended is all that is left to know
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, seconds: float) -> int | None:
        """Wait until it has ended, at most ``seconds``; return what :meth:`poll` does."""
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(_POLL)
        return self.returncode

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the whole group, unless it has ended."""
        if self.poll() is None:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                self.poll()

    def kill_unreaped(self) -> bool:
        """Kill it from another thread than the one that waits for it; say whether that was possible."""
        try:
            if self.pidfd is None:
                os.killpg(self.pid, signal.SIGKILL)
            else:
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

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


def spawn(argv: Sequence[str], *, stdio: tuple[int, int, int], inherit: Sequence[int]) -> QemuProcess:
    """Start a program that dies with this process.

    The parent-death signal is tied to the thread that starts it, so other threads than the main one hand
    the start to a thread that lives as long as the process.

    Args:
        argv: the program and its arguments.
        stdio: descriptors for its stdin, stdout and stderr, all above 2.
        inherit: other descriptors that it gets, under the same numbers.

    Raises:
        HarnessError: it could not be started.
    """
    try:
        if threading.current_thread() is threading.main_thread():
            return QemuProcess(_spawn(argv, stdio, inherit))
        return QemuProcess(_SPAWNER.call(lambda: _spawn(argv, stdio, inherit)))
    except OSError as error:
        raise HarnessError(f"can't start a process: {error.strerror}", where=argv[0]) from error


def _spawn(argv: Sequence[str], stdio: tuple[int, int, int], inherit: Sequence[int]) -> int:
    command = [*_launcher(), *argv]
    # dup2 onto itself clears close-on-exec in the child alone: no other thread's child can inherit it meanwhile
    actions = [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(stdio)]
    actions += [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in inherit]
    return os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=actions,
        setpgroup=0,  # the terminal's Ctrl-C is for us, not for QEMU
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ],
    )


def _launcher() -> list[str]:
    me = str(os.getpid())
    for folder in os.get_exec_path():
        path = f"{folder or '.'}/setpriv"
        if os.access(path, os.X_OK):
            # busybox has a setpriv of its own, which can't do this
            if "busybox" in os.path.basename(os.path.realpath(path)):  # noqa: PTH119
                break
            return [path, "--pdeathsig", "KILL", "/bin/sh", "-c", _IF_PARENT_LIVES, me]
    return [sys.executable, "-I", "-S", "-c", _WITHOUT_SETPRIV, me]


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
    """Hold Ctrl-C back for the time of a few statements that belong together; it arrives right after them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        # None: the handler was not set from Python, and can't be set again from here
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)
        if held and callable(before):
            before(*held[0])
