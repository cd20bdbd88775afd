# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels and ROMs made for the occasion: every malformed one is a change to a good one."""

from __future__ import annotations

import struct

BASE = 0x100000
MULTIBOOT_MAGIC = 0x1BADB002


def multiboot_header(flags: int = 0, checksum: int | None = None) -> bytes:
    total = -(MULTIBOOT_MAGIC + flags) % (1 << 32) if checksum is None else checksum
    return struct.pack("<III", MULTIBOOT_MAGIC, flags, total)


def elf32(  # noqa: PLR0913 - the fields
    body: bytes, *, entry: int = BASE, machine: int = 3, bits: int = 1, offset: int = 0x1000, memory: int = 0
) -> bytes:
    """Return an ELF file with one segment ``body`` at :data:`BASE`; the fields are free to lie."""
    ident = b"\x7fELF" + bytes((bits, 1, 1)) + bytes(9)
    head = struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, entry, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    segment = struct.pack("<8I", 1, offset, BASE, BASE, len(body), max(memory, len(body)), 7, 0x1000)
    return (ident + head + segment).ljust(offset, b"\0") + body


def multiboot(code: bytes = b"\xf4", *, memory: int = 0, machine: int = 3, bits: int = 1) -> bytes:
    """Return a multiboot kernel that runs ``code`` in 32-bit protected mode at :data:`BASE` + 12."""
    return elf32(multiboot_header() + code, entry=BASE + 12, memory=memory, machine=machine, bits=bits)


def bzimage(  # noqa: PLR0913 - the header's fields
    *,
    version: int = 0x20A,
    setup_sects: int = 4,
    system: bytes = b"\x90" * 4096,
    syssize: int | None = None,
    xloadflags: int = 0,
    init_size: int = 0x200000,
    cmdline_size: int = 2047,
    initrd_max: int = 0x7FFFFFFF,
    name: bytes = b"2.6.32 test",
) -> bytes:
    """Return a file with a Linux setup header (boot.txt)."""
    setup = bytearray(((setup_sects or 4) + 1) * 512)
    setup[0x1F1] = setup_sects
    struct.pack_into("<I", setup, 0x1F4, len(system) // 16 if syssize is None else syssize)
    struct.pack_into("<4sH", setup, 0x202, b"HdrS", version)
    struct.pack_into("<H", setup, 0x20E, 0x300 - 0x200)
    struct.pack_into("<I", setup, 0x22C, initrd_max)
    struct.pack_into("<HI", setup, 0x236, xloadflags, cmdline_size)
    struct.pack_into("<QI", setup, 0x258, 0x100000, init_size)
    setup[0x300 : 0x300 + len(name) + 1] = name + b"\0"
    return bytes(setup) + system


def option_rom(size: int = 2048) -> bytes:
    """Return the smallest thing that a BIOS takes for an option ROM: a far return, and a right checksum."""
    image = bytearray(size)
    image[:4] = b"\x55\xaa" + bytes(((size // 512) % 256, 0xCB))
    image[-1] = -sum(image) % 256
    return bytes(image)
