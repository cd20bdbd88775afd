# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGTERM and SIGHUP end a command as Ctrl-C does, through everybody's clean-up. Imports next to nothing."""

from __future__ import annotations

import sys
from _signal import (  # type: ignore[import-not-found] # signal needs 6 ms
    ITIMER_REAL,
    SIG_DFL,
    SIG_IGN,
    SIGALRM,
    SIGHUP,
    SIGTERM,
    getsignal,
    setitimer,
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


_SOON = 0.005  # seconds


def insist() -> None:
    """Have a Ctrl-C, or one of the two, that comes to nothing come again.

    An exception in a callback of the interpreter's own, as imports have many, is reported and forgotten.
    """
    sys.unraisablehook = _again


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


def _again(what: sys.UnraisableHookArgs) -> None:
    lost = what.exc_value
    if not isinstance(lost, KeyboardInterrupt):
        sys.__unraisablehook__(what)
        return

    def late(number: int, frame: object) -> None:
        del number, frame
        raise lost

    # not from here, where it would be forgotten as well
    signal(SIGALRM, late)
    setitimer(ITIMER_REAL, _SOON)
