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
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..boot import Request, configure
from ..errors import GuestTimeoutError, HarnessError
from ..machine import Plan, make_plan
from ..machine.command import qemu_command

SIGN = b"userland"
_LIMIT = 60.0


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
    began = time.perf_counter()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise HarnessError(f"can't be started: {error.strerror}", where=command[0]) from error
    try:
        return _watch(process, sign, began, limit)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _watch(process: subprocess.Popen[bytes], sign: bytes, began: float, limit: float) -> float:
    if process.stdout is None:
        raise HarnessError("a command without output")
    seen = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := began + limit - time.perf_counter()) > 0:
            if not selector.select(left):
                break
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                raise HarnessError("ended without reaching userland", where=str(process.args))
            seen = seen[-len(sign) :] + data
            if sign in seen:
                return time.perf_counter() - began
    raise GuestTimeoutError(f"no userland within {limit:g} s", where=str(process.args))
