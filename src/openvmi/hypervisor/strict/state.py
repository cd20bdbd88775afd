# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rules remember about a guest: its CPUs, its page tables, and which lead to which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...abi import PageFlag
from .events import Event
from .sight import PAGE, Sight

PT: Final = int(PageFlag.PT)
PD: Final = int(PageFlag.PD)
PDP: Final = int(PageFlag.PDP)
TOP: Final = 1 << 32
MOST_PAGES: Final = 1 << 18
"""Tables that are kept track of; a guest that announces more is not judged by them any further."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A slot of SetLinearMapping: ``pages`` pages from linear address ``va`` are frames from ``frame``, if known."""

    va: int
    pages: int
    frame: int | None


@dataclass(slots=True)
class Table:
    """A page that is, or was, a paging structure.

    Args:
        levels: bits of PT, PD and PDP that it may be.
        flags: as announced; None for one that was in use at activation.
        released: it has been released since.
    """

    levels: int
    flags: int | None = None
    released: bool = False


@dataclass(slots=True)
class Cpu:
    """A CPU, from its first call on.

    Args:
        index: from 0.
        mappings: by slot.
        lazy: the lazy mode it is in.
        deferred: an update waits for a flush.
        gdt: linear address of its GDT; None before it is known.
        tss: linear address of its TSS; None before it is known.
        cr3: root in use; None before it is known.
        cr0: what SetCR0 was given last; None before that.
        cr4: what SetCR4 was given last; None before that.
        flat: segments that have been found to be flat: SS, DS, ES and the GDT that they are of.
    """

    index: int
    mappings: dict[int, Mapping] = field(default_factory=dict)
    lazy: int = 0
    deferred: bool = False
    gdt: int | None = None
    tss: int | None = None
    cr3: int | None = None
    cr0: int | None = None
    cr4: int | None = None
    flat: tuple[int | None, ...] = ()

    def mapping(self, address: int) -> Mapping | None:
        """Return the registered mapping that a linear address is in."""
        for mapping in self.mappings.values():
            if 0 <= address - mapping.va < mapping.pages * PAGE:
                return mapping
        return None

    def physical(self, address: int) -> int | None:
        """Return what the registered mappings make of a linear address; None outside them, or if not known."""
        mapping = self.mapping(address)
        if mapping is None or mapping.frame is None:
            return None
        return mapping.frame * PAGE + address - mapping.va


class State:
    """All of it.

    Args:
        sight: the guest's memory.
        active: ``vmi_init`` has said yes.
        whole: nothing has been missed since.
        pae: three levels of page tables; None if not known.
        top: where the hypervisor's part of the address space begins.
    """

    __slots__ = ("active", "cpus", "linked", "links", "pae", "sight", "tables", "top", "walked", "whole")

    def __init__(
        self, sight: Sight, *, active: bool, whole: bool = True, pae: bool | None = None, top: int = TOP
    ) -> None:
        self.sight = sight
        self.active = active
        self.whole = whole
        self.pae = pae
        self.top = top
        self.walked = False  # the tables in use at activation are known
        self.cpus: dict[int, Cpu] = {}
        self.tables: dict[int, Table] = {}
        self.links: dict[int, int] = {}  # physical address of an entry: frame that it leads to
        self.linked: dict[int, set[int]] = {}  # frame: entries that lead there

    def cpu(self, index: int) -> Cpu:
        """Return a CPU, new if it was never heard of."""
        found = self.cpus.get(index)
        if found is None:
            found = self.cpus[index] = Cpu(index)
        return found

    def others(self, cpu: Cpu) -> list[Cpu]:
        """Return all CPUs but one."""
        return [each for each in self.cpus.values() if each is not cpu]

    @property
    def complete(self) -> bool:
        """Whether a page that is not in :attr:`tables` is no table."""
        return self.walked and len(self.tables) < MOST_PAGES

    def linear(self, event: Event, cpu: Cpu, address: int, length: int) -> bytes | None:
        """Return memory at a linear address, as the calling CPU sees it."""
        first = cpu.physical(address)
        if first is not None and address % PAGE + length <= PAGE:
            return self.sight.physical(first, length)
        if event.cr3 is None or self.pae is None:
            return None
        return self.sight.linear(event.cr3, address & 0xFFFFFFFF, length, pae=self.pae)

    def walk(self, cr3: int) -> None:
        """Take up the tables in use at activation: nobody could announce them before."""
        self.walked = self.pae is not None and self.sight.physical(cr3 & 0xFFFFF000, 4) is not None
        if not self.walked or self.pae is None:
            return
        if self.pae:
            self.tables[cr3 >> 12] = Table(PDP)
        for directory in set(self.sight.directories(cr3, pae=self.pae)):
            self.tables.setdefault(directory, Table(0)).levels |= PD
            for entry, table in self.sight.tables(directory, pae=self.pae):
                self.tables.setdefault(table, Table(0)).levels |= PT
                self.link(entry, table)

    def link(self, entry: int, frame: int | None) -> None:
        """Remember where the entry at a physical address leads; None for nowhere."""
        before = self.links.pop(entry, None)
        if before is not None:
            entries = self.linked[before]
            entries.discard(entry)
            if not entries:
                del self.linked[before]
        if frame is not None and len(self.links) < MOST_PAGES:
            self.links[entry] = frame
            self.linked.setdefault(frame, set()).add(entry)

    def forget_links_from(self, frame: int) -> None:
        """Forget where the entries of a table lead: it is none any more."""
        for entry in range(frame * PAGE, (frame + 1) * PAGE, 4):
            if entry in self.links:
                self.link(entry, None)
