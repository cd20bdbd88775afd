# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What payload and brain share: the wire: memory shared by payload and brain.

Written by ``python -m openvmi.abi.generate`` from ``tables``: change those, not this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from types import MappingProxyType
from typing import ClassVar, Final

from .record import Record

WIRE_HASH: Final = 0x5FA5A285
WIRE_VERSION: Final = 1
WIRE_MAGIC_LOW: Final = 0x6E65706F
WIRE_MAGIC_HIGH: Final = 0x696D76
WIRE_BASE: Final = 0xFE000000
WIRE_SIZE: Final = 0x2000000
WIRE_DEVICE_SIZE: Final = 0x4000000
WIRE_BAR: Final = 0xE0000000
WIRE_PCI_ID: Final = 0x11101AF4
WIRE_PCI_AT: Final = 0x8000F100
WIRE_WAKE_PORT: Final = 0x5A0
WIRE_CPUS_MAX: Final = 64
WIRE_CALLS: Final = 80
WIRE_CODE_OFFSET: Final = 0x200
WIRE_CODE_SIZE: Final = 0xFE00
WIRE_TABLES_OFFSET: Final = 0x10000
WIRE_TABLES_PAE_OFFSET: Final = 0x18000
WIRE_GDTS_OFFSET: Final = 0x28000
WIRE_GDTS: Final = 256
WIRE_SITES_OFFSET: Final = 0x30000
WIRE_SITES: Final = 8192
WIRE_CPUS_OFFSET: Final = 0x40000
WIRE_CPU_SIZE: Final = 0x1000
WIRE_CPU_RING: Final = 0x40
WIRE_CPU_COUNTERS: Final = 0x100
WIRE_WINDOWS_OFFSET: Final = 0x80000
WIRE_RINGS_OFFSET: Final = 0x100000
WIRE_MIRROR_OFFSET: Final = 0x1000000
WIRE_SITE_BATCH: Final = 4
WIRE_MODE_WORK: Final = 0x80
WIRE_RING_ONE: Final = 0x40000
WIRE_RING_SLACK: Final = 64
WIRE_PHASE_MASK: Final = 3
RING_CPUS_MAX: Final = 8
RING_MEMORY_MAX: Final = 0xC0000000
RING_WINDOW_SIZE: Final = 0x10000
RING_STUBS_PAE_OFFSET: Final = 0x3000
RING_SHARED_OFFSET: Final = 0x6000
RING_BITMAP_OFFSET: Final = 0x8000
RING_BITMAP_BITS: Final = 0x40000
RING_IMAGE_OFFSET: Final = 0x1010000
RING_IMAGE_PAE_OFFSET: Final = 0x1050000
RING_IMAGE_SIZE: Final = 0x30000
RING_INFO_OFFSET: Final = 0x108F000
RING_PORTS_OFFSET: Final = 0x1082000
RING_TABLES_OFFSET: Final = 0x1090000
RING_PAGES_OFFSET: Final = 0x10A0000
RING_FRAMES_OFFSET: Final = 0x1100000
RING_FRAMES_MAX: Final = 0x100000
RING_CPUS_OFFSET: Final = 0x1300000
RING_CPU_SIZE: Final = 0x10000
RING_CPU_GDT: Final = 0
RING_CPU_IDT: Final = 0x6800
RING_CPU_LDT: Final = 0x3000
RING_CPU_SHARED: Final = 0x4000
RING_CPU_STACK: Final = 0x67F0
RING_POOL_OFFSET: Final = 0x1400000
RING_PRIVATE_OFFSET: Final = 0x1400000
RING_QUEUE: Final = 0x300
RING_TIMER_VECTOR: Final = 0xF8
RING_EXIT_FIRST: Final = 0x100
RING_EXITS: Final = 64
RING_COUNTERS: Final = 0x780


class Mode(IntEnum):
    """What is done with a call, changed at any time by the brain."""

    NATIVE = 0
    COUNT = 1
    TRACE = 2
    UPCALL = 3
    INLINE = 4
    RANGE = 5


