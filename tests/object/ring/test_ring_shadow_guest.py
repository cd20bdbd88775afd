# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shadow page tables and a guest that keeps the interface's rules: it sees paging as the hardware has it.

The guest announces each change of an entry (at once or some steps later), invalidates what it has changed before it
leans on it, and releases tables when nothing leads to them. What an access gives, the error code of its fault, and the
accessed and dirty bits that it leaves are then those of a plain walk of the guest's own tables.
"""

from __future__ import annotations

import ctypes
import random
from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from .coverage import run_until_seen
from .harness import (
    COUNTERS,
    DEVICE,
    ISLAND,
    NX,
    NX_ON,
    PAGE,
    POOL,
    PS,
    PSE,
    RAM_FRAMES,
    WP,
    A,
    D,
    Machine,
    P,
    U,
    W,
    Width,
)
from .reference import Checker, reserved, walk

POINTERS, DIRECTORIES, TABLES = range(3), range(3, 7), range(7, 14)  # frames by what the guest uses them for
DATA = (14, 15, 16, RAM_FRAMES, 1024, ISLAND, ISLAND - 1, 8191, DEVICE)
LARGE = (0, 1024, ISLAND & ~1023, ISLAND & ~511, 4096)
BAD = (8192, POOL >> 12, 0xFFFFF)
FLAGS = (P | W | U, P | W | U | A, P | W | U | A | D, P | U, P | W, P | W | A | D, P | U | A | D, W | U, 0)
ERRORS = (0, W, U, U | W, 0x10, U | 0x10)


class Guest(RuleBasedStateMachine):
    """Two CPUs of a guest that does what the interface asks."""

    library: ctypes.CDLL
    width: Width
    pool_pages: int
    total: Counter[str]

    @initialize(seed=st.integers(0, 1 << 32))
    def start(self, seed: int) -> None:
        self.machine = Machine(self.library, self.width, self.pool_pages)
        self.random = random.Random(seed)  # noqa: S311 - hypothesis seeds it
        self.cr3 = [0, 0]
        for _ in range(60):
            self.map_page(0)
            self.map_table(0)
            self.map_directory(0)
        for cpu in range(2):
            self.switch(cpu)
        self.checker = Checker(self.machine)

    def slots(self) -> tuple[int, ...]:
        return 0, 1, 2, self.width.hole_slot - 1

    def address(self) -> int:
        slots = self.slots()
        upper = self.random.choice(slots) << self.width.shift | self.random.choice(slots) << 12
        return upper | self.random.randrange(4) << 30 if self.width.pae else upper

    def change(self, cpu: int, frame: int, slot: int, value: int) -> None:
        """SetPxE, or a native store and UpdatePxE: the same to a shadow."""
        self.machine.set_entry(cpu, frame, slot, value)

    def map_page(self, cpu: int) -> None:
        draw = self.random
        value = draw.choice((*DATA, *DATA, *BAD)) << 12 | draw.choice(FLAGS) | draw.choice((0, 0, 0x10, 0x100, 0x80))
        if self.width.pae:
            value |= draw.choice((0, 0, 0, NX, 1 << 40))
        self.change(cpu, draw.choice(TABLES), draw.choice(self.slots()), value)

    def map_table(self, cpu: int) -> None:
        draw = self.random
        flags = draw.choice(FLAGS)
        if draw.random() < 0.3:
            value = draw.choice((*LARGE, *LARGE, 8192)) << 12 | flags | PS
        else:
            value = draw.choice((*TABLES, *TABLES, *DIRECTORIES)) << 12 | flags
        if self.width.pae:
            value |= draw.choice((0, 0, 0, NX))
        self.change(cpu, draw.choice(DIRECTORIES), draw.choice(self.slots()), value)

    def map_directory(self, _cpu: int) -> None:
        """PAE: set_pud, after which CR3 is loaded again on the CPUs that use it."""
        if not self.width.pae:
            return
        draw = self.random
        frame = draw.choice(POINTERS)
        self.machine.write(frame, draw.randrange(4), draw.choice(DIRECTORIES) << 12 | draw.choice((P, P, P, 0)))
        for other in range(2):
            if self.cr3[other] == frame * PAGE:
                self.machine.set_root(other, self.cr3[other])

    def test_and_clear(self, cpu: int) -> None:
        """UpdatePxE after A, D or W was cleared in an entry."""
        frame, slot = self.random.choice((*TABLES, *DIRECTORIES)), self.random.choice(self.slots())
        self.change(cpu, frame, slot, self.machine.entry(frame, slot) & ~self.random.choice((A, D, A | D, W)))

    def switch(self, cpu: int) -> None:
        self.cr3[cpu] = self.random.choice(POINTERS if self.width.pae else DIRECTORIES) * PAGE
        self.machine.set_root(cpu, self.cr3[cpu])

    def mode(self, cpu: int) -> None:
        mode = self.random.choice((WP | PSE, PSE, WP)) | (NX_ON if self.width.pae else 0)
        for other in (cpu, 1 - cpu):
            self.machine.set_mode(other, mode)

    def tear_down(self, cpu: int) -> None:
        """A table's entries are cleared and nobody is told; what leads to it is cleared and told; it is released."""
        table = self.random.choice(TABLES)
        for slot in self.slots():
            self.machine.write(table, slot, 0)
        for frame in DIRECTORIES:
            for slot in self.slots():
                entry = self.machine.entry(frame, slot)
                if entry & P and (entry & 0xFFFFF000) >> 12 == table and not entry & PS:
                    self.change(cpu, frame, slot, 0)
        self.machine.release(cpu, table)

    def settle(self) -> None:
        """Who has changed something drains before others flush."""
        for cpu in range(2):
            self.machine.drain(cpu)
        for cpu in range(2):
            self.machine.flush(cpu)

    def access(self, cpu: int) -> None:
        """One access on a settled machine: as the plain walk has it, marks included."""
        self.settle()
        for _ in range(4):
            self.one_access(cpu, self.address(), self.random.choice(ERRORS))

    def one_access(self, cpu: int, address: int, error: int) -> None:
        machine = self.machine
        expected = walk(machine, cpu, self.cr3[cpu], address, error)
        entries = {place: machine.entry(*place) for place in expected.used}
        assert machine.access(cpu, address, error) == (expected.outcome, expected.value), hex(address)
        for place in expected.used:
            leaf = place == expected.used[-1]
            assert machine.entry(*place) == entries[place] | A | (D if leaf and error & W else 0), "A and D"

    def rights(self, cpu: int) -> None:
        """Check that the shadow gives nothing that the guest's tables don't, on a settled machine."""
        self.settle()
        for upper in self.slots():
            for index in self.slots():
                for gib in range(self.machine.width.roots):
                    self.no_more(cpu, gib << 30 | upper << self.width.shift | index << 12)

        for page, found in self.machine.tlb(cpu).items():
            for error in ERRORS:
                self.no_more_than_the_guest(cpu, page << 12, error, self.machine.translation(found, page << 12, error))

    def no_more(self, cpu: int, address: int) -> None:
        for error in ERRORS:
            self.no_more_than_the_guest(cpu, address, error, self.machine.hardware(cpu, address, error))

    def no_more_than_the_guest(self, cpu: int, address: int, error: int, frame: int | None) -> None:
        if frame is None:
            return
        expected = walk(self.machine, cpu, self.cr3[cpu], address, error)
        assert (expected.outcome, expected.value) == ("frame", frame), f"{address:#x}: error code {error}"
        leaf = self.machine.entry(*expected.used[-1])
        assert leaf & A, f"{address:#x} is mapped, and not accessed"
        assert leaf & D or not error & W, f"{address:#x} is writable, and not dirty"
        assert not reserved(self.machine, cpu, leaf, large=len(expected.used) == 1)

    STEPS = ("map_page", "map_page", "map_page", "map_table", "map_directory", "test_and_clear", "switch")
    LOOKS = ("access",) * 5 + ("rights",)

    @rule(
        names=st.lists(st.sampled_from((*STEPS, *STEPS, *LOOKS, *LOOKS, "mode", "tear_down")), min_size=4, max_size=10),
        seed=st.integers(0, 1 << 32),
    )
    def steps(self, names: list[str], seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - hypothesis seeds it
        for name in names:
            getattr(self, name)(self.random.randrange(2))
        self.checker.check()

    def teardown(self) -> None:
        if hasattr(self, "machine"):
            self.total.update({name: self.machine.counter(name) for name in COUNTERS})


@pytest.mark.parametrize("pool_pages", [72, 0], ids=["roomy", "tight"])
def test_paging_is_the_hardwares(libraries: dict[str, ctypes.CDLL], width: Width, pool_pages: int) -> None:
    library = libraries["pae" if width.pae else "legacy"]
    total: Counter[str] = Counter()
    measures = {"library": library, "width": width, "total": total}
    model = type("Guest", (Guest,), {**measures, "pool_pages": pool_pages or library.shadow_pool_least(2)})
    wanted = {"filled", "reflected", "refused", "drained", "tables", "splinters", "released"}
    run_until_seen(model, total, wanted, examples=60, steps=30)
