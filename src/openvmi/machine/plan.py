# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine on paper: everything checked and chosen, nothing started."""

from __future__ import annotations

from dataclasses import dataclass

from .accel import Choice, choose_accelerator
from .command import Endpoints, qemu_command, shell_line
from .config import MachineConfig
from .inputs import check_inputs
from .kernel import KernelInfo
from .qemu import Qemu, find_qemu


@dataclass(frozen=True, slots=True)
class Plan:
    """A machine that could be started: all its inputs are checked.

    Args:
        config: what was asked for.
        kernel: what its kernel is.
        qemu: the QEMU that will run it.
        accel: the accelerator, and why.
    """

    config: MachineConfig
    kernel: KernelInfo
    qemu: Qemu
    accel: Choice

    def command(self, endpoints: Endpoints) -> list[str]:
        """Return the argument vector of the QEMU that talks through ``endpoints``."""
        return qemu_command(self.config, self.qemu.path, self.accel.name, endpoints)

    def shell_line(self) -> str:
        """Return QEMU's command as a line for a shell, with the console on the terminal."""
        return shell_line(self.config, self.qemu.path, self.accel.name)


def make_plan(config: MachineConfig) -> Plan:
    """Check ``config`` against files, QEMU and host, and start nothing.

    Raises:
        InputError: a file is missing or is not what it has to be.
        UsageError: the parts don't fit together.
        HarnessError: there is no QEMU that can be used, or no KVM although it was asked for.
    """
    kernel = check_inputs(config)
    qemu = find_qemu(config.qemu)
    accel = choose_accelerator(config.accel, paging=config.paging, icount=config.icount)
    return Plan(config, kernel, qemu, accel)
