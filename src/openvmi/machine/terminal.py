# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's terminal as the guest's console: raw mode, and the keys that are ours.

Ctrl-A x ends the machine, Ctrl-A a types a Ctrl-A, Ctrl-A with any other key types both. The terminal's settings are
restored on every way out, the signals that end a process included.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from .machine import Machine

TerminalMode = list[int | list[bytes | int]]

_ESCAPE = 0x01
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def _is_ours(fd: int) -> bool:
    """Say whether ``fd`` is a terminal whose keys come to this process; one in the background would be stopped."""
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


class Keys:
    """Separates what is for the guest from what is for us.

    Attributes:
        quit: Ctrl-A x has been typed.
    """

    def __init__(self) -> None:
        self.quit = False
        self._escaped = False

    def feed(self, data: bytes) -> bytes:
        """Take typed bytes; return those for the guest."""
        out = bytearray()
        for byte in data:
            if self._escaped:
                self._escaped = False
                self._command(byte, out)
            elif byte == _ESCAPE:
                self._escaped = True
            else:
                out.append(byte)
            if self.quit:
                break
        return bytes(out)

    def _command(self, byte: int, out: bytearray) -> None:
        if byte in b"xX":
            self.quit = True
        elif byte in {ord("a"), _ESCAPE}:
            out.append(_ESCAPE)
        else:
            out += bytes((_ESCAPE, byte))


class Terminal:
    """Connects stdin to a machine's console for the time of a ``with`` statement.

    Does nothing when stdin is not a terminal. Output is not its matter: see ``console_sink`` of
    :class:`openvmi.machine.Machine`.

    Args:
        machine: a started machine; its ``wait`` then also takes what is typed, and returns when it is Ctrl-A x.
        fd: the terminal; this process's stdin if not given.
    """

    def __init__(self, machine: Machine, fd: int = 0) -> None:
        self._machine = machine
        self._fd = fd
        self._keys = Keys()
        self._before: TerminalMode | None = None
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    @property
    def active(self) -> bool:
        """Whether there is a terminal, and it is ours."""
        return self._before is not None

    def __enter__(self) -> Self:
        if _is_ours(self._fd):
            self._before = termios.tcgetattr(self._fd)
            atexit.register(self.restore)  # a signal may come before the body of the `with` has begun
            self._catch_signals()
            self._set_raw()
            self._machine.add_input(self._fd, self._typed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.active:
            self._machine.remove_input(self._fd)
        self.restore()

    def restore(self) -> None:
        """Give the terminal back as it was. Harmless when repeated."""
        before, self._before = self._before, None
        if before is None:
            return
        termios.tcsetattr(self._fd, termios.TCSADRAIN, before)
        atexit.unregister(self.restore)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let somebody else have the terminal, as it was before, for the time of a ``with`` statement."""
        if self._before is None:
            yield
            return
        self._machine.remove_input(self._fd)
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
        try:
            yield
        finally:
            self._set_raw()
            self._machine.add_input(self._fd, self._typed)

    def _typed(self, data: bytes) -> None:
        self._machine.console.send(self._keys.feed(data))
        if self._keys.quit:
            self._machine.stop()

    def _set_raw(self) -> None:
        """Let every key through, Ctrl-C included. Output processing stays: our own messages need it."""
        mode = termios.tcgetattr(self._fd)
        mode[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON | termios.INLCR)
        mode[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSADRAIN, mode)

    def _catch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _ENDING_SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                self._handlers[number] = signal.signal(number, self._die)

    def _die(self, number: int, frame: FrameType | None) -> None:
        """Leave as an exception, through everybody's clean-up; ours included."""
        del frame
        sys.exit(128 + number)
