# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that a guest can break at the interface, as data.

To add one: a line in :data:`RULES`, a ``yield`` of its name where it is judged, a row in ``docs/strict.md``, and a
guest that breaks it and no other in ``tests/guest/strict``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How bad a breach is: ``error`` when a hypervisor may fail over it, ``warning`` when it may only lose by it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Args:
        id: short name, stable.
        sections: of ``vmi-abi.md``.
        text: the rule, as a sentence about what a guest does.
        severity: of a breach.
    """

    id: str
    sections: tuple[str, ...]
    text: str
    severity: Severity = Severity.ERROR


_WARNING: Final = Severity.WARNING

_ALL = (
    Rule("before-init", ("4.1", "10.2"), "no call is made before vmi_init has said yes"),
    Rule("init-interrupts", ("2.4", "4.1", "10.2"), "vmi_init is called with interrupts off"),
    Rule("stack-flat", ("2.1", "4.2", "10.2"), "the stack is flat and below virtual_top"),
    Rule("segments-flat", ("2.1", "2.2", "4.13"), "DS and ES are flat in calls that may rely on them"),
    Rule("direction-flag", ("2.1",), "the direction flag is clear, as in every C call"),
    Rule("reserved-top", ("1.3", "4.3", "10.2"), "what lies at virtual_top and above is left to the hypervisor"),
    Rule("entry-width", ("3.1", "4.4"), "calls and flags of page tables are those of the paging mode"),
    Rule("page-flags", ("4.4",), "a page is announced, and released, as one kind of table, with known flags"),
    Rule("allocate-twice", ("4.4",), "a page that is announced is released before it is announced again"),
    Rule("zeroed-false", ("4.4",), "a page announced as ZEROED is zero, but for what is cloned"),
    Rule("clone-arguments", ("4.4",), "a clone names a directory that is announced, and entries that a table has"),
    Rule("clone-false", ("4.4",), "what is announced as cloned is as in the other table"),
    Rule("release-unknown", ("4.4",), "only a page that is announced is released, once"),
    Rule("release-type", ("4.4",), "a page is released as what it was announced as"),
    Rule("release-linked", ("4.4", "10.2"), "a table is released after it has been taken out of all others"),
    Rule("release-loaded", ("4.4",), "a directory is not released while a CPU has it loaded"),
    Rule("mapping-arguments", ("4.7",), "a linear mapping has a slot of 0 to 3 and says where its pages are"),
    Rule("entry-unmapped", ("4.5", "4.7", "10.2"), "entries lie in a linear mapping that this CPU has registered"),
    Rule(
        "entry-flags",
        ("4.5",),
        "flags of an entry have one level and no undefined bits, and an address with CURRENT_AS only",
    ),
    Rule("entry-level", ("4.5",), "the level given is that of the table that the entry is in", _WARNING),
    Rule("entry-address", ("4.5",), "CURRENT_AS is given with the address that the entry maps in this address space"),
    Rule("table-unannounced", ("4.4", "10.2"), "a page is announced before it is used as a table"),
    Rule("table-released", ("4.4", "10.2"), "a page is not used as a table after it has been released"),
    Rule("link-unannounced", ("4.4", "10.2"), "a table is announced before it is linked into another"),
    Rule("link-released", ("4.4", "10.2"), "no table is linked after it has been released"),
    Rule("defer-alone", ("4.5", "10.2"), "DEFER is given only together with CURRENT_AS"),
    Rule(
        "defer-unflushed",
        ("4.5", "4.6", "10.2"),
        "a deferred update is flushed before the CPU goes to user mode or halts",
    ),
    Rule("root-unannounced", ("4.4", "3.1"), "CR3 gets a root that is announced as a directory"),
    Rule("root-released", ("4.4", "3.1"), "CR3 does not get a root that has been released"),
    Rule("flush-flags", ("3.1",), "FlushTLB has the TLB flag, and no undefined ones", _WARNING),
    Rule("lazy-mode", ("4.6",), "a lazy mode is 0, 1 or 2"),
    Rule("lazy-nested", ("4.6", "10.2"), "lazy modes are not nested and don't overlap"),
    Rule("lazy-left", ("4.6", "10.2"), "a lazy mode is ended before the CPU goes to user mode or halts"),
    Rule("iret-masked", ("2.5", "4.2", "10.2"), "user mode is entered with interrupts on"),
    Rule("iret-ring", ("4.2", "10.2"), "a return to the kernel has the kernel's own ring in CS"),
    Rule("descriptor-live", ("4.8", "10.2"), "a register is loaded with NULL before its descriptor becomes invalid"),
    Rule("descriptor-place", ("3.1", "4.8"), "a descriptor is written inside its table"),
    Rule("descriptor-other-cpu", ("4.8", "4.12", "10.2"), "descriptors are changed on the CPU whose table it is"),
    Rule("gdt-other-cpu", ("4.8", "4.12", "10.2"), "each CPU has a GDT of its own"),
    Rule("tr-other-cpu", ("4.12",), "each CPU has a TSS of its own"),
    Rule("table-alignment", ("4.8", "10.2"), "GDT, LDT and IDT are page-aligned", _WARNING),
    Rule("gate-selector", ("4.2", "4.8"), "a gate that is present leads to a kernel code segment"),
    Rule("kernel-stack", ("3.1", "4.8"), "UpdateKernelStack tells what the TSS has, an address below virtual_top"),
    Rule("feature-cleared", ("3.1",), "features in CR0 and CR4 are turned on, and not off again"),
    Rule("iopl-bits", ("3.1", "4.2"), "SetIOPLMask has an IOPL and nothing else", _WARNING),
    Rule("ap-state", ("4.11", "9.7"), "a processor's initial state is complete, its own, and in one page"),
)
RULES: Final = {rule.id: rule for rule in _ALL}
"""Every rule by its name, in the order of the documentation."""
