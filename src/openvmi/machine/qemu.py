# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding QEMU, and its version."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ..errors import HarnessError
from ._cache import cached
from .config import StrPath

BINARIES = ("qemu-system-i386", "qemu-system-x86_64")
# The oldest that is tested: Debian 12's. Older ones lack things that are used here, some of them silently.
OLDEST = (7, 2)
INSTALL = "apt-get install qemu-system-x86"
_VERSION_LIMIT = 20.0


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
        HarnessError: there is none, it does not run, or it is older than :data:`OLDEST`.
    """
    path = _locate(os.fspath(given) if given else os.environ.get("OPENVMI_QEMU", ""))
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
    raise HarnessError(f"no QEMU: neither {' nor '.join(BINARIES)} is on the PATH", help=INSTALL)


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
    text = cached(f"qemu-{os.path.basename(path)}", key, lambda: _ask_version(path))  # noqa: PTH119
    major, minor, patch = (int(part) for part in text.split("."))
    return major, minor, patch


def _ask_version(path: str) -> str:
    import subprocess  # noqa: PLC0415 - only when not cached

    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"QEMU does not run: {error}", where=path, help=INSTALL) from error
    found = re.search(rb"version (\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    if done.returncode or not found:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().split("\n")[0][:200]
        raise HarnessError(
            f"this is not a QEMU that works: --version gave status {done.returncode} and said {said!r}",
            where=path,
            help=INSTALL,
        )
    return ".".join(part.decode() for part in found.groups(b"0"))
