# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between generations of the interface: the tables, the header, and how the code of a call is found.

To add one: its tables in :mod:`openvmi.abi`; a line in :func:`generation_of`; a class like :class:`.query.Query` if its
calls are found in another way; cases for the calls whose arguments differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ... import abi
from ...abi.generation_b import SLOT_SIZE, Call
from ...abi.model import CallSpec, Interface
from ...abi.structs import RomHeader, RomHeaderB
from ...rom import VmiHeader
from .bench import Bench
from .case import Case, Contract
from .cases import cases_of
from .query import QUERY, Asked, Query
from .slots import Slots

INIT = "vmi_init"


class Finder(Protocol):
    """Finds the calls of a ROM."""

    contract: Contract | None
    """Of the query, if there is one."""

    def ask(self, bench: Bench, virtual_top: int, *, twice: bool) -> Asked:
        """Find every call."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation.

    Args:
        tables: its calls.
        header_size: bytes at the image's start that are no code of calls.
        init: what is called first.
        init_entry: its offset in the image.
        init_call: its number, if it is a call itself.
        calls: finds the others.
        cases: the cases of a call.
        in_place: there are guests that run the image where it lies.
        copied: there are guests that copy it, after init, and run the copy's slots.
    """

    tables: Interface
    header_size: int
    init: Contract
    init_entry: int
    init_call: int | None
    calls: Finder
    cases: Callable[[CallSpec], tuple[Case, ...]]
    in_place: bool
    copied: bool


def generation_of(vmi: VmiHeader) -> Generation | None:
    """Return the generation of a ROM with that header, None if it can't be executed here."""
    if vmi.generation == "B":
        return _generation_b(vmi.api[1])
    return _generation_d() if vmi.generation == "D" else None


def _generation_d() -> Generation:
    tables, offsets = abi.load("D"), RomHeader.OFFSETS
    points = {point.name: Contract.of_jump_point(point) for point in tables.jump_points}
    return Generation(
        tables=tables,
        header_size=RomHeader.SIZE,
        init=points[INIT],
        init_entry=offsets[INIT],
        init_call=None,
        calls=Query(tables, points[QUERY], offsets[QUERY]),
        cases=cases_of,
        in_place=True,
        copied=False,
    )


def _generation_b(minor: int) -> Generation:
    """Return generation B; the guests of API 13.0 copy the image, that of 13.3 does not."""
    tables = abi.load("B").until(minor)
    return Generation(
        tables=tables,
        header_size=RomHeaderB.SIZE,
        init=Contract.of_call(tables.call(Call.Init)),
        init_entry=SLOT_SIZE * Call.Init,
        init_call=Call.Init,
        calls=Slots(tables),
        cases=partial(cases_of, generation="B"),
        in_place=any(call.number == Call.GetRelocationInfo for call in tables.calls),
        copied=True,
    )
