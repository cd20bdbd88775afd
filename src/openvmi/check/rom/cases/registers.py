# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Control and debug registers, counters (vmi-abi.md 3.1, 2.3)."""

from __future__ import annotations

from collections.abc import Mapping

from .. import board, devices
from ..bench import Bench
from ..case import Case, Problem, Problems, boundary, negative, positive, result
from ..seen import GENERAL_PROTECTION, Seen
from .common import ALL, gives, has, number, setting

_TS, _AM, _PGE, _DE = 8, 0x40000, 0x80, 0x08
_CR0_BITS = 0xE005003F
_ELSEWHERE = 0x40000000
_OTHER = board.physical(board.OTHER_ROOT)
_ROOT_BITS = 0xFFFFF000
_IGNORE = "registers and flags that must not matter"
_DR7 = 0x400


def _writes(call: str, register: str, *values: tuple[int, int]) -> tuple[Case, ...]:
    """Return a positive, a boundary and a negative case: value and the bits of it that count."""
    makers = (positive, boundary, negative)
    return tuple(
        make(
            f"{register.upper()} := {value:#x}",
            arguments={"value": value},
            expect=has(register, value, f"Get{call[3:]}", mask),
            changes=frozenset({register}),
        )
        for make, (value, mask) in zip(makers, values, strict=True)
    )


def _reads(call: str, register: str, *values: int) -> tuple[Case, ...]:
    makers = (positive, boundary, negative)
    return tuple(
        make(
            f"{register.upper()} is {value:#x}",
            setup=setting(**{register: value}),
            expect=gives(call, value, f"Set{call[3:]}", value=value),
        )
        for make, value in zip(makers, values, strict=True)
    )


def _link(bench: Bench) -> None:
    bench.pc.write(
        board.OTHER_ROOT + 4 * (_ELSEWHERE >> 22),
        (board.physical(board.KERNEL_TABLE) | board.TABLE_BITS).to_bytes(4, "little"),
    )


def _translates(bench: Bench, seen: Seen) -> Problems:
    yield from has("cr3", _OTHER, "GetCR3", _ROOT_BITS)(bench, seen)
    found = bench.pc.probe(_ELSEWHERE + board.FIRST_PAGE - board.DIRECT)
    if found != b"firs":
        yield Problem("effect", "translation by the new root", "a fault" if found is None else found.hex(" "))


def _roots() -> tuple[Case, ...]:
    makers = ((positive, "another root", 0), (boundary, "PWT and PCD", 0x18), (negative, "bits that are ignored", 7))
    changes = frozenset({"cr3"})
    return tuple(
        make(title, arguments={"value": _OTHER | low}, setup=_link, expect=_translates, changes=changes)
        for make, title, low in makers
    )


def _debug(register: int, value: int) -> dict[str, object]:
    def expect(bench: Bench, seen: Seen) -> Problems:
        found = seen.after[f"dr{register}"]
        if found != value and bench.value("GetDR", register=register) != value:
            yield Problem("effect", f"DR{register} {value:#x}", number(found))

    changes = frozenset({f"dr{register}"})
    return {"arguments": {"register": register, "value": value}, "expect": expect, "changes": changes}


def _no_debug(number_: int) -> dict[str, object]:
    aliases = frozenset({"dr6", "dr7"}) if number_ in {4, 5} else frozenset()
    return {"arguments": {"register": number_, "value": _DR7}, "changes": aliases, "faults": frozenset({6})}