class Path(IntEnum):
    """How get_reloc answers, chosen before the guest starts."""

    NONE = 0
    DIRECT = 1
    SWITCHABLE = 2


class Action(IntEnum):
    """What the brain answers."""

    CONTINUE = 0
    RETURN = 1
    CHANGED = 2


class Phase(IntEnum):
    """Phase of a mailbox."""

    IDLE = 0
    REQUEST = 1
    ANSWER = 2
    CLAIMED = 3


class GuestState(IntEnum):
    """What the ROM made of the device."""

    SILENT = 0
    ACTIVE = 1
    BAD_VERSION = 2
    BAD_HASH = 3
    BAD_SIZE = 4
    BAD_PAYLOAD = 5


class BrainState(IntEnum):
    """Whether anybody answers."""

    GONE = 0
    ALIVE = 1
    LOST = 2


class RecordKind(IntEnum):
    """What a record tells."""

    CALL = 1
    ANSWERED = 2


class RingExit(IntEnum):
    """Why the guest was left for the monitor; the arguments stand in the mailbox's fields."""

    CALL = 0
    INTERRUPT = 1
    HELD = 2
    FILL = 3
    FAULT = 4
    EXCEPTION = 5
    IRET = 6
    ENABLE = 7
    CPUID = 8
    RDMSR = 9
    WRMSR = 0xA
    IN = 0xB
    OUT = 0xC
    READ_CR = 0xD
    WRITE_CR = 0xE
    READ_DR = 0xF
    WRITE_DR = 0x10
    CLTS = 0x11
    HALT = 0x12
    SET_GDT = 0x13
    SET_LDT = 0x14
    SET_IDT = 0x15
    SET_TR = 0x16
    DESCRIPTOR = 0x17
    GATE = 0x18
    FLAG = 0x19
    INVLPG = 0x1A
    CACHE = 0x1B
    SOFT_INT = 0x1C
    SET_ROOT = 0x1D
    KERNEL_STACK = 0x1E
    ALLOCATE = 0x1F
    RELEASE = 0x20
    FLUSH = 0x21
    DRAIN = 0x22
    AP_STATE = 0x23
    AP_START = 0x24
    APIC = 0x25
    TIMER = 0x26
    REBOOT = 0x27
    SHUTDOWN = 0x28
    REFUSED = 0x29
    UNKNOWN = 0x2A
    END = 0x2B
    RDPMC = 0x2C
    SEGMENT = 0x2D
    IO_APIC = 0x2E
    SET_ALARM = 0x30
    CANCEL_ALARM = 0x31
    WALLCLOCK = 0x32
    WALLCLOCK_SET = 0x33


class RingAction(IntEnum):
    """What the brain may answer to an exit, beyond Action: CONTINUE is the default, RETURN has the results."""

    FAULT = 3
    END = 4


class RingEnd(IntEnum):
    """Why a guest was ended."""

    NONE = 0
    STACK = 1
    GATE = 2
    ROOT = 3
    SEGMENTS = 4
    DOUBLE = 5
    MONITOR = 6
    BRAIN = 7
    SHUTDOWN = 8
    POOL = 9


class RingRefusal(IntEnum):
    """Why vmi_init of ring said no; the guest stays native."""

    NONE = 0
    CPU = 1
    STATE = 2
    SEGMENTS = 3
    TABLES = 4
    MEMORY = 5
    ROOT = 6
    CPUS = 7


