# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How a running machine is spoken to: a Unix socket with its name, a line of JSON for each request and each answer.

The sockets lie in ``$XDG_RUNTIME_DIR/openvmi``, or without that in ``/tmp/openvmi-UID``, which is ours alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from ..errors import HarnessError, InputError, UsageError

MAX_LINE: Final = 1 << 16
"""Bytes of a request or an answer, its line end included."""
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_WAITING: Final = 128
_SUFFIX: Final = ".sock"
_CREDENTIALS: Final = struct.Struct("3i")

Message = Mapping[str, object]


def folder() -> Path:
    """Return where the sockets lie. It need not be there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(runtime) / "openvmi" if os.path.isabs(runtime) else Path(f"/tmp/openvmi-{os.getuid()}")  # noqa: S108, PTH117


def check_name(name: str) -> str:
    """Return ``name`` if a machine can be called so.

    Raises:
        UsageError: it can't.
    """
    if not _NAME.fullmatch(name):
        raise UsageError("not a name for a machine", where=name, help="up to 64 letters, digits, - _ and .")
    return name


@contextmanager
def opened_folder(*, make: bool) -> Iterator[int | None]:
    """Open the folder, locked against others who make or remove sockets in it; give its descriptor.

    Args:
        make: make it if it is not there; otherwise None is given.

    Raises:
        HarnessError: it can't be made, or others may write there.
    """
    path = folder()
    try:
        if make:
            path.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if not make:
            yield None
            return
        raise HarnessError(f"no place for a control socket: {error.strerror}", where=str(path)) from error
    try:
        found = os.fstat(fd)
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise HarnessError("others may write there: no place for a control socket", where=str(path))
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def address(fd: int, name: str) -> str:
    """Return the socket address of machine ``name`` in the folder ``fd``: short, however long the folder's path is."""
    return f"/proc/self/fd/{fd}/{name}{_SUFFIX}"


def listen(fd: int, name: str) -> socket.socket:
    """Return a socket that listens for machine ``name`` in the locked folder ``fd``.

    Raises:
        UsageError: a machine of that name runs.
        HarnessError: there can't be one.
    """
    where = address(fd, name)
    if os.path.lexists(where):
        if is_alive(where):
            raise UsageError("a machine of that name is running", where=name, help="openvmi ps lists them")
        os.unlink(where)  # noqa: PTH108 - of one that was killed
    made = socket.socket(socket.AF_UNIX)
    try:
        made.bind(where)
        made.listen(_WAITING)
    except OSError as error:
        made.close()
        raise HarnessError(f"can't make a control socket: {error.strerror}", where=name) from error
    return made


def is_alive(where: str) -> bool:
    """Say whether somebody listens at an address."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(where)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # busy, or not ours to judge
    return True


def names(fd: int) -> list[str]:
    """Return the names of the machines in the locked folder ``fd``, in order; sockets of dead ones are removed."""
    found = []
    for entry in sorted(os.listdir(fd)):
        name = entry.removesuffix(_SUFFIX)
        if name == entry or not _NAME.fullmatch(name):
            continue
        if is_alive(address(fd, name)):
            found.append(name)
        else:
            remove(fd, name)
    return found


def remove(fd: int, name: str) -> None:
    """Remove a machine's socket, if it is there."""
    try:
        os.unlink(address(fd, name))  # noqa: PTH108
    except FileNotFoundError:
        return


def same_user(peer: socket.socket) -> bool:
    """Say whether the other end of a connection belongs to our user."""
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(raw)[1] == os.getuid())


def encode(message: Message) -> bytes:
    """Return ``message`` as a line.

    Raises:
        InputError: it is too long.
    """
    line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    if len(line) > MAX_LINE:
        raise InputError(f"a message of {len(line)} bytes; {MAX_LINE} are the most")
    return line


def decode(line: bytes) -> Message:
    """Return the message in a line.

    Raises:
        InputError: it is no JSON object.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError("a message that is not JSON") from error
    if not isinstance(found, dict):
        raise InputError("a message that is not an object")
    return cast("Message", found)


class Lines:
    """Reads lines from a connection.

    Args:
        peer: the connection.
    """

    __slots__ = ("_buffer", "_peer", "descriptors")

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._buffer = b""
        self.descriptors: list[int] = []
        """Descriptors that came with them; whoever reads closes them."""

    def read(self) -> bytes | None:
        """Return the next line; None when the other end has closed.

        Raises:
            InputError: it is too long.
            OSError: the connection broke, or its time-out passed.
        """
        while b"\n" not in self._buffer:
            if len(self._buffer) >= MAX_LINE:
                raise InputError(f"a line of more than {MAX_LINE} bytes")
            data, descriptors, _, _ = socket.recv_fds(self._peer, MAX_LINE, 4)
            self.descriptors += descriptors
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line
