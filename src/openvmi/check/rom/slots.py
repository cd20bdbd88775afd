# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the calls of a ROM by their slots (vmi-abi.md 1.4): generation B. API 13.3 has a query, too, in one of them."""

from __future__ import annotations

from typing import Final

from ...abi import RelocType
from ...abi.generation_b import SLOT_SIZE, Call
from ...abi.model import Interface
from ...rom import is_blank
from .bench import Answer, Bench
from .case import Contract
from .query import Asked, Query

BEYOND: Final = (0, 1, 2, 3, 88, 89, 100, 127, 128, 0xFF, 0x100, 0x10055, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers that are no call: the header's, the next ones, and what tables are overrun with."""


class Slots:
    """Looks at slots; asks where there is somebody to ask.

    Args:
        tables: of the generation, as the image's API minor version has it.
    """

    def __init__(self, tables: Interface) -> None:
        self._tables = tables
        self._query: Query | None = None
        if any(call.number == Call.GetRelocationInfo for call in tables.calls):
            contract = Contract.of_call(tables.call(Call.GetRelocationInfo))
            self._query = Query(tables, contract, SLOT_SIZE * Call.GetRelocationInfo, BEYOND)
        self.contract = self._query.contract if self._query else None

    def ask(self, bench: Bench, virtual_top: int, *, twice: bool) -> Asked:
        """Find every call; arguments as :meth:`.query.Query.ask`."""
        slots = {call.number: self._slot(bench, call.number) for call in self._tables.calls}
        if self._query is None:
            return Asked(slots, {})
        asked = self._query.ask(bench, virtual_top, twice=twice)
        asked.slots = {number: slot for number, slot in slots.items() if slot.callable}
        return asked

    @staticmethod
    def _slot(bench: Bench, number: int) -> Answer:
        at = SLOT_SIZE * number
        if is_blank(bench.pc.image[at : at + SLOT_SIZE]):
            return Answer(0, RelocType.NONE)
        return Answer(bench.pc.base + at, RelocType.CALL_REL)
