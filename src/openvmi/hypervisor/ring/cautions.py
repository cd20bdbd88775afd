# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices of a machine that write memory by themselves, which no segment and no page table keeps from the monitor's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ...machine import MachineConfig
    from .pci import Function

_HARMLESS: Final = ("isa-serial", "isa-debug", "pvpanic")
_MEANS: Final = "a kernel that tells it to can write the monitor's memory: no boundary against malice (docs/ring.md)"


def cautions(config: MachineConfig, masters: frozenset[Function]) -> Iterator[str]:
    """Yield, for each thing in the machine that weakens the boundary, what it is and what it means.

    Args:
        config: the machine.
        masters: PCI functions that may become bus masters.
    """
    if config.drives:
        yield f"a virtio disk writes memory by itself; {_MEANS}"
    if config.nics:
        yield f"a virtio network card writes memory by itself; {_MEANS}"
    for option, value in pairwise(config.extra_args):
        if option in {"-device", "-nic", "-net"} and not value.startswith(_HARMLESS):
            yield f"{value.partition(',')[0]} may write memory by itself; {_MEANS}"
    for function in sorted(masters):
        yield f"PCI function {function} may write memory by itself, as `masters` allows; {_MEANS}"
