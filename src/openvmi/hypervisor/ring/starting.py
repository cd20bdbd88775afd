# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""SetInitialAPState: what a further CPU starts with, looked at before anything is believed of it.

A state that makes no sense is not kept: the CPU does not start, and who waits for it gives up in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ...abi.structs import ApState
from .answers import Fault
from .registers import CR0_PE, CR0_PG, CR4_PAE, cr0, cr4
from .segments import Descriptor, shadow

_LONG_MODE: Final = 0x500
_EFER_KNOWN: Final = 0xD01
_IF: Final = 0x200
_VM: Final = 0x20000
_IOPL: Final = 0x3000


@dataclass(frozen=True, slots=True)
class Board:
    """What a state is held against.

    Args:
        top: first linear address that the guest may not reach.
        pae: the other CPUs' page tables have three levels.
        memory: bytes of guest RAM below 4 GiB.
        cpus: how many there are; APIC ids are below.
    """

    top: int
    pae: bool
    memory: int
    cpus: int


def objections(state: ApState, apic_id: int, board: Board, gdt: bytes) -> Iterator[str]:
    """Yield what is wrong with a state; nothing if the CPU may start with it.

    Args:
        state: as the guest passed it.
        apic_id: of the CPU, as the guest passed it.
        board: what it is held against.
        gdt: the table that the state names, as it lies in the guest's memory.
    """
    if not 0 < apic_id < board.cpus:
        yield f"there is no CPU {apic_id} to start"
    yield from _control(state, board)
    if not state.cr3 < board.memory:
        yield f"page tables at {state.cr3:#010x}, where there is no memory"
    if state.eip >= board.top or state.esp > board.top:
        yield f"EIP {state.eip:#010x} and ESP {state.esp:#010x} must be below {board.top:#010x}"
    if state.eflags & (_VM | _IOPL):
        yield f"flags {state.eflags:#x}: neither virtual 8086 mode nor an I/O privilege level"
    yield from _segments(state, board, gdt)


def _control(state: ApState, board: Board) -> Iterator[str]:
    if not state.cr0 & CR0_PE or not state.cr0 & CR0_PG:
        yield f"CR0 {state.cr0:#010x} without paging or protection"
    elif isinstance(fault := cr0(state.cr0), Fault):
        yield f"CR0 {state.cr0:#010x}: {fault.reason}"
    if bool(state.cr4 & CR4_PAE) != board.pae:
        yield "CR4.PAE is not as on the other CPUs"
    elif isinstance(fault := cr4(state.cr4 & CR4_PAE, state.cr4), Fault):
        yield f"CR4 {state.cr4:#x}: {fault.reason}"
    if state.efer & (_LONG_MODE | ~_EFER_KNOWN):
        yield f"EFER {state.efer:#x} asks for what there is not"


def _segments(state: ApState, board: Board, gdt: bytes) -> Iterator[str]:
    wanted = min(state.gdtr_limit + 1, 65536)
    if len(gdt) < wanted or state.gdtr_base + wanted > board.top:
        yield f"a GDT at {state.gdtr_base:#010x} with limit {state.gdtr_limit:#x} is not all there"
        return
    if state.idtr_base + state.idtr_limit + 1 > board.top:
        yield f"an IDT at {state.idtr_base:#010x}, in the hole"
    for name, selector in (("CS", state.cs), ("SS", state.ss)):
        found = _entry(gdt, selector, board.top)
        if found is None or found.dpl == 3 or not found.present or found.base:
            yield f"{name} {selector:#06x} is no flat segment of the kernel's"
        elif (name == "CS") != found.is_code:
            yield f"{name} {selector:#06x} is {'code' if found.is_code else 'data'}"
    for name, selector in (("DS", state.ds), ("ES", state.es), ("FS", state.fs), ("GS", state.gs)):
        if selector & ~3 and _entry(gdt, selector, board.top) is None:
            yield f"{name} {selector:#06x} can't be loaded"


def _entry(gdt: bytes, selector: int, top: int) -> Descriptor | None:
    """Return what a selector means in the shadow table; None for nothing, or the LDT, which a CPU starts without."""
    at = selector & ~7
    if selector & 4 or at == 0 or at + 8 > len(gdt):
        return None
    shadowed = shadow(Descriptor(int.from_bytes(gdt[at : at + 8], "little")), top)
    return None if shadowed.why is not None else Descriptor(shadowed.value)
