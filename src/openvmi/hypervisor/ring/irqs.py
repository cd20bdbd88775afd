# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Interrupt controllers: which vectors and which kinds of messages the guest may have sent to its CPUs.

A device's interrupt at an exception's vector would be taken for that exception, with a stack of another shape. INIT,
start-up and system-management messages make a CPU execute code beside the monitor; a non-maskable one comes while the
monitor runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ..answers import Answer, Continue, Value
from .answers import Fault, protection

EXCEPTIONS: Final = 32
MASTER: Final = 0x20
SLAVE: Final = 0xA0
PIC_PORTS: Final = frozenset({MASTER, MASTER + 1, SLAVE, SLAVE + 1})
_ICW1: Final = 0x10
_ICW1_ICW4: Final = 1
_ICW1_SINGLE: Final = 2

ICR_LOW: Final = 0x300
ICR_HIGH: Final = 0x310
ROUTES: Final = 0x10
"""First register of the I/O APIC's table; an entry has two, the low word first."""
_WRITABLE: Final = frozenset({0x80, 0xB0, 0xD0, 0xE0, 0xF0, 0x280, ICR_LOW, ICR_HIGH, 0x380, 0x3E0})
_LVT: Final = frozenset({0x2F0, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370})
_SPURIOUS: Final = 0xF0
_MASKED: Final = 1 << 16
FIXED: Final = 0
LOWEST: Final = 1
SMI: Final = 2
NMI: Final = 4
INIT: Final = 5
STARTUP: Final = 6
EXTINT: Final = 7


@dataclass(slots=True)
class Pics:
    """The two 8259s, as far as their initialization goes: one word of it is the first of eight vectors.

    Args:
        reserved: vectors of the monitor's own.
    """

    reserved: frozenset[int] = frozenset()
    _step: dict[int, int] = field(default_factory=lambda: {MASTER: 0, SLAVE: 0})
    _first: dict[int, int] = field(default_factory=lambda: {MASTER: 0, SLAVE: 0})

    def write(self, port: int, value: int) -> Answer | Fault:
        """Decide about a byte written to one of :data:`PIC_PORTS`."""
        chip = port & ~1
        if not port & 1:
            if value & _ICW1:
                self._first[chip], self._step[chip] = value, 2
            return None
        step = self._step[chip]
        if step == 2:
            vectors = range(value & 0xF8, (value & 0xF8) + 8)
            if vectors.start < EXCEPTIONS or not self.reserved.isdisjoint(vectors):
                return protection(f"interrupts at vectors {vectors.start:#x} to {vectors.stop - 1:#x}")
        self._step[chip] = self._after(step, self._first[chip])
        return None

    @staticmethod
    def _after(step: int, first: int) -> int:
        if step == 2 and not first & _ICW1_SINGLE:
            return 3
        return 4 if step in {2, 3} and first & _ICW1_ICW4 else 0


def apic_write(register: int, value: int, reserved: frozenset[int] = frozenset()) -> Answer:
    """Decide about a write to the local APIC.

    Args:
        register: offset in its page; the low 12 bits count.
        value: 32 bits.
        reserved: vectors of the monitor's own.

    Returns:
        None if it may be done. INIT and STARTUP never reach the hardware: the monitor starts CPUs. A Value, and nothing
        is done, for what must not be sent, and what is no register to be written: there the hardware may take a
        message. Entries that would send such a thing are masked, as the monitor does without us.
    """
    register &= 0xFF0
    vector, mode = value & 0xFF, value >> 8 & 7
    odd = vector < EXCEPTIONS or vector in reserved
    if register not in _WRITABLE | _LVT:
        return Value()
    if register == ICR_LOW:
        if mode in {INIT, STARTUP}:
            return None
        return Value() if odd or mode not in {FIXED, LOWEST} else None
    if register in _LVT and not value & _MASKED:
        # LINT0 brings the 8259s' interrupts; its vector is theirs
        return Continue(value=value | _MASKED) if mode != EXTINT and (odd or mode != FIXED) else None
    return Continue(value=value | 0xFF) if register == _SPURIOUS and odd else None


def redirection(low: int, reserved: frozenset[int] = frozenset()) -> Answer:
    """Decide about the low word of an entry of the I/O APIC's table: what may not be sent is masked.

    ExtINT is what it has for the 8259s; their vectors are looked at as they are set.
    """
    mode = low >> 8 & 7
    if low & _MASKED or mode == EXTINT:
        return None
    vector = low & 0xFF
    odd = vector < EXCEPTIONS or vector in reserved or mode not in {FIXED, LOWEST}
    return Continue(value=low | _MASKED) if odd else None
