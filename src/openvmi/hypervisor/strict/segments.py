# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules about segments and descriptor tables (``vmi-abi.md`` 2.1, 4.2, 4.8, 4.12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...abi import Call
from .events import Event
from .pages import Breach
from .sight import PAGE
from .state import Cpu, State

_JUMPS: Final = frozenset((int(Call.IRET), int(Call.SYSEXIT)))  # CS and SS only
_PRESENT: Final = 0x8000
_CODE_OR_DATA: Final = 0x1000
_ENTRIES: Final = 8192
_GATES: Final = 256
_FLAT: Final = 0x7FFFFFFF
_ESP0: Final = 4
_TSS: Final = (0x89, 0x8B)  # of 32 bits, present: available, busy


def descriptor(state: State, event: Event, cpu: Cpu, selector: int) -> tuple[int, int] | None:
    """Return the two words of the GDT's descriptor that ``selector`` names; None if not known, or in the LDT."""
    if event.gdt is None or selector & 4:
        return None
    found = state.linear(event, cpu, event.gdt + (selector & 0xFFF8), 8)
    return None if found is None else (int.from_bytes(found[:4], "little"), int.from_bytes(found[4:], "little"))


def base(low: int, high: int) -> int:
    """Return the linear address that a descriptor begins at."""
    return low >> 16 | (high & 0xFF) << 16 | high & 0xFF000000


def limit(low: int, high: int) -> int:
    """Return the last offset that a descriptor allows."""
    found = low & 0xFFFF | high & 0xF0000
    return found << 12 | 0xFFF if high & 1 << 23 else found


