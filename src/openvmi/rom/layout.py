# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""openvmi's private descriptor in the header's reserved area: what the code can do and what it was told.

The interface's own structures are :mod:`openvmi.abi.structs`. The descriptor is also firmware/rom/rom.inc's and
header.S's; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from struct import Struct
from typing import Final, Self

from .. import abi
from ..abi import generation_b


class RomMode(StrEnum):
    """What the ROM's code answers; one byte of the image.

    ``decline``: ``vmi_init`` returns -1 and the guest stays native. ``native``: active; every call is NONE except IRET
    and SYSEXIT, which are JUMP_REL. ``stubs``: active; CALL_REL to a native stub for every call that has a native
    meaning. ``stubs-jump``: the same with IRET and SYSEXIT as JUMP_REL.
    """

    DECLINE = "decline"
    NATIVE = "native"
    STUBS = "stubs"
    STUBS_JUMP = "stubs-jump"

    @property
    def number(self) -> int:
        """The value of the image's mode byte."""
        return list(type(self)).index(self)

    @classmethod
    def of_number(cls, number: int) -> RomMode | None:
        """Return the mode whose byte is ``number``; None for a number that this version doesn't know."""
        return next((mode for mode in cls if mode.number == number), None)


GENERATIONS: Final[Mapping[int, str]] = {abi.API_MAJOR: "D", generation_b.API_MAJOR: "B"}
"""Letter of the generation whose header has that API major version."""


def slots_of(minor: int) -> list[int]:
    """Return the numbers of the calls that a ROM of generation B and that API minor version has slots for."""
    return [call.value for call in generation_b.Call if generation_b.SINCE.get(call, 0) <= minor]


DESCRIPTOR_OFFSET: Final = 0x40
DESCRIPTOR_SIZE: Final = 0x20
DESCRIPTOR_MAGIC: Final = b"openvmi\0"
DESCRIPTOR_VERSION: Final = 1
DESCRIPTOR_FIELDS: Final = (
    ("magic", 0x00, 8, "'openvmi' and a NUL"),
    ("version", 0x08, 1, "of this descriptor"),
    ("mode", 0x09, 1, "what vmi_init and get_reloc answer"),
    ("fix", 0x0A, 1, "makes the image's bytes add up to 0"),
    ("highest_mode", 0x0B, 1, "highest mode that the code knows"),
    ("code_end", 0x0C, 2, "image offset where the code ends; the rest is the builder's"),
    ("stub_table", 0x0E, 2, "image offset of the table of stubs: 16 bits a call, 0 for none"),
    ("stub_count", 0x10, 2, "calls in that table"),
)
"""Name, offset in the descriptor, size in bytes and meaning of each field."""

_FORMAT: Final = Struct("<8sBBBBHHH14s")


@dataclass(frozen=True, slots=True)
class DescriptorRecord:
    """The descriptor's bytes as fields; names and meanings as in :data:`DESCRIPTOR_FIELDS`."""

    magic: bytes
    version: int
    mode: int
    fix: int
    highest_mode: int
    code_end: int
    stub_table: int
    stub_count: int
    unused: bytes

    @classmethod
    def unpack(cls, image: bytes) -> Self | None:
        """Return the descriptor of ``image``, None if there is none that this version knows."""
        if len(image) < DESCRIPTOR_OFFSET + DESCRIPTOR_SIZE:
            return None
        record = cls(*_FORMAT.unpack_from(image, DESCRIPTOR_OFFSET))
        known = record.magic == DESCRIPTOR_MAGIC and record.version == DESCRIPTOR_VERSION
        return record if known else None

    def pack_into(self, image: bytearray) -> None:
        """Store the descriptor in ``image``, which is long enough."""
        values = (self.magic, self.version, self.mode, self.fix, self.highest_mode)
        places = (self.code_end, self.stub_table, self.stub_count, self.unused)
        _FORMAT.pack_into(image, DESCRIPTOR_OFFSET, *values, *places)
