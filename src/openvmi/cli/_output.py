# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What several commands write: the console as it comes, words on stderr, and files, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from stat import S_ISREG

import click

from ..errors import UsageError

# A pipe that poll() calls writable takes this much without waiting (POSIX's PIPE_BUF on Linux).
_PIECE = 4096


class Shown:
    """Writes what a guest prints to stdout, at once. A reader that does not read is waited for, but not for ever.

    Args:
        seconds: how long, from now; the machine's time limit.
    """

    def __init__(self, seconds: float) -> None:
        self._fd = sys.stdout.fileno()
        self._deadline = time.monotonic() + seconds

    def __call__(self, data: bytes) -> None:
        """Write ``data``.

        Raises:
            OSError: it can't be written, or nobody takes it.
        """
        try:
            while data:
                self._wait()
                data = data[os.write(self._fd, data[:_PIECE]) :]
        except BaseException:
            self._deadline = 0.0  # after Ctrl-C what the guest has left comes here, too
            raise

    def _wait(self) -> None:
        import select

        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        # poll() takes milliseconds in a C int; an hour at a time
        while not poll.poll(min(max(0.0, self._deadline - time.monotonic()), 3600.0) * 1000):
            if time.monotonic() >= self._deadline:
                raise TimeoutError("nobody reads it")


def tell(text: str, *, newline: bool = True) -> None:
    """Write ``text`` to stderr. If that is lost, nothing else is."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True, nl=newline)


class Output:
    """A file to be written when the work is done, and known now to be writable.

    A file that is there already stays as it is until the new one is whole; a pipe or a device is opened once.

    Args:
        file: its name; ``-`` is stdout.

    Raises:
        UsageError: it can't be written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.to_stdout = str(file) in {"-", "/dev/stdout"}
        self._fd: int | None = None
        if self.to_stdout:
            return
        try:
            self._fd = _open_special(file)
            if self._fd is None:
                fd, draft = _open_draft(file)
                os.close(fd)
                os.unlink(draft)  # noqa: PTH108
        except (OSError, ValueError) as error:
            raise UsageError(f"can't write there: {_why(error)}", where=str(file)) from error

    def write(self, data: bytes) -> None:
        """Write ``data``, once.

        Raises:
            UsageError: it could not be written.
        """
        try:
            if self.to_stdout:
                sys.stdout.flush()
                _write_all(sys.stdout.fileno(), data)
            elif self._fd is not None:
                _write_all(self._fd, data)
                os.close(self._fd)
            else:
                _replace(self.file, data)
        except OSError as error:
            raise UsageError(f"can't write there: {_why(error)}", where=str(self.file)) from error

    def write_json(self, data: dict[str, object]) -> None:
        """Write ``data`` as JSON, once.

        Raises:
            UsageError: it could not be written.
        """
        import json

        self.write(json.dumps(data, indent=2).encode() + b"\n")


def refuse_overwriting(outputs: dict[str, Path | None], inputs: list[Path]) -> None:
    """Refuse to write into a file that is read, or into one file twice.

    Args:
        outputs: by option, the file that it writes.
        inputs: files that are read.

    Raises:
        UsageError: that would happen.
    """
    taken = {os.path.realpath(path): "is read" for path in inputs}
    for option, path in outputs.items():
        if path is None or str(path) == "-":
            continue
        where = os.path.realpath(path)
        if where in taken or any(_same(path, other) for other in inputs):
            raise UsageError(f"this file {taken.get(where, 'is read')} too", where=f"{option} {path}")
        if not path.exists() or path.is_file():
            taken[where] = f"is written by {option}"


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def _open_special(file: Path) -> int | None:
    """Open ``file`` if it is there and no regular file; a pipe that nobody reads is an error, not a wait."""
    try:
        if S_ISREG(file.stat().st_mode):
            return None
    except FileNotFoundError:
        return None
    fd = os.open(file, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(fd, True)
    return fd


def _open_draft(file: Path) -> tuple[int, str]:
    """Make a file beside ``file``, or beside what it links to; return its descriptor and its path."""
    where = os.path.realpath(file)
    folder, name = os.path.split(where)
    if not str(file) or not name or str(file).endswith("/."):
        raise IsADirectoryError(0, "not the name of a file")
    if len(os.fsencode(name)) > os.pathconf(folder, "PC_NAME_MAX"):
        raise OSError(0, "the name is too long")
    if os.path.lexists(where) and not os.access(where, os.W_OK):
        raise PermissionError(0, "Permission denied")
    draft = os.path.join(folder, f".openvmi-{os.getpid()}")  # noqa: PTH118
    return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), draft


def _replace(file: Path, data: bytes) -> None:
    fd, draft = _open_draft(file)
    try:
        try:
            _write_all(fd, data)
        finally:
            os.close(fd)
        os.replace(draft, os.path.realpath(file))  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)  # noqa: PTH108
        raise


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
