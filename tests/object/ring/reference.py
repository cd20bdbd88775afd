# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be true of shadow page tables: the invariants of ``docs/ring-memory.md``; and a guest's walk, plainly."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from . import harness
from .harness import (
    DIRECTORY,
    FIXED,
    FREE,
    LIMBO,
    NX,
    PAGE,
    POOL,
    PS,
    SPLINTER,
    TABLE,
    TOP,
    ZERO,
    A,
    D,
    Machine,
    P,
    U,
    W,
)

NO_FRAME = 0xFFFFFFFF
SHARED_KINDS = (TABLE, DIRECTORY, TOP)  # found by the guest's frame
LEAF_BITS = P | W | U | 0x18 | A | D | NX
UPPER_BITS = P | W | U | A | NX


def legal(first: int, count: int = 1) -> bool:
    """Return whether the guest may map these frames."""
    end = first + count
    if first >= harness.DEVICE and end <= harness.DEVICE + harness.DEVICES:
        return True
    return end <= harness.LEGAL_FRAMES and not first <= harness.ISLAND < end


class Checker:
    """The numbered invariants over everything in the pool; each raises ``AssertionError`` with what is wrong.

    Args:
        machine: to be looked at.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.ram = bytes(machine.ram)
        self.written: dict[int, int] = {}

    def check(self) -> None:
        """Look at all of them."""
        self.pages = [page.kind for page in self.machine.pages]
        self.links: dict[int, list[int]] = defaultdict(list)
        self.no_accident()
        unlisted = self.machine.lib.host_unlisted()
        for index in range(1, unlisted):
            self.page(index)
        assert all(kind == FREE for kind in self.pages[unlisted:]), "8: a page in use that was never taken"
        self.back_links()
        self.chains()
        self.loaded()
        used = sum(kind not in {FREE, LIMBO} for kind in self.pages)
        assert self.machine.counter("used") == used <= self.machine.counter("peak") <= len(self.pages), (
            "10: pages in use"
        )

    def no_accident(self) -> None:
        host = self.machine.host
        assert not host.wild_frame, "4: a look at a frame that is not RAM"
        assert not host.wild_shadow, "8: a page beyond the pool"
        assert not host.early, "9: a page used again before every CPU had flushed"
        assert not host.busy, "6: a directory freed while a CPU has it loaded"

    def page(self, index: int) -> None:
        kind = self.pages[index]
        if kind in {FREE, LIMBO}:
            assert self.machine.pool[index * PAGE : (index + 1) * PAGE] == ZERO, f"8: page {index} is free and not 0"
        elif kind in {TABLE, SPLINTER}:
            for slot, entry in self.machine.shadow_entries(index):
                assert entry & (P | A) == P | A, f"2: entry {entry:#x} in {index}:{slot}"
                assert not entry & ~LEAF_BITS & ~0xFFFFF000, f"2: entry {entry:#x} in {index}:{slot}"
                assert entry & D or not entry & W, f"5: entry {entry:#x} in {index}:{slot} is writable, not dirty"
                assert legal((entry & ~NX) >> 12), f"1: entry {entry:#x} in {index}:{slot}"
        elif kind in {DIRECTORY, TOP}:
            self.directory(index, kind)

    def directory(self, index: int, kind: int) -> None:
        width, hole = self.machine.width, {}
        for slot, entry in self.machine.shadow_entries(index):
            where = f"entry {entry:#x} in {index}:{slot}"
            if kind == TOP and slot >= width.hole_slot:
                hole[slot - width.hole_slot] = entry
            elif entry & PS:
                assert entry & (P | A) == P | A, f"2: {where}"
                assert not entry & ~(LEAF_BITS | PS) & ~0xFFFFF000, f"2: {where}"
                assert entry & D or not entry & W, f"5: {where}"
                assert not (entry >> 12) % width.slots, f"1: {where}"
                assert legal((entry & ~NX) >> 12, width.slots), f"1: {where}"
            else:
                child = ((entry & ~NX & ~0xFFF) - POOL) // PAGE
                assert not entry & ~UPPER_BITS & ~0xFFFFF000, f"2: {where}"
                assert entry & P, f"2: {where}"
                assert 0 < child < len(self.pages), f"3: {where}"
                assert self.pages[child] in {TABLE, SPLINTER}, f"3: {where} leads to a page of kind {self.pages[child]}"
                self.links[child].append(index << 10 | slot)
        if kind == TOP:
            wanted = self.machine.hole(self.machine.pages[index].cpu)
            assert [hole.get(slot) for slot in range(len(wanted))] == wanted, f"7: hole of {index}"

    def back_links(self) -> None:
        for index, page in enumerate(self.machine.pages):
            node: int = page.parents
            found: list[int] = []
            while node:
                assert len(found) < 10000, f"3: back-links of {index} run in a circle"
                found.append(node)
                links = self.machine.pages[node >> 10].links
                at = links * PAGE + (node & 1023) * 4
                node = int.from_bytes(self.machine.pool[at : at + 4], "little")
            assert sorted(found) == sorted(self.links[index]), f"3: back-links of {index}"
            assert page.parent_count == len(found), f"3: number of parents of {index}"
            if page.kind == SPLINTER:
                assert len(found) == 1, f"3: splinter {index} has {len(found)} parents"

    def chains(self) -> None:
        seen: set[int] = set()
        for pfn, head in enumerate(self.machine.frame_table):
            index, kinds = head, set()
            while index:
                page = self.machine.pages[index]
                assert page.pfn == pfn, f"4: page {index} in the chain of frame {pfn}"
                assert page.kind in SHARED_KINDS, f"4: page {index} in the chain of frame {pfn}"
                key = (page.kind, page.cpu if page.kind == TOP else None)
                assert key not in kinds, f"4: two shadows {key} of frame {pfn}"
                kinds.add(key)
                seen.add(index)
                index = page.next
        there = {i for i, page in enumerate(self.machine.pages) if page.kind in SHARED_KINDS and page.pfn != NO_FRAME}
        assert seen == there, "4: shadows in no chain"
        for bit in range(16):
            wanted = any(self.machine.frame_table[pfn] for pfn in range(bit, harness.FRAMES, 16))
            assert self.machine.bitmap[bit >> 3] >> (bit & 7) & 1 == wanted, f"4: bit {bit} of the bitmap"

    def loaded(self) -> None:
        pins: dict[int, int] = defaultdict(int)
        machine = self.machine
        for cpu in range(machine.cpus):
            loaded = [machine.lib.host_loaded(cpu, i) for i in range(machine.width.roots)]
            for which, index in enumerate(loaded):
                if index:
                    pins[index] += 1
                    top = not machine.width.pae or which == 3
                    assert self.pages[index] == (TOP if top else DIRECTORY), f"7: {index} loaded as directory {which}"
                    assert not top or machine.pages[index].cpu == cpu, f"7: directory {index} is another CPU's"
            if machine.width.pae:
                pins[machine.lib.host_blank(cpu)] += 1
            if loaded[-1]:
                self.root(cpu, loaded)
        wanted = {i: page.pins for i, page in enumerate(machine.pages) if page.pins}
        assert wanted == dict(pins), "6: pins"
        assert self.pages[0] == FIXED

    def root(self, cpu: int, loaded: list[int]) -> None:
        machine = self.machine
        if not machine.width.pae:
            assert machine.host.root[cpu] == POOL + loaded[0] * PAGE, "6: CR3"
            return
        assert machine.host.root[cpu] == POOL + cpu * 32, "6: CR3"
        pointers = list(machine.shadows[cpu * 4 : cpu * 4 + 4])
        assert pointers == [POOL + index * PAGE + P if index else 0 for index in loaded], "6: PDPTEs"

    def memory(self, wrote: dict[int, int]) -> None:
        """Check that guest memory is what the guest wrote, but for A and D of entries that are present.

        Args:
            wrote: gpa to entry of what was stored since the last look.
        """
        size = self.machine.width.bytes
        before = bytearray(self.ram)
        for gpa, value in wrote.items():
            before[gpa : gpa + size] = value.to_bytes(size, "little")
        after = bytes(self.machine.ram)
        if before != after:
            old, new = (memoryview(bytes(data)).cast(self.machine.width.code) for data in (before, after))
            for i, (was, now) in enumerate(zip(old, new, strict=True)):
                assert was == now or (not (was ^ now) & ~(A | D) and was & now & P == P and was | now == now), (
                    f"11: the monitor wrote {now:#x} for {was:#x} at {i * size:#x}"
                )
        self.ram = after


@dataclass(frozen=True, slots=True)
class Walk:
    """A guest's walk: what it comes to, and the entries it used.

    Args:
        outcome: ``frame`` with its number, ``fault`` with the error code, ``refused`` with the level.
        value: see ``outcome``.
        used: frame and slot of each entry.
    """

    outcome: str
    value: int
    used: tuple[tuple[int, int], ...] = ()


def walk(machine: Machine, cpu: int, cr3: int, address: int, error: int) -> Walk:  # noqa: C901 - the manual's order
    """Walk the guest's own tables as the manual has it, for an access of ``cpu`` with the guest's modes."""
    width, mode = machine.width, machine.modes[cpu]
    if not mode & harness.NX_ON:
        error &= ~0x10
    error &= ~1
    table, used, entries = cr3 >> 12, [], []
    if width.pae:
        pointer = int.from_bytes(machine.ram[(at := (cr3 & ~31) + (address >> 30) * 8) : at + 8], "little")
        if not pointer & P:
            return Walk("fault", error)
        if pointer & 0xFFFFFFF0000001C6:
            return Walk("fault", error | 9)
        table = pointer >> 12
    shifts = (width.shift, 12)
    for level, shift in zip((2, 1), shifts, strict=True):
        if table >= harness.RAM_FRAMES:
            return Walk("refused", level + 1)
        slot = address >> shift & (width.slots - 1)
        entry = machine.entry(table, slot)
        used.append((table, slot))
        entries.append(entry)
        if not entry & P:
            return Walk("fault", error)
        large = level == 2 and entry & PS and (width.pae or mode & harness.PSE)
        if reserved(machine, cpu, entry, large=bool(large)):
            return Walk("fault", error | 9)
        table = (entry & ~NX) >> 12
        if large:
            table = large_frame(machine, entry) + (address >> 12 & (width.slots - 1))
            break
    if error & U and not all(entry & U for entry in entries):
        return Walk("fault", error | 1)
    writable = all(entry & W for entry in entries) or (not error & U and not mode & harness.WP)
    if error & W and not writable:
        return Walk("fault", error | 1)
    if error & 0x10 and any(entry & NX for entry in entries):
        return Walk("fault", error | 1)
    return Walk("frame", table, tuple(used)) if legal(table) else Walk("refused", 1)


def reserved(machine: Machine, cpu: int, entry: int, *, large: bool) -> bool:
    """Return whether an entry has a reserved bit set, addresses having 36 bits."""
    if not machine.width.pae:
        return large and bool(entry & 0x3E0000)
    high = entry & 0x7FFFFFF000000000 or (entry & NX and not machine.modes[cpu] & harness.NX_ON)
    return bool(high) or (large and bool(entry & 0x1FE000))


def large_frame(machine: Machine, entry: int) -> int:
    """Return the first frame of a large page."""
    if machine.width.pae:
        return (entry & ~NX & ~0x1FFFFF) >> 12
    return (entry & 0xFFC00000) >> 12 | (entry >> 13 & 15) << 20
