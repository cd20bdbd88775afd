# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Page tables and the TLB (vmi-abi.md 4.4 to 4.7)."""

from __future__ import annotations

from collections.abc import Mapping

from ....abi import LINEAR_SLOTS, FlushFlag, PageFlag, PxeFlag
from .. import board
from ..bench import Bench
from ..case import Case, Expect, Problem, Problems, Setup, boundary, negative, positive
from ..seen import Seen, Write
from .common import ALL, stored, storing

_SHORT, _LONG = 4, 8
_PRESENT = 1
_RESERVED = 0xFC0
_LIVE, _NEXT = 0x0000_0001_2345_6067, 0x8000_0003_7654_3063
_PFN = board.physical(board.TABLE) >> 12
_ROOT_PFN = board.physical(board.ROOT) >> 12
_FLAGS = PxeFlag.PT | PxeFlag.CURRENT_AS | board.WATCHED
_DEFERRED = PxeFlag.PT | PxeFlag.DEFER | _RESERVED


def _entry(value: int, size: int) -> bytes:
    return (value & (1 << 8 * size) - 1).to_bytes(size, "little")


def never_half(at: int, size: int, old: int, new: int) -> Expect:
    """Expect that every state of the entry, store by store, is the old one, the new one, or not present."""

    def expect(bench: Bench, seen: Seen) -> Problems:
        yield from stored(at, _entry(new, size))(bench, seen)
        now = bytearray(_entry(old, size))
        for write in seen.writes:
            _store(now, at, write)
            value = int.from_bytes(now, "little")
            if value & _PRESENT and value not in {old, new}:
                yield Problem("half-written", f"{old:#x} or {new:#x} or not present", f"{value:#x}")
                return

    return expect


def _store(entry: bytearray, at: int, write: Write) -> None:
    for number, byte in enumerate(write.value.to_bytes(write.size, "little")):
        if 0 <= write.address + number - at < len(entry):
            entry[write.address + number - at] = byte


def _set(size: int, offset: int, old: int, new: int, flags: int) -> dict[str, object]:
    at = board.TABLE + offset
    old, new = old & (1 << 8 * size) - 1, new & (1 << 8 * size) - 1
    return {
        "arguments": {"value": new, "entry": at, "flags": flags},
        "setup": storing(at, _entry(old, size)),
        "expect": never_half(at, size, old, new),
        "writes": ((at, size),),
    }


def _set_cases(size: int) -> tuple[Case, ...]:
    last = board.PAGE - size
    return (
        positive("an entry that was empty", **_set(size, 8, 0, _LIVE, _FLAGS)),
        positive("a live entry", **_set(size, 8, _LIVE, _NEXT, PxeFlag.PT)),
        positive("an entry is cleared", **_set(size, 8, _LIVE, 0, PxeFlag.PD)),
        boundary("the last entry before an unmapped page", **_set(size, last, 0, _NEXT, PxeFlag.PT)),
        boundary("every bit", **_set(size, 0, _NEXT, (1 << 8 * size) - 1, PxeFlag.PT)),
        negative("DEFER alone and reserved flags", **_set(size, 16, _LIVE, _NEXT, _DEFERRED)),
    )


def _update_cases(size: int) -> tuple[Case, ...]:
    def case(offset: int, flags: int) -> dict[str, object]:
        at, data = board.TABLE + offset, _entry(_LIVE, size)
        arguments = {"entry": at, "flags": flags}
        return {"arguments": arguments, "setup": storing(at, data), "expect": stored(at, data)}

    return (
        positive("a live entry", **case(8, _FLAGS)),
        boundary("the last entry before an unmapped page", **case(board.PAGE - size, PxeFlag.PT)),
        negative("DEFER alone and reserved flags", **case(16, _DEFERRED)),
    )


def _maps(page: int, bits: int = board.TABLE_BITS) -> bytes:
    return (board.physical(page) | bits).to_bytes(4, "little")


def _stale(bits: int = board.TABLE_BITS) -> Setup:
    """Return a setup after which the TLB has the first page, and the page table the second."""

    def setup(bench: Bench) -> None:
        bench.pc.write(board.WATCHED_ENTRY, _maps(board.FIRST_PAGE, bits))
        bench.pc.probe(board.WATCHED)
        bench.pc.write(board.WATCHED_ENTRY, _maps(board.SECOND_PAGE, bits))

    return setup


