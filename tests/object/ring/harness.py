# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The shadow page tables of ``firmware/ring`` as a library of the host: a machine of a few frames around them."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from openvmi.toolchain.zig import zig_command

TREE = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
SOURCES = tuple(TREE / "firmware/ring" / f"shadow{part}.c" for part in ("", "_root", "_pool", "_links", "_walk"))

CPUS = 2
CPUS_MAX = 8
RAM_FRAMES = 24
FRAMES = 32
LEGAL_FRAMES = 8192  # what may be mapped, from 0 ...
ISLAND = 1600  # ... but this one
DEVICE, DEVICES = 0xFEC00, 4  # and these
POOL = 0xE0000000
POOL_PAGES = 72
QUEUE = 8
HOLE = 0xFE000000
PAGE = 4096
ZERO = bytes(PAGE)
P, W, U, PCD, A, D, PS, G, NX = 1, 2, 4, 0x10, 0x20, 0x40, 0x80, 0x100, 1 << 63
WP, PSE, NX_ON = 1, 2, 4
FILLED, REFLECT, REFUSED = range(3)
FREE, LIMBO, TABLE, SPLINTER, DIRECTORY, TOP, LINKS, FIXED = range(8)
POINTERS, ROOT, OTHER, TABLES, DATA = 4, 8, 9, 10, 14  # frames: PDPTs (PAE), two directories, page tables, other pages
FULL = P | W | U | A | D
COUNTERS = (
    *("faults", "filled", "reflected", "refused", "drains", "drained", "nonsense", "synced", "roots", "directories"),
    *("tables", "splinters", "released", "evicted", "flushes", "used", "peak", "pages"),
)


class Config(ctypes.Structure):
    """``struct shadow_config``."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("cpus", "frames", "pool_machine", "pool_pages")),
        *((name, ctypes.c_uint32) for name in ("queue_entries", "physical_bits", "bitmap_mask")),
        *((name, ctypes.c_void_p) for name in ("bitmap", "frame_table", "pages")),
    )


class Page(ctypes.Structure):
    """``struct shadow_page``."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("pfn", "parents", "origin", "origin_high")),
        *((name, ctypes.c_uint16) for name in ("next", "links", "parent_count", "pins")),
        *((name, ctypes.c_uint8) for name in ("kind", "cpu", "referenced", "unused")),
        ("groups", ctypes.c_uint32),
    )


class Host(ctypes.Structure):
    """``struct host`` of ``model/host.c``."""

    _fields_ = (
        ("ram", ctypes.c_void_p),
        ("pool", ctypes.c_void_p),
        *((name, ctypes.c_uint32) for name in ("ram_frames", "legal_frames", "island", "device", "devices")),
        *((name, ctypes.c_uint32 * CPUS_MAX) for name in ("root", "flushes", "invals", "last_inval")),
        ("inval", ctypes.c_uint32 * 64 * CPUS_MAX),
        *((name, ctypes.c_uint32) for name in ("wild_frame", "wild_shadow", "early", "busy")),
        *((name, ctypes.c_uint32) for name in ("mutate_after", "mutate_gpa")),
        ("mutate_value", ctypes.c_uint64),
        ("tear_after", ctypes.c_uint32),
    )


class Refusal(ctypes.Structure):
    """``struct shadow_refusal``."""

    _fields_ = (("address", ctypes.c_uint32), ("level", ctypes.c_uint32), ("gpa", ctypes.c_uint64))


