# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers that cost time to find and keep until something changes: QEMU's version, what KVM can do.

One small file for each in the user's cache directory (XDG_CACHE_HOME): first line the key under which it is true,
second line the answer. A cache that can't be read or written is as good as none.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing takes some milliseconds to import
if TYPE_CHECKING:
    from collections.abc import Callable


# Where nothing can be read or made: there is no home directory.
_NOWHERE = "/dev/null"


def folder(kind: str = "probes") -> str:
    """Return the directory of the cached answers, or of another ``kind`` of things kept; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):
        # the basedir specification: anything but an absolute path is to be ignored
        base = os.path.expanduser("~/.cache")  # noqa: PTH111 - pathlib's way raises without a home directory
    if not base.startswith("/"):
        base = _NOWHERE
    return f"{base}/openvmi/{kind}"


def answer_path(name: str) -> str:
    """Return the file of the answer called ``name``; it need not exist."""
    return f"{folder()}/{name}"


def cached(name: str, key: str, find: Callable[[], str], good: Callable[[str], object] = bool) -> str:
    """Return the answer called ``name``, by ``find`` unless it is known under the same ``key``.

    Args:
        name: file name of the answer.
        key: one line that changes when the answer may.
        find: gives the answer, one line; its errors pass through and nothing is kept.
        good: says whether a kept answer can be one, since the file may be damaged.
    """
    path = answer_path(name)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - on the start-up path
            known, answer = file.readline().rstrip("\n"), file.readline()
    except OSError:
        known = answer = ""
    if known == key and answer.endswith("\n") and good(answer[:-1]):
        return answer[:-1]
    found = find()
    _store(path, f"{key}\n{found}\n")
    return found


def _store(path: str, text: str) -> None:
    draft = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(draft, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            file.write(text)
        os.replace(draft, path)  # noqa: PTH105 - whole or not at all, also with several runs at once
    except OSError:
        return
