# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation B: calls that it alone has, and those whose arguments are others (vmi-abi.md 3.2, 3.3, 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ....abi.generation_b import Call, DeferredFlag, PageFlag
from .. import board
from ..bench import Bench
from ..case import Case, Expect, Problem, Problems, boundary, negative, positive, result
from ..seen import Seen
from . import paging, ports, processors, time
from .common import ALL, number, stored, storing

_SHORT, _LONG = 4, 8
_LIVE, _NEXT = 0x0000_0001_2345_6067, 0x8000_0003_7654_3063
_TSS_BYTES = 0x68
_PFN = board.physical(board.TABLE) >> 12
_ROOT_PFN = board.physical(board.ROOT) >> 12


def _bytes(value: int, size: int) -> bytes:
    return (value & (1 << 8 * size) - 1).to_bytes(size, "little")


def _all(*expects: Expect) -> Expect:
    def expect(bench: Bench, seen: Seen) -> Problems:
        for one in expects:
            yield from one(bench, seen)

    return expect


def _result_is(call: str, expected: int, *, as_truth: bool = False) -> Expect:
    def expect(bench: Bench, seen: Seen) -> Problems:
        found = result(seen, bench.tables.call(call).gives[0])
        if (bool(found) != bool(expected)) if as_truth else found != expected:
            yield Problem("result", number(expected) + (" or not 0" if as_truth and expected else ""), number(found))

    return expect


# ---- entries --------------------------------------------------------------------------------------------------------


def _change(call: str, offset: int, old: int, new: int) -> dict[str, object]:
    """Return a case in which an entry becomes ``new``, and ``call``, if it gives anything, gives what it was."""
    size = _LONG if "Long" in call else _SHORT
    at, mask = board.TABLE + offset, (1 << 8 * size) - 1
    old, new = old & mask, new & mask
    whole = paging.never_half(at, size, old, new)
    takes_value = {} if call.startswith("Deactivate") else {"value": new}
    swaps = not call.startswith("Set")
    return {
        "arguments": {"entry": at, **takes_value},
        "setup": storing(at, _bytes(old, size)),
        "expect": _all(whole, _result_is(call, old)) if swaps else whole,
        "writes": ((at, size),),
    }


def _changes(call: str) -> tuple[Case, ...]:
    last = board.PAGE - (_LONG if "Long" in call else _SHORT)
    return (
        positive("an entry that was empty", **_change(call, 8, 0, _LIVE)),
        positive("a live entry", **_change(call, 8, _LIVE, _NEXT)),
        boundary("the last entry before an unmapped page", **_change(call, last, _LIVE, 0)),
        negative("every bit", **_change(call, 0, _NEXT, ALL << 32 | ALL)),
    )


def _deactivate() -> tuple[Case, ...]:
    call = "DeactivatePxELongAtomic"
    return (
        positive("a live entry", **_change(call, 8, _LIVE, 0)),
        boundary("the last entry, every bit", **_change(call, board.PAGE - _LONG, ALL << 32 | ALL, 0)),
        negative("an empty entry", **_change(call, 16, 0, 0)),
    )


def _bit(call: str, size: int, bit: int, offset: int, old: int) -> dict[str, object]:
    at = board.TABLE + offset
    old &= (1 << 8 * size) - 1
    new = old | 1 << bit if "Set" in call else old & ~(1 << bit)
    return {
        "arguments": {"entry": at, "bit": bit},
        "setup": storing(at, _bytes(old, size)),
        "expect": _all(stored(at, _bytes(new, size)), _result_is(call, old >> bit & 1, as_truth=True)),
        "writes": ((at, size),),
    }


def _bits(call: str, size: int) -> tuple[Case, ...]:
    every = ALL << 32 | ALL
    changed, same = (0, every) if "Set" in call else (_LIVE, 0)
    last = board.PAGE - size
    return (
        positive("bit 6 of an entry", **_bit(call, size, 6, 8, changed)),
        positive("it is so already", **_bit(call, size, 6, 8, same)),
        boundary("the highest bit of the last entry", **_bit(call, size, 8 * size - 1, last, every ^ same)),
        negative("bit 0, all others set", **_bit(call, size, 0, 16, every)),
    )


def _translated(kind: str, size: int) -> Expect:
    """Expect that an entry which the ROM has stored reads, translated, as it was given."""
    value = _LIVE & (1 << 8 * size) - 1

    def expect(bench: Bench, seen: Seen) -> Problems:
        del seen
        if bench.ask(f"Set{kind}0", entry=board.TABLE, value=value) is None:
            return
        raw = int.from_bytes(bench.pc.read(board.TABLE, size), "little")
        found = bench.value(f"Get{kind}", value=raw)
        if found is not None and found != value:
            yield Problem("result", number(value), number(found))

    return expect