@dataclass(frozen=True, slots=True)
class WireHeader(Record):
    """At offset 0: who speaks, where to enter, what to do with each call.

    Args:
        magic_low: WIRE_MAGIC_LOW.
        magic_high: WIRE_MAGIC_HIGH.
        version: WIRE_VERSION of the brain.
        hash: WIRE_HASH of the brain.
        size: of the hole: WIRE_SIZE.
        cpus: areas that are set up; indexes are below.
        init: linear address of the payload's vmi_init.
        get_reloc: linear address of the payload's get_reloc.
        guest_state: written by the ROM: what it made of all this.
        guest_version: written by the ROM: its WIRE_VERSION.
        guest_hash: written by the ROM: its WIRE_HASH.
        guest_base: written by the ROM: linear address of its image.
        wait_cycles: TSC ticks that a guest waits for an answer.
        wake_port: I/O port that wakes the brain.
        trace_low: first caller that is traced.
        trace_span: callers from there that are traced, less one.
        brain: BrainState.
        asleep: the brain wants to be woken.
        hold: the brain is slow on purpose: wait without limit.
        guest_cr4: written by the ROM: CR4, whose PAE says how to read page tables.
        low_memory: bytes of RAM from 0 that the guest may map where low memory is mapped.
        sites: records of sites; written by the payload.
        work: changes when modes have changed and sites are to be switched.
        worked: written by the payload: the `work` that it is at.
        cursor: written by the payload: first site that is still to be switched for it.
        worker: written by the payload: 1 while a CPU switches sites.
        longest: written by the payload: TSC ticks that the longest batch of sites took.
        fetch: bytes that a CPU fetches at once, less one: a power of two up to a page's; sites must not cross.
        room_cycles: TSC ticks that a guest waits for room in a full ring; the payload makes it 0 when that was in vain.
        guest_eflags: written by the payload: EFLAGS at the last vmi_init.
        inits: written by the payload: how often vmi_init has been called.
        unused1: 0.
        modes: Mode of each call.
        unused2: 0.
        paths: Path of each call.
        unused3: 0.
    """

    SIZE: ClassVar[int] = 512
    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIIIIIIIIIIIIIIIIIIIIIIIIII4s80s48s80s176s")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "magic_low": 0,
            "magic_high": 4,
            "version": 8,
            "hash": 12,
            "size": 16,
            "cpus": 20,
            "init": 24,
            "get_reloc": 28,
            "guest_state": 32,
            "guest_version": 36,
            "guest_hash": 40,
            "guest_base": 44,
            "wait_cycles": 48,
            "wake_port": 52,
            "trace_low": 56,
            "trace_span": 60,
            "brain": 64,
            "asleep": 68,
            "hold": 72,
            "guest_cr4": 76,
            "low_memory": 80,
            "sites": 84,
            "work": 88,
            "worked": 92,
            "cursor": 96,
            "worker": 100,
            "longest": 104,
            "fetch": 108,
            "room_cycles": 112,
            "guest_eflags": 116,
            "inits": 120,
            "unused1": 124,
            "modes": 128,
            "unused2": 208,
            "paths": 256,
            "unused3": 336,
        }
    )

    magic_low: int = 0
    magic_high: int = 0
    version: int = 0
    hash: int = 0
    size: int = 0
    cpus: int = 0
    init: int = 0
    get_reloc: int = 0
    guest_state: int = 0
    guest_version: int = 0
    guest_hash: int = 0
    guest_base: int = 0
    wait_cycles: int = 0
    wake_port: int = 0
    trace_low: int = 0
    trace_span: int = 0
    brain: int = 0
    asleep: int = 0
    hold: int = 0
    guest_cr4: int = 0
    low_memory: int = 0
    sites: int = 0
    work: int = 0
    worked: int = 0
    cursor: int = 0
    worker: int = 0
    longest: int = 0
    fetch: int = 0
    room_cycles: int = 0
    guest_eflags: int = 0
    inits: int = 0
    unused1: bytes = bytes(4)
    modes: bytes = bytes(80)
    unused2: bytes = bytes(48)
    paths: bytes = bytes(80)
    unused3: bytes = bytes(176)


