# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The other end of a machine's control socket: finds machines, and asks one for something."""

from __future__ import annotations

import os
import socket
from types import TracebackType
from typing import Final, Self

from ..errors import ExitCode, HarnessError, OpenVmiError, UsageError
from . import control_wire as wire
from .control_wire import Lines, Message

_PATIENCE: Final = 15.0


def machines() -> list[str]:
    """Return the names of the machines that run, in order; sockets of dead ones are removed."""
    with wire.opened_folder(make=False) as fd:
        return [] if fd is None else wire.names(fd)


class ControlClient:
    """A conversation with a machine, in a ``with`` statement.

    Args:
        name: of the machine; empty: the only one.

    Raises:
        UsageError: there is no such machine, or there are several to choose from.
        HarnessError: it does not answer.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name or _only()
        self._socket = _connect(self.name)
        self._lines = Lines(self._socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, **request: object) -> Message:
        """Send a request, return the answer.

        Raises:
            OpenVmiError: what the machine says it can't do.
            HarnessError: it does not answer, or has ended.
        """
        try:
            self._socket.sendall(wire.encode(request))
            line = self._lines.read()
        except OSError as error:
            raise HarnessError(f"the machine does not answer: {error}", where=self.name) from error
        if line is None:
            raise HarnessError("the machine has ended", where=self.name)
        answer = wire.decode(line)
        if answer.get("ok") is not True:
            raise _refusal(answer)
        return answer

    def descriptors(self) -> list[int]:
        """Return the descriptors that came with answers so far; they are the caller's."""
        found, self._lines.descriptors = self._lines.descriptors, []
        return found

    def gone(self, seconds: float = 0.0) -> bool:
        """Say whether the machine has hung up, after waiting for that for some time."""
        self._socket.settimeout(seconds or 0.000_001)
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            self._socket.settimeout(_PATIENCE)

    def close(self) -> None:
        """Hang up."""
        for fd in self.descriptors():
            os.close(fd)
        self._socket.close()


def _only() -> str:
    found = machines()
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError("there are several machines", help=f"give one of: {', '.join(found)}")
    raise UsageError("no machine is running", help="openvmi run --hypervisor hosted")


def _connect(name: str) -> socket.socket:
    wire.check_name(name)
    none = UsageError("no machine of that name is running", where=name, help="openvmi ps lists them")
    with wire.opened_folder(make=False) as fd:
        if fd is None:
            raise none
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(_PATIENCE)
        try:
            made.connect(wire.address(fd, name))
        except (FileNotFoundError, ConnectionRefusedError):
            made.close()
            raise none from None
        except OSError as error:
            made.close()
            raise HarnessError(f"the machine does not answer: {error}", where=name) from error
    return made


def _refusal(answer: Message) -> OpenVmiError:
    what, where, help_ = (str(answer.get(key, "")) for key in ("what", "where", "help"))
    code = answer.get("exit_code")
    kind = UsageError if code == ExitCode.USAGE else HarnessError
    return kind(what or "it can't be done", where=where, help=help_)
