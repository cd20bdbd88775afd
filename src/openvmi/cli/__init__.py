# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ``openvmi`` command: its entry point, which gives ``run`` a head start before anything else is imported."""

from __future__ import annotations

import gc
import os
import sys
from _signal import SIG_IGN, SIGINT, signal  # type: ignore[import-not-found] # signal needs 6 ms

from .._codes import INTERRUPTED
from ._signals import Ended, catch, ignore, insist

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def main() -> None:
    """Entry point of the ``openvmi`` command: run it and exit with its code (:class:`openvmi.errors.ExitCode`)."""
    try:
        insist()
        catch()
        status = _run()
    except Ended as error:
        status = error.status
        _say(f"ended by {error.name}")
    except KeyboardInterrupt:
        status = INTERRUPTED
        _say("interrupted")
    signal(SIGINT, SIG_IGN)  # all is done but the interpreter's end, which would show a traceback
    ignore()
    _settle()
    sys.exit(status)


def _run() -> int:
    # imports make much that lives and little that dies: looking for garbage among it takes a tenth of their time
    gc.set_threshold(50_000)
    _open_streams()
    from ..machine.early import HeadStart  # by now, no Ctrl-C is lost among imports

    head_start = HeadStart(sys.argv[1:])
    try:
        if sys.argv[1:2] == ["run"]:
            head_start.begin()
        from .group import execute

        return execute(head_start)
    finally:
        head_start.discard()


def _say(what: str) -> None:
    try:
        sys.stderr.write(f"openvmi: {what}\n")
    except OSError:
        return  # nobody to tell


def _open_streams() -> None:
    """Put /dev/null where the caller closed a standard stream: its number must not become another file's."""
    for fd, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _to_null(fd)
            setattr(sys, name, open(fd, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for ever


def _settle() -> None:
    """Flush what the interpreter would flush; what can't be written was reported, and must not change the status."""
    for fd, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            _to_null(fd)


def _to_null(fd: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != fd:
        os.dup2(null, fd)
        os.close(null)
