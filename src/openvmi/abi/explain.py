# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call is, in words and as plain data: shared by ``openvmi abi`` and the reference pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any

from ..errors import UsageError
from .model import FRAME, STACK_SLOTS, Argument, CallSpec, Enumeration, Interface, JumpPoint, Member

REFERENCE = "vmi-abi.md"
_NUMBER = re.compile(r"[0-9]{1,9}|0[xX][0-9A-Fa-f]{1,8}")
_SEGMENTS = {
    "standard": "CS, SS, DS, ES flat; FS and GS never assumed",
    "cs-ss": "CS and SS only: DS and ES may hold user values",
}
_KINDS = {
    "fill": "its pointer becomes the operation",
    "wrap": "called by a wrapper",
    "patch": "patched into call sites",
    "fetch": "pointer kept for the guest's own code",
}


def find(interface: Interface, which: str) -> CallSpec | JumpPoint:
    """Return the call or jump point that ``which`` names.

    Args:
        interface: a generation's tables.
        which: a name in any letter case, ``VMI_CALL_`` before it or not; or a number, decimal or with ``0x``.

    Raises:
        UsageError: there is none; the help text has the nearest names.
    """
    name = which.strip().removeprefix("VMI_CALL_")
    for point in interface.jump_points:
        if point.name.lower() == name.lower():
            return point
    try:
        return interface.call(_number(name))
    except KeyError:
        raise UsageError(
            f"generation {interface.generation} has no call {which!r}", help=_nearest(interface, name)
        ) from None


def _number(text: str) -> int | str:
    if not _NUMBER.fullmatch(text):
        return text
    return int(text, 16 if text[1:2] in {"x", "X"} else 10)


def _nearest(interface: Interface, name: str) -> str:
    names = {call.name.lower(): call.name for call in interface.calls}
    names |= {point.name.lower(): point.name for point in interface.jump_points}
    near = [names[match] for match in get_close_matches(name.lower(), names, n=4, cutoff=0.5)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    calls = interface.calls
    return f"calls are numbered {calls[0].number} to {calls[-1].number}; openvmi abi --list names them"


def place(at: tuple[str, ...]) -> str:
    """Return where a value is, high half first: ``EDX:EAX``, ``[ESP+4]``."""
    return ":".join(_one_place(part) for part in reversed(at))


def _one_place(part: str) -> str:
    if part == FRAME:
        return "[ESP]"
    return f"[ESP+{4 * (STACK_SLOTS.index(part) + 1)}]" if part in STACK_SLOTS else part.upper()


def values_of(enum: Enumeration) -> str:
    """Return the values of a flag word or enumeration on one line."""
    return ", ".join(f"{member.name} {number(member.value)}" for member in (*enum.members, *enum.masks))


def number(value: int) -> str:
    """Return ``value`` as people write it: small ones decimal, others hexadecimal."""
    return str(value) if value < 10 else f"0x{value:X}"


def argument(item: Argument) -> str:
    """Return ``EDX:EAX value, LONG_PTE``."""
    return f"{place(item.at)} {item.name}, {item.type}"


def _enum_lines(arguments: Iterable[Argument], interface: Interface) -> Iterator[tuple[str, str]]:
    for item in arguments:
        for enum in interface.enums:
            if enum.name == item.type:
                yield item.name, values_of(enum)


def _clobbers(call: CallSpec) -> str:
    names = [name if name == "flags" else name.upper() for name in call.clobbers]
    if not call.returns:
        return "does not return"
    return ", ".join(names) or "nothing"


def _memory(call: CallSpec, interface: Interface) -> str:
    parts = [f"{verb} {interface.memory.get(name, name)}" for verb, names in _touched(call) for name in names]
    return "; ".join(parts)


def _touched(call: CallSpec) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("reads", call.reads), ("writes", call.writes)


def _lazy(call: CallSpec) -> str:
    parts = [f"may be queued in lazy mode {' and '.join(call.queue)}"] if call.queue else []
    return "; ".join([*parts, *(["drains what is queued"] if call.drains else [])])


def _linux(call: CallSpec) -> Iterator[str]:
    """Yield what mainline does with the call: a line for each way, and the differences between versions."""
    for kind, words in _KINDS.items():
        ops = [hook.op for hook in call.linux if kind in hook.kinds]
        if ops:
            yield f"{words}: {', '.join(ops)}"
    if call.linux_note:
        yield call.linux_note


def rows(call: CallSpec, interface: Interface) -> list[tuple[str, str]]:
    """Return label and text of each fact about ``call``; an empty label continues the one above."""
    found: list[tuple[str, str]] = []
    for label, arguments in (("takes", call.takes), ("gives", call.gives)):
        found += [(label, argument(item)) for item in arguments]
    found += [*_enum_lines(call.takes, interface)]
    if call.since:
        found.append(("since", f"API minor version {call.since}"))
    if call.unpublished:
        found.append(("note", "arguments were never published; what stands here is a guess"))
    found += [("clobbers", _clobbers(call)), ("segments", _SEGMENTS[call.segments])]
    found += [("memory", _memory(call, interface)), ("answers", ", ".join(call.answers))]
    found += [("presence", rule.rule) for rule in interface.presence if rule.name in call.presence]
    found += [("lazy", _lazy(call)), *(("Linux", line) for line in _linux(call)), ("source", source(call.sections))]
    return merge((label, text) for label, text in found if text)


def jump_rows(point: JumpPoint, interface: Interface) -> list[tuple[str, str]]:
    """Return label and text of each fact about a jump point, as :func:`rows` does."""
    offset = next(field.offset for field in interface.structure("rom_header").fields if field.name == point.name)
    found = [("address", f"image + {number(offset)}: code, not a pointer")]
    found += [("takes", argument(item)) for item in point.takes]
    found += [("gives", argument(item)) for item in point.gives]
    found += [("", point.status), ("clobbers", "EAX, EDX, ECX, flags"), ("segments", _SEGMENTS["standard"])]
    return merge([*found, ("source", source(point.sections))])


def merge(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return ``pairs`` with a label left empty when it repeats the one before."""
    merged: list[tuple[str, str]] = []
    last = ""
    for label, text in pairs:
        merged.append(("" if label == last else label, text))
        last = label or last
    return merged


def source(sections: Iterable[str]) -> str:
    """Return where facts come from: ``vmi-abi.md 3.1, 4.5``; names of standards stay as they are."""
    listed = list(sections)
    ours = ", ".join(name for name in listed if name[:1].isdigit() and " " not in name)
    return "; ".join([*([f"{REFERENCE} {ours}"] if ours else []), *(name for name in listed if " " in name)])


def as_dict(entry: CallSpec | JumpPoint, interface: Interface) -> dict[str, Any]:
    """Return everything about a call or a jump point as plain data for JSON."""
    data = {"generation": interface.generation, "kind": "call", **asdict(entry)}
    if isinstance(entry, JumpPoint):
        return data | {"kind": "jump point"}
    derived = {
        "may_be_none": entry.may_be_none,
        "may_be_nop": entry.may_be_nop,
        "preserves": list(entry.preserves) if entry.returns else [],
    }
    types = {item.type for item in (*entry.takes, *entry.gives)}
    enums = {enum.name: _values(enum.members, enum.masks) for enum in interface.enums if enum.name in types}
    return data | derived | {"enums": enums}


def _values(*lists: Iterable[Member]) -> dict[str, int]:
    return {member.name: member.value for members in lists for member in members}