@dataclass(frozen=True, slots=True)
class WirePayload(Record):
    """First bytes of the payload's image.

    Args:
        hash: WIRE_HASH of its build.
        cpus: CPUs that it can serve.
        init: linear address of its vmi_init.
        get_reloc: linear address of its get_reloc.
        stubs: linear address of its table of switchable stubs: a u32 for each call.
        unused: 0.
    """

    SIZE: ClassVar[int] = 32
    LAYOUT: ClassVar[Struct] = Struct("<IIIII12s")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "hash": 0,
            "cpus": 4,
            "init": 8,
            "get_reloc": 12,
            "stubs": 16,
            "unused": 20,
        }
    )

    hash: int = 0
    cpus: int = 0
    init: int = 0
    get_reloc: int = 0
    stubs: int = 0
    unused: bytes = bytes(12)


@dataclass(frozen=True, slots=True)
class WireMailbox(Record):
    """One cache line: a call, and what became of it.

    Args:
        state: number of the request * 4 + Phase.
        action: Action.
        call: number of the call.
        caller: return address; the frame's EIP where there is none.
        eax: as passed.
        edx: as passed.
        ecx: as passed.
        ebx: as passed.
        s1: dword at esp+4 at entry.
        s2: dword at esp+8 at entry.
        esi: as passed.
        edi: as passed.
        ebp: as passed.
        esp: at entry.
        eflags: before interrupts went off.
        cr3: root of the page tables.
    """

    SIZE: ClassVar[int] = 64
    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIIIIIIIIIII")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "state": 0,
            "action": 4,
            "call": 8,
            "caller": 12,
            "eax": 16,
            "edx": 20,
            "ecx": 24,
            "ebx": 28,
            "s1": 32,
            "s2": 36,
            "esi": 40,
            "edi": 44,
            "ebp": 48,
            "esp": 52,
            "eflags": 56,
            "cr3": 60,
        }
    )

    state: int = 0
    action: int = 0
    call: int = 0
    caller: int = 0
    eax: int = 0
    edx: int = 0
    ecx: int = 0
    ebx: int = 0
    s1: int = 0
    s2: int = 0
    esi: int = 0
    edi: int = 0
    ebp: int = 0
    esp: int = 0
    eflags: int = 0
    cr3: int = 0


@dataclass(frozen=True, slots=True)
class WireRing(Record):
    """Header of a CPU's ring of records.

    Args:
        head: number of the next record, from 1.
        busy: written by the payload: 1 while this CPU is at call sites, so that an NMI lets them be.
        mask: records of the ring less one; a power of two less one.
        base: linear address of its first record.
        lost: records for which there was no room.
        lost_upcalls: upcalls that were done natively, for want of an answer.
        cpu: index of this CPU.
        serial: number of the last request; one more when it was given up.
        cs: at the last request.
        ss: at the last request.
        ds: at the last request.
        es: at the last request.
        fs: at the last request.
        gs: at the last request.
        tr: selector of the task register at the last request.
        gdt_limit: of GDTR at the last request.
        gdt_base: of GDTR at the last request.
        ldtr: selector of the LDT at the last request.
        unused1: 0.
        stop: number of the first record for which there is no room yet; by the brain.
        unused2: 0.
    """

    SIZE: ClassVar[int] = 192
    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIIIHHHHHHHHIH10sI124s")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "head": 0,
            "busy": 4,
            "mask": 8,
            "base": 12,
            "lost": 16,
            "lost_upcalls": 20,
            "cpu": 24,
            "serial": 28,
            "cs": 32,
            "ss": 34,
            "ds": 36,
            "es": 38,
            "fs": 40,
            "gs": 42,
            "tr": 44,
            "gdt_limit": 46,
            "gdt_base": 48,
            "ldtr": 52,
            "unused1": 54,
            "stop": 64,
            "unused2": 68,
        }
    )

    head: int = 0
    busy: int = 0
    mask: int = 0
    base: int = 0
    lost: int = 0
    lost_upcalls: int = 0
    cpu: int = 0
    serial: int = 0
    cs: int = 0
    ss: int = 0
    ds: int = 0
    es: int = 0
    fs: int = 0
    gs: int = 0
    tr: int = 0
    gdt_limit: int = 0
    gdt_base: int = 0
    ldtr: int = 0
    unused1: bytes = bytes(10)
    stop: int = 0
    unused2: bytes = bytes(124)