def _debug_cases() -> Mapping[str, tuple[Case, ...]]:
    kept = 0x1000

    def read(register: int, value: int) -> dict[str, object]:
        expect = gives("GetDR", value, "SetDR", register=register, value=value)
        return {"arguments": {"register": register}, "setup": setting(**{f"dr{register}": value}), "expect": expect}

    return {
        "SetDR": (
            *(positive(f"DR{n}", **_debug(n, kept * (n + 1))) for n in range(4)),
            boundary("DR7", **_debug(7, _DR7 | 0x100)),
            boundary("DR6", **_debug(6, 0xFFFF0FF1)),
            *(negative(f"register {n:#x}", **_no_debug(n)) for n in (4, 5, 8, ALL)),
        ),
        "GetDR": (
            *(positive(f"DR{n}", **read(n, kept * (n + 1))) for n in range(4)),
            boundary("DR7", **read(7, _DR7 | 0x100)),
            boundary("DR6", **read(6, 0xFFFF0FF1)),
            *(negative(f"register {n:#x}", arguments={"register": n}, faults=frozenset({6})) for n in (4, 5, 8, ALL)),
        ),
    }


def _advances(bench: Bench, seen: Seen) -> Problems:
    first = result(seen, bench.tables.call("RDTSC").gives[0])
    second = bench.value("RDTSC")
    if second is not None and second <= first:
        yield Problem("result", f"more than {first:#x}, read before", number(second))


def _near_carry(bench: Bench) -> None:
    bench.pc.devices.counter = ALL - devices.COUNTER_STEP * 3 // 2


def _only_ts(bench: Bench, seen: Seen) -> Problems:
    yield from has("cr0", 0, "GetCR0", _TS)(bench, seen)
    if (seen.before["cr0"] ^ seen.after["cr0"]) & ~_TS:
        yield Problem("effect", f"CR0 {seen.before['cr0'] & ~_TS:#x}", number(seen.after["cr0"]))


def cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call."""
    cr0, cr4 = board.CR0, board.CR4
    faults = frozenset({GENERAL_PROTECTION})
    clts = {"expect": _only_ts, "changes": frozenset({"cr0"})}
    return {
        "SetCR0": (
            *_writes("SetCR0", "cr0", (cr0 | _AM, ALL), (cr0 | _TS, ALL), (cr0 | 0x40, _CR0_BITS)),
            negative(
                "a feature off: nothing need happen", arguments={"value": cr0 & ~0x20}, changes=frozenset({"cr0"})
            ),
        ),
        "SetCR2": _writes("SetCR2", "cr2", (0x12345678, ALL), (ALL, ALL), (1, ALL)),
        "SetCR3": _roots(),
        "SetCR4": (
            positive(
                "CR4.DE on",
                arguments={"value": cr4 | _DE},
                expect=has("cr4", cr4 | _DE, "GetCR4"),
                changes=frozenset({"cr4"}),
            ),
            boundary("as it is", arguments={"value": cr4}, expect=has("cr4", cr4, "GetCR4")),
            negative(
                "a feature off: nothing need happen", arguments={"value": cr4 & ~_PGE}, changes=frozenset({"cr4"})
            ),
        ),
        "GetCR0": _reads("GetCR0", "cr0", cr0, cr0 | _TS, cr0 | _AM),
        "GetCR2": _reads("GetCR2", "cr2", 0x12345678, ALL, 0),
        "GetCR3": _reads("GetCR3", "cr3", board.physical(board.ROOT), board.physical(board.ROOT) | 0x18, _OTHER),
        "GetCR4": _reads("GetCR4", "cr4", cr4, cr4 | _DE, cr4 & ~_PGE),
        "WBINVD": (
            positive("changes nothing"),
            boundary("interrupts on"),
            negative(_IGNORE),
        ),
        **_debug_cases(),
        "RDPMC": (
            positive("the first counter"),
            boundary("the last counter", arguments={"counter": 3}),
            negative("a counter that there is not", arguments={"counter": ALL}, faults=faults),
        ),
        "RDTSC": (
            positive("it advances", expect=_advances),
            boundary("a carry into EDX", setup=_near_carry, expect=_advances),
            negative(_IGNORE, expect=_advances),
        ),
        "CLTS": (
            positive("TS is set", setup=setting(cr0=cr0 | _TS), **clts),
            boundary("TS is clear", **clts),
            negative("other bits stay", setup=setting(cr0=cr0 | _TS | _AM), **clts),
        ),
    }