def _fresh(bench: Bench, seen: Seen) -> Problems:
    del seen
    found = bench.pc.probe(board.WATCHED)
    if found != b"seco":
        yield Problem("effect", "the new mapping", "a fault" if found is None else "the old one")


def _fresh_global(bench: Bench, seen: Seen) -> Problems:
    """Unicorn flushes global entries with all others: whether they would go is read off what was done to CR4."""
    yield from _fresh(bench, seen)
    values = [int(event[4:], 16) for event in seen.events if event.startswith("cr4=")]
    if not any(value & board.CR4_PGE == 0 for value in values) and "invlpg" not in seen.events:
        yield Problem("effect", "global entries flushed: CR4.PGE off and on", "CR4.PGE stayed on")


def _flush() -> tuple[Case, ...]:
    both = FlushFlag.TLB | FlushFlag.GLOBAL

    def case(flags: int, expect: Expect) -> dict[str, object]:
        return {"arguments": {"flags": flags}, "setup": _stale(), "expect": expect}

    return (
        positive("TLB", **case(FlushFlag.TLB, _fresh)),
        positive("TLB and global", **case(both, _fresh_global)),
        boundary("GLOBAL alone", **case(FlushFlag.GLOBAL, _fresh_global)),
        negative("no flag", arguments={"flags": 0}),
        negative("reserved flags", **case(ALL, _fresh_global)),
    )


def _pages() -> Mapping[str, tuple[Case, ...]]:
    def case(flags: int, **rest: int) -> dict[str, object]:
        return {"arguments": {"pfn": _PFN, "flags": flags, **rest}, "setup": storing(board.TABLE, bytes(board.PAGE))}

    levels = (PageFlag.PT, PageFlag.PD)
    clone = {"source": _ROOT_PFN, "first": 768, "count": 256}
    zeroed = PageFlag.ZEROED
    return {
        "AllocatePage": (
            *(positive(f"{level.name}, zeroed", **case(level | zeroed)) for level in levels),
            positive("a clone", **case(PageFlag.PD | zeroed | PageFlag.CLONE, **clone)),
            boundary("a clone of nothing", **case(PageFlag.PD | zeroed | PageFlag.CLONE, source=_ROOT_PFN, first=1023)),
            boundary("PAE", **case(PageFlag.PD | zeroed | PageFlag.PAE)),
            negative("no level, reserved flags", **case(0xFFFFFF80)),
        ),
        "ReleasePage": (
            *(positive(f"{level.name}", **case(level)) for level in levels),
            boundary("the same again", **case(PageFlag.PD | PageFlag.PAE)),
            negative("no level, reserved flags", **case(0xFFFFFF80)),
        ),
    }


def cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call."""
    linear = {"va": board.DIRECT, "pages": 1024, "pfn": 0}
    return {
        "SetPxE": _set_cases(_SHORT),
        "SetPxELong": _set_cases(_LONG),
        "UpdatePxE": _update_cases(_SHORT),
        "UpdatePxELong": _update_cases(_LONG),
        **_pages(),
        "InvalPage": (
            positive("a mapping that has changed", arguments={"va": board.WATCHED}, setup=_stale(), expect=_fresh),
            boundary("an address in the page", arguments={"va": board.WATCHED | 0xFFF}, setup=_stale(), expect=_fresh),
            boundary("the highest address", arguments={"va": ALL}),
            negative("an address without mapping", arguments={"va": board.NOWHERE}),
        ),
        "FlushTLB": _flush(),
        "SetLinearMapping": (
            *(positive(f"slot {slot}", arguments={"slot": slot, **linear}) for slot in range(LINEAR_SLOTS)),
            boundary("no page", arguments={"slot": 1, **linear, "pages": 0}),
            boundary("the highest page", arguments={"slot": 2, "va": 0xFFFFF000, "pages": 1, "pfn": 0xFFFFF}),
            negative("a slot that there is not", arguments={"slot": ALL, **linear}),
        ),
    }
