# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Gates of the interrupt table: which the CPU may take by itself, and which only the monitor.

A gate of the hardware's table that leads straight to CPL 1 costs nothing, but nobody clears the virtual interrupt flag
on the way, so only trap gates qualify; and an interrupt must never arrive that way, so only what a program can raise by
``int n`` does. All others stay the monitor's: it looks at the guest's gate when something happens (Intel SDM 3A, 6.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from .segments import Descriptor

INTERRUPT: Final = 0xE
TRAP: Final = 0xF
KINDS: Final = frozenset({INTERRUPT, TRAP})
BREAKPOINT: Final = 3
OVERFLOW: Final = 4
FIRST_FREE: Final = 32
VECTORS: Final = 256
_USER: Final = 3


class Way(Enum):
    """How what a gate is for reaches the guest."""

    ABSENT = "the guest gets what a gate that is not present gives"
    REFLECTED = "through the monitor"
    DIRECT = "the CPU goes from CPL 3 to CPL 1 by itself"


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of 8 bytes.

    Args:
        value: 64 bits, low word first in memory.
    """

    value: int

    @property
    def offset(self) -> int:
        """Where it leads, in its segment."""
        return (self.value & 0xFFFF) | (self.value >> 48) << 16

    @property
    def selector(self) -> int:
        """The code segment."""
        return self.value >> 16 & 0xFFFF

    @property
    def type(self) -> int:
        """The five bits of the type; a gate's highest is 0."""
        return self.value >> 40 & 0x1F

    @property
    def dpl(self) -> int:
        """The least privileged level that may use it by ``int n``."""
        return self.value >> 45 & 3

    @property
    def present(self) -> bool:
        """Whether it can be used."""
        return bool(self.value >> 47 & 1)


@dataclass(frozen=True, slots=True)
class Routed:
    """What becomes of a gate.

    Args:
        way: how.
        selector: code segment for the hardware's gate, with the guest kernel's RPL; 0 unless direct.
        offset: entry point for the hardware's gate; 0 unless direct.
        masks: the handler starts with the virtual interrupt flag clear.
        dpl: of the guest's gate: ``int n`` from a less privileged level is a fault.
        why: in words, where the guest may wonder; empty else.
    """

    way: Way
    selector: int = 0
    offset: int = 0
    masks: bool = False
    dpl: int = 0
    why: str = ""

    def hardware(self) -> int:
        """Return the 8 bytes for the hardware's table; 0 if it is not direct."""
        if self.way is not Way.DIRECT:
            return 0
        access = 0x80 | _USER << 5 | TRAP
        return (self.offset & 0xFFFF) | self.selector << 16 | access << 40 | self.offset >> 16 << 48


def make_gate(selector: int, offset: int, kind: int = INTERRUPT, dpl: int = 0, *, present: bool = True) -> Gate:
    """Return a gate; arguments as the properties of :class:`Gate`."""
    access = present << 7 | dpl << 5 | kind
    return Gate((offset & 0xFFFF) | selector << 16 | access << 40 | offset >> 16 << 48)


def route(vector: int, gate: Gate, code: Descriptor, top: int, reserved: frozenset[int] = frozenset()) -> Routed:
    """Return what becomes of a gate of the guest's.

    Args:
        vector: 0 to 255.
        gate: as the guest wrote it; its selector may have RPL 0 or the kernel's.
        code: what the guest's table says of the gate's selector, as :func:`~.segments.shadow` has made it; null if
            there is nothing that may be used.
        top: first linear address that the guest may not reach.
        reserved: vectors that the monitor uses itself, or that interrupts may arrive at.
    """
    if not gate.present:
        return Routed(Way.ABSENT, dpl=gate.dpl)
    if gate.type not in KINDS:
        return Routed(Way.ABSENT, dpl=gate.dpl, why=f"a gate of type {gate.type:#x} is not served")
    kernel = code.is_code and code.present and not code.is_conforming and code.dpl != _USER
    if not kernel:
        return Routed(Way.ABSENT, dpl=gate.dpl, why=f"selector {gate.selector:#06x} is not the kernel's code")
    if gate.selector & 4:
        return Routed(Way.ABSENT, dpl=gate.dpl, why="a handler in the LDT")
    if code.base or gate.offset > code.limit or gate.offset >= top:
        return Routed(
            Way.ABSENT, dpl=gate.dpl, why=f"a handler at {gate.offset:#010x}, which its segment does not reach"
        )
    masks = gate.type == INTERRUPT
    raised = vector in {BREAKPOINT, OVERFLOW} or FIRST_FREE <= vector < VECTORS
    if masks or gate.dpl != _USER or not raised or vector in reserved:
        return Routed(Way.REFLECTED, masks=masks, dpl=gate.dpl)
    return Routed(Way.DIRECT, gate.selector & ~3 | code.dpl, gate.offset, dpl=_USER)
