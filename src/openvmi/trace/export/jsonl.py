# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON lines: one object for each event, by time. Numbers are numbers; names are there beside them."""

from __future__ import annotations

import json
from typing import BinaryIO, Final

from ..event import NOWHERE, Event, Kind
from ..schema import ArgumentReader
from ..source import Source

_KINDS: Final = {int(kind): kind.name.lower() for kind in Kind}
_MOST_PLACES: Final = 100_000


def write(source: Source, out: BinaryIO) -> None:
    """Write ``source`` to ``out``.

    Raises:
        InputError: the file contradicts itself.
    """
    plain = Plain(source)
    encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
    out.writelines(encode(plain.of(event)).encode() + b"\n" for event in source.events())


class Plain:
    """Makes plain data of the events of one source; seconds count from the first.

    Args:
        source: where they come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._read = ArgumentReader(source.meta).read
        self._first: int | None = None
        self._places: dict[int, tuple[str | None, int | None]] = {}

    def of(self, event: Event) -> dict[str, object]:
        """Return ``event`` as plain data."""
        meta = self._source.meta
        self._first = event.time if self._first is None else self._first
        function, offset = self._places.get(event.origin) or self._place(event.origin)
        return {
            "time": event.time,
            "seconds": meta.seconds(event.time - self._first),
            "cpu": event.cpu,
            "sequence": event.sequence,
            "kind": _KINDS.get(event.kind, event.kind),
            "call": meta.name(event.call),
            "number": event.call,
            "arguments": self._read(event),
            "caller": None if event.origin == NOWHERE else event.caller,
            "function": function,
            "offset": offset,
        }

    def _place(self, caller: int) -> tuple[str | None, int | None]:
        found = self._source.symbols.find(caller - 1)
        place = (found.name, found.offset + 1) if found else (None, None)
        if len(self._places) < _MOST_PLACES:
            self._places[caller] = place
        return place
