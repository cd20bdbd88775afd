# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A program as a child process that dies with us, at the other end of fresh wires.

A launcher stands between: ``setpriv`` asks the host's kernel to kill QEMU when its parent dies, and a line of shell
makes sure that the parent has not died before that. Both replace themselves, so QEMU has the process id that was
started. posix_spawn instead of fork: no copy of this process, no Python between fork and exec, safe with threads.

Imports next to nothing: a head start (module ``early``) needs it before anything else is there.
"""

from __future__ import annotations

import os
import sys
import time
from _signal import SIGINT, SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ  # type: ignore[import-not-found] # signal needs 6 ms

from .wires import Wires

TYPE_CHECKING = False  # typing takes some milliseconds to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# $0 is the parent's process id as it was; a parent that died has left the launcher to another.
_IF_PARENT_LIVES = 'test "$PPID" = "$0" && exec "$@"'
_WITHOUT_SETPRIV = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) and os.execvp(sys.argv[2], sys.argv[2:])"
)


class Started:
    """A QEMU that has been started, and nothing more.

    Args:
        argv: its command.
        wires: its channels; closed if it can't be started.
        spawn: starts it: :func:`spawn_here`, or something that calls it.

    Attributes:
        pid: its process id; not yet waited for.
        wires: as given.
        started: time.monotonic_ns() at its start.

    Raises:
        Whatever ``spawn`` raises.
    """

    def __init__(self, argv: Sequence[str], wires: Wires, spawn: Callable[[Sequence[str], Sequence[int]], int]) -> None:
        self.wires = wires
        try:
            self.started = time.monotonic_ns()
            self.pid = spawn(argv, self.wires.theirs)
        except BaseException:
            self.wires.close()
            raise
        self.wires.close_theirs()

    def undo(self) -> None:
        """Kill it, wait for its end, and close its channels. Once, and only if nobody else waits for it."""
        try:
            os.killpg(self.pid, SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # somebody else's handler took its status
        finally:
            self.wires.close()


def spawn_here(argv: Sequence[str], files: Sequence[int]) -> int:
    """Start a program that dies with the thread that calls this; return its process id.

    Args:
        argv: the program and its arguments.
        files: what it gets as descriptors 0, 1, 2 ...; each number must be at least ``len(files)``.

    Raises:
        OSError: it could not be started.
    """
    command = [*_launcher(), *argv]
    return os.posix_spawnp(
        command[0],
        command,
        os.environ,
        # these close nothing that is still to be copied, since the sources lie above all targets
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(files)],
        setpgroup=0,  # the terminal's Ctrl-C is for us, not for QEMU
        setsigmask=[],
        setsigdef=[SIGINT, SIGPIPE, SIGTERM, SIGXFSZ],
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
