# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Enumerations and constants of the interface.

Written by ``python -m openvmi.abi.generate`` from ``tables``: change those, not this file.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

__all__ = [
    "API_MAJOR",
    "API_MINOR",
    "CALL_COUNT",
    "HOLE_SIZE",
    "LANDING_SIZE",
    "PAGE_PDP",
    "SINCE",
    "SLOT_FIRST",
    "SLOT_LAST",
    "SLOT_SIZE",
    "Call",
    "DeferredFlag",
    "PageFlag",
]

API_MAJOR: Final = 13
API_MINOR: Final = 3
SLOT_SIZE: Final = 32
SLOT_FIRST: Final = 4
SLOT_LAST: Final = 127
HOLE_SIZE: Final = 0x4000000
LANDING_SIZE: Final = 0x4000
PAGE_PDP: Final = 4
CALL_COUNT: Final = 88


class Call(IntEnum):
    """Calls of generation B: the patches of March 2006, header API 13.x."""

    Init = 4
    CPUID = 5
    WRMSR = 6
    RDMSR = 7
    SetGDT = 8
    SetLDT = 9
    SetIDT = 10
    SetTR = 11
    GetGDT = 12
    GetLDT = 13
    GetIDT = 14
    GetTR = 15
    WriteGDTEntry = 16
    WriteLDTEntry = 17
    WriteIDTEntry = 18
    UpdateKernelStack = 19
    SetCR0 = 20
    SetCR2 = 21
    SetCR3 = 22
    SetCR4 = 23
    GetCR0 = 24
    GetCR2 = 25
    GetCR3 = 26
    GetCR4 = 27
    INVD = 28
    WBINVD = 29
    SetDR = 30
    GetDR = 31
    RDPMC = 32
    RDTSC = 33
    CLTS = 34
    EnableInterrupts = 35
    DisableInterrupts = 36
    GetInterruptMask = 37
    SetInterruptMask = 38
    IRET = 39
    SYSEXIT = 40
    Pause = 41
    Halt = 42
    Reboot = 43
    Shutdown = 44
    SetPxE0 = 45
    GetPxE = 46
    SwapPxE = 47
    SetPxELong0 = 48
    GetPxELong = 49
    SwapPxELongAtomic = 50
    TestAndSetPxEBit = 51
    TestAndClearPxEBit = 52
    AllocatePage = 53
    ReleasePage = 54
    InvalPage = 55
    FlushTLB = 56
    FlushDeferredCalls = 57
    SetLinearMapping = 58
    IN = 59
    INB = 60
    INW = 61
    INS = 62
    INSB = 63
    INSW = 64
    OUT = 65
    OUTB = 66
    OUTW = 67
    OUTS = 68
    OUTSB = 69
    OUTSW = 70
    SetIOPLMask = 71
    DeactivatePxELongAtomic = 72
    TestAndSetPxELongBit = 73
    TestAndClearPxELongBit = 74
    SetInitialAPState = 75
    APICWrite = 76
    APICRead = 77
    IODelay = 78
    GetCycleFrequency = 79
    GetCycleCounter = 80
    SetAlarm = 81
    CancelAlarm = 82
    GetWallclockTime = 83
    WallclockUpdated = 84
    GetRelocationInfo = 85
    SetPxE = 86
    SetPxELong = 87


class PageFlag(IntFlag):
    """AllocatePage and ReleasePage: what a page frame is used as."""

    PT = 1
    PD = 2
    PAE = 4
    PML4 = 8


class DeferredFlag(IntFlag):
    """FlushDeferredCalls: which queues to drain (13.3)."""

    CPU = 0x40
    MMU = 0x80


SINCE: Final = {
    Call.GetRelocationInfo: 3,
    Call.SetPxE: 3,
    Call.SetPxELong: 3,
}
"""API minor version of the calls that came after the first."""
