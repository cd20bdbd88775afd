# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Enumerations and constants of the interface.

Written by ``python -m openvmi.abi.generate`` from ``tables``: change those, not this file.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

__all__ = [
    "ALARM_COUNTER_MASK",
    "ALARM_WIRED_IRQ0",
    "API_MAJOR",
    "API_MINOR",
    "CALL_COUNT",
    "IF",
    "IRET_POISON",
    "JUMP_SIZE",
    "LICENSE_GPL",
    "LICENSE_GPL_V2",
    "LINEAR_SLOTS",
    "MAX_CALL_SIZE",
    "MIN_CYCLE_FREQUENCY",
    "PAGE_LEVEL_MASK",
    "PAGE_NORMAL",
    "PCIR_LAST_IMAGE",
    "PCIR_LENGTH",
    "PCIR_SIGNATURE",
    "PCI_DEVICE",
    "PCI_VENDOR",
    "PNP_SIGNATURE",
    "PNP_UNIT",
    "PXE_LEVEL_MASK",
    "PXE_VA_MASK",
    "ROM_SIGNATURE",
    "ROM_UNIT",
    "SCAN_END",
    "SCAN_FIRST",
    "SCAN_FIRST_TEXT",
    "SCAN_STEP",
    "SIGNATURE",
    "STACK_HEADROOM",
    "SYSEXIT_POISON",
    "AlarmFlag",
    "Call",
    "Counter",
    "FlushFlag",
    "LazyMode",
    "PageFlag",
    "PxeFlag",
    "RebootMode",
    "RelocType",
]

ROM_SIGNATURE: Final = 0xAA55
SIGNATURE: Final = 0x696D5663
API_MAJOR: Final = 3
API_MINOR: Final = 0
SCAN_FIRST: Final = 0xC0000
SCAN_END: Final = 0xE0000
SCAN_STEP: Final = 0x800
SCAN_FIRST_TEXT: Final = 0xC8000
ROM_UNIT: Final = 512
JUMP_SIZE: Final = 8
PCIR_SIGNATURE: Final = 0x52494350
PCI_VENDOR: Final = 0x15AD
PCI_DEVICE: Final = 0x801
PCIR_LENGTH: Final = 24
PCIR_LAST_IMAGE: Final = 0x80
PNP_SIGNATURE: Final = 0x506E5024
PNP_UNIT: Final = 16
IF: Final = 0x200
LINEAR_SLOTS: Final = 4
MAX_CALL_SIZE: Final = 5
STACK_HEADROOM: Final = 32
MIN_CYCLE_FREQUENCY: Final = 1000
IRET_POISON: Final = 0xBADBAB0
SYSEXIT_POISON: Final = 0xFEEDBAB0
LICENSE_GPL: Final = "GPL"
LICENSE_GPL_V2: Final = "GPL v2"
PAGE_NORMAL: Final = 0
PAGE_LEVEL_MASK: Final = 0xF
PXE_LEVEL_MASK: Final = 0xF
PXE_VA_MASK: Final = 0xFFFFF000
ALARM_WIRED_IRQ0: Final = 0
ALARM_COUNTER_MASK: Final = 0xFF
CALL_COUNT: Final = 74


class Call(IntEnum):
    """Calls of generation D: mainline Linux 2.6.21-2.6.36, header API 3.0."""

    CPUID = 0
    WRMSR = 1
    RDMSR = 2
    SetGDT = 3
    SetLDT = 4
    SetIDT = 5
    SetTR = 6
    GetGDT = 7
    GetLDT = 8
    GetIDT = 9
    GetTR = 10
    WriteGDTEntry = 11
    WriteLDTEntry = 12
    WriteIDTEntry = 13
    UpdateKernelStack = 14
    SetCR0 = 15
    SetCR2 = 16
    SetCR3 = 17
    SetCR4 = 18
    GetCR0 = 19
    GetCR2 = 20
    GetCR3 = 21
    GetCR4 = 22
    WBINVD = 23
    SetDR = 24
    GetDR = 25
    RDPMC = 26
    RDTSC = 27
    CLTS = 28
    EnableInterrupts = 29
    DisableInterrupts = 30
    GetInterruptMask = 31
    SetInterruptMask = 32
    IRET = 33
    SYSEXIT = 34
    Halt = 35
    Reboot = 36
    Shutdown = 37
    SetPxE = 38
    SetPxELong = 39
    UpdatePxE = 40
    UpdatePxELong = 41
    MachineToPhysical = 42
    PhysicalToMachine = 43
    AllocatePage = 44
    ReleasePage = 45
    InvalPage = 46
    FlushTLB = 47
    SetLinearMapping = 48
    INL = 49
    INB = 50
    INW = 51
    INSL = 52
    INSB = 53
    INSW = 54
    OUTL = 55
    OUTB = 56
    OUTW = 57
    OUTSL = 58
    OUTSB = 59
    OUTSW = 60
    SetIOPLMask = 61
    SetInitialAPState = 62
    APICWrite = 63
    APICRead = 64
    IODelay = 65
    GetCycleFrequency = 66
    GetCycleCounter = 67
    SetAlarm = 68
    CancelAlarm = 69
    GetWallclockTime = 70
    WallclockUpdated = 71
    SetCallbacks = 72
    SetLazyMode = 73


class RelocType(IntEnum):
    """Type byte of a relocation record: what the guest does with a call."""

    NONE = 0
    CALL_REL = 1
    JUMP_REL = 2
    NOP = 3


class PageFlag(IntFlag):
    """AllocatePage and ReleasePage: what a page frame is used as."""

    PT = 1
    PD = 2
    PDP = 4
    PML4 = 8
    PAE = 0x10
    CLONE = 0x20
    ZEROED = 0x40


class PxeFlag(IntFlag):
    """SetPxE, SetPxELong, UpdatePxE, UpdatePxELong: level, deferral, address."""

    PT = 1
    PD = 2
    PDP = 4
    PML4 = 8
    CURRENT_AS = 0x10
    DEFER = 0x20


class FlushFlag(IntFlag):
    """FlushTLB: what to flush of the local TLB."""

    TLB = 1
    GLOBAL = 2


class Counter(IntEnum):
    """GetCycleCounter and the alarms: which clock; real = available + stolen."""

    REAL = 0
    AVAILABLE = 1
    STOLEN = 2


class AlarmFlag(IntFlag):
    """SetAlarm: kind and wiring of an alarm."""

    PERIODIC = 0x100
    LVTT = 0x10000


class LazyMode(IntEnum):
    """SetLazyMode: what may be queued on this CPU; modes never nest."""

    NONE = 0
    MMU = 1
    CPU = 2


class RebootMode(IntEnum):
    """Reboot: how."""

    SOFT = 0
    HARD = 1
