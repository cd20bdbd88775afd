# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Port I/O: register-compatible with the instructions (vmi-abi.md 2.2, 2.3). IODelay and SetIOPLMask, too."""

from __future__ import annotations

from collections.abc import Mapping

from .. import board
from ..bench import Bench
from ..case import ALWAYS, Case, Problem, Problems, boundary, negative, positive, result
from ..devices import PORT_PATTERN
from ..seen import IOPL, Port, Seen
from .common import ALL, GARBAGE, number, storing

_SIZES = {"B": 1, "W": 2}
_PORT = 0x5A0
_VALUE = 0xC3D2E1F0
_DF = 0x400
_IGNORE = "registers and flags that must not matter"
_AT = board.DATA + 0x100


def _mask(size: int) -> int:
    return (1 << 8 * size) - 1


def _said(seen: Seen, *expected: Port) -> Problems:
    if tuple(seen.ports) != expected:
        yield Problem("effect", _words(expected), _words(tuple(seen.ports)))


def _words(ports: tuple[Port, ...]) -> str:
    shown = [f"{p.direction} {p.port:#x}/{p.size} {p.value:#x}" for p in ports[:4]]
    return ", ".join(shown) + (f" and {len(ports) - 4} more" if len(ports) > 4 else "") or "no port access"


def _in(call: str, size: int) -> tuple[Case, ...]:
    def case(port: int) -> dict[str, object]:
        value = PORT_PATTERN & _mask(size)

        def expect(bench: Bench, seen: Seen) -> Problems:
            yield from _said(seen, Port("in", port & 0xFFFF, size, value))
            found = result(seen, bench.tables.call(call).gives[0])
            if found != value:
                yield Problem("result", number(value), number(found))

        return {"arguments": {"port": port}, "expect": expect}

    return _three(case)


def _out(size: int) -> tuple[Case, ...]:
    def case(port: int) -> dict[str, object]:
        def expect(bench: Bench, seen: Seen) -> Problems:
            del bench
            yield from _said(seen, Port("out", port & 0xFFFF, size, _VALUE & _mask(size)))

        return {"arguments": {"value": _VALUE, "port": port}, "expect": expect}

    return _three(case)


def _three(case) -> tuple[Case, ...]:  # type: ignore[no-untyped-def] # noqa: ANN001
    return (
        positive("a port", **case(_PORT)),
        boundary("the last port", **case(0xFFFF)),
        negative("the upper half of EDX does not count", **case(GARBAGE | _PORT)),
    )


def _string(direction: str, size: int) -> tuple[Case, ...]:
    """REP INS or OUTS: pointer and ECX move as the instruction moves them."""
    pointer, register = ("to", "edi") if direction == "in" else ("from", "esi")
    data = bytes(range(0x41, 0x41 + 4 * size))

    def case(at: int, count: int, *, down: bool = False) -> dict[str, object]:
        step = -size if down else size
        places = [at + step * number for number in range(count)]

        def expect(bench: Bench, seen: Seen) -> Problems:
            value = PORT_PATTERN & _mask(size)
            given = [value if direction == "in" else _found(bench, place, size) for place in places]
            yield from _said(seen, *(Port(direction, _PORT, size, item) for item in given))
            for name, expected in ((register, at + step * count), ("ecx", 0)):
                if seen.get(name) != expected & ALL:
                    yield Problem("result", f"{name.upper()} {expected:#x}", number(seen.get(name)))
            if direction == "in" and any(_found(bench, place, size) != value for place in places):
                yield Problem("effect", "what the port gave, in memory", bench.pc.read(at, size).hex(" "))

        return {
            "arguments": {pointer: at, "port": GARBAGE | _PORT, "count": count},
            "setup": storing(_AT, data),
            "expect": expect,
            "writes": tuple((place, size) for place in places) if direction == "in" else (),
            "flags": ALWAYS | (_DF if down else 0),
        }

    return (
        positive("three items", **case(_AT, 3)),
        boundary("no item", **case(board.NOWHERE, 0)),
        boundary("up to an unmapped page", **case(board.DATA + board.PAGE - 2 * size, 2)),
        negative("downwards", **case(_AT + 3 * size, 3, down=True)),
    )


def _found(bench: Bench, at: int, size: int) -> int:
    return int.from_bytes(bench.pc.read(at, size), "little")


def _iopl(value: int) -> dict[str, object]:
    def expect(bench: Bench, seen: Seen) -> Problems:
        del bench
        old, new = seen.before["eflags"] & IOPL, seen.after["eflags"] & IOPL
        # a hypervisor keeps it elsewhere, and the flags as they were
        if new not in {old, value & IOPL}:
            yield Problem("effect", f"IOPL {value & IOPL:#x}", number(new))

    return {"arguments": {"mask": value}, "expect": expect, "changes": frozenset({"iopl"})}


def cases(wide: str = "L") -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call; ``wide`` is what names of calls for 32 bits end in."""
    found: dict[str, tuple[Case, ...]] = {
        "SetIOPLMask": (
            positive("user mode may use ports", **_iopl(IOPL)),
            positive("it may not", **_iopl(0)),
            boundary("ring 1 may", **_iopl(0x1000)),
            negative("every other bit", **_iopl(ALL & ~IOPL)),
        ),
        "IODelay": (
            positive("a delay"),
            boundary("interrupts on"),
            negative(_IGNORE),
        ),
    }
    for letter, size in {**_SIZES, wide: 4}.items():
        found[f"IN{letter}"] = _in(f"IN{letter}", size)
        found[f"OUT{letter}"] = _out(size)
        found[f"INS{letter}"] = _string("in", size)
        found[f"OUTS{letter}"] = _string("out", size)
    return found
