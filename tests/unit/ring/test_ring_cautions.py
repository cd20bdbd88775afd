# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the user is told about a machine whose devices write memory by themselves."""

from __future__ import annotations

from pathlib import Path

from openvmi.hypervisor import Hypervisor
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.ring.pci import Function
from openvmi.machine import Drive, MachineConfig, Nic

KERNEL = Path("kernel")


class Trusting(Ring):
    masters = frozenset({Function(0, 4, 0), Function(0, 1, 1)})


def who(ring: Hypervisor, config: MachineConfig) -> list[str]:
    lines = list(ring.cautions(config))
    assert all("no boundary against malice" in line for line in lines)
    return [line.split(" writes ")[0].split(" may ")[0] for line in lines]


def test_the_default_machine_needs_no_caution() -> None:
    quiet = MachineConfig(kernel=KERNEL, extra_args=("-device", "isa-debugcon,chardev=x", "-serial", "null"))
    assert not who(Ring(), MachineConfig(kernel=KERNEL))
    assert not who(Ring(), quiet)


def test_each_device_that_writes_memory_is_named() -> None:
    config = MachineConfig(
        kernel=KERNEL,
        drives=(Drive(path=Path("disk")), Drive(path=Path("other"))),
        nics=(Nic(),),
        extra_args=("-device", "e1000,id=x"),
    )
    assert who(Ring(), config) == ["a virtio disk", "a virtio network card", "e1000"]
    assert not list(Hypervisor().cautions(config)), "others promise no boundary"


def test_masters_are_named() -> None:
    assert who(Trusting(), MachineConfig(kernel=KERNEL)) == ["PCI function 00:01.1", "PCI function 00:04.0"]