def _reads(kind: str, size: int) -> tuple[Case, ...]:
    return (
        positive("an entry that the ROM has stored", expect=_translated(kind, size)),
        boundary("an empty entry", arguments={"value": 0}, expect=_result_is(f"Get{kind}", 0)),
        negative("not present, every other bit", arguments={"value": (ALL << 32 | ALL) - 1}),
    )


# ---- pages, stacks, time, queries -----------------------------------------------------------------------------------


def _pages() -> Mapping[str, tuple[Case, ...]]:
    def case(flags: int, **rest: int) -> dict[str, object]:
        return {"arguments": {"pfn": _PFN, "flags": flags, **rest}, "setup": storing(board.TABLE, bytes(board.PAGE))}

    both = PageFlag.PD | PageFlag.PT
    clone = {"source": _ROOT_PFN, "first": 768, "count": 256}
    return {
        "AllocatePage": (
            positive("PT", **case(PageFlag.PT)),
            positive("PD, a clone", **case(PageFlag.PD, **clone)),
            boundary("a directory that maps itself", **case(both)),
            boundary("PAE", **case(PageFlag.PD | PageFlag.PAE)),
            negative("no level, reserved flags", **case(0xFFFFFFF0)),
        ),
        "ReleasePage": (
            positive("PT", **case(PageFlag.PT)),
            boundary("a directory that mapped itself", **case(both)),
            negative("no level, reserved flags", **case(0xFFFFFFF0)),
        ),
    }


def _stack() -> tuple[Case, ...]:
    last = board.DATA + board.PAGE - _TSS_BYTES
    tss = board.contents()[board.TSS].ljust(_TSS_BYTES, b"\0")
    return (
        positive("the TSS", arguments={"tss": board.TSS, "esp0": board.STACK}),
        boundary("a TSS before an unmapped page", arguments={"tss": last, "esp0": 1}, setup=storing(last, tss)),
        negative("no stack", arguments={"tss": board.TSS, "esp0": 0}),
    )


def _if_timer(case: Case) -> Case:
    """Return ``case`` for a ROM that may say that it has no timer: then nothing is expected (vmi-abi.md 9.20)."""

    def expect(bench: Bench, seen: Seen) -> Problems:
        if bench.value("GetCycleFrequency") != 0:
            yield from case.expect(bench, seen)

    return replace(case, expect=expect)


def _relocation(call: int) -> Expect:
    """Expect the answer that was given when all were asked for: its type, as the image may have been moved since."""

    def expect(bench: Bench, seen: Seen) -> Problems:
        known, kind = bench.asked.get(call), seen.get("edx") & 0xFF
        if known is not None and kind != known.kind:
            yield Problem("result", str(known), f"type {kind}")

    return expect


def _queries() -> tuple[Case, ...]:
    return tuple(
        make(title, arguments={"call": call}, expect=_relocation(call))
        for make, title, call in (
            (positive, "CPUID", Call.CPUID),
            (boundary, "the last call", max(Call)),
            (negative, "a number that is no call", ALL),
        )
    )


def cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call."""
    timer = {name: tuple(map(_if_timer, found)) for name, found in time.cases().items()}
    both = DeferredFlag.CPU | DeferredFlag.MMU
    return {
        **ports.cases(wide=""),
        **processors.linear_cases(),
        **timer,
        **_pages(),
        "INVD": (positive("changes nothing"), boundary("interrupts on"), negative("flags that must not matter")),
        "Pause": (positive("comes back"), boundary("interrupts on"), negative("flags that must not matter")),
        "UpdateKernelStack": _stack(),
        "SetPxE0": _changes("SetPxE0"),
        "SetPxELong0": _changes("SetPxELong0"),
        "SwapPxE": _changes("SwapPxE"),
        "SwapPxELongAtomic": _changes("SwapPxELongAtomic"),
        "DeactivatePxELongAtomic": _deactivate(),
        "GetPxE": _reads("PxE", _SHORT),
        "GetPxELong": _reads("PxELong", _LONG),
        "TestAndSetPxEBit": _bits("TestAndSetPxEBit", _SHORT),
        "TestAndClearPxEBit": _bits("TestAndClearPxEBit", _SHORT),
        "TestAndSetPxELongBit": _bits("TestAndSetPxELongBit", _LONG),
        "TestAndClearPxELongBit": _bits("TestAndClearPxELongBit", _LONG),
        "FlushDeferredCalls": (
            positive("both queues", arguments={"mask": both}),
            boundary("0, which stood for CPU state", arguments={"mask": 0}),
            negative("reserved flags", arguments={"mask": ALL & ~both}),
        ),
        "GetRelocationInfo": _queries(),
    }
