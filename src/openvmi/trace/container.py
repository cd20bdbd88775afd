# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The trace file: a head with the schema, then blocks, only ever appended.

Head: magic, version, length and CRC of the schema, the schema as JSON. A block: 32 bytes of header, then its payload.
All numbers are little-endian. ``docs/trace.md`` is this for people, and a test compares the two.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

MAGIC: Final = b"\x89VMITRC\n"  # not text, and broken by whoever translates line ends
VERSION: Final = 1
HEAD: Final = Struct("<8sIII")
BLOCK: Final = Struct("<4sHHIIQQ")
BLOCK_MAGIC: Final = b"VMIB"
MAX_SCHEMA: Final = 1 << 20
MAX_PAYLOAD: Final = 1 << 20
MAX_SYMBOL_TEXT: Final = 32 << 20
SYMBOLS_LAST: Final = 1
SYMBOLS_GUESSED: Final = 3
"""In the last block of symbols that nobody has compared with the kernel: better ones may follow."""


class BlockKind(IntEnum):
    """What a block's payload is."""

    RECORDS = 1
    SYMBOLS = 2
    END = 3


class BlockHeader(NamedTuple):
    """The 32 bytes before a payload.

    Args:
        magic: ``VMIB``.
        kind: see :class:`BlockKind`.
        cpu: whose records; 0 in other kinds.
        length: of the payload in bytes, at most 1 MiB.
        crc: CRC-32 of the payload.
        lost: records lost on this CPU since its block before.
        value: RECORDS: how many records of this CPU came before; SYMBOLS: 1 or 3 in the last of them; END: all records.
    """

    magic: bytes
    kind: int
    cpu: int
    length: int
    crc: int
    lost: int
    value: int
