# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The wait loop: one thread, all channels, until something is true or time is up."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable
from enum import Enum, auto

_CHUNK = 1 << 16
# A UART sends byte by byte. After a small read the console rests for a moment, so that it costs one wake-up and not one
# for each character; on a host with few cores those take time away from the guest.
_REST = 0.002
_SMALL = 512
# without a pidfd, QEMU's end is looked for this often
_LOOK = 0.02
_WRITE_AGAIN = 0.005
# epoll counts milliseconds in 32 bits; nobody notices that a longer wait is made of several
_LONGEST = 3600.0
# An ended process has left at most what its channels hold. Its children may still write, and shall not keep us.
_DRAIN_ROUNDS = 64

Reader = Callable[[bytes], None]


class Stop(Enum):
    """Why :meth:`Pump.run` returned."""

    MET = auto()
    LATE = auto()
    ENDED = auto()


class Pump:
    """Moves bytes from descriptors to the functions that take them.

    Args:
        ended: says whether the process behind the descriptors has ended.
        pidfd: becomes readable when it has; None when the host has no such thing.
    """

    def __init__(self, ended: Callable[[], bool], pidfd: int | None) -> None:
        self._ended = ended
        self._selector = selectors.DefaultSelector()
        self._resting: dict[int, tuple[Reader, float]] = {}
        self._gentle: set[int] = set()
        self._foreign: set[int] = set()
        self._output = bytearray()
        self._output_fd = -1
        self._look = float("inf") if pidfd is not None else _LOOK
        if pidfd is not None:
            self._selector.register(pidfd, selectors.EVENT_READ, None)

    def add(self, fd: int, reader: Reader, *, gentle: bool = False, foreign: bool = False) -> None:
        """Hand what can be read from ``fd`` to ``reader``, until its end.

        Args:
            fd: a descriptor that does not block, unless it is foreign.
            reader: takes the bytes; never an empty string.
            gentle: a delay of 2 ms does not matter, so that a trickle need not wake us for each byte.
            foreign: it does not come from the process, so nothing in it belongs to the process's end.
        """
        self._selector.register(fd, selectors.EVENT_READ, reader)
        if foreign:
            self._foreign.add(fd)
        if gentle:
            self._gentle.add(fd)

    def remove(self, fd: int) -> None:
        """Stop reading from ``fd``."""
        self._gentle.discard(fd)
        self._foreign.discard(fd)
        if self._resting.pop(fd, None) is None:
            try:
                self._selector.unregister(fd)
            except KeyError:
                return  # it has reached its end already

    def set_output(self, fd: int) -> None:
        """Let :meth:`write` write to ``fd``."""
        self._output_fd = fd

    def write(self, data: bytes) -> None:
        """Send ``data``, now or while :meth:`run` runs. What nobody takes any more is dropped."""
        if self._output_fd >= 0:
            self._output += data
            self._flush()

    def run(self, condition: Callable[[], bool], deadline: Callable[[], float]) -> Stop:
        """Carry on until ``condition`` holds, the process has ended, or time is up.

        Args:
            condition: asked after everything that arrives.
            deadline: when to give up, as time.monotonic() has it; asked again each time, since it may change.
        """
        while not condition():
            if self._ended():
                self.drain()
                return Stop.MET if condition() else Stop.ENDED
            left = deadline() - time.monotonic()
            if left <= 0:
                return Stop.LATE
            self._step(left)
        return Stop.MET

    def drain(self) -> None:
        """Read all that the process has left, without waiting; nothing once closed."""
        for _ in range(_DRAIN_ROUNDS):
            self._wake(float("inf"))
            found = [self._read(key.fd, key.data) for key in self._own_keys()]
            if not any(found):
                return

    def close(self) -> None:
        """Give the selector back; the descriptors are not ours, and are not touched any more."""
        self._output_fd = -1
        self._resting.clear()
        self._selector.close()

    def _own_keys(self) -> list[selectors.SelectorKey]:
        keys = self._selector.get_map() or {}  # None once closed
        return [key for key in keys.values() if key.data and key.fd not in self._foreign]

    def _step(self, left: float) -> None:
        now = time.monotonic()
        times = [left, self._look, *(until - now for _, until in self._resting.values())]
        if self._output:
            times.append(_WRITE_AGAIN)
        for key, _ in self._selector.select(max(0.0, min(*times, _LONGEST))):
            # a reader before may have ended the machine, and all reading with it
            if key.data and key.fd in self._selector.get_map():
                self._read(key.fd, key.data)
        self._wake(time.monotonic())
        if self._output:
            self._flush()

    def _read(self, fd: int, reader: Reader) -> bool:
        """Read once; say whether there was anything."""
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""  # a terminal that is gone, a peer that was killed
        if not data:
            self.remove(fd)
            return False
        if fd in self._gentle and len(data) < _SMALL:
            self._selector.unregister(fd)
            self._resting[fd] = (reader, time.monotonic() + _REST)
        reader(data)
        return True

    def _wake(self, now: float) -> None:
        for fd, (reader, until) in list(self._resting.items()):
            if until <= now:
                del self._resting[fd]
                self._selector.register(fd, selectors.EVENT_READ, reader)

    def _flush(self) -> None:
        try:
            del self._output[: os.write(self._output_fd, self._output)]
        except BlockingIOError:
            return
        except OSError:
            self._output.clear()
