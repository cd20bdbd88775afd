# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors that carry data, and the exit codes that they end in.

Every failure that a user can cause is an :class:`OpenVmiError`: what was wrong, where, and what to do about it.
Libraries raise them; only ``openvmi.cli`` turns them into a line on stderr and an exit code.
"""

from __future__ import annotations

from enum import IntEnum

from . import _codes


class ExitCode(IntEnum):
    """What the process's exit status means.

    0 to 123 from ``openvmi run`` is the guest's own status, passed through. The tools (``abi``, ``rom``, ``doctor``
    ...) use 0 for "fine" and 1 for "the thing looked at is not fine".
    """

    OK = 0
    NOT_FINE = 1
    USAGE = 2
    TIMEOUT = 124
    HARNESS = 125
    INTERRUPTED = _codes.INTERRUPTED
    PANIC = 255


class OpenVmiError(Exception):
    """A failure with its place and its mend.

    Args:
        what: what was wrong, one sentence without a full stop.
        where: file, offset, address or call concerned; empty when the message says it all.
        help: what the user can do about it, as a line to act on or to type.
    """

    exit_code: ExitCode = ExitCode.HARNESS

    def __init__(self, what: str, *, where: str = "", help: str = "") -> None:  # noqa: A002 - the word users see
        super().__init__(what)
        self.what = what
        self.where = where
        self.help = help

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}"

    def as_dict(self) -> dict[str, str | int]:
        """Return the error as plain data, for ``--json``."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "help": self.help,
            "exit_code": int(self.exit_code),
        }


class UsageError(OpenVmiError):
    """The user asked for something that can't be: exit code 2."""

    exit_code = ExitCode.USAGE


class InputError(OpenVmiError):
    """A file given by the user is not what it has to be: exit code 2."""

    exit_code = ExitCode.USAGE


class HarnessError(OpenVmiError):
    """The machinery around the guest failed (no QEMU, no memory, a broken build): exit code 125."""

    exit_code = ExitCode.HARNESS


class GuestTimeoutError(OpenVmiError):
    """The guest did not end within its limit: exit code 124."""

    exit_code = ExitCode.TIMEOUT


class GuestPanicError(OpenVmiError):
    """The guest panicked, or reset itself without a word: exit code 255."""

    exit_code = ExitCode.PANIC
