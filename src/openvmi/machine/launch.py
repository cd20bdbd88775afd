# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The moment that counts: from a plan to a running QEMU. Imports nothing that could come later."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..errors import UsageError
from .config import StrPath
from .plan import Plan
from .process import QemuProcess, spawn
from .wires import Wires


class Launched:
    """A QEMU that has been started, and nothing more.

    Args:
        plan: what to start.
        log: descriptor of the console's file, or None; ours from now on.
        prepare: called with the channels before QEMU is started.

    Attributes:
        started: time.monotonic_ns() at its start.
        process: QEMU.
        wires: its channels.
        log: as given.

    Raises:
        HarnessError: it can't be started.
    """

    def __init__(self, plan: Plan, log: int | None, prepare: Callable[[Wires], None] | None = None) -> None:
        config = plan.config
        device = config.shared_device
        self.log = log
        self.wires = Wires(config.memory if config.share_memory else 0, device.size if device else 0)
        try:
            if prepare is not None:
                prepare(self.wires)
            argv = plan.command(self.wires.endpoints)
            self.started = time.monotonic_ns()
            self.process: QemuProcess = spawn(argv, stdio=self.wires.stdio, inherit=self.wires.inherited())
        except BaseException:
            self.wires.close()
            raise
        self.wires.close_theirs()


def launch(plan: Plan, prepare: Callable[[Wires], None] | None = None) -> Launched:
    """Start QEMU, with ``prepare`` called just before.

    Raises:
        UsageError: the console's file can't be written.
        HarnessError: QEMU can't be started.
    """
    log = None if plan.config.console_log is None else _create(plan.config.console_log)
    try:
        return Launched(plan, log, prepare)
    except BaseException:
        if log is not None:
            os.close(log)
        raise


def _create(path: StrPath) -> int:
    """Open the console's file. A named pipe that nobody reads is an error, not a wait."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    except OSError as error:
        raise UsageError(f"can't write the console's file: {error.strerror}", where=os.fspath(path)) from error
