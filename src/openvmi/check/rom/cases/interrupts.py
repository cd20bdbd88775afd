# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The interrupt flag, and the ways back from the kernel (vmi-abi.md 2.5, 4.8)."""

from __future__ import annotations

from collections.abc import Mapping

from ....abi.model import REGISTERS
from .. import board
from ..bench import Bench
from ..case import ALWAYS, Case, Expect, Problem, Problems, boundary, negative, positive
from ..seen import ARITHMETIC, GENERAL_PROTECTION, IF, IOPL, End, Seen
from .common import ALL, gives, number

_CHANGES = frozenset({"if"})
_SEGMENT_FAULTS = frozenset({10, 11, 12, GENERAL_PROTECTION})
_USER_ESP = board.USER_STACK + 0x800
_FLAGS = ALWAYS | 0x8C5


def _enabled(expected: int) -> Expect:
    def expect(bench: Bench, seen: Seen) -> Problems:
        found = bench.sees(expected, lambda: seen.after["eflags"], "GetInterruptMask", IF)
        if found is not None:
            yield Problem("effect", f"IF {expected:#x}", number(found & IF))

    return expect


def _mask(title: str, value: int) -> dict[str, object]:
    before = ALWAYS if value & IF else ALWAYS | IF
    return {
        "title": title,
        "arguments": {"flags": value},
        "expect": _enabled(value & IF),
        "changes": _CHANGES,
        "flags": before,
    }


def _read(expected: int) -> Expect:
    return gives("GetInterruptMask", expected, "SetInterruptMask", flags=expected)


def _arrives(frame: Mapping[str, int], flags: int) -> Expect:
    """Expect registers as ``frame`` says, ``flags`` in EFLAGS, and every other register as it was."""

    def expect(bench: Bench, seen: Seen) -> Problems:
        if seen.end is not End.LANDED:
            if seen.end is End.OFF or seen.end is End.RESET:
                yield Problem("transfer", "an arrival", seen.says())
            return
        for name, value in frame.items():
            if seen.get(name) != value:
                yield Problem("transfer", f"{name.upper()} {value:#x}", number(seen.get(name)))
        for name in REGISTERS:
            if seen.before[name] != seen.get(name):
                yield Problem("registers", f"{name.upper()} {seen.before[name]:#x}", number(seen.get(name)))
        yield from _flags_arrive(bench, seen, flags)

    return expect


def _flags_arrive(bench: Bench, seen: Seen, flags: int) -> Problems:
    found = seen.get("eflags")
    if (found ^ flags) & ARITHMETIC:
        yield Problem("transfer", f"flags {flags & ARITHMETIC:#x}", number(found & ARITHMETIC))
    user = seen.get("cs") & 3 == 3
    if (found ^ flags) & IF and (user or bench.value("GetInterruptMask") != flags & IF):
        yield Problem("transfer", f"IF {flags & IF:#x}", number(found & IF))
    if seen.open_instructions > 1:
        yield Problem("atomic", "one instruction at most", f"{seen.open_instructions} with interrupts on")


def _to_user(eflags: int) -> dict[str, object]:
    frame = (board.USER_LANDING, board.USER_CS, eflags, _USER_ESP, board.USER_DS)
    lands = {"eip": board.USER_LANDING, "cs": board.USER_CS, "esp": _USER_ESP, "ss": board.USER_DS}
    return {"frame": frame, "expect": _arrives(lands, eflags), "flags": ALWAYS}


def _to_kernel(eflags: int, before: int) -> dict[str, object]:
    frame = (board.KERNEL_LANDING, board.KERNEL_CS, eflags)
    lands = {"eip": board.KERNEL_LANDING, "cs": board.KERNEL_CS, "esp": board.STACK, "ss": board.KERNEL_DS}
    return {"frame": frame, "expect": _arrives(lands, eflags), "flags": before}


def _sysexit(flags: int, esp: int = _USER_ESP) -> dict[str, object]:
    lands = {"eip": board.USER_LANDING, "cs": board.USER_CS, "esp": esp, "ss": board.USER_DS}
    arguments = {"eip": board.USER_LANDING, "esp": esp}
    return {"arguments": arguments, "expect": _arrives(lands, flags & ARITHMETIC | IF), "flags": flags}


def cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call."""
    on, off = {"expect": _enabled(IF), "changes": _CHANGES}, {"expect": _enabled(0), "changes": _CHANGES}
    bad_frame = (board.USER_LANDING, board.KERNEL_DS, _FLAGS | IF, _USER_ESP, board.USER_DS)
    return {
        "EnableInterrupts": (
            positive("they are off", **on),
            boundary("they are on", **on),
            negative("DS and ES are the user's", **on),
        ),
        "DisableInterrupts": (
            positive("they are on", flags=ALWAYS | IF, **off),
            boundary("they are off", flags=ALWAYS | ARITHMETIC, **off),
            negative("DS and ES are the user's", flags=ALWAYS | IF | ARITHMETIC, **off),
        ),
        "GetInterruptMask": (
            positive("they are on", flags=ALWAYS | IF, expect=_read(IF)),
            boundary("they are off, every other flag is set", flags=ALWAYS | ARITHMETIC | IOPL, expect=_read(0)),
            negative("no other flag shows", flags=ALWAYS | IF | ARITHMETIC | IOPL, expect=_read(IF)),
        ),
        "SetInterruptMask": (
            positive(**_mask("on", IF)),  # type: ignore[arg-type]
            positive(**_mask("off", 0)),  # type: ignore[arg-type]
            boundary(**_mask("every bit", ALL)),  # type: ignore[arg-type]
            negative(**_mask("every bit but IF", ALL & ~IF)),  # type: ignore[arg-type]
        ),
        "IRET": (
            positive("to user mode", **_to_user(_FLAGS | IF)),
            boundary("within the kernel, interrupts on", **_to_kernel(_FLAGS | IF, ALWAYS)),
            boundary("within the kernel, interrupts off", **_to_kernel(ALWAYS, ALWAYS | ARITHMETIC)),
            negative("a frame whose CS is no code", frame=bad_frame, flags=ALWAYS, faults=_SEGMENT_FAULTS),
        ),
        "SYSEXIT": (
            positive("to user mode", **_sysexit(ALWAYS)),
            boundary("interrupts on, ESP 0", **_sysexit(ALWAYS | IF, 0)),
            negative("DS and ES are the user's", **_sysexit(ALWAYS | ARITHMETIC)),
        ),
    }
