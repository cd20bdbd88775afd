# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shadow page tables against a guest that keeps no rule: after each step every invariant holds."""

from __future__ import annotations

import ctypes
import random
import threading
from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from .coverage import run_until_seen
from .harness import (
    COUNTERS,
    DEVICE,
    FRAMES,
    HOLE,
    ISLAND,
    NX,
    PAGE,
    POOL,
    PS,
    QUEUE,
    RAM_FRAMES,
    A,
    D,
    Machine,
    P,
    U,
    W,
    Width,
)
from .reference import Checker

BURST = 8  # steps that one choice of hypothesis's makes: it draws what is done, and a seed of with what
ROOTS, TABLE_FRAMES = 3, 16  # frames that are loaded as roots, and those that are written
FRAME = (*range(TABLE_FRAMES), *range(TABLE_FRAMES), RAM_FRAMES - 1, ISLAND, 1024, 8191)
ODD_FRAME = (RAM_FRAMES, FRAMES, 8192, DEVICE, DEVICE + 4, POOL >> 12, (POOL >> 12) + 5, HOLE >> 12, 0xE1000, 0xFFFFF)
HIGH_FRAME = (0x100000, 0xFFFFFF)
LARGE_FRAME = (0, 1024, ISLAND & ~1023, ISLAND & ~511, 8192 - 1024, POOL >> 12, HOLE >> 12, 0xFFC00)
FLAGS = (P | W | U, P | W | U | A, P | W | U | A | D, P | U | A, P | W | A | D, P | W | U | A | D)


