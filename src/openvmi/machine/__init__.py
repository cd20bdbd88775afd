# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A PC from Python: QEMU as an external process. Knows nothing of VMI.

    with Machine(MachineConfig(kernel="guest.elf", expect_report=True)) as vm:
        outcome = vm.wait()

The main path: :func:`make_plan` checks everything, :func:`qemu_command` writes the command, ``launch`` starts it,
``Run`` and ``Pump`` move the bytes, ``judge`` says how it ended.

Everything here is imported when it is first asked for: what is only needed once QEMU runs loads while the guest boots,
and a head start (``early``) needs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing takes some milliseconds to import
if TYPE_CHECKING:
    from .accel import Choice, KvmAnswer, choose_accelerator, probe_kvm
    from .channel import ResultChannel, ResultLine
    from .command import qemu_command, shell_line
    from .config import Drive, MachineConfig, Nic, SharedDevice, StrPath
    from .console import Console
    from .early import HeadStart
    from .inputs import check_inputs
    from .kernel import KernelInfo, inspect_kernel
    from .machine import Machine
    from .outcome import How, Outcome, Times
    from .plan import Plan, make_plan
    from .qemu import Qemu, find_qemu
    from .qmp import Qmp, QmpEvent
    from .ram import GuestRam
    from .terminal import Terminal

_HOME = {
    "Choice": "accel",
    "Console": "console",
    "Drive": "config",
    "GuestRam": "ram",
    "HeadStart": "early",
    "How": "outcome",
    "KernelInfo": "kernel",
    "KvmAnswer": "accel",
    "Machine": "machine",
    "MachineConfig": "config",
    "Nic": "config",
    "Outcome": "outcome",
    "Plan": "plan",
    "Qemu": "qemu",
    "Qmp": "qmp",
    "QmpEvent": "qmp",
    "ResultChannel": "channel",
    "ResultLine": "channel",
    "SharedDevice": "config",
    "StrPath": "config",
    "Terminal": "terminal",
    "Times": "outcome",
    "check_inputs": "inputs",
    "choose_accelerator": "accel",
    "find_qemu": "qemu",
    "inspect_kernel": "kernel",
    "make_plan": "plan",
    "probe_kvm": "accel",
    "qemu_command": "command",
    "shell_line": "command",
}

__all__ = [
    "Choice",
    "Console",
    "Drive",
    "GuestRam",
    "HeadStart",
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
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return found
