# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine's console: its log, its last lines, and a dialogue with it."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG

from ..errors import GuestTimeoutError, HarnessError
from .config import StrPath
from .pump import Stop

_WINDOW = 256 * 1024
TAIL_LINES = 20
# A temporary log stays in memory up to this size: most runs end well, and need no file.
_HELD = 64 * 1024
# The logs of failed runs that were not looked at for so long are removed when the next one is kept.
_KEPT_SECONDS = 7 * 86400
_KEPT_NAME = re.compile(r"openvmi-\d+-\d+\.log")

# A guest may print anything; what is shown to people must not steer their terminal.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class ConsoleLog:
    """The file that the whole console goes to.

    Args:
        path: the file's name; None for a temporary one, which is made when needed and has no name until it
            is kept, so that nothing is left behind even if this process is killed.
        fd: the open file, ours from now on; None exactly if ``path`` is.
    """

    def __init__(self, path: StrPath | None = None, fd: int | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.warning = ""
        self._folder = ""
        self._fd = fd
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Append ``data``. Trouble, for example a full disk, ends the log and not the machine."""
        if self._fd is None:
            self._held += data
            if len(self._held) <= _HELD:
                return
            data, self._held = bytes(self._held), bytearray()
        self._store(data)

    def _store(self, data: bytes) -> None:
        if self.warning:
            return
        try:
            if self._fd is None:
                self._fd = self._open_temporary()
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            name = self.path or f"a temporary file in {self._folder or 'any directory'}"
            self.warning = f"the console's log is not complete: {name}: {error.strerror or error}"

    def finish(self, *, keep: bool) -> Path | None:
        """Close the log; return its path when there is one: given by the user, or kept now."""
        if keep and self._held:
            held, self._held = bytes(self._held), bytearray()
            self._store(held)
        if self._fd is None:
            return self.path
        if keep and self.path is None:
            self._name()
        elif self.path is not None and self._folder and not keep:
            self.path.unlink(missing_ok=True)
            self.path = None
        os.close(self._fd)
        self._fd = None
        return self.path

    def _open_temporary(self) -> int:
        import tempfile  # noqa: PLC0415 - after QEMU's start

        self._folder = tempfile.gettempdir()
        try:
            return os.open(self._folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError:
            # some file systems have no nameless files
            fd, name = tempfile.mkstemp(prefix="openvmi-", suffix=".log")
            self.path = Path(name)
            return fd

    def _name(self) -> None:
        """Give the nameless file a name. Python's link follows the link in /proc only when given a descriptor too."""
        for number in range(1000):
            path = Path(self._folder) / f"openvmi-{os.getpid()}-{number}.log"
            try:
                os.link(f"/proc/self/fd/{self._fd}", path, src_dir_fd=self._fd)
            except FileExistsError:
                continue
            except OSError as error:
                self.warning = f"the console's log could not be kept: {path}: {error.strerror}"
            else:
                self.path = path
                _forget_old(self._folder)
            return


def _forget_old(folder: str) -> None:
    """Remove this user's kept logs in ``folder`` that are older than a week."""
    try:
        with os.scandir(folder) as entries:
            named = [entry for entry in entries if _KEPT_NAME.fullmatch(entry.name)]
    except OSError:
        return
    for entry in named:
        with contextlib.suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            old = status.st_mtime < time.time() - _KEPT_SECONDS
            if old and S_ISREG(status.st_mode) and status.st_uid == os.getuid():
                os.unlink(entry.path)  # noqa: PTH108


class Console:
    """The first serial port.

    Args:
        log: where everything goes.
        write: sends bytes to the guest.
        run: carries the machine on until a condition holds or the seconds have passed.
        sink: called with what the guest prints, as it comes; dropped with a warning when it raises OSError.
    """

    def __init__(
        self,
        log: ConsoleLog,
        write: Callable[[bytes], None],
        run: Callable[[Callable[[], bool], float], Stop],
        sink: Callable[[bytes], object] | None = None,
    ) -> None:
        self.log = log
        self.warning = ""
        self._write = write
        self._sink = sink
        self._window = bytearray()
        self._dropped = 0
        self._seen = 0
        self._run = run

    def feed(self, data: bytes) -> None:
        """Take what the guest printed."""
        self._window += data
        if len(self._window) > 2 * _WINDOW:
            excess = len(self._window) - _WINDOW
            del self._window[:excess]
            self._dropped += excess
        self.log.write(data)
        if self._sink is not None:
            try:
                self._sink(data)
            except OSError as error:
                self._sink = None
                self.warning = f"the console is no longer shown: {error.strerror or error}"

    def silence(self) -> None:
        """Show nothing more: whoever shows it may be what keeps us waiting."""
        self._sink = None

    def send(self, data: str | bytes) -> None:
        """Type ``data`` into the guest's console; text goes as UTF-8. Dropped when the machine has been closed."""
        self._write(data.encode() if isinstance(data, str) else data)

    def expect(self, pattern: str | bytes | re.Pattern[bytes], *, timeout: float = 10.0) -> str:
        """Wait until the guest prints something, from where the last ``expect`` ended.

        Args:
            pattern: exact text, or a compiled pattern of bytes.
            timeout: seconds.

        Returns:
            What was printed up to the end of the match.

        Raises:
            GuestTimeoutError: it was not printed in time.
            HarnessError: the machine has ended.
        """
        if isinstance(pattern, str):
            pattern = pattern.encode()
        wanted = re.compile(re.escape(pattern)) if isinstance(pattern, bytes) else pattern
        stop = self._run(lambda: self._search(wanted) is not None, timeout)
        if stop is Stop.MET:
            return self._consume(wanted)
        shown = f"the console did not show {wanted.pattern!r}"
        lines = "its last lines: " + " / ".join(self.tail(5))
        if stop is Stop.LATE:
            raise GuestTimeoutError(f"{shown} within {timeout:g} s", help=lines)
        raise HarnessError(f"{shown}, and the machine has ended", help=lines)

    def _search(self, wanted: re.Pattern[bytes]) -> re.Match[bytes] | None:
        return wanted.search(self._window, max(0, self._seen - self._dropped))

    def _consume(self, wanted: re.Pattern[bytes]) -> str:
        match = self._search(wanted)
        start = max(0, self._seen - self._dropped)
        end = match.end() if match else start
        self._seen = self._dropped + end
        return self._window[start:end].decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """The last 256 KiB or more of what the guest printed, as it printed it."""
        return self._window.decode("utf-8", "replace")

    def tail(self, count: int = TAIL_LINES) -> tuple[str, ...]:
        """Return the last ``count`` lines, with control characters made harmless."""
        text = self._window[-200 * count :].decode("utf-8", "replace").replace("\r\n", "\n").rstrip()
        if not text:
            return ()
        return tuple(_CONTROL.sub("", line).rstrip() for line in text.split("\n")[-count:])