@dataclass(frozen=True, slots=True)
class WireSite(Record):
    """A call site, 5 bytes: an instruction, or the call that it was made from.

    Args:
        address: linear address of its first byte.
        call: number of the call; written last, 0 before.
    """

    SIZE: ClassVar[int] = 8
    LAYOUT: ClassVar[Struct] = Struct("<II")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "address": 0,
            "call": 4,
        }
    )

    address: int = 0
    call: int = 0


@dataclass(frozen=True, slots=True)
class WireRecord(Record):
    """A call as it was traced.

    Args:
        time: TSC ticks.
        call: number of the call.
        cpu: index of the CPU.
        kind: RecordKind.
        reserved: 0.
        caller: return address; the frame's EIP where there is none.
        eax: as passed.
        edx: as passed.
        ecx: as passed.
        sequence: number of the record on its CPU, from 1 modulo 2^32; written last.
    """

    SIZE: ClassVar[int] = 32
    LAYOUT: ClassVar[Struct] = Struct("<QBBBBIIIII")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "time": 0,
            "call": 8,
            "cpu": 9,
            "kind": 10,
            "reserved": 11,
            "caller": 12,
            "eax": 16,
            "edx": 20,
            "ecx": 24,
            "sequence": 28,
        }
    )

    time: int = 0
    call: int = 0
    cpu: int = 0
    kind: int = 0
    reserved: int = 0
    caller: int = 0
    eax: int = 0
    edx: int = 0
    ecx: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class RingFrame(Record):
    """The guest's registers as the monitor was entered; changed in place, they are what the guest goes on with.

    Args:
        es: selector.
        ds: selector.
        edi: .
        esi: .
        ebp: .
        unused: .
        ebx: .
        edx: .
        ecx: .
        eax: .
        vector: of the exception or interrupt; the number of a call.
        error: error code; all ones for a call.
        eip: .
        cs: with the real RPL.
        eflags: real: IF is 1 unless an interrupt is held back, IOPL is 0.
        esp: .
        ss: .
    """

    SIZE: ClassVar[int] = 68
    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIIIIIIIIIIII")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "es": 0,
            "ds": 4,
            "edi": 8,
            "esi": 12,
            "ebp": 16,
            "unused": 20,
            "ebx": 24,
            "edx": 28,
            "ecx": 32,
            "eax": 36,
            "vector": 40,
            "error": 44,
            "eip": 48,
            "cs": 52,
            "eflags": 56,
            "esp": 60,
            "ss": 64,
        }
    )

    es: int = 0
    ds: int = 0
    edi: int = 0
    esi: int = 0
    ebp: int = 0
    unused: int = 0
    ebx: int = 0
    edx: int = 0
    ecx: int = 0
    eax: int = 0
    vector: int = 0
    error: int = 0
    eip: int = 0
    cs: int = 0
    eflags: int = 0
    esp: int = 0
    ss: int = 0


