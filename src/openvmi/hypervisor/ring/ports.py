# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""I/O ports: who may use them, and what of the machine stays the monitor's.

Every port access at CPL 1 and 3 faults. A program's is allowed by the virtual IOPL and the guest's own bitmap; most of
what is allowed is then done as it stands. The ports here are looked at first: behind each of them is a way to the
monitor's memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ..answers import Answer, Continue, Value
from .answers import Fault, protection
from .irqs import PIC_PORTS, Pics
from .pci import Latch, PciFilter

COUNT: Final = 65536
_PCI: Final = range(0xCF8, 0xD00)
_KEYBOARD_DATA: Final = 0x60
_KEYBOARD: Final = 0x64
_FAST_A20: Final = 0x92
_SMI: Final = range(0xB2, 0xB4)
_ACPI_MODES: Final = frozenset({0xF0, 0xF1})  # QEMU's chipset takes these two itself and makes no SMI of them
_DMA_HIGH: Final = range(0x480, 0x490)  # address bits 24-31 of the ISA DMA controllers
_FW_CFG_DMA: Final = range(0x514, 0x51C)
_VMWARE: Final = range(0x5658, 0x5659)  # answers in all registers of the CPU, which then are the monitor's
_OPTION_ROM: Final = range(0x7E, 0x80)  # QEMU's own, which has it write to memory
_EJECT_DEVICE: Final = range(0xAE08, 0xAE0C)  # takes a PCI slot out of the machine: the monitor's, too
_EJECT_CPU: Final = range(0xAF04, 0xAF0C)
_DROPPED: Final = (_SMI, _DMA_HIGH, _FW_CFG_DMA, _VMWARE, _OPTION_ROM, _EJECT_DEVICE, _EJECT_CPU)
_CLOSED: Final = (_FW_CFG_DMA, _VMWARE)  # not read, either
_SLEEP: Final = 0x605  # the byte of PM1_CNT with the kind of sleep and the order
_SLEEP_NOW: Final = 0x20
_SUSPEND: Final = 1  # to RAM: a CPU wakes up where the guest wants, in ring 0
_NO_LATCH: Final = Latch()
_TSS_MAP: Final = 0x66
_IOPL_USER: Final = 3


def user_may(port: int, size: int, iopl: int, tss: bytes) -> bool:
    """Say whether a program may use a port (Intel SDM 1, 19.5.2).

    Args:
        port: first of them.
        size: bytes: 1, 2 or 4.
        iopl: as SetIOPLMask left it, 0 to 3.
        tss: the guest's task-state segment, as long as its limit says, with the bitmap in it.
    """
    if iopl == _IOPL_USER:
        return True
    if len(tss) < _TSS_MAP + 2:
        return False
    base = int.from_bytes(tss[_TSS_MAP : _TSS_MAP + 2], "little")
    at = base + port // 8
    if at + 2 > len(tss):
        return False  # the CPU reads two bytes, whatever the port
    wanted = (1 << size) - 1 << port % 8
    return not int.from_bytes(tss[at : at + 2], "little") & wanted


@dataclass(slots=True)
class Keyboard:
    """The keyboard controller's other job: address line 20, without which the monitor's memory is elsewhere."""

    awaits_output: bool = False

    def write(self, port: int, value: int) -> Answer:
        """Decide about a byte written to port 0x60 or 0x64."""
        if port == _KEYBOARD:
            self.awaits_output = value == 0xD1
            return Value() if value == 0xDD else None
        if not self.awaits_output:
            return None
        self.awaits_output = False
        return Continue(value=value | 2)


def _suspends(byte: int) -> bool:
    return bool(byte & _SLEEP_NOW) and byte >> 2 & 7 == _SUSPEND


@dataclass(slots=True)
class Ports:
    """All that is looked at.

    Args:
        pci: configuration space.
        pics: the two 8259s.
        keyboard: the keyboard controller.
        wake: port that wakes the brain; the monitor's own.
    """

    pci: PciFilter
    pics: Pics = field(default_factory=Pics)
    keyboard: Keyboard = field(default_factory=Keyboard)
    wake: int = 0

    def asked(self) -> bytes:
        """Return the bitmap of ports that are looked at: bit ``port % 8`` of byte ``port // 8``."""
        found = bytearray(COUNT // 8)
        for port in (
            *_PCI,
            *PIC_PORTS,
            _KEYBOARD,
            _KEYBOARD_DATA,
            _FAST_A20,
            *(port for part in _DROPPED for port in part),
            _SLEEP,
            self.wake,
        ):
            if port:
                found[port // 8] |= 1 << port % 8
        return bytes(found)

    def read(self, port: int, size: int, latch: Latch = _NO_LATCH) -> Answer | Fault:
        """Decide about IN; ``size`` is 1, 2 or 4 bytes. None: done as it stands; a Value: that is read instead."""
        if port + size > COUNT:
            return protection("an access beyond the last port")
        if port in _PCI:
            return self.pci.read(port, size, latch)
        if any(self._touches(port, size, part) for part in _CLOSED) or (self.wake and port <= self.wake < port + size):
            return Value((1 << 8 * size) - 1)
        return protection("an access across registers") if self._straddles(port, size) else None

    def write(self, port: int, size: int, value: int, latch: Latch = _NO_LATCH) -> Answer | Fault:
        """Decide about OUT. None: done as it stands; Continue: another value is written; a Value: nothing is."""
        value &= (1 << 8 * size) - 1
        if port + size > COUNT:
            return protection("an access beyond the last port")
        if port in _PCI:
            return self.pci.write(port, size, value, latch)
        if port == _SMI.start and size == 1 and value in _ACPI_MODES:
            return None
        if any(self._touches(port, size, part) for part in _DROPPED):
            return Value()
        if self.wake and port <= self.wake < port + size:
            return Value()
        if self._straddles(port, size):
            return protection("an access across registers")
        if port <= _SLEEP < port + size:
            return Value() if _suspends(value >> 8 * (_SLEEP - port)) else None
        if port in PIC_PORTS:
            return self.pics.write(port, value)
        if port in {_KEYBOARD, _KEYBOARD_DATA}:
            return self.keyboard.write(port, value)
        return Continue(value=value | 2) if port == _FAST_A20 else None

    @staticmethod
    def _touches(port: int, size: int, part: range) -> bool:
        return port < part.stop and part.start < port + size

    def _straddles(self, port: int, size: int) -> bool:
        """Say whether an access of several bytes meets a register that has one."""
        if size == 1:
            return False
        single = (*PIC_PORTS, _KEYBOARD, _KEYBOARD_DATA, _FAST_A20, _PCI.start)
        return any(port <= register < port + size for register in single)
