# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases made from a call's line in the tables alone: its arguments' types say what is ordinary, extreme and wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ....abi.model import Argument, CallSpec, Enumeration
from .. import board
from ..case import Case, boundary, negative, positive


def _highest(argument: Argument) -> int:
    return (1 << argument.bits) - 1


def _ordinary(argument: Argument, enumeration: Enumeration | None) -> int:
    if enumeration is not None:
        return enumeration.members[0].value
    return board.DATA if argument.type.endswith("*") else 1


def _extreme(argument: Argument, enumeration: Enumeration | None) -> int:
    if enumeration is not None:
        return enumeration.members[-1].value
    return board.DATA + board.PAGE - argument.bits // 8 if argument.type.endswith("*") else 0


def _wrong(argument: Argument, enumeration: Enumeration | None) -> int:
    """Return what is no member of an enumeration, and the highest number otherwise; pointers stay pointers."""
    del enumeration
    return board.DATA + 1 if argument.type.endswith("*") else _highest(argument)


def cases(spec: CallSpec, enums: Iterable[Enumeration]) -> Iterator[Case]:
    """Yield one case of each kind, which expect no more than the conventions of every call.

    Args:
        spec: the call.
        enums: of its generation.
    """
    known = {enum.name: enum for enum in enums}
    takes = [argument for argument in spec.takes if argument.type != "IRET_FRAME"]
    writes = ((board.DATA, board.PAGE),) if spec.writes else ()
    for make, title, value in (
        (positive, "ordinary values", _ordinary),
        (boundary, "the ends of what is allowed", _extreme),
        (negative, "what is outside of it", _wrong),
    ):
        yield make(title, arguments={item.name: value(item, known.get(item.type)) for item in takes}, writes=writes)