@dataclass(frozen=True, slots=True)
class RingShared(Record):
    """A CPU's page in the window; the guest may write anything there.

    Args:
        interrupts: virtual interrupt flag: 0x200 or 0.
        iopl: of user mode, as in EFLAGS.
        lazy: mode of SetLazyMode.
        deferred: 1: CR3 waits in cr3, 2: the kernel stack in stack.
        cr0: as the guest has it.
        cr2: of the last page fault.
        cr3: as the guest has it.
        cr4: as the guest has it.
        stack: kernel stack that waits.
        stack_selector: its selector.
        unused0: 0.
        sysexit_stack: the kernel's ESP while SYSEXIT uses its frame.
        maps: four slots of SetLinearMapping: start, bytes, address less physical address.
        cpu: index of this CPU.
        gdt_base: as the guest has it.
        gdt_limit: .
        idt_base: as the guest has it.
        idt_limit: .
        ldt: selector.
        tr: selector.
        sysexit_eip: SYSEXIT's frame, four words.
        sysexit_cs: with its RPL of 3.
        sysexit_esp: .
        sysexit_ss: .
        unused: 0.
        stolen: cycles stolen from this CPU.
        unused2: 0.
        count: entries in the update queue.
        held: not 0: an interrupt is held back; with count one word, for one look at both.
        queue: physical addresses of page table entries that have changed.
    """

    SIZE: ClassVar[int] = 4096
    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIIIII4sI48sIIIIIIIIIII868sQ4sHH3072s")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "interrupts": 0,
            "iopl": 4,
            "lazy": 8,
            "deferred": 12,
            "cr0": 16,
            "cr2": 20,
            "cr3": 24,
            "cr4": 28,
            "stack": 32,
            "stack_selector": 36,
            "unused0": 40,
            "sysexit_stack": 44,
            "maps": 48,
            "cpu": 96,
            "gdt_base": 100,
            "gdt_limit": 104,
            "idt_base": 108,
            "idt_limit": 112,
            "ldt": 116,
            "tr": 120,
            "sysexit_eip": 124,
            "sysexit_cs": 128,
            "sysexit_esp": 132,
            "sysexit_ss": 136,
            "unused": 140,
            "stolen": 1008,
            "unused2": 1016,
            "count": 1020,
            "held": 1022,
            "queue": 1024,
        }
    )

    interrupts: int = 0
    iopl: int = 0
    lazy: int = 0
    deferred: int = 0
    cr0: int = 0
    cr2: int = 0
    cr3: int = 0
    cr4: int = 0
    stack: int = 0
    stack_selector: int = 0
    unused0: bytes = bytes(4)
    sysexit_stack: int = 0
    maps: bytes = bytes(48)
    cpu: int = 0
    gdt_base: int = 0
    gdt_limit: int = 0
    idt_base: int = 0
    idt_limit: int = 0
    ldt: int = 0
    tr: int = 0
    sysexit_eip: int = 0
    sysexit_cs: int = 0
    sysexit_esp: int = 0
    sysexit_ss: int = 0
    unused: bytes = bytes(868)
    stolen: int = 0
    unused2: bytes = bytes(4)
    count: int = 0
    held: int = 0
    queue: bytes = bytes(3072)


@dataclass(frozen=True, slots=True)
class RingInfo(Record):
    """At RING_INFO_OFFSET.

    Args:
        frames: by Python: frames of RAM from 0; there may be holes below 1 MiB.
        pool_pages: by Python: pages at RING_POOL_OFFSET.
        options: by Python: 0.
        refusal: by the monitor: RingRefusal.
        end: by the monitor: RingEnd, the first one.
        end_address: by the monitor: EIP then.
        end_detail: by the monitor: vector, address or number that it was about.
        init_pae: by Python: linear address of the PAE payload's vmi_init.
        get_reloc_pae: by Python: linear address of its get_reloc.
        physical_bits: by the monitor: of a machine address.
        frequency: by the monitor: cycles a second of the VMI counters; 0 = not measured yet.
        unused: 0.
        modes: by Python: Mode of each exit: NATIVE, COUNT or UPCALL.
        shadow: by the monitor: counters of the shadows, 32 numbers of 32 bits, as firmware/ring/shadow.h has them.
    """

    SIZE: ClassVar[int] = 256
    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIIIIIQ16s64s128s")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "frames": 0,
            "pool_pages": 4,
            "options": 8,
            "refusal": 12,
            "end": 16,
            "end_address": 20,
            "end_detail": 24,
            "init_pae": 28,
            "get_reloc_pae": 32,
            "physical_bits": 36,
            "frequency": 40,
            "unused": 48,
            "modes": 64,
            "shadow": 128,
        }
    )

    frames: int = 0
    pool_pages: int = 0
    options: int = 0
    refusal: int = 0
    end: int = 0
    end_address: int = 0
    end_detail: int = 0
    init_pae: int = 0
    get_reloc_pae: int = 0
    physical_bits: int = 0
    frequency: int = 0
    unused: bytes = bytes(16)
    modes: bytes = bytes(64)
    shadow: bytes = bytes(128)
