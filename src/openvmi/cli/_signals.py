# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGTERM and SIGHUP end a command as Ctrl-C does, through everybody's clean-up. Imports next to nothing."""

from __future__ import annotations

from _signal import (  # type: ignore[import-not-found] # signal needs 6 ms
    SIG_DFL,
    SIG_IGN,
    SIGHUP,
    SIGTERM,
    getsignal,
    signal,
)

_NAMES = {SIGTERM: "SIGTERM", SIGHUP: "SIGHUP"}


class Ended(KeyboardInterrupt):
    """A signal ended the command.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number
        self.name = _NAMES[number]


def catch() -> None:
    """Have both signals raise :class:`Ended` in the main thread, once; one that is ignored (nohup) stays so."""
    for number in _NAMES:
        if getsignal(number) == SIG_DFL:
            signal(number, _end)


def ignore() -> None:
    """Let neither of them disturb any more."""
    for number in _NAMES:
        signal(number, SIG_IGN)


def _end(number: int, frame: object) -> None:
    del frame
    ignore()  # a terminal that closes says so several times
    raise Ended(number)
