# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where everything lies in the PC that a ROM is executed in: as a mainline Linux has it, memory mapped at 3 GiB.

Addresses are linear; the physical one is :data:`DIRECT` less. Between the pieces pages are not mapped, so that what
reads or writes beyond its end faults.
"""

from __future__ import annotations

import struct
from typing import Final

PAGE: Final = 0x1000
DIRECT: Final = 0xC0000000
RAM: Final = 0x100000
RAM_SIZE: Final = 0x20000
WINDOW: Final = 0xC0000
WINDOW_END: Final = 0xE0000
PREFERRED: Final = 0xC8000
LOCAL_APIC: Final = 0xFEE00000

_PIECES = (
    "root",
    "kernel_table",
    "user_table",
    "apic_table",
    "other_root",
    "gdt",
    "idt",
    "segments",
    "other_gdt",
    "gap1",
    "stack_low",
    "stack",
    "gap2",
    "data",
    "gap3",
    "table",
    "gap4",
    "first_page",
    "second_page",
    "user_code",
    "user_stack",
    "landing",
    "probe",
    "gap5",
    "copy",
    "copy1",
    "copy2",
    "copy3",
)
_AT = {name: DIRECT + RAM + PAGE * number for number, name in enumerate(_PIECES)}
ROOT: Final = _AT["root"]
KERNEL_TABLE: Final = _AT["kernel_table"]
USER_TABLE: Final = _AT["user_table"]
APIC_TABLE: Final = _AT["apic_table"]
OTHER_ROOT: Final = _AT["other_root"]
GDT: Final = _AT["gdt"]
IDT: Final = _AT["idt"]
TSS: Final = _AT["segments"]
OTHER_TSS: Final = TSS + 0x100
LDT: Final = TSS + 0x200
OTHER_GDT: Final = _AT["other_gdt"]
STACK: Final = _AT["stack"] + 0xC00
"""ESP of the caller, before it pushes."""
STACK_LOW: Final = _AT["stack_low"]
STACK_END: Final = _AT["stack"] + PAGE
DATA: Final = _AT["data"]
"""A page of the caller's; none before and none after."""
TABLE: Final = _AT["table"]
"""A page of entries: page table or descriptors; none before and none after."""
FIRST_PAGE: Final = _AT["first_page"]
SECOND_PAGE: Final = _AT["second_page"]
LANDING: Final = _AT["landing"]
RETURN: Final = LANDING + 0x100
"""Where a call returns to."""
KERNEL_LANDING: Final = LANDING + 0x200
"""Where an IRET within the kernel leads."""
PROBE: Final = _AT["probe"]
COPY: Final = _AT["copy"]
"""Where a guest of 2006 copies the image to: 16 KiB of its own text."""
COPY_END: Final = COPY + 4 * PAGE
USER_CODE: Final = 0x08048000
USER_LANDING: Final = USER_CODE + 0x40
USER_STACK: Final = 0x08049000
WATCHED: Final = 0xC0300000
"""An address whose mapping cases change."""
WATCHED_ENTRY: Final = KERNEL_TABLE + 4 * 0x300
NOWHERE: Final = 0xC03F0000
POISON_BASE: Final = 0x50000000
"""Base of the segments that a call may not lean on: every address behind it is unmapped."""

KERNEL_CS, KERNEL_DS, USER_CS, USER_DS, POISON_DS, TSS_SELECTOR, OTHER_TSS_SELECTOR, LDT_SELECTOR = (
    0x08,
    0x10,
    0x1B,
    0x23,
    0x2B,
    0x30,
    0x38,
    0x40,
)
GDT_LIMIT: Final = 0x47
IDT_LIMIT: Final = 0x7FF
TABLE_BITS: Final = 0x67
"""Present, writable, user, accessed, dirty: nothing is left for the CPU to set."""
GLOBAL: Final = 0x100
CR0: Final = 0x80010033
CR4: Final = 0x90
CR4_PGE: Final = 0x80


def physical(address: int) -> int:
    """Return the physical address of a directly mapped linear one."""
    return address - DIRECT


def descriptor(base: int, limit: int, access: int, flags: int = 0xC) -> bytes:
    """Return a segment descriptor; ``flags`` are the four bits G, D, L, AVL."""
    low = (limit & 0xFFFF) | (base & 0xFFFF) << 16
    high = base >> 16 & 0xFF | access << 8 | limit & 0xF0000 | flags << 20 | base & 0xFF000000
    return struct.pack("<II", low, high & 0xFFFFFFFF)


def gdt(poison: int = POISON_BASE) -> bytes:
    """Return the guest's descriptors; ``poison`` is the base of what :data:`POISON_DS` selects."""
    flat = [descriptor(0, 0xFFFFF, access) for access in (0x9B, 0x93, 0xFB, 0xF3)]
    system = [descriptor(at, 0x67, 0x89, 0) for at in (TSS, OTHER_TSS)]
    return b"".join([bytes(8), *flat, descriptor(poison, 0xFFFFF, 0xF3), *system, descriptor(LDT, 0x0F, 0x82, 0)])


def _mapped() -> list[int]:
    gaps = {number for number, name in enumerate(_PIECES) if name.startswith("gap")}
    last = len(_PIECES)
    return [RAM + PAGE * number for number in range(last) if number not in gaps]


def _table(*entries: tuple[int, int]) -> bytes:
    table = bytearray(PAGE)
    for index, entry in entries:
        struct.pack_into("<I", table, 4 * index, entry)
    return bytes(table)


def contents() -> dict[int, bytes]:
    """Return what memory holds at the start, by linear address."""
    pages = [*range(WINDOW, WINDOW_END, PAGE), *_mapped()]
    root = _table(
        (USER_CODE >> 22, physical(USER_TABLE) | TABLE_BITS),
        (DIRECT >> 22, physical(KERNEL_TABLE) | TABLE_BITS),
        (LOCAL_APIC >> 22, physical(APIC_TABLE) | TABLE_BITS),
    )
    user = ((USER_CODE, _AT["user_code"]), (USER_STACK, _AT["user_stack"]))
    return {
        ROOT: root,
        OTHER_ROOT: root,
        KERNEL_TABLE: _table(*((at >> 12 & 0x3FF, at | TABLE_BITS) for at in pages)),
        USER_TABLE: _table(*((va >> 12 & 0x3FF, physical(at) | TABLE_BITS) for va, at in user)),
        APIC_TABLE: _table((LOCAL_APIC >> 12 & 0x3FF, LOCAL_APIC | TABLE_BITS)),
        GDT: gdt(),
        IDT: struct.pack("<II", KERNEL_CS << 16 | LANDING & 0xFFFF, LANDING & 0xFFFF0000 | 0x8E00) * 256,
        OTHER_GDT: gdt(POISON_BASE + 0x100000),
        TSS: struct.pack("<III", 0, STACK, KERNEL_DS),
        FIRST_PAGE: b"first page ",
        SECOND_PAGE: b"second page",
        LANDING: b"\xf4" * PAGE,
        _AT["user_code"]: b"\xf4" * PAGE,
        PROBE: bytes.fromhex("8b00f4"),  # mov (%eax), %eax; hlt
    }
