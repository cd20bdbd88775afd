# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A PC from Python: QEMU as an external process. Knows nothing of VMI.

    with Machine(MachineConfig(kernel="guest.elf", expect_report=True)) as vm:
        outcome = vm.wait()

The main path: :func:`make_plan` checks everything, :func:`qemu_command` writes the command, ``launch`` starts it,
``Run`` and ``Pump`` move the bytes, ``judge`` says how it ended.

What is only needed once QEMU runs is imported then, so that it loads while the guest boots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accel import Choice, KvmAnswer, choose_accelerator, probe_kvm
from .command import qemu_command, shell_line
from .config import Drive, MachineConfig, Nic, SharedDevice, StrPath
from .inputs import check_inputs
from .kernel import KernelInfo, inspect_kernel
from .machine import Machine
from .plan import Plan, make_plan
from .qemu import Qemu, find_qemu

if TYPE_CHECKING:
    from .channel import ResultChannel, ResultLine
    from .console import Console
    from .outcome import How, Outcome, Times
    from .qmp import Qmp, QmpEvent
    from .ram import GuestRam
    from .terminal import Terminal

_LATER = {
    "Console": "console",
    "GuestRam": "ram",
    "How": "outcome",
    "Outcome": "outcome",
    "Qmp": "qmp",
    "QmpEvent": "qmp",
    "ResultChannel": "channel",
    "ResultLine": "channel",
    "Terminal": "terminal",
    "Times": "outcome",
}

__all__ = [
    "Choice",
    "Console",
    "Drive",
    "GuestRam",
    "How",
    "KernelInfo",
    "KvmAnswer",
    "Machine",
    "MachineConfig",
    "Nic",
    "Outcome",
    "Plan",
    "Qemu",
    "Qmp",
    "QmpEvent",
    "ResultChannel",
    "ResultLine",
    "SharedDevice",
    "StrPath",
    "Terminal",
    "Times",
    "check_inputs",
    "choose_accelerator",
    "find_qemu",
    "inspect_kernel",
    "make_plan",
    "probe_kvm",
    "qemu_command",
    "shell_line",
]


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
