# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between generations of the interface: the tables, the header, and how the code of a call is found.

To add one: its tables in :mod:`openvmi.abi`; a line in :func:`generation_of`; a class like :class:`.query.Query` if its
calls are found in another way (13.x: fixed slots, of which each is an answer without a question); cases for the calls
whose arguments differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ... import abi
from ...abi.model import CallSpec, Interface
from ...abi.structs import RomHeader
from .case import Case, Contract
from .cases import cases_of
from .query import QUERY, Query

INIT = "vmi_init"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation.

    Args:
        tables: its calls.
        header_size: bytes at the image's start that are no code of calls.
        init: what is called first.
        init_entry: its offset in the image.
        calls: finds the others.
        cases: the cases of a call.
    """

    tables: Interface
    header_size: int
    init: Contract
    init_entry: int
    calls: Query
    cases: Callable[[CallSpec], tuple[Case, ...]]


def generation_of(major: int) -> Generation | None:
    """Return the generation with that API major version, None if ROMs of it can't be executed here."""
    if major != abi.API_MAJOR:
        return None
    tables, offsets = abi.load("D"), RomHeader.OFFSETS
    init = next(point for point in tables.jump_points if point.name == INIT)
    return Generation(
        tables=tables,
        header_size=RomHeader.SIZE,
        init=Contract.of_jump_point(init),
        init_entry=offsets[INIT],
        calls=Query(tables, offsets[QUERY]),
        cases=cases_of,
    )
