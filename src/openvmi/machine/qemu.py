# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding QEMU, and its version."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass

from ..errors import HarnessError
from ._cache import cached
from .config import StrPath

TYPE_CHECKING = False  # typing takes some milliseconds to import
if TYPE_CHECKING:
    from typing import IO

BINARIES = ("qemu-system-i386", "qemu-system-x86_64")
# The oldest that is tested: Debian 12's. Older ones lack things that are used here, some of them silently.
OLDEST = (7, 2)
INSTALL = "apt-get install qemu-system-x86"
_VERSION_LIMIT = 5.0
_VERSION_SIZE = 1 << 16
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?!\d)")


class NoQemuError(HarnessError):
    """No QEMU was named, and the PATH has none."""


@dataclass(frozen=True, slots=True)
class Qemu:
    """A QEMU that can be used.

    Args:
        path: its binary.
        version: major, minor, patch level.
    """

    path: str
    version: tuple[int, int, int]

    @property
    def version_text(self) -> str:
        """The version, as people write it."""
        return ".".join(map(str, self.version))


def find_qemu(given: StrPath | None = None) -> Qemu:
    """Return the QEMU to use: ``given``, else ``$OPENVMI_QEMU``, else one of :data:`BINARIES` on the PATH.

    Raises:
        NoQemuError: none is given and none is found.
        HarnessError: the given one is none, it does not run, or it is older than :data:`OLDEST`.
    """
    named = os.environ.get("OPENVMI_QEMU", "")
    if given or not named:
        return _find(os.fspath(given) if given else "")
    try:
        return _find(named)
    except HarnessError as error:
        mend = f"unset OPENVMI_QEMU; where there is no other QEMU: {INSTALL}"
        raise HarnessError(error.what, where=f"OPENVMI_QEMU={named}", help=mend) from error


def _find(given: str) -> Qemu:
    path = _locate(given)
    qemu = Qemu(path, _version(path))
    if qemu.version[:2] < OLDEST:
        raise HarnessError(
            f"QEMU {qemu.version_text} is too old: {OLDEST[0]}.{OLDEST[1]} or newer is needed", where=path, help=INSTALL
        )
    return qemu


def _locate(given: str) -> str:
    if given:
        found = given if "/" in given else _on_path(given)
        if not found or not _is_program(found):
            raise HarnessError("this QEMU is not a program that can be run", where=given, help=INSTALL)
        return found
    for name in BINARIES:
        found = _on_path(name)
        if found:
            return found
    raise NoQemuError(f"no QEMU: neither {' nor '.join(BINARIES)} is on the PATH", help=INSTALL)


def _on_path(name: str) -> str:
    # shutil.which does the same and takes a millisecond to import
    for folder in os.get_exec_path():
        path = f"{folder or '.'}/{name}"
        if _is_program(path):
            return path
    return ""


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and not os.path.isdir(path)  # noqa: PTH112


def _version(path: str) -> tuple[int, int, int]:
    """Return the version of the QEMU at ``path``; asking takes 20 to 50 ms, so the answer is kept."""
    stat = os.stat(path)  # noqa: PTH116
    key = f"{os.path.realpath(path)} {stat.st_mtime_ns} {stat.st_size}"
    name = f"qemu-{os.path.basename(path)}"  # noqa: PTH119
    found = _VERSION.fullmatch(cached(name, key, lambda: _ask_version(path), _VERSION.fullmatch))
    major, minor, patch = found.groups("0") if found else ("0", "0", "0")
    return int(major), int(minor), int(patch)


def _ask_version(path: str) -> str:
    try:
        status, said = _run_version(path)
    except OSError as error:
        raise HarnessError(f"QEMU does not run: {error.strerror}", where=path, help=INSTALL) from error
    if status is None:
        raise HarnessError(f"--version did not end within {_VERSION_LIMIT:g} s", where=path, help=INSTALL)
    found = re.search(rf"\bversion {_VERSION.pattern}", said)
    if status or not found:
        line = said.strip().split("\n")[0][:200]
        raise HarnessError(
            f"this is not a QEMU that works: --version gave status {status} and said {line!r}", where=path, help=INSTALL
        )
    return ".".join(found.groups("0"))


def _run_version(path: str) -> tuple[int | None, str]:
    """Run it with ``--version``; return its status, None if it does not end, and the first of what it said."""
    import subprocess  # noqa: PLC0415 - only when not cached

    from .process import QemuProcess  # noqa: PLC0415

    with subprocess.Popen(
        [path, "--version"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a group of its own: it may be a script that starts others
    ) as asked:
        process = QemuProcess(asked.pid)
        try:
            said = _read(asked.stdout, time.monotonic() + _VERSION_LIMIT) if asked.stdout else b""
            status = None if said is None else process.wait(_VERSION_LIMIT)
        finally:
            process.close()
            asked.returncode = process.returncode
    return status, (said or b"").decode("utf-8", "replace")


def _read(file: IO[bytes], deadline: float) -> bytes | None:
    """Return what can be read until the end, or enough of it; None when the end does not come."""
    import select  # noqa: PLC0415

    data = b""
    while len(data) < _VERSION_SIZE:
        if not select.select([file], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return None
        piece = os.read(file.fileno(), _VERSION_SIZE)
        if not piece:
            break
        data += piece
    return data
