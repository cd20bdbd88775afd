# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose fault it is: an exception of a user's code, without the frames of ours that called it."""

from __future__ import annotations

import linecache
import os
from types import TracebackType

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120 - once, and cheap
_IMPORT = "<frozen importlib"
_GENERATED = "<string>"  # of dataclasses: an answer's __init__


def user_traceback(error: BaseException) -> str:
    """Return ``error`` and its traceback as Python shows it, from the first line of the user's own code."""
    import traceback  # noqa: PLC0415 - only for what goes wrong

    linecache.checkcache()
    shown = traceback.TracebackException.from_exception(error, limit=None)
    frames = list(shown.stack)
    mine = next((index for index, frame in enumerate(frames) if not _is_ours(frame.filename)), 0)
    shown.stack = traceback.StackSummary.from_list(frames[mine:])
    return "".join(shown.format())


def place_of(error: BaseException) -> str:
    """Return ``file:line`` of the innermost frame of ``error`` that is not ours; empty if all are."""
    found = ""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not _is_ours(file):
            found = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _is_ours(file: str) -> bool:
    return file.startswith((_OURS, _IMPORT)) or file == _GENERATED
