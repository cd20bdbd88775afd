# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the numbers of a trace mean: names of calls and arguments, the record's layout, the machine it comes from.

Every trace file carries this as JSON, so that it can be read when the tables have moved on. Read from a file it is
anybody's: whatever does not have exactly the expected shape is refused, and names are plain words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Final, cast

from ..errors import InputError
from .event import FIELDS, RECORD_SIZE, Event, Kind

VERSION: Final = 1
FORMAT: Final = "openvmi trace"
MAX_CPUS: Final = 256
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}\*?")
_RECORDED: Final = ("eax", "edx", "ecx")
_MAX_TEXT: Final = 400
_MAX_ARGUMENTS: Final = 8
_NOTHING: Final = Event._fields.index("reserved")


@dataclass(frozen=True, slots=True)
class ArgumentInfo:
    """An argument of a call.

    Args:
        name: as in the tables.
        type: as in the tables.
        bits: 8, 16, 32 or 64; more for a frame on the stack.
        at: registers or stack slots, low half first.
    """

    name: str
    type: str
    bits: int
    at: tuple[str, ...]

    @property
    def recorded(self) -> bool:
        """Whether a record holds it whole: stack slots and other registers are not written down."""
        return all(place in _RECORDED for place in self.at)


@dataclass(frozen=True, slots=True)
class CallInfo:
    """A call: its ``name`` and what it ``takes``."""

    name: str
    takes: tuple[ArgumentInfo, ...]


@cache
def table_calls(generation: str) -> Mapping[int, CallInfo]:
    """Return the calls of a generation of the tables."""
    from ..abi import load  # noqa: PLC0415 - TOML takes 20 ms, and whoever reads a file needs none of it

    return {
        call.number: CallInfo(call.name, tuple(ArgumentInfo(a.name, a.type, a.bits, a.at) for a in call.takes))
        for call in load(generation).calls
    }


@dataclass(frozen=True, slots=True)
class TraceMeta:
    """Where a trace comes from.

    Args:
        cpus: how many CPUs the machine has, 1 to 256.
        tsc_hz: ticks of the time stamps in a second; 0: not known.
        kernel: the guest's kernel, for people.
        machine: the machine, for people: engine, hypervisor, filters.
        started: when, as seconds since 1970; 0: not known.
        generation: of the tables.
        calls: calls by number.
    """

    cpus: int = 1
    tsc_hz: int = 0
    kernel: str = ""
    machine: str = ""
    started: float = 0.0
    generation: str = "D"
    calls: Mapping[int, CallInfo] = field(default_factory=lambda: table_calls("D"))

    def name(self, call: int) -> str:
        """Return the name of a call, or its number where there is none."""
        info = self.calls.get(call)
        return info.name if info else f"call-{call}"

    def number(self, name: str) -> int:
        """Return the number of the call called ``name``; letter case does not count.

        Raises:
            KeyError: there is none.
        """
        return {info.name.lower(): number for number, info in self.calls.items()}[name.lower()]

    def seconds(self, ticks: int) -> float | None:
        """Return how long ``ticks`` take, or None when the frequency is not known."""
        return ticks / self.tsc_hz if self.tsc_hz else None


class ArgumentReader:
    """Takes the arguments of calls out of events.

    Args:
        meta: names and places of the arguments.
    """

    __slots__ = ("_plans",)

    def __init__(self, meta: TraceMeta) -> None:
        self._plans = {
            number: [(a.name, *_places(a), (1 << min(a.bits, 64)) - 1) for a in info.takes if a.recorded]
            for number, info in meta.calls.items()
        }

    def read(self, event: Event) -> dict[str, int]:
        """Return the arguments of ``event`` that a record holds, by name."""
        plan = self._plans.get(event.call, ())
        return {name: (event[low] | event[high] << 32) & mask for name, low, high, mask in plan}


