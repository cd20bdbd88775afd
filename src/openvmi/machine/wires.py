# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The descriptors between this process and QEMU, both ends, and who closes which.

``Endpoints`` (module ``command``) says what each is for. All are close-on-exec; QEMU alone inherits its ends, always
under the same numbers, so that the same machine always has the same command.
"""

from __future__ import annotations

import fcntl
import os
from _socket import socketpair  # what socket.socketpair wraps; socket itself takes 3 ms to import

# QEMU's numbers for its ends, after its stdio; ``Wires.theirs`` has them in this order.
RESULT, EVENTS, QMP = 3, 4, 5
# Those of guest RAM, shared device memory and wake port, as many of them as there are, in this order.
OPTIONAL = (6, 7, 8)
# Our numbers lie above those, so that giving QEMU one end never closes another.
_LOWEST = 9
# Room for what a guest prints while nobody reads; more than this the host gives no ordinary user.
_PIPE_SIZE = 1 << 20
# Answers the events monitor's greeting before QEMU even runs: from then on it tells events.
_NEGOTIATION = b'{"execute": "qmp_capabilities"}\n'


class Wires:
    """All channels of one machine, as descriptors of our ends.

    Args:
        ram: bytes of guest RAM to share, or 0 for none.
        shared: bytes of the shared device's memory, or 0 for no such device.

    Attributes:
        console_in: write end of the guest's console input.
        console_out: read end of its output.
        result: read end of the result channel.
        stderr: read end of QEMU's stderr.
        events: socket of the events monitor.
        qmp: socket of the command monitor.
        ram: the memfd of guest RAM, or None.
        shared: the memfd of the shared device's memory, or None.
        wake: read end of the pipe behind its wake port, or None.
        theirs: QEMU's ends: what it gets as its descriptors 0, 1, 2 ...

    Raises:
        HarnessError: no descriptors or no memory left.
    """

    def __init__(self, ram: int, shared: int = 0) -> None:
        self._ours: list[int] = []
        self._theirs: list[int] = []
        try:
            self._make(ram, shared)
        except OSError as error:
            self.close()
            from ..errors import HarnessError  # noqa: PLC0415 - not needed for a head start

            raise HarnessError(f"can't make the machine's channels: {error.strerror}") from error

    def _make(self, ram: int, shared: int) -> None:
        self.ram = self._memory("openvmi-ram", ram) if ram else None
        self.shared = self._memory("openvmi-shared", shared) if shared else None
        self.wake: int | None = None
        their_wake: int | None = None
        if shared:
            self.wake, their_wake = self._pipe()
        self.console_in, their_in = self._pipe(to_guest=True)
        self.console_out, their_out = self._pipe()
        self.stderr, their_err = self._pipe()
        self.result, their_result = self._pipe()
        self.events, their_events = self._sockets()
        self.qmp, their_qmp = self._sockets()
        os.write(self.events, _NEGOTIATION)
        optional = (self.ram, self.shared, their_wake)
        ends = (their_in, their_out, their_err, their_result, their_events, their_qmp)
        self.theirs = (*ends, *(fd for fd in optional if fd is not None))

    def _memory(self, name: str, size: int) -> int:
        fd = _out_of_the_way(os.memfd_create(name, os.MFD_CLOEXEC))
        self._ours.append(fd)
        os.ftruncate(fd, size)
        return fd

    def _pipe(self, *, to_guest: bool = False) -> tuple[int, int]:
        """Make a pipe; return our end, which never blocks, and QEMU's."""
        read, write = (_out_of_the_way(fd) for fd in os.pipe())
        ours, theirs = (write, read) if to_guest else (read, write)
        self._keep(ours, theirs)
        try:  # noqa: SIM105 - contextlib takes a millisecond to import
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass  # a user with many machines at once: the usual 64 KiB do as well
        return ours, theirs

    def _sockets(self) -> tuple[int, int]:
        ours, theirs = (_out_of_the_way(end.detach()) for end in socketpair())
        self._keep(ours, theirs)
        return ours, theirs

    def _keep(self, ours: int, theirs: int) -> None:
        self._ours.append(ours)
        self._theirs.append(theirs)
        os.set_blocking(ours, False)

    def close_theirs(self) -> None:
        """Close QEMU's ends, once it has them."""
        _close(self._theirs)

    def close(self) -> None:
        """Close everything. A mapping of the RAM stays valid."""
        _close(self._theirs)
        _close(self._ours)


def _close(fds: list[int]) -> None:
    while fds:
        os.close(fds.pop())


def _out_of_the_way(fd: int) -> int:
    """Move a descriptor above the numbers that QEMU's ends get."""
    if fd >= _LOWEST:
        return fd
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    os.close(fd)
    return moved
