# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ``openvmi`` command: its entry point, which gives ``run`` a head start before anything else is imported."""

from __future__ import annotations

import gc
import sys

from ..machine.early import HeadStart

_INTERRUPTED = 130  # ExitCode.INTERRUPTED, which may not have been imported yet


def main() -> None:
    """Entry point of the ``openvmi`` command: run it and exit with its code (:class:`openvmi.errors.ExitCode`)."""
    # imports make much that lives and little that dies: looking for garbage among it takes a tenth of their time
    gc.set_threshold(50_000)
    head_start = HeadStart(sys.argv[1:])
    try:
        if sys.argv[1:2] == ["run"]:
            head_start.begin()
        from .group import execute

        status = execute(head_start)
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("openvmi: interrupted\n")
        status = _INTERRUPTED
    finally:
        head_start.discard()
    sys.exit(status)
