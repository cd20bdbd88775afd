# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""CPUID: what the guest is told of the CPU. Bits that are known to work are let through, all others are masked.

This is what the *call* says. The instruction can't be intercepted, at no privilege level: what a kernel found by it
before it was activated, and what programs find, is the CPU's own word. So nothing here is relied on: what is masked
also faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"openvmi-ring"
HYPERVISOR_LEAF: Final = 0x40000000

# leaf 1, EDX: FPU DE PSE TSC MSR PAE CX8 APIC SEP MTRR PGE CMOV PAT CLFSH MMX FXSR SSE SSE2 SS HT
_STANDARD_EDX: Final = sum(1 << bit for bit in (0, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 15, 16, 19, 23, 24, 25, 26, 27, 28))
# leaf 1, ECX: SSE3 PCLMUL SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND HYPERVISOR; so no MONITOR, VMX, SMX, EST,
# XSAVE, OSXSAVE, x2APIC, PCID, TSC deadline
_STANDARD_ECX: Final = sum(1 << bit for bit in (0, 1, 9, 13, 19, 20, 22, 23, 25, 30, 31))
# leaf 0x80000001, EDX: MMX extensions, NX, 3DNow!; no SYSCALL, no long mode
_EXTENDED_EDX: Final = sum(1 << bit for bit in (20, 22, 25, 30, 31)) | _STANDARD_EDX & 0x0183F3FF & ~(1 << 11)
# leaf 0x80000001, ECX: LAHF, ABM, SSE4A, misaligned SSE, 3DNow! prefetch; no SVM
_EXTENDED_ECX: Final = sum(1 << bit for bit in (0, 5, 6, 7, 8))
_ERMS: Final = 1 << 9
_SEP: Final = 1 << 11
_APIC: Final = 1 << 9
_NX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Leaf:
    """What CPUID gives.

    Args:
        a: EAX.
        b: EBX.
        c: ECX.
        d: EDX.
    """

    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0


@dataclass(frozen=True, slots=True)
class Features:
    """What the guest may be told of beyond what is always right.

    Args:
        sysenter: the monitor forwards SYSENTER.
        apic: the guest has its local APIC.
        no_execute: the no-execute bit works: page tables are three levels deep.
    """

    sysenter: bool = True
    apic: bool = True
    no_execute: bool = False


def mask(leaf: int, subleaf: int, real: Leaf, features: Features) -> Leaf:
    """Return what the guest is told.

    Args:
        leaf: EAX as passed.
        subleaf: ECX as passed.
        real: what the CPU says.
        features: what may be told.
    """
    if HYPERVISOR_LEAF <= leaf < HYPERVISOR_LEAF + 0x10000:
        return _hypervisor(leaf)
    if leaf in {1, 0x80000001}:
        c, d = (_STANDARD_ECX, _STANDARD_EDX) if leaf == 1 else (_EXTENDED_ECX, _EXTENDED_EDX)
        return Leaf(real.a, real.b, real.c & c, real.d & d & ~_hidden(leaf, features))
    if leaf == 7:
        return Leaf(0, real.b & _ERMS if subleaf == 0 else 0, 0, 0)
    if leaf in {5, 6, 0xA, 0xB, 0xD} or 0xD < leaf < HYPERVISOR_LEAF or leaf > 0x80000008:
        return Leaf()
    if leaf == 0:
        return Leaf(min(real.a, 7), real.b, real.c, real.d)
    return Leaf(min(real.a, 0x80000008), real.b, real.c, real.d) if leaf == 0x80000000 else real


def _hidden(leaf: int, features: Features) -> int:
    hidden = 0 if features.apic else _APIC
    if leaf == 1:
        return hidden | (0 if features.sysenter else _SEP)
    return hidden | (0 if features.no_execute else _NX)


def _hypervisor(leaf: int) -> Leaf:
    """Answer for ourselves: a guest that finds another hypervisor here would talk to that one."""
    if leaf != HYPERVISOR_LEAF:
        return Leaf()
    b, c, d = (int.from_bytes(SIGNATURE[at : at + 4], "little") for at in (0, 4, 8))
    return Leaf(HYPERVISOR_LEAF, b, c, d)
