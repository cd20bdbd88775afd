# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Model-specific registers: a list of what there is, and what each does; all else faults (Intel SDM 4, chapter 2).

The guest executes RDMSR and WRMSR and gets here by the fault. Nothing that it writes reaches the CPU's own registers
but the no-execute bit of EFER; SYSENTER's three are kept for the monitor's trampoline, which forwards to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from .answers import Fault, protection

TSC: Final = 0x10
PLATFORM_ID: Final = 0x17
APIC_BASE: Final = 0x1B
MICROCODE: Final = 0x8B
MTRR_CAP: Final = 0xFE
SYSENTER_CS: Final = 0x174
SYSENTER_ESP: Final = 0x175
SYSENTER_EIP: Final = 0x176
MCG_CAP: Final = 0x179
MCG_STATUS: Final = 0x17A
MISC_ENABLE: Final = 0x1A0
DEBUG_CONTROL: Final = 0x1D9
PAT: Final = 0x277
MTRR_DEFAULT: Final = 0x2FF
EFER: Final = 0xC0000080
EFER_NX: Final = 1 << 11
_PAT_TYPES: Final = frozenset({0, 1, 4, 5, 6, 7})


class Kind(Enum):
    """What an MSR does."""

    CONSTANT = "reads the same always; a write of another value is a fault"
    IGNORED = "reads the same always; writes are taken and forgotten"
    VIRTUAL = "the guest reads what it wrote; the CPU does not have it"
    SYSENTER = "the guest reads what it wrote; the monitor's trampoline goes by it"
    TIME = "the time stamp counter: read only"
    EXECUTE = "EFER: no-execute alone, and that is the CPU's own"


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of one MSR.

    Args:
        kind: what it does.
        value: what it reads at first.
        mask: bits that may be set; others are a fault.
    """

    kind: Kind
    value: int = 0
    mask: int = (1 << 64) - 1


_WORD: Final = (1 << 32) - 1
RULES: Final[Mapping[int, Rule]] = {
    TSC: Rule(Kind.TIME),
    PLATFORM_ID: Rule(Kind.CONSTANT),
    APIC_BASE: Rule(Kind.CONSTANT, 0xFEE00800),
    MICROCODE: Rule(Kind.IGNORED),
    # no range registers: types of memory are the host's matter
    MTRR_CAP: Rule(Kind.CONSTANT),
    MTRR_DEFAULT: Rule(Kind.VIRTUAL, 0xC06, 0xCFF),
    SYSENTER_CS: Rule(Kind.SYSENTER, mask=0xFFFF),
    SYSENTER_ESP: Rule(Kind.SYSENTER, mask=_WORD),
    SYSENTER_EIP: Rule(Kind.SYSENTER, mask=_WORD),
    MCG_CAP: Rule(Kind.CONSTANT),
    MCG_STATUS: Rule(Kind.IGNORED),
    MISC_ENABLE: Rule(Kind.IGNORED, 1),
    DEBUG_CONTROL: Rule(Kind.CONSTANT),
    PAT: Rule(Kind.VIRTUAL, 0x0007040600070406),
    EFER: Rule(Kind.EXECUTE, mask=EFER_NX),
}


@dataclass(slots=True)
class Msrs:
    """One CPU's registers as its guest sees them.

    Args:
        top: first linear address that the guest may not reach.
        no_execute: the CPU has the no-execute bit, and the guest was told so.
        rules: what there is.
        values: what was written, where that is kept.
    """

    top: int
    no_execute: bool = False
    rules: Mapping[int, Rule] = field(default_factory=lambda: RULES)
    values: dict[int, int] = field(default_factory=dict)

    def read(self, index: int, ticks: int = 0) -> int | Fault:
        """Return what RDMSR gives.

        Args:
            index: of the register, 32 bits.
            ticks: the time stamp counter now.
        """
        rule = self.rules.get(index)
        if rule is None:
            return protection(f"no MSR {index:#x}")
        return ticks if rule.kind is Kind.TIME else self.values.get(index, rule.value)

    def write(self, index: int, value: int) -> Fault | None:
        """Do what WRMSR does; a fault leaves everything as it was."""
        rule = self.rules.get(index)
        if rule is None:
            return protection(f"no MSR {index:#x}")
        reason = self._objection(index, rule, value)
        if reason:
            return protection(f"MSR {index:#x}: {reason}")
        if rule.kind in {Kind.VIRTUAL, Kind.SYSENTER, Kind.EXECUTE}:
            self.values[index] = value
        return None

    def _objection(self, index: int, rule: Rule, value: int) -> str:
        if rule.kind is Kind.TIME:
            return "the time stamp counter is not the guest's to set"
        if rule.kind is Kind.CONSTANT and value != self.values.get(index, rule.value):
            return f"can't be {value:#x}"
        if value & ~rule.mask:
            return f"bits {value & ~rule.mask:#x} are reserved"
        if index == SYSENTER_EIP and value >= self.top:
            return f"an entry point in the hole, {value:#010x}"
        if index == PAT and any(value >> 8 * at & 0xFF not in _PAT_TYPES for at in range(8)):
            return f"no such memory types: {value:#x}"
        if index == EFER and value & EFER_NX and not self.no_execute:
            return "this CPU has no no-execute bit"
        return ""
