# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules about leaving the kernel, control registers and other processors (``vmi-abi.md`` 2.5, 4.2, 4.11)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from .events import Event
from .pages import Breach
from .sight import PAGE
from .state import Cpu, State

_VM: Final = 1 << 17
_IF: Final = 1 << 9
_IOPL: Final = 0x3000
_CR0: Final = 0x80050021  # PG, AM, WP, NE, PE
_CR4: Final = 0xB0  # PGE, PAE, PSE
_PAE: Final = 0x20
_AP: Final = Struct("<4IQ10I8HIIH")
"""The state that SetInitialAPState takes, 90 bytes: cr0 to cr4, efer, eip to edi, cs to gdtr limit, gdtr base, idtr."""


def leaving(cpu: Cpu, where: str) -> Iterator[Breach]:
    """Judge that a CPU leaves the kernel, or sleeps."""
    if cpu.deferred:
        cpu.deferred = False
        yield "defer-unflushed", f"CPU {cpu.index} {where} with a deferred update"
    if cpu.lazy:
        yield "lazy-left", f"CPU {cpu.index} {where} in lazy mode {cpu.lazy}"
        cpu.lazy = 0  # said once


def iret(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge IRET."""
    del state
    cs, eflags = event.s1, event.s2
    if cs is None or eflags is None:
        return
    if eflags & _VM or cs & 3 == 3:
        if not eflags & _IF:
            yield "iret-masked", f"EFLAGS is {eflags:#x}, CS {cs & 0xFFFF:#x}"
        yield from leaving(cpu, "returns to user mode")
    elif event.cs is not None and (cs ^ event.cs) & 3:
        yield "iret-ring", f"CS is {cs & 0xFFFF:#x}, and the kernel runs in {event.cs:#x}"


def sysexit(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SYSEXIT."""
    for name, value in (("EIP", event.edx), ("ESP", event.ecx)):
        if value > state.top:
            yield "reserved-top", f"user mode gets {name} {value:#x}"
    yield from leaving(cpu, "returns to user mode")


def halt(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge Halt."""
    del state, event
    return leaving(cpu, "halts")


def set_cr0(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetCR0."""
    del state
    before = _CR0 & 0x80000001 if cpu.cr0 is None else cpu.cr0
    yield from _cleared("CR0", before, event.eax, _CR0)
    cpu.cr0 = event.eax


def set_cr4(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetCR4."""
    yield from _cleared("CR4", cpu.cr4 or (_PAE if state.pae else 0), event.eax, _CR4)
    cpu.cr4 = event.eax


def _cleared(name: str, before: int, now: int, features: int) -> Iterator[Breach]:
    gone = before & ~now & features
    if gone:
        yield "feature-cleared", f"{name} was {before:#x}, is to be {now:#x}: {gone:#x} is gone"


def set_iopl_mask(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetIOPLMask."""
    del state, cpu
    if event.eax & ~_IOPL:
        yield "iopl-bits", f"{event.eax:#x}"


def set_initial_ap_state(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetInitialAPState."""
    address, apic = event.eax, event.edx
    if address % PAGE + _AP.size > PAGE:
        yield "ap-state", f"the state at {address:#x} goes beyond its page"
    if apic == cpu.index and len(state.cpus) > 1:
        yield "ap-state", f"CPU {apic} gives a state for itself"
    found = state.linear(event, cpu, address, _AP.size)
    if found is None:
        return
    cr0, _, _, cr4, efer, *rest = _AP.unpack(found)
    if cr0 & 0x80000001 != 0x80000001:
        yield "ap-state", f"CR0 {cr0:#x} is without paging"
    if state.pae is not None and bool(cr4 & _PAE) != state.pae:
        yield "ap-state", f"CR4 {cr4:#x} is of another paging mode"
    if efer & 0x500:
        yield "ap-state", f"EFER {efer:#x} asks for long mode"
    gdt = rest[-3]
    owner = next((each.index for each in state.cpus.values() if each.gdt == gdt), None)
    if owner is not None and owner != apic:
        yield "ap-state", f"the GDT at {gdt:#x} is CPU {owner}'s"