def _places(argument: ArgumentInfo) -> tuple[int, int]:
    """Return which items of an event are the low and the high half; a missing one is the reserved byte, which is 0."""
    low, *high = [Event._fields.index(place) for place in argument.at] or [_NOTHING]
    return low, high[0] if high else _NOTHING


def to_json(meta: TraceMeta) -> bytes:
    """Return the schema as it stands in a file."""
    data = {
        "format": FORMAT,
        "version": VERSION,
        "record": {"size": RECORD_SIZE, "byte_order": "little", "fields": [asdict(entry) for entry in FIELDS]},
        "kinds": {str(int(kind)): kind.name.lower() for kind in Kind},
        "cpus": meta.cpus,
        "tsc_hz": meta.tsc_hz,
        "kernel": meta.kernel[:_MAX_TEXT],
        "machine": meta.machine[:_MAX_TEXT],
        "started": meta.started,
        "generation": meta.generation,
        "calls": {str(number): asdict(info) for number, info in meta.calls.items()},
    }
    return json.dumps(data, separators=(",", ":")).encode()


def from_json(text: bytes) -> TraceMeta:
    """Return what a schema says.

    Raises:
        InputError: it is no JSON, or has not the shape that this version knows.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("the schema is not JSON") from error
    top = _mapping(data, "the schema")
    if top.get("format") != FORMAT or top.get("version") != VERSION:
        raise InputError(f"the schema is not of {FORMAT!r} version {VERSION}")
    _check_layout(_mapping(top.get("record"), "record"))
    calls = _mapping(top.get("calls"), "calls")
    return TraceMeta(
        cpus=_number(top.get("cpus"), "cpus", 1, MAX_CPUS),
        tsc_hz=_number(top.get("tsc_hz"), "tsc_hz", 0, 1 << 40),
        kernel=_text(top.get("kernel"), "kernel"),
        machine=_text(top.get("machine"), "machine"),
        started=_time(top.get("started")),
        generation=_text(top.get("generation"), "generation"),
        calls={_index(number): _call(info) for number, info in calls.items()},
    )


def _check_layout(record: Mapping[str, object]) -> None:
    wanted = [(entry.name, entry.offset, entry.type) for entry in FIELDS]
    fields = [_mapping(entry, "record.fields") for entry in _list(record.get("fields"), "record.fields", 64)]
    found = [(entry.get("name"), entry.get("offset"), entry.get("type")) for entry in fields]
    if record.get("size") != RECORD_SIZE or record.get("byte_order") != "little" or found != wanted:
        raise InputError("records have a layout that this version does not know")


def _call(data: object) -> CallInfo:
    call = _mapping(data, "a call")
    takes = [_mapping(entry, "an argument") for entry in _list(call.get("takes"), "takes", _MAX_ARGUMENTS)]
    return CallInfo(_word(call.get("name")), tuple(_argument(entry) for entry in takes))


def _argument(data: Mapping[str, object]) -> ArgumentInfo:
    at = tuple(_word(place) for place in _list(data.get("at"), "at", 2))
    return ArgumentInfo(_word(data.get("name")), _word(data.get("type")), _number(data.get("bits"), "bits", 1, 512), at)


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InputError(f"{what} of the schema is not an object")
    return cast("Mapping[str, object]", value)


def _list(value: object, what: str, most: int) -> list[object]:
    if not isinstance(value, list) or len(value) > most:
        raise InputError(f"{what} of the schema is not a list of at most {most}")
    return value


def _number(value: object, what: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"{what} of the schema is not a number from {least} to {most}")
    return value


def _time(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise InputError("started of the schema is not a time")
    return float(value)


def _index(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 3 or int(text) > 255:
        raise InputError("a call of the schema has a number that no record can hold")
    return int(text)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise InputError(f"{what} of the schema is not a text of at most {_MAX_TEXT} characters")
    return "".join(char if char.isprintable() else "?" for char in value)


def _word(value: object) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise InputError("a name in the schema is not a plain word")
    return value
