"""A PC from Python: QEMU as an external process. Knows nothing of VMI.

    with Machine(MachineConfig(kernel=Path("guest.elf"), expect_report=True)) as vm:
        outcome = vm.wait()

The main path: :func:`make_plan` checks everything, ``qemu_command`` writes the command, ``Run`` starts it, ``Pump``
moves the bytes, ``judge`` says how it ended.
"""

from .accel import Choice, KvmAnswer, choose_accelerator, probe_kvm
from .channel import ResultChannel, ResultLine
from .command import qemu_command, shell_line
from .config import Drive, MachineConfig, Nic
from .inputs import check_inputs
from .kernel import KernelInfo, inspect_kernel
from .machine import Machine, Plan, make_plan
from .qemu import Qemu, find_qemu

__all__ = [
    "Choice",
    "Drive",
    "KernelInfo",
    "KvmAnswer",
    "Machine",
    "MachineConfig",
    "Nic",
    "Plan",
    "Qemu",
    "ResultChannel",
    "ResultLine",
    "check_inputs",
    "choose_accelerator",
    "find_qemu",
    "inspect_kernel",
    "make_plan",
    "probe_kvm",
    "qemu_command",
    "shell_line",
]