def build(out: Path, *, pae: bool) -> Path:
    """Compile the shadow page tables and the model's monitor into a shared library in ``out``."""
    library = out / f"shadow{'-pae' if pae else ''}.so"
    flags = ("-shared", "-fPIC", "-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined")
    command = [*zig_command(), "cc", *flags, "-fsanitize-trap=undefined", f"-DRING_PAE={pae:d}"]
    command += ["-I", str(HERE / "model"), "-I", str(TREE / "firmware/ring"), "-o", str(library)]
    command += [str(source) for source in (HERE / "model/host.c", *SOURCES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return library


@dataclass(frozen=True, slots=True)
class Width:
    """What differs between the widths of page tables.

    Args:
        pae: 8-byte entries.
        bytes: of an entry.
        slots: entries of a table.
        shift: of the linear address a directory's entry stands for.
        code: of an entry, for :func:`memoryview.cast`.
    """

    pae: bool
    bytes: int
    slots: int
    shift: int
    code: Literal["I", "Q"]

    @property
    def hole_slot(self) -> int:
        return self.slots - (32 << 20 >> self.shift)

    @property
    def roots(self) -> int:
        return 4 if self.pae else 1


LEGACY = Width(pae=False, bytes=4, slots=1024, shift=22, code="I")
PAE = Width(pae=True, bytes=8, slots=512, shift=21, code="Q")


@dataclass(slots=True)
class Tlb:
    """What a CPU remembers: translations by linear page, and how many flushes and invalidations it has seen.

    Args:
        pages: linear page to the shadow's entries that it was made of, from the top.
        flushes: of the host's record.
        invals: of the host's record.
    """

    pages: dict[int, tuple[int, ...]] = field(default_factory=dict)
    flushes: int = 0
    invals: int = 0


class Machine:
    """A few frames of guest RAM, a pool of shadows, and CPUs that use the compiled shadow page tables.

    Args:
        library: from :func:`build`.
        width: of its entries.
        pool_pages: pages of the pool.
        cpus: of the machine.
    """

    def __init__(self, library: ctypes.CDLL, width: Width, pool_pages: int = POOL_PAGES, cpus: int = CPUS) -> None:
        self.lib, self.width, self.cpus = library, width, cpus
        self.ram = bytearray(RAM_FRAMES * PAGE)
        self.pool = bytearray(b"\xa5" * (pool_pages * PAGE))
        self.bitmap = bytearray(b"\xff" * 8)
        self.frame_table = (ctypes.c_uint16 * FRAMES)(*range(1, FRAMES + 1))
        self.pages = (Page * pool_pages)()
        self.counters = (ctypes.c_uint32 * len(COUNTERS))()
        self.queues = [(ctypes.c_uint32 * (1 + QUEUE))() for _ in range(cpus)]
        self.modes = [0] * cpus
        self.tlbs = [Tlb() for _ in range(cpus)]
        self.host = Host.in_dll(library, "host")
        ctypes.memset(ctypes.addressof(self.host), 0, ctypes.sizeof(Host))
        self.host.ram, self.host.pool = _address(self.ram), _address(self.pool)
        self.host.ram_frames, self.host.legal_frames, self.host.island = RAM_FRAMES, LEGAL_FRAMES, ISLAND
        self.host.device, self.host.devices = DEVICE, DEVICES
        library.host_reset()
        self.entries = memoryview(self.ram).cast(width.code)
        self.shadows = memoryview(self.pool).cast(width.code)
        self.config = Config(
            *(cpus, FRAMES, POOL, pool_pages, QUEUE, 36, 15),
            *(_address(self.bitmap), ctypes.addressof(self.frame_table), ctypes.addressof(self.pages)),
        )
        assert library.shadow_init(ctypes.byref(self.config), ctypes.byref(self.counters)) == 1
        for cpu in range(cpus):
            library.host_enter(cpu)
            array = ctypes.c_uint64 if width.pae else ctypes.c_uint32
            library.shadow_set_cpu(cpu, (array * len(self.hole(cpu)))(*self.hole(cpu)), self.queues[cpu])
            self.set_mode(cpu, WP | PSE | (NX_ON if width.pae else 0))

    def hole(self, cpu: int) -> list[int]:
        """Return the directory entries of the hole on ``cpu``: tables outside the pool."""
        return [0xE1000000 + cpu * 0x100000 + i * PAGE + 0x63 for i in range(self.width.slots - self.width.hole_slot)]

    def counter(self, name: str) -> int:
        return int(self.counters[COUNTERS.index(name)])

    # the guest's memory
    def entry(self, frame: int, slot: int) -> int:
        return self.entries[frame * self.width.slots + slot]

    def write(self, frame: int, slot: int, value: int) -> int:
        """Store an entry that nobody is told of; returns its address."""
        self.entries[frame * self.width.slots + slot] = value
        return frame * PAGE + slot * self.width.bytes

    def announce(self, cpu: int, gpa: int) -> None:
        """Do what a stub does after a store: queue the entry if its frame has the bit."""
        bit = gpa // PAGE & 15
        if not self.bitmap[bit >> 3] >> (bit & 7) & 1:
            return
        queue = self.queues[cpu]
        if queue[0] >= QUEUE:
            self.drain(cpu)
        queue[0] += 1
        queue[queue[0]] = gpa

    def set_entry(self, cpu: int, frame: int, slot: int, value: int) -> None:
        """SetPxE."""
        self.announce(cpu, self.write(frame, slot, value))

    # calls
    def set_root(self, cpu: int, cr3: int) -> int:
        self.lib.host_enter(cpu)
        return int(self.lib.shadow_set_root(cpu, cr3)) & 0xFFFFFFFF

    def set_mode(self, cpu: int, mode: int) -> None:
        self.lib.host_enter(cpu)
        self.modes[cpu] = mode
        self.lib.shadow_set_mode(cpu, mode)

    def fault(self, cpu: int, address: int, error: int) -> tuple[int, int]:
        self.lib.host_enter(cpu)
        reflect = ctypes.c_uint32()
        result = self.lib.shadow_fault(cpu, address, error, ctypes.byref(reflect))
        return result, reflect.value

    def translate(self, cpu: int, address: int, error: int) -> tuple[int, int]:
        gpa = ctypes.c_uint32()
        return self.lib.shadow_translate(cpu, address, error, ctypes.byref(gpa)), gpa.value

    def refusal(self, cpu: int) -> tuple[int, int, int]:
        self.lib.shadow_refusal.restype = ctypes.POINTER(Refusal)
        found = self.lib.shadow_refusal(cpu).contents
        return found.address, found.level, found.gpa

    def drain(self, cpu: int) -> None:
        self.lib.host_enter(cpu)
        self.lib.shadow_drain(cpu)

    def inval(self, cpu: int, address: int) -> None:
        self.lib.host_enter(cpu)
        self.lib.shadow_inval(cpu, address)

    def flush(self, cpu: int) -> None:
        self.lib.host_enter(cpu)
        self.lib.shadow_flush(cpu)

    def release(self, cpu: int, pfn: int) -> None:
        self.lib.host_enter(cpu)
        self.lib.shadow_release_page(cpu, pfn)

    def update(self, cpu: int, gpa: int) -> None:
        self.lib.host_enter(cpu)
        self.lib.shadow_update(cpu, gpa)

    def leave(self, cpu: int) -> None:
        self.lib.host_enter(cpu)
        self.lib.shadow_leave(cpu)

    # the hardware
    def shadow_entries(self, index: int) -> Iterator[tuple[int, int]]:
        """Yield slot and entry of those of a page that are not 0."""
        page = self.pool[index * PAGE : (index + 1) * PAGE]
        if page != ZERO:
            yield from ((slot, entry) for slot, entry in enumerate(memoryview(page).cast(self.width.code)) if entry)

    def shadow_walk(self, cpu: int, address: int) -> list[int]:
        """Return the entries of the shadow for ``address``, from the top as far as they are present."""
        root = self.host.root[cpu] - POOL
        width, found = self.width, []
        steps: Sequence[int] = (address >> width.shift & (width.slots - 1), address >> 12 & (width.slots - 1))
        at = root // width.bytes
        if width.pae:
            pointer = self.shadows[at + (address >> 30)]
            if not pointer & P:
                return []
            at = ((pointer & ~0xFFF) - POOL) // width.bytes
        for step in steps:
            entry = self.shadows[at + step]
            found.append(entry)
            if not entry & P or entry & PS:
                break
            at = ((entry & ~NX & ~0xFFF) - POOL) // width.bytes
        return found

    def hardware(self, cpu: int, address: int, error: int) -> int | None:
        """Return the frame that the hardware finds in the shadow for an access, CR0.WP being 1; None = a fault."""
        return self.translation(self.shadow_walk(cpu, address), address, error)

    def translation(self, found: Sequence[int], address: int, error: int) -> int | None:
        """Return the frame that entries of the shadow, from the top, give to an access; None = a fault."""
        if not found or not found[-1] & P or (len(found) == 1 and not found[0] & PS):
            return None
        for entry in found:
            if (error & U and not entry & U) or (error & W and not entry & W) or (error & 0x10 and entry & NX):
                return None
        frame = (found[-1] & ~NX) >> 12
        return frame + (address >> 12 & (self.width.slots - 1)) if len(found) == 1 else frame

    def tlb(self, cpu: int) -> dict[int, tuple[int, ...]]:
        """Return what the TLB of ``cpu`` still has, after the flushes and invalidations since the last look."""
        tlb, host = self.tlbs[cpu], self.host
        if host.flushes[cpu] != tlb.flushes or host.invals[cpu] - tlb.invals > 64:
            tlb.pages.clear()
        for i in range(tlb.invals, host.invals[cpu]):
            page = host.inval[cpu][i % 64] >> 12
            large = page // self.width.slots
            gone = [
                at
                for at, found in tlb.pages.items()
                if at == page or (len(found) == 1 and at // self.width.slots == large)
            ]
            for at in gone:
                del tlb.pages[at]
        tlb.flushes, tlb.invals = host.flushes[cpu], host.invals[cpu]
        return tlb.pages

    def mmu(self, cpu: int, address: int, error: int) -> int | None:
        """Return what :meth:`hardware` does, by way of the TLB. A fault takes the page out of it."""
        pages = self.tlb(cpu)
        found = pages.get(address >> 12)
        frame = self.translation(found, address, error) if found else None
        if frame is None:
            pages.pop(address >> 12, None)
            found = tuple(self.shadow_walk(cpu, address))
            frame = self.translation(found, address, error)
            if frame is not None:
                pages[address >> 12] = found
        return frame

    def access(self, cpu: int, address: int, error: int) -> tuple[str, int]:
        """Let the guest reach for ``address``: ("frame", number), ("fault", error code) or ("refused", level)."""
        for _ in range(6):
            frame = self.mmu(cpu, address, error)
            if frame is not None:
                return "frame", frame
            present = bool((found := self.shadow_walk(cpu, address)) and found[-1] & P)
            result, reflect = self.fault(cpu, address, error | present)
            if result == REFLECT:
                return "fault", reflect
            if result == REFUSED:
                return "refused", self.refusal(cpu)[1]
        raise AssertionError(f"no end of faults at {address:#x}")


def cr3(machine: Machine, directory: int = ROOT) -> int:
    """Return a CR3 whose lowest addresses are ``directory``'s; with PAE the highest, too."""
    if not machine.width.pae:
        return directory * PAGE
    pointers = POINTERS + directory - ROOT
    machine.write(pointers, 0, directory * PAGE | P)
    machine.write(pointers, 3, directory * PAGE | P)
    return pointers * PAGE


def kinds(machine: Machine, kind: int) -> int:
    """Return how many pages of the pool are of ``kind``."""
    return sum(page.kind == kind for page in machine.pages)


def _address(buffer: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
