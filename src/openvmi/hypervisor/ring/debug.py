# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debug registers: breakpoints of the guest's own, never over the monitor (Intel SDM 3B, 17.2).

What the guest wrote it reads back; a breakpoint that may not be is not enabled in the CPU, and never hits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from .answers import Fault, protection

COUNT: Final = 8
GENERAL_DETECT: Final = 1 << 13
_SPACE: Final = 1 << 32
_DR7_ONE: Final = 1 << 10
_DR7_EXACT: Final = 3 << 8
_DR7_ZERO: Final = 0xD800  # bits 11, 12, 14, 15
_DR6_ONES: Final = 0xFFFF0FF0
_DR6_WRITABLE: Final = 0xE00F
_IO: Final = 2  # in a breakpoint's R/W field
_LENGTHS: Final = (1, 2, 8, 4)  # by the LEN field; 8 is wide enough for what only 64-bit modes have


@dataclass(frozen=True, slots=True)
class DebugRegisters:
    """What the guest sees in its debug registers.

    Args:
        addresses: DR0 to DR3.
        status: DR6.
        control: DR7.
    """

    addresses: tuple[int, int, int, int] = (0, 0, 0, 0)
    status: int = _DR6_ONES
    control: int = _DR7_ONE

    def read(self, number: int) -> int | Fault:
        """Return register ``number``; 4 and 5 are 6 and 7, as without CR4.DE."""
        if not 0 <= number < COUNT:
            return Fault(6, reason=f"no debug register {number}")
        if number < 4:
            return self.addresses[number]
        return self.control if number & 1 else self.status

    def write(self, number: int, value: int) -> DebugRegisters | Fault:
        """Return what the guest sees after a write; the general-detect bit is refused, or every access would trap."""
        if not 0 <= number < COUNT:
            return Fault(6, reason=f"no debug register {number}")
        if number < 4:
            first, second, third, fourth = (
                value if index == number else address for index, address in enumerate(self.addresses)
            )
            return replace(self, addresses=(first, second, third, fourth))
        if not number & 1:
            return replace(self, status=value & _DR6_WRITABLE | _DR6_ONES)
        if value & GENERAL_DETECT:
            return protection("general detection of debug registers is the monitor's")
        return replace(self, control=value & ~_DR7_ZERO | _DR7_ONE)

    def hardware(self, top: int) -> DebugRegisters:
        """Return what the CPU may have: only breakpoints on data and code, all of whose bytes are below ``top``."""
        control, addresses = self.control & _DR7_EXACT | _DR7_ONE, list(self.addresses)
        for index, address in enumerate(self.addresses):
            field = self.control >> (16 + 4 * index) & 0xF
            length = _LENGTHS[field >> 2]
            first = address & ~(length - 1)
            if field & 3 == _IO or first + length > top:
                addresses[index] = 0
                continue
            control |= (self.control >> 2 * index & 3) << 2 * index | field << (16 + 4 * index)
        first, second, third, fourth = (value % _SPACE for value in addresses)
        return DebugRegisters((first, second, third, fourth), self.status, control)
