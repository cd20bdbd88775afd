# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""PCI configuration space through ports 0xCF8 to 0xCFF (PCI 3.0, 3.2.2.3): what the guest's driver may say to whom.

Segments don't stop a device that writes memory by itself. So none becomes a bus master, unless the user has accepted
that; none moves over the monitor's memory; the device that holds it is not there; and the chipset's own registers,
which remap memory and open the system-management mode's, are read only. Message-signalled interrupts, which are memory
that a device writes, are not there: their capabilities read as null ones, and can't be written.

The monitor keeps each CPU's address register, and gives the machine that address together with the access, so that no
other CPU's comes between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..answers import Answer, Continue, Value
from .answers import Fault, protection

ADDRESS_PORT: Final = 0xCF8
DATA_PORT: Final = 0xCFC
_RESET_PORT: Final = 0xCF9
ENABLE: Final = 1 << 31
COMMAND: Final = 0x04
BUS_MASTER: Final = 0x4
BARS: Final = range(0x10, 0x28, 4)
ROM_BAR: Final = 0x30
_DEVICE_SPECIFIC: Final = 0x40
_SIZING: Final = 0xFFFFF800  # all address bits that any decoder looks at
_LARGEST: Final = 256 << 20  # no device of our machines has more at once
_PORTS: Final = 1 << 16  # of addresses that an I/O port's register holds
_MSI: Final = 0x05
_MSI_X: Final = 0x11
_MESSAGES: Final = {_MSI: 0x18, _MSI_X: 0x0C}
"""Capabilities for message-signalled interrupts, and the most bytes that they have (PCI 3.0, 6.8)."""
_HEADER_WRITABLE: Final = (range(0x04, 0x06), range(0x06, 0x08), range(0x0C, 0x0E), range(0x3C, 0x3D))


@dataclass(frozen=True, slots=True, order=True)
class Function:
    """A PCI function.

    Args:
        bus: 0 to 255.
        device: 0 to 31.
        function: 0 to 7.
    """

    bus: int
    device: int
    function: int

    def __str__(self) -> str:
        return f"{self.bus:02x}:{self.device:02x}.{self.function}"

    @classmethod
    def addressed(cls, address: int) -> Function:
        """Return the function that the address register's value means."""
        return cls(address >> 16 & 0xFF, address >> 11 & 0x1F, address >> 8 & 7)


HOST_BRIDGE: Final = Function(0, 0, 0)
ISA_BRIDGE: Final = Function(0, 1, 0)
POWER: Final = Function(0, 1, 3)
OPENVMI: Final = Function(0, 0x1E, 1)
_INTERRUPT_ROUTING: Final = range(0x60, 0x64)  # of the ISA bridge
_CHIPSET: Final = frozenset({HOST_BRIDGE, ISA_BRIDGE, POWER})


@dataclass(frozen=True, slots=True)
class Latch:
    """What the monitor tells with an access to configuration space.

    Args:
        address: this CPU's address register.
        capability: what the register belongs to: its first register, 0x40 to 0xFC, in bits 8 to 15, and its kind; 0 for
            none.
        data: what the device says; for a read.
    """

    address: int = 0
    capability: int = 0
    data: int = 0

    @property
    def function(self) -> Function:
        """Who is addressed."""
        return Function.addressed(self.address)

    @property
    def of_messages(self) -> range:
        """The registers of the capability, if it is one for message-signalled interrupts; else none."""
        first, length = self.capability >> 8, _MESSAGES.get(self.capability & 0xFF, 0)
        return range(first, first + length)


@dataclass(frozen=True, slots=True)
class PciFilter:
    """Configuration space as the guest has it.

    Args:
        reserved: machine addresses that no device may cover.
        hidden: functions that are not there for the guest.
        masters: functions that may be told to write memory; whoever names one gives up protection against it.
    """

    reserved: range
    hidden: frozenset[Function] = frozenset({OPENVMI})
    masters: frozenset[Function] = frozenset()

    def read(self, port: int, size: int, latch: Latch) -> Answer | Fault:
        """Decide about a read of ``size`` bytes at ``port``, 0xCF8 to 0xCFF."""
        ones = (1 << 8 * size) - 1
        if port < DATA_PORT:
            return None if (port, size) in {(ADDRESS_PORT, 4), (_RESET_PORT, 1)} else Value(ones)
        if not _fits(port, size):
            return protection("an access across the data register's end")
        if latch.function in self.hidden:
            return Value(ones)
        at = (latch.address & 0xFC) + (port & 3)
        return Value(latch.data & ~0xFF) if latch.of_messages and at == latch.of_messages.start else None

    def write(self, port: int, size: int, value: int, latch: Latch) -> Answer | Fault:
        """Decide about a write of ``value``, ``size`` bytes, at ``port``, 0xCF8 to 0xCFF."""
        if port < DATA_PORT:
            if (port, size) != (ADDRESS_PORT, 4):
                # 0xCF9 alone resets the machine; parts of the address register don't exist
                return None if (port, size) == (_RESET_PORT, 1) else Value()
            return Continue(value=value & (ENABLE | 0xFFFFFC))
        if not _fits(port, size):
            return protection("an access across the data register's end")
        if latch.function in self.hidden or not latch.address & ENABLE:
            return Value()
        return self._write((latch.address & 0xFC) + (port & 3), size, value, latch)

    def _write(self, at: int, size: int, value: int, latch: Latch) -> Answer | Fault:
        if at >= _DEVICE_SPECIFIC:
            return self._write_specific(at, size, latch)
        if at in BARS or at == ROM_BAR:
            return self._write_bar(size, value)
        if any(at < bar + 4 and bar < at + size for bar in (*BARS, ROM_BAR)):
            return Value()  # a piece of an address would make another address of it
        if at <= COMMAND < at + size and latch.function not in self.masters:
            return Continue(value=value & ~(BUS_MASTER << 8 * (COMMAND - at)))
        inside = any(at in part and at + size <= part.stop for part in _HEADER_WRITABLE)
        return None if inside or at == COMMAND else Value()

    def _write_bar(self, size: int, value: int) -> Answer | Fault:
        """Move a device. The low bits say nothing: a memory's register ignores them, and keeps the address."""
        if size != 4:
            return Value()
        if value < _PORTS or value & _SIZING == _SIZING:
            return None  # an I/O port, or low memory, or the question how large it is
        first = value & ~0xF
        meets = first < self.reserved.stop and first + _LARGEST > self.reserved.start
        return Value() if meets else None

    @staticmethod
    def _write_specific(at: int, size: int, latch: Latch) -> Answer | Fault:
        """Chipset: shadow RAM, system-management RAM, power management. Others: capabilities, which are theirs."""
        if latch.function not in _CHIPSET:
            messages = latch.of_messages
            return Value() if at < messages.stop and messages.start < at + size else None
        routing = latch.function == ISA_BRIDGE and at in _INTERRUPT_ROUTING and at + size <= _INTERRUPT_ROUTING.stop
        return None if routing else Value()


def _fits(port: int, size: int) -> bool:
    return (port & 3) + size <= 4
