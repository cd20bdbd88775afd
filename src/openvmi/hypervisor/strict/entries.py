# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules about entries of page tables, linear mappings and flushes (``vmi-abi.md`` 4.5 to 4.7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...abi import LINEAR_SLOTS, PXE_LEVEL_MASK, PXE_VA_MASK, Call, FlushFlag, PxeFlag
from .events import Event
from .pages import Breach, linked
from .sight import LARGE, PAGE, PRESENT
from .state import PD, PDP, PT, Cpu, Mapping, State, Table

_LONG: Final = frozenset((int(Call.SetPxELong), int(Call.UpdatePxELong)))
_UNDEFINED: Final = 0xFC0
_FRAME: Final = 0x000FFFFF_FFFFF000
_FLUSHES: Final = int(FlushFlag.TLB | FlushFlag.GLOBAL)
_CURRENT: Final = int(PxeFlag.CURRENT_AS)  # members of enumerations take ten times as long
_DEFER: Final = int(PxeFlag.DEFER)


def set_pxe(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetPxE."""
    return _entry(state, event, cpu, event.edx, event.ecx, event.eax)


def set_pxe_long(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetPxELong."""
    return _entry(state, event, cpu, event.ecx, event.s1, event.edx << 32 | event.eax)


def update_pxe(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge UpdatePxE and UpdatePxELong."""
    return _entry(state, event, cpu, event.eax, event.edx, None)


def _entry(  # noqa: PLR0913, PLR0917 - what the four calls pass
    state: State, event: Event, cpu: Cpu, pointer: int, flags: int | None, value: int | None
) -> Iterator[Breach]:
    pae = event.call in _LONG
    if state.pae is not None and pae != state.pae:
        yield "entry-width", f"CR4.PAE is {state.pae:d}"
        return
    if flags is not None:
        yield from _flags(state, flags)
        if flags & _DEFER:
            cpu.deferred = True
    physical = cpu.physical(pointer)
    if physical is None:
        if cpu.mapping(pointer) is None and (cpu.mappings or state.whole):
            yield "entry-unmapped", f"the entry is at {pointer:#x}; CPU {cpu.index} has registered {_mappings(cpu)}"
        return
    level = 0 if flags is None else flags & PXE_LEVEL_MASK
    table = state.tables.get(physical // PAGE)
    yield from _table(state, physical // PAGE, table, level)
    if table is not None and table.released:
        return
    if flags is not None and flags & _CURRENT:
        yield from _current(state, event, flags, physical)
    levels = table.levels if table is not None and table.levels else level
    if levels & (PD | PDP) and not levels & PT:
        # a PAE root is announced as a directory: of such a page, only the level given tells
        below = (PD if (level or levels) & PDP else 0) | (PT if (level or levels) & PD else 0)
        yield from _leads(state, physical, value, 8 if pae else 4, below or PT)


def _table(state: State, frame: int, table: Table | None, level: int) -> Iterator[Breach]:
    """Judge the page that an entry is in."""
    if table is None:
        # a PAE root need not be announced: it is picked up by SetCR3
        if state.complete and level != PDP:
            yield "table-unannounced", f"page {frame:#x} was never announced"
    elif table.released:
        yield "table-released", f"page {frame:#x} has been released"
    elif level and not table.levels & level:
        yield "entry-level", f"level {level} in a table of {table.levels}"


def _flags(state: State, flags: int) -> Iterator[Breach]:
    current = flags & _CURRENT
    if flags & _UNDEFINED or (flags & PXE_LEVEL_MASK).bit_count() != 1:
        yield "entry-flags", f"flags {flags:#x}"
    elif flags & _DEFER and not current:
        yield "defer-alone", f"flags {flags:#x}"
    elif flags & PXE_VA_MASK and not current:
        yield "entry-flags", f"flags {flags:#x} have an address without CURRENT_AS"
    elif current and flags & PXE_VA_MASK >= state.top:
        yield "reserved-top", f"the entry is for {flags & PXE_VA_MASK:#x}, virtual_top is {state.top:#x}"


def _mappings(cpu: Cpu) -> str:
    said = (f"{slot.va:#x} (pages: {slot.pages:#x})" for slot in cpu.mappings.values())
    return ", ".join(said) or "nothing"


def _current(state: State, event: Event, flags: int, physical: int) -> Iterator[Breach]:
    """Judge the address that comes with CURRENT_AS: it selects this entry, in the tables in use."""
    level, address, pae = flags & PXE_LEVEL_MASK, flags & PXE_VA_MASK, bool(state.pae)
    shift = {PT: 12, PD: 21 if pae else 22, PDP: 30}.get(level)
    if shift is None or state.pae is None or address >= state.top:
        return
    size = 8 if pae else 4
    count = 4 if level == PDP else PAGE // size
    if physical // size % count != address >> shift & count - 1:
        yield "entry-address", f"{address:#x} is not what entry {physical // size % count} of its table maps"
        return
    if level != PT or event.cr3 is None:
        return
    entry = state.sight.leads_to(event.cr3, address, pae=pae)
    upper = None if entry is None else state.sight.number(entry, size)
    # tables of the kernel may not be linked in this root yet, and count as its own
    if upper is not None and upper & PRESENT and (upper & LARGE or (upper & _FRAME) >> 12 != physical // PAGE):
        yield "entry-address", f"{address:#x} is mapped by another table than page {physical // PAGE:#x}"


def _leads(state: State, physical: int, value: int | None, size: int, level: int) -> Iterator[Breach]:
    """Judge where an entry of a directory leads: to a table of ``level``."""
    if value is None:
        value = state.sight.number(physical, size)
    if value is None:
        return
    if not value & PRESENT or (level & PT and value & LARGE):
        state.link(physical, None)
        return
    frame = (value & _FRAME) >> 12
    yield from linked(state, frame, level)
    state.link(physical, frame)


def set_linear_mapping(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetLinearMapping."""
    slot, address, pages, frame = event.eax, event.edx, event.ecx, event.s1
    if slot >= LINEAR_SLOTS or address % PAGE:
        yield "mapping-arguments", f"slot {slot}, address {address:#x}"
        return
    if address + pages * PAGE > state.top:
        yield "reserved-top", f"the mapping ends at {address + pages * PAGE:#x}, virtual_top is {state.top:#x}"
    # where a record does not tell: slot 0 is low memory from page 0, by convention
    cpu.mappings[slot] = Mapping(address, pages, 0 if frame is None and slot == 0 else frame)
    if frame is None or event.cr3 is None or state.pae is None or not pages:
        return
    physical = state.sight.translate(event.cr3, address, pae=state.pae)
    if physical is not None and physical != frame * PAGE:
        yield "mapping-arguments", f"{address:#x} is page {physical // PAGE:#x}, and not {frame:#x}"


def flush(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge FlushTLB."""
    del state
    cpu.deferred = False
    if not event.eax & FlushFlag.TLB or event.eax & ~_FLUSHES:
        yield "flush-flags", f"flags {event.eax:#x}"


def drained(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Take note of InvalPage, and of GetCR2, which tells of a page fault: both drain what was deferred."""
    del state, event
    cpu.deferred = False
    yield from ()


def lazy_mode(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetLazyMode."""
    del state
    mode, before = event.eax, cpu.lazy
    if mode > 2:
        yield "lazy-mode", f"mode {mode:#x}"
        return
    if mode and before:
        yield "lazy-nested", f"mode {mode} on CPU {cpu.index}, which is in mode {before}"
    cpu.lazy = mode
    if not mode:
        cpu.deferred = False
