# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between generations of the interface: the tables, and how a guest finds the code of a call.

To add one: its tables in :mod:`openvmi.abi`, a :class:`Generation` in :func:`generation_of`, with a way to find calls
(13.x: fixed slots instead of a query), and cases for the calls whose arguments differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ... import abi
from ...abi.model import Interface, JumpPoint
from ...abi.structs import RomHeader

INIT: Final = "vmi_init"
QUERY: Final = "get_reloc"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation.

    Args:
        tables: its calls.
        header_size: bytes at the image's start that are no code of calls.
        entries: offset in the image of each jump point, by name.
    """

    tables: Interface
    header_size: int
    entries: dict[str, int]

    def point(self, name: str) -> JumpPoint:
        """Return the tables' line of a jump point."""
        return next(point for point in self.tables.jump_points if point.name == name)


def generation_of(major: int) -> Generation | None:
    """Return the generation with that API major version, None if ROMs of it can't be executed here."""
    if major != abi.API_MAJOR:
        return None
    offsets = RomHeader.OFFSETS
    return Generation(abi.load("D"), RomHeader.SIZE, {name: offsets[name] for name in (INIT, QUERY)})
