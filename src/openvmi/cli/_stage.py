# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One stage for two voices: what the guest prints, and what a hypervisor in Python prints meanwhile.

The console comes in pieces of a line, in the thread that waits for the machine; a hypervisor prints in the brain's
thread, which must never wait for whoever reads our output, because the guest waits for it. So its lines are queued, and
written by the waiting thread: whole, and between two lines of the console. A console that stops in the middle of a line
(a prompt) gets a line's end first, after a moment.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_PATIENCE: Final = 0.2
_MOST: Final = 100_000


class Stage:
    """Orders what is written to stdout and stderr while a machine runs.

    Args:
        console: writes what the guest prints; None to show nothing of it.
        write: writes to a descriptor, all of it.

    Attributes:
        doorbell: becomes readable when lines wait: give it to the machine, with :meth:`answer` as its reader.
        dropped: lines that were not written, because nobody takes them.
        failed: lines that could not be written: a full disk, for one.
        why: what was the matter with the first of those.
    """

    def __init__(
        self, console: Callable[[bytes], object] | None, write: Callable[[int, bytes], object] = os.write
    ) -> None:
        self.dropped = self.failed = 0
        self.why = ""
        self._console = console
        self._write = write
        self._lines: deque[tuple[int, bytes]] = deque()
        self._since = 0.0
        self._open = False
        self.doorbell, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        self._lock = threading.Lock()

    def show(self, data: bytes) -> None:
        """Show a piece of the console; lines that wait are put before its last line if that is not complete."""
        if self._console is None:
            return
        end = data.rfind(b"\n") + 1
        if self._lines and end:
            self._console(data[:end])
            self._open = False
            self.flush()
            data = data[end:]
        if data:
            self._console(data)
            self._open = not data.endswith(b"\n")

    def say(self, fd: int, line: bytes) -> None:
        """Queue a line for ``fd``, in any thread; never waits."""
        with self._lock:
            if len(self._lines) >= _MOST:
                self.dropped += 1
                return
            if not self._lines:
                self._since = time.monotonic()
            self._lines.append((fd, line))
        self.ring()

    def nudge(self) -> None:
        """See to it that what waits for the end of the console's line does not wait for ever; in any thread."""
        if self._lines and time.monotonic() - self._since > _PATIENCE:
            self.ring()

    def answer(self, data: bytes) -> None:
        """Write what waits, unless the console is in the middle of a line and may end it soon."""
        del data
        if not self._open or time.monotonic() - self._since > _PATIENCE:
            self.flush()

    def flush(self) -> None:
        """Write what waits, now."""
        if self._lines and self._open and self._console is not None:
            self._console(b"\n")
            self._open = False
        while self._lines:
            fd, line = self._lines.popleft()
            try:
                self._write(fd, line)
            except OSError as error:  # as with the console: a reader who has left ends no machine
                if error.errno != errno.EPIPE:
                    self.failed += 1
                    self.why = self.why or error.strerror or str(error)

    def close(self) -> None:
        """Write what waits, and give the doorbell back."""
        self.flush()
        os.close(self.doorbell)
        os.close(self._bell)
        self._bell = self.doorbell = -1

    def voice(self, fd: int) -> Voice:
        """Return a text stream whose lines go to ``fd``."""
        return Voice(self, fd)

    def ring(self) -> None:
        """Make the doorbell readable; in any thread."""
        with contextlib.suppress(OSError):  # full: it rings already
            os.write(self._bell, b"x")


class Voice(io.TextIOBase):
    """Stands in for ``sys.stdout`` or ``sys.stderr``: whole lines to a :class:`Stage`.

    Args:
        stage: takes the lines.
        fd: where they go.
    """

    def __init__(self, stage: Stage, fd: int) -> None:
        self._stage = stage
        self._fd = fd
        self._parts: dict[int, str] = {}

    @property
    def encoding(self) -> str:  # type: ignore[override] # a plain attribute in typeshed
        """UTF-8, whatever the locale."""
        return "utf-8"

    def fileno(self) -> int:
        """Return the descriptor behind it."""
        return self._fd

    def isatty(self) -> bool:
        """Say whether a person may look at it."""
        return os.isatty(self._fd)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Take ``text``; each thread has a line of its own."""
        me = threading.get_ident()
        whole, newline, rest = (self._parts.pop(me, "") + text).rpartition("\n")
        if newline:
            self._say(whole)
        if rest:
            self._parts[me] = rest
        return len(text)

    def finish(self) -> None:
        """Let lines that have no end have one."""
        for me in list(self._parts):
            self._say(self._parts.pop(me))

    def _say(self, text: str) -> None:
        self._stage.say(self._fd, f"{text}\n".encode("utf-8", "backslashreplace"))
