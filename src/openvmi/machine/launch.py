# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The moment that counts: from a plan to a running QEMU. Imports nothing that could come later."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import UsageError
from . import accel
from ._cache import answer_path
from .command import Endpoints
from .config import MachineConfig, StrPath
from .early import HeadStart
from .launcher import Started
from .plan import Plan
from .process import QemuProcess, spawn
from .wires import EVENTS, OPTIONAL, QMP, RESULT, Wires


class Launched:
    """A QEMU that runs, and whatever belongs to it.

    Args:
        started: QEMU and its channels; ours from now on.
        log: descriptor of the console's file, or None; ours from now on.

    Attributes:
        started: time.monotonic_ns() at its start.
        process: QEMU.
        wires: its channels.
        log: as given.
    """

    def __init__(self, started: Started, log: int | None) -> None:
        self.log = log
        self.wires = started.wires
        self.started = started.started
        self.process = QemuProcess(started.pid)

    def close(self) -> None:
        """End QEMU and give everything back, in place of a run that would do it. Once."""
        self.process.close()
        self.wires.close()
        if self.log is not None:
            os.close(self.log)


def launch(plan: Plan, head_start: HeadStart | None = None, prepare: Callable[[Wires], None] | None = None) -> Launched:
    """Start QEMU, or take over the one that was started early, if it is the same.

    Args:
        plan: what to start.
        head_start: what may have been started early.
        prepare: called with the channels before QEMU is started; not for one that was started early.

    Raises:
        UsageError: the console's file can't be written.
        HarnessError: QEMU can't be started.
    """
    log = None if plan.config.console_log is None else _create(plan.config.console_log)
    try:
        return Launched(_start(plan, head_start, prepare), log)
    except BaseException:
        if log is not None:
            os.close(log)
        raise


def _start(plan: Plan, head_start: HeadStart | None, prepare: Callable[[Wires], None] | None) -> Started:
    argv = plan.command(_endpoints(plan.config))
    files = _inputs(plan)
    early = None if head_start is None else head_start.take(argv, files)
    if early is not None:
        return early
    started = Started(argv, _wires(plan.config, prepare), spawn)
    if head_start is not None and _leaves_no_trace(plan):
        head_start.remember(argv, files)
    return started


def _endpoints(config: MachineConfig) -> Endpoints:
    """Number QEMU's ends in the order of ``Wires.theirs``."""
    numbers = iter(OPTIONAL)
    ram = next(numbers) if config.share_memory else None
    shared, wake = (next(numbers), next(numbers)) if config.shared_device else (None, None)
    return Endpoints(RESULT, EVENTS, QMP, ram, shared, wake)


def _wires(config: MachineConfig, prepare: Callable[[Wires], None] | None) -> Wires:
    device = config.shared_device
    wires = Wires(config.memory if config.share_memory else 0, device.size if device else 0)
    if prepare is not None:
        try:
            prepare(wires)
        except BaseException:
            wires.close()
            raise
    return wires


def _inputs(plan: Plan) -> list[str]:
    """Return the files that decide which command this is and what it does, the answer of KVM's probe among them."""
    config = plan.config
    initrd = [] if config.initrd is None else [config.initrd]
    paths = [plan.qemu.path, config.kernel, *initrd, *config.option_roms, accel.DEVICE, answer_path(accel.ANSWER)]
    return [os.fspath(path) for path in paths]


def _leaves_no_trace(plan: Plan) -> bool:
    """Say whether this QEMU, run and killed, would have done nothing but compute."""
    config = plan.config
    shared = config.share_memory or config.shared_device
    return not (shared or config.console_log or config.drives or config.nics or config.extra_args)


def _create(path: StrPath) -> int:
    """Open the console's file. A named pipe that nobody reads is an error, not a wait."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    except OSError as error:
        raise UsageError(f"can't write the console's file: {error.strerror}", where=os.fspath(path)) from error