def flat_segments(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge the segments of a call: SS for all, DS and ES where the call may rely on them."""
    if event.ss is None or event.ds is None or event.es is None:
        return
    stack_only = event.call in _JUMPS
    fine = True
    for name, selector in (("SS", event.ss), *(() if stack_only else (("DS", event.ds), ("ES", event.es)))):
        wrong = _not_flat(state, event, cpu, selector)
        if wrong:
            fine = False
            yield "stack-flat" if name == "SS" else "segments-flat", f"{name} is {selector:#x}, {wrong}"
    if fine and not stack_only:
        cpu.flat = (event.ss, event.ds, event.es, event.gdt)


def _not_flat(state: State, event: Event, cpu: Cpu, selector: int) -> str:
    """Return what is wrong with a selector; empty if nothing, or nothing is known."""
    if selector < 4:
        return "NULL"
    found = descriptor(state, event, cpu, selector)
    if found is None:
        return ""
    low, high = found
    if not high & _PRESENT or not high & _CODE_OR_DATA:
        return "which is not present"
    if base(low, high) or limit(low, high) < _FLAT or not high & 1 << 22:
        return f"with base {base(low, high):#x}, limit {limit(low, high):#x}, {32 if high & 1 << 22 else 16} bits"
    return ""


def write_gdt_entry(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge WriteGDTEntry."""
    table, index, low, high = event.eax, event.edx, event.ecx, event.s1
    cpu.flat, cpu.tss = (), None
    owner = next((each.index for each in state.others(cpu) if each.gdt == table), None)
    if owner is not None and table != event.gdt:
        yield "descriptor-other-cpu", f"CPU {cpu.index} writes into the GDT of CPU {owner}"
    last = event.gdt_limit if table == event.gdt and event.gdt_limit is not None else _ENTRIES * 8 - 1
    if index * 8 + 7 > last:
        yield "descriptor-place", f"entry {index} of a table whose last byte is {last}"
    elif table == event.gdt and high is not None:
        yield from _live(event, index, 0, low, high)


def write_ldt_entry(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge WriteLDTEntry."""
    table, index, low, high = event.eax, event.edx, event.ecx, event.s1
    cpu.flat = ()
    found = descriptor(state, event, cpu, event.ldtr) if event.ldtr else None
    mine = found is not None and base(*found) == table
    last = limit(*found) if found is not None and mine else _ENTRIES * 8 - 1
    if index * 8 + 7 > last:
        yield "descriptor-place", f"entry {index} of a table whose last byte is {last}"
    elif mine and high is not None:
        yield from _live(event, index, 4, low, high)


def _live(event: Event, index: int, indicator: int, low: int, high: int) -> Iterator[Breach]:
    """Judge the new descriptor by what is loaded: ``indicator`` is 4 for the LDT's."""
    valid = high & _PRESENT and high & _CODE_OR_DATA
    for name in ("cs", "ss", "ds", "es", "fs", "gs"):
        selector: int | None = getattr(event, name)
        if selector is None or selector < 4 or valid or (selector >> 3, selector & 4) != (index, indicator):
            continue
        yield (
            "descriptor-live",
            f"{name.upper()} holds {selector:#x}, its descriptor becomes {high:#x}:{low:#x}",
        )


def set_ldt(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetLDT."""
    cpu.flat = ()
    selector = event.eax & 0xFFFF
    if selector < 4:
        for name in ("ds", "es", "fs", "gs"):
            live: int | None = getattr(event, name)
            if live is not None and live & 4:
                yield "descriptor-live", f"{name.upper()} holds {live:#x}, and the LDT goes"
        return
    found = descriptor(state, event, cpu, selector)
    if found is not None:
        yield from _aligned("LDT", base(*found))


def set_gdt(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetGDT."""
    cpu.flat, cpu.tss = (), None
    found = _table(state, event, cpu)
    if found is None:
        return
    yield from _aligned("GDT", found)
    if found >= state.top:
        yield "reserved-top", f"the GDT is at {found:#x}, virtual_top is {state.top:#x}"
    owner = next((each.index for each in state.others(cpu) if each.gdt == found), None)
    if owner is not None:
        yield "gdt-other-cpu", f"CPU {cpu.index} loads the GDT at {found:#x}, which CPU {owner} has"
    cpu.gdt = found


def set_idt(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetIDT."""
    found = _table(state, event, cpu)
    if found is not None:
        yield from _aligned("IDT", found)


def _table(state: State, event: Event, cpu: Cpu) -> int | None:
    """Return the base in the six bytes that SetGDT and SetIDT point to."""
    found = state.linear(event, cpu, event.eax, 6)
    return None if found is None else int.from_bytes(found[2:], "little")


def _aligned(name: str, address: int) -> Iterator[Breach]:
    if address % PAGE:
        yield "table-alignment", f"the {name} is at {address:#x}"


def set_tr(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetTR."""
    found = descriptor(state, event, cpu, event.eax & 0xFFFF)
    if found is None:
        return
    cpu.tss = base(*found)
    owner = next((each.index for each in state.others(cpu) if each.tss == cpu.tss), None)
    if owner is not None:
        yield "tr-other-cpu", f"CPU {cpu.index} loads the TSS at {cpu.tss:#x}, which CPU {owner} has"


def write_idt_entry(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge WriteIDTEntry."""
    del state, cpu
    index, low, high = event.edx, event.ecx, event.s1
    if index >= _GATES:
        yield "descriptor-place", f"gate {index}"
    elif high is not None and high & _PRESENT:
        selector = low >> 16
        if selector < 4 or selector & 3 == 3:
            yield "gate-selector", f"gate {index} leads to {selector:#x}"


def update_kernel_stack(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge UpdateKernelStack."""
    stack = event.edx
    if not stack or stack >= state.top:
        yield "kernel-stack", f"esp0 is {stack:#x}"
        return
    if cpu.tss is None and event.tr:
        found = descriptor(state, event, cpu, event.tr)
        # before SetTR the register may hold what the boot loader left there
        cpu.tss = base(*found) if found is not None and found[1] >> 8 & 0xFF in _TSS else None
    if cpu.tss is None:
        return
    told = state.linear(event, cpu, cpu.tss + _ESP0, 4)
    if told is not None and int.from_bytes(told, "little") != stack:
        yield "kernel-stack", f"esp0 is {stack:#x}, and {int.from_bytes(told, 'little'):#x} in the TSS"
