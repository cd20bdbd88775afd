# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What one run of ROM code did, as far as the PC could see."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

ARITHMETIC = 0x8D5
"""CF, PF, AF, ZF, SF, OF."""
IF = 0x200
IOPL = 0x3000
SYSTEM_FLAGS = 0x3E7700
"""TF, IF, DF, IOPL, NT, VM, AC, VIF, VIP, ID."""
NO_VECTOR, INVALID_OPCODE, DOUBLE_FAULT, GENERAL_PROTECTION, PAGE_FAULT = -1, 6, 8, 13, 14


class End(StrEnum):
    """How a run ended."""

    RETURNED = "returned to its caller"
    LANDED = "arrived where it was sent"
    OFF = "halted with interrupts off"
    RESET = "reset the machine"
    FAULT = "fault"
    ENDLESS = "did not end"
    OUTSIDE = "called a hypervisor"


@dataclass(frozen=True, slots=True)
class Write:
    """One store: ``size`` bytes at the linear ``address``."""

    address: int
    size: int
    value: int


@dataclass(frozen=True, slots=True)
class Port:
    """One port access: ``direction`` is ``in`` or ``out``."""

    direction: str
    port: int
    size: int
    value: int


@dataclass(slots=True)
class Seen:
    """What a run did.

    Args:
        before: registers and system state at entry, by name.
        after: the same at the end.
        end: how it ended.
        vector: of the fault; NO_VECTOR if the CPU would have gone on, into nothing.
        address: that a page fault was about.
        eip: where the run ended.
        reason: what it wanted of a hypervisor, for :attr:`End.OUTSIDE`.
        writes: stores, in order.
        ports: port accesses, in order.
        events: names of notable instructions, in order, ``hlt`` with the interrupt flag.
        open_instructions: instructions begun with interrupts on, in a run that began with them off.
        open_at_halt: how many of them up to the first HLT.
        changed: memory that differs afterwards, by address: before and after.
    """

    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    end: End = End.ENDLESS
    vector: int = 0
    address: int = 0
    eip: int = 0
    reason: str = ""
    writes: list[Write] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    open_instructions: int = 0
    open_at_halt: int = 0
    changed: dict[int, tuple[int, int]] = field(default_factory=dict)

    def says(self) -> str:
        """Return how it ended, in words."""
        if self.reason or self.end is not End.FAULT:
            return self.reason or str(self.end)
        if self.vector in {PAGE_FAULT, DOUBLE_FAULT}:
            return f"a page fault on {self.address:#010x}"
        if self.vector == INVALID_OPCODE:
            return "an invalid opcode"
        return f"exception {self.vector}"

    def get(self, name: str) -> int:
        """Return a register or a piece of system state at the end."""
        return self.after[name]
