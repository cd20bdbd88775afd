# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules about which pages are page tables: AllocatePage, ReleasePage, SetCR3 (``vmi-abi.md`` 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...abi import PageFlag
from .events import Event
from .sight import PAGE
from .state import MOST_PAGES, PD, PDP, PT, Cpu, State, Table

Breach = tuple[str, str]
"""Name of a rule, and what was seen."""

_LEVELS: Final = PT | PD | PDP | int(PageFlag.PML4)
_KNOWN: Final = _LEVELS | int(PageFlag.PAE | PageFlag.CLONE | PageFlag.ZEROED)
_KIND: Final = _LEVELS | int(PageFlag.PAE)
_ACCESSED_DIRTY: Final = 0x60
_ZEROS: Final = bytes(PAGE)


def allocate_page(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge AllocatePage."""
    del cpu
    frame, flags = event.eax, event.edx
    yield from _kind(state, flags)
    table = state.tables.get(frame)
    if table is not None and not table.released and table.flags is not None and not flags & PDP:
        yield "allocate-twice", f"page {frame:#x} was announced with {table.flags:#x}, and is with {flags:#x}"
    levels = flags & _LEVELS
    if state.pae and flags & PageFlag.CLONE:
        levels |= PDP  # mainline announces a PAE root as if it were a directory
    if table is not None and not table.released:
        levels |= table.levels
    if table is not None or len(state.tables) < MOST_PAGES:
        state.tables[frame] = Table(levels, flags)
    yield from _content(state, event)


def _kind(state: State, flags: int) -> Iterator[Breach]:
    if flags & ~_KNOWN or (flags & _LEVELS).bit_count() != 1:
        yield "page-flags", f"flags {flags:#x}"
    elif state.pae is not None and bool(flags & PageFlag.PAE) != state.pae:
        yield "entry-width", f"flags {flags:#x}, and CR4.PAE is {state.pae:d}"


def _content(state: State, event: Event) -> Iterator[Breach]:
    """Judge what AllocatePage says about the page's content."""
    frame, flags = event.eax, event.edx
    clone = bool(flags & PageFlag.CLONE)
    size = 8 if state.pae else 4
    first, count = (event.s1, event.s2) if clone else (0, 0)
    if first is None or count is None:
        return
    if clone and not (count and first + count <= PAGE // size):
        yield "clone-arguments", f"entries {first} to {first + count - 1} of {PAGE // size}"
        return
    if clone:
        source = state.tables.get(event.ecx)
        if (source is None and state.complete) or (source is not None and source.released):
            yield "clone-arguments", f"page {event.ecx:#x} is no directory"
            return
    content = state.sight.page(frame)
    if content is None:
        return
    start, end = first * size, (first + count) * size
    if flags & PageFlag.ZEROED and content[:start] + content[end:] != _ZEROS[end - start :]:
        used = sum(any(content[at : at + size]) for at in range(0, PAGE, size) if not start <= at < end)
        yield "zeroed-false", f"{used} entries of page {frame:#x} are not zero"
    if clone:
        yield from _cloned(content[start:end], state.sight.physical(event.ecx * PAGE + start, end - start), size, first)


def _cloned(ours: bytes, theirs: bytes | None, size: int, first: int) -> Iterator[Breach]:
    if theirs is None or ours == theirs:
        return
    for at in range(0, len(ours), size):
        pair = (int.from_bytes(each[at : at + size], "little") for each in (ours, theirs))
        one, other = (entry & ~_ACCESSED_DIRTY for entry in pair)
        if one != other:
            yield "clone-false", f"entry {first + at // size} is {one:#x}, and {other:#x} in the source"
            return


def release_page(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge ReleasePage."""
    del cpu
    frame, flags = event.eax, event.edx
    table = state.tables.get(frame)
    if table is None:
        if state.complete:
            yield "release-unknown", f"page {frame:#x} was never announced"
        return
    if table.released:
        yield "release-unknown", f"page {frame:#x} has been released already"
        return
    if table.flags is not None and (table.flags ^ flags) & _KIND:
        yield "release-type", f"page {frame:#x} was announced with {table.flags:#x}, and is released with {flags:#x}"
    entry = _still_linked(state, frame)
    if entry is not None:
        yield "release-linked", f"page {frame:#x} is still in the entry at physical {entry:#x}"
    loaded = [each.index for each in state.cpus.values() if each.cr3 is not None and each.cr3 >> 12 == frame]
    if loaded:
        yield "release-loaded", f"page {frame:#x} is in CR3 of CPU {loaded[0]}"
    table.released = True
    if table.levels & (PD | PDP):
        state.forget_links_from(frame)


def _still_linked(state: State, frame: int) -> int | None:
    """Return the physical address of an entry that leads to a page; None if there is none any more."""
    size = 8 if state.pae else 4
    for entry in state.linked.get(frame, ()):
        now = state.sight.number(entry, size)
        # a PAE root is written without a call by some kernels: without memory, nothing is known of it
        at = state.tables.get(entry // PAGE)
        if now is None:
            if at is not None and not at.levels & PDP:
                return entry
        elif now & 1 and (now & 0x000FFFFF_FFFFF000) >> 12 == frame:
            return entry
    return None


def set_cr3(state: State, event: Event, cpu: Cpu) -> Iterator[Breach]:
    """Judge SetCR3, which also flushes."""
    root, frame = event.eax, event.eax >> 12
    cpu.deferred = False
    cpu.cr3 = root
    table = state.tables.get(frame)
    if table is not None and table.released:
        yield "root-released", f"page {frame:#x} has been released"
    elif root & (0x1F if state.pae else 0xFE7):
        yield "root-unannounced", f"{root:#x} has reserved bits"
    elif state.pae is False:
        if (table is None and state.complete) or (table is not None and not table.levels & PD):
            yield "root-unannounced", f"page {frame:#x} is no directory"
    elif state.pae:
        for directory in set(state.sight.directories(root, pae=True)):
            yield from linked(state, directory, PD)


def linked(state: State, frame: int, level: int) -> Iterator[Breach]:
    """Judge that an entry leads to a page as a table of ``level``."""
    table = state.tables.get(frame)
    if table is None:
        if state.complete:
            yield "link-unannounced", f"page {frame:#x} was never announced"
    elif table.released:
        yield "link-released", f"page {frame:#x} has been released"
    elif not table.levels & level:
        yield "link-unannounced", f"page {frame:#x} was announced with {table.flags or 0:#x}"
