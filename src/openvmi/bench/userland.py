# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Time from command to userland: ``openvmi run`` against QEMU's own command, both as a user types them.

Both are watched from outside in the same way: a child process, and the moment at which its output first shows the line
that ``/init`` prints. ``plain`` is QEMU's shortest command for the same kernel; ``same`` is the command of
``openvmi run --dry-run``, the very same machine without us.
"""

from __future__ import annotations

import os
import selectors
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..boot import Request, configure
from ..errors import GuestTimeoutError, HarnessError
from ..machine import Plan, make_plan
from ..machine.command import qemu_command
from ..machine.launcher import spawn_here
from ..machine.process import QemuProcess, interrupts_held

SIGN = b"userland"
_LIMIT = 60.0
# The launcher that ties a command's life to ours is not the command's own time: the clock starts at this empty line.
_TICK = ("/bin/sh", "-c", 'echo; exec "$@"', "sh")


def commands(request: Request) -> dict[str, list[str]]:
    """Return the commands to compare, by label, for a boot that stops at userland."""
    stop = replace(request, append=f"{request.append} -- stop".strip())
    plan = make_plan(configure(stop))
    return {"plain QEMU": plain(plan), "openvmi run": ours(stop), "same machine": same(plan)}


def plain(plan: Plan) -> list[str]:
    """Return what a person types to boot this kernel with QEMU."""
    config = plan.config
    initrd = [] if config.initrd is None else ["-initrd", str(config.initrd)]
    roms = [word for path in config.option_roms for word in ("-option-rom", str(path))]
    return [
        *(str(plan.qemu.path), "-nographic", "-no-reboot", "-m", str(config.memory_mib)),
        *("-kernel", str(config.kernel), *initrd, "-append", config.append, *roms),
    ]


def same(plan: Plan) -> list[str]:
    """Return the command of the very machine that ``openvmi run`` starts."""
    return qemu_command(plan.config, plan.qemu.path, plan.accel.name)


def ours(request: Request) -> list[str]:
    """Return the ``openvmi run`` command for ``request``."""
    initrd = [] if request.initrd is None else ["--initrd", str(request.initrd)]
    roms = [word for path in request.roms for word in ("--rom", str(path))]
    return [
        *(str(Path(sys.executable).parent / "openvmi"), "run", "--kernel", request.kernel, *initrd, *roms),
        *("--hypervisor", request.hypervisor, "--memory", str(request.memory_mib), "--append", request.append),
        *("--accel", request.accel, "--timeout", str(_LIMIT)),
    ]


def compare(
    by_label: dict[str, list[str]], *, rounds: int, progress: Callable[[str], None]
) -> dict[str, list[dict[str, float]]]:
    """Run each command ``rounds`` times, interleaved; return the milliseconds to userland, by label and round.

    Raises:
        HarnessError: a command did not show userland.
        GuestTimeoutError: a command did not do so in 60 s.
    """
    results: dict[str, list[dict[str, float]]] = {label: [] for label in by_label}
    for number in range(rounds):
        for label, command in by_label.items():
            progress(f"{label}, round {number + 1} of {rounds}")
            results[label].append({"time to userland": first_sight(command) * 1000})
    return results


def first_sight(command: Sequence[str], sign: bytes = SIGN, limit: float = _LIMIT) -> float:
    """Return the seconds from the start of ``command`` until its output holds ``sign``.

    Raises:
        HarnessError: it can't be started, or ended without showing it.
        GuestTimeoutError: it did not show it within ``limit`` seconds.
    """
    if not os.access(command[0], os.X_OK):
        raise HarnessError("can't be started", where=command[0])
    started = None
    try:
        with interrupts_held():
            started = _start(command)
        return _watch(started[1], sign, limit, " ".join(command))
    finally:
        with interrupts_held():
            if started is not None:
                started[0].end()
                started[0].close()
                os.close(started[1])


def _start(command: Sequence[str]) -> tuple[QemuProcess, int]:
    """Start ``command`` so that it dies with us; return it, and the descriptor that its output can be read from."""
    output, theirs = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    try:
        return QemuProcess(spawn_here([*_TICK, *command], (null, theirs, null))), output
    except OSError as error:
        os.close(output)
        raise HarnessError(f"can't be started: {error.strerror}", where=command[0]) from error
    finally:
        os.close(theirs)
        os.close(null)


def _watch(output: int, sign: bytes, limit: float, where: str) -> float:
    began, seen, ticked = time.perf_counter(), b"", False
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while (left := began + limit - time.perf_counter()) > 0 and selector.select(left):
            data = os.read(output, 1 << 16)
            if not data:
                raise HarnessError("ended without reaching userland", where=where)
            if not ticked:
                began, ticked = time.perf_counter(), True
            seen = seen[-len(sign) :] + data
            if sign in seen:
                return time.perf_counter() - began
    raise GuestTimeoutError(f"no userland within {limit:g} s", where=where)