class Hostile(RuleBasedStateMachine):
    """Whatever a guest can do, in any order, on two CPUs."""

    library: ctypes.CDLL
    width: Width
    pool_pages: int
    total: Counter[str]

    @initialize(seed=st.integers(0, 1 << 32))
    def start(self, seed: int) -> None:
        """Begin with tables that lead somewhere."""
        self.machine = Machine(self.library, self.width, self.pool_pages)
        self.wrote: dict[int, int] = {}
        self.random = random.Random(seed)  # noqa: S311 - hypothesis seeds it
        for frame in range(TABLE_FRAMES):
            for slot in self.slots(frame):
                self.machine.write(frame, slot, self.entry(frame))
        for cpu in range(2):
            self.machine.set_root(cpu, cpu * PAGE)
        self.checker = Checker(self.machine)

    def pointers(self, frame: int) -> bool:
        """Return whether a frame most often holds PDPTEs."""
        return self.width.pae and frame < ROOTS

    def slots(self, frame: int) -> tuple[int, ...]:
        if self.pointers(frame):
            return 0, 1, 2, 3
        return 0, 1, 2, 3, self.width.hole_slot - 1, self.width.hole_slot, self.width.slots - 1

    def entry(self, frame: int) -> int:
        """Draw an entry: most often one that leads on."""
        draw, high, flags = self.random, 0, 0
        kind = draw.random()
        if self.pointers(frame) and kind < 0.9:
            first, flags = draw.choice((*range(ROOTS, TABLE_FRAMES), RAM_FRAMES)), draw.choice((P, P, P, 0))
        elif kind < 0.7:
            first, flags = draw.choice(FRAME), draw.choice(FLAGS)
        elif kind < 0.85:
            first, flags = draw.choice(LARGE_FRAME), draw.choice(FLAGS) | PS
        else:
            first, flags = draw.choice((*FRAME, *ODD_FRAME, *HIGH_FRAME)), draw.randrange(0x1000)
            high = draw.choice((0, 0, 0, NX, 1 << 36, 1 << 62))
        value: int = first << 12 | flags | high
        return value if self.width.pae else value & 0xFFFFFFFF

    def place(self) -> tuple[int, int]:
        frame = self.random.randrange(TABLE_FRAMES)
        return frame, self.random.choice(self.slots(frame))

    def address(self) -> int:
        slots = self.slots(TABLE_FRAMES)
        upper = self.random.choice(slots) << self.width.shift | self.random.choice(slots) << 12
        return (upper | self.random.randrange(4) << 30 if self.width.pae else upper) & 0xFFFFFFFF

    def store(self, cpu: int) -> None:
        frame, slot = self.place()
        value = self.entry(frame)
        gpa = self.machine.write(frame, slot, value)
        self.wrote[gpa] = value
        if self.random.random() < 0.6:
            self.machine.announce(cpu, gpa)

    def garbage(self, cpu: int) -> None:
        draw = self.random
        self.machine.queues[cpu][0] = draw.choice((1, QUEUE, QUEUE + 1, 0xFFFF))
        for i in range(1, QUEUE + 1):
            self.machine.queues[cpu][i] = draw.randrange(draw.choice((1 << 32, RAM_FRAMES * PAGE)))

    def root(self, cpu: int) -> None:
        self.machine.set_root(
            cpu, self.random.randrange(ROOTS if self.width.pae else 8) * PAGE | self.random.choice((0, 0, 0, 8, 32))
        )

    def odd_root(self, cpu: int) -> None:
        self.machine.set_root(
            cpu, self.random.choice((self.random.randrange(1 << 32), self.random.randrange(TABLE_FRAMES * PAGE)))
        )

    def fault(self, cpu: int) -> None:
        self.machine.fault(cpu, self.address(), self.random.randrange(32))

    def race(self, cpu: int) -> None:
        """Another CPU stores to an entry while this one's fault, or drain, is worked on."""
        frame, slot = self.place()
        host = self.machine.host
        host.mutate_gpa, host.mutate_value = frame * PAGE + slot * self.width.bytes, self.entry(frame)
        host.mutate_after = self.random.randrange(1, 9)
        self.machine.fault(cpu, self.address(), self.random.randrange(8))
        if not host.mutate_after:
            self.wrote[host.mutate_gpa] = host.mutate_value & ((1 << 8 * self.width.bytes) - 1)
        host.mutate_after = 0

    def inval(self, cpu: int) -> None:
        self.machine.inval(cpu, self.address())

    def release(self, cpu: int) -> None:
        self.machine.release(
            cpu, self.random.choice((self.random.randrange(TABLE_FRAMES), self.random.randrange(1 << 32)))
        )

    def flush(self, cpu: int) -> None:
        self.machine.flush(cpu)

    def update(self, cpu: int) -> None:
        self.machine.update(
            cpu, self.random.choice((self.random.randrange(1 << 32), self.random.randrange(RAM_FRAMES * PAGE)))
        )

    def mode(self, cpu: int) -> None:
        self.machine.set_mode(cpu, self.random.randrange(8))

    def leave(self, cpu: int) -> None:
        self.machine.leave(cpu)
        if self.random.random() < 0.8:
            self.root(cpu)

    STEPS = (*("store",) * 3, *("fault",) * 8, "race", "race", "root", "garbage", "inval", "release", "flush")
    RARE = ("odd_root", "update", "mode", "leave")

    @rule(
        names=st.lists(st.sampled_from((*STEPS * 5, *RARE)), min_size=4, max_size=BURST), seed=st.integers(0, 1 << 32)
    )
    def steps(self, names: list[str], seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - hypothesis seeds it
        for name in names:
            getattr(self, name)(self.random.randrange(2))
            self.checker.check()
            self.checker.memory(self.wrote)
            self.wrote.clear()

    def teardown(self) -> None:
        if hasattr(self, "machine"):
            self.total.update({name: self.machine.counter(name) for name in COUNTERS})


@pytest.mark.parametrize("pool_pages", [72, 0], ids=["roomy", "tight"])
def test_no_sequence_breaks_an_invariant(libraries: dict[str, ctypes.CDLL], width: Width, pool_pages: int) -> None:
    library = libraries["pae" if width.pae else "legacy"]
    total: Counter[str] = Counter()
    measures = {"library": library, "width": width, "total": total}
    model = type("Hostile", (Hostile,), {**measures, "pool_pages": pool_pages or library.shadow_pool_least(2)})
    wanted = {"filled", "reflected", "refused", "drained", "nonsense", "tables", "splinters", "released"}
    if library is libraries["legacy"] and not pool_pages:
        wanted.add("evicted")
    run_until_seen(model, total, wanted, examples=35, steps=40)


@pytest.mark.parametrize("seed", range(3))
def test_two_cpus_at_once(libraries: dict[str, ctypes.CDLL], width: Width, seed: int) -> None:
    machine = Machine(libraries["pae" if width.pae else "legacy"], width, 56 if width.pae else 32)
    hammers = [
        threading.Thread(target=machine.lib.host_hammer, args=(cpu, seed * 2 + cpu, 20000), daemon=True)
        for cpu in range(2)
    ]
    for hammer in hammers:
        hammer.start()
    for hammer in hammers:
        hammer.join(timeout=30)
    assert not any(hammer.is_alive() for hammer in hammers), "one waits for the other for ever"
    machine.host.early = 0  # flushes and what they are for are not recorded under a lock
    Checker(machine).check()
    assert machine.counter("filled") > 100
