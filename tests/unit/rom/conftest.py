# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""ROM images made of nothing: code that stands for firmware/rom, as bytes and as an ELF, and ways to spoil an image."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from openvmi import abi
from openvmi.abi import generation_b
from openvmi.abi.structs import RomHeader, RomHeaderB
from openvmi.rom import RomMetadata, RomMode, build_image
from openvmi.rom.layout import DESCRIPTOR_MAGIC, DESCRIPTOR_VERSION, DescriptorRecord

FIX_AT = 0x4A


def make_code(size: int = 0x100) -> bytes:
    """Return what firmware/rom links to, with jump points that loop for ever."""
    header = RomHeader(
        rom_signature=abi.ROM_SIGNATURE,
        rom_entry=0xCB,
        vrom_signature=abi.SIGNATURE,
        api_version_maj=abi.API_MAJOR,
        jump_slots=2,
        vmi_init=bytes.fromhex("ebfe000000000000"),
        get_reloc=bytes.fromhex("e9fbffffff000000"),
    )
    code = bytearray(header.pack() + bytes(size - RomHeader.SIZE))
    highest = RomMode.STUBS_JUMP.number
    DescriptorRecord(DESCRIPTOR_MAGIC, DESCRIPTOR_VERSION, 0, 0, highest, 0, 0, abi.CALL_COUNT, bytes(14)).pack_into(
        code
    )
    return bytes(code)


def make_code_b(size: int = 0x1000) -> bytes:
    """Return what generation B's code links to, with slots that return at once."""
    header = RomHeaderB(
        rom_signature=abi.ROM_SIGNATURE,
        rom_entry=0xCB,
        vrom_signature=abi.SIGNATURE,
        api_version_maj=generation_b.API_MAJOR,
        api_version_min=generation_b.API_MINOR,
    )
    slots = b"\xc3".ljust(generation_b.SLOT_SIZE, b"\xcc") * (generation_b.CALL_COUNT - generation_b.SLOT_FIRST)
    code = bytearray((header.pack() + slots).ljust(size, b"\0"))
    highest = RomMode.STUBS_JUMP.number
    DescriptorRecord(DESCRIPTOR_MAGIC, DESCRIPTOR_VERSION, 0, 0, highest, 0, 0, 0, bytes(14)).pack_into(code)
    return bytes(code)


def make_elf(code: bytes, *, machine: int = 3, address: int = 0, memory: int | None = None, pieces: int = 1) -> bytes:
    """Return a 32-bit ELF that loads ``code`` ``pieces`` times."""
    start = 52 + 32 * pieces
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    head = ident + struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, 0, 52, 0, 0, 52, 32, pieces, 40, 0, 0)
    size = len(code)
    load = struct.pack("<IIIIIIII", 1, start, address, address, size, size if memory is None else memory, 5, 4096)
    return head + load * pieces + code


@pytest.fixture(scope="session")
def code() -> bytes:
    return make_code()


@pytest.fixture(scope="session")
def image(code: bytes) -> bytes:
    return build_image(make_elf(code), RomMetadata(mode=RomMode.NATIVE))


@pytest.fixture(scope="session")
def image_b() -> bytes:
    return build_image(make_elf(make_code_b()), RomMetadata(mode=RomMode.STUBS))


@pytest.fixture(scope="session")
def elf() -> Callable[..., bytes]:
    return make_elf


@pytest.fixture(scope="session")
def patch() -> Callable[..., bytes]:
    """Return a function that stores bytes at offsets of an image and mends its checksum."""

    def patched(image: bytes, changes: dict[int, bytes]) -> bytes:
        changed = bytearray(image)
        for at, content in changes.items():
            changed[at : at + len(content)] = content
        changed[FIX_AT] = (changed[FIX_AT] - sum(changed)) & 0xFF
        return bytes(changed)

    return patched
