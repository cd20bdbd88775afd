# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptor tables and the kernel stack (vmi-abi.md 4.8)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from unicorn import x86_const as x86

from .. import board
from ..bench import Bench
from ..case import Case, Expect, Problem, Problems, boundary, negative, positive
from ..seen import GENERAL_PROTECTION, Seen
from .common import GARBAGE, gives, has, number, storing

_PAGE = board.PAGE
_LAST = board.DATA + _PAGE - 6
_FAULTS = frozenset({GENERAL_PROTECTION})
_TABLES = ((board.GDT, _PAGE), (board.OTHER_GDT, _PAGE))
_NEW_GDT = board.OTHER_GDT << 16 | board.GDT_LIMIT
_SHORT_IDT = board.IDT << 16 | 0x3FF
_ANSWER_AT = board.DATA + 0x400
_LAST_ENTRY = _PAGE // 8 - 1
_OTHER_BASE = board.POISON_BASE + 0x100000


def _dtr(value: int) -> bytes:
    return struct.pack("<HI", value & 0xFFFF, value >> 16)


def _table_is(register: str, getter: str, argument: str, expected: int) -> Expect:
    def expect(bench: Bench, seen: Seen) -> Problems:
        found = seen.after[register]
        if found != expected:
            asked = bench.ask(getter, **{argument: _ANSWER_AT})
            if asked is None or bench.pc.read(_ANSWER_AT, 6) != _dtr(expected):
                yield Problem("effect", f"{register.upper()} {expected:#x}", number(found))
        if register == "gdtr" and seen.before["fs"] == board.POISON_DS and seen.after["fs_base"] != _OTHER_BASE:
            yield Problem("effect", f"FS reloaded, base {_OTHER_BASE:#x}", number(seen.after["fs_base"]))

    return expect


def _set_table(call: str, register: str, value: int) -> tuple[Case, ...]:
    argument, getter = register, f"Get{call[3:]}"
    writes = _TABLES if register == "gdtr" else ((board.IDT, _PAGE),)

    def case(at: int) -> dict[str, object]:
        return {
            "arguments": {argument: at},
            "setup": storing(at, _dtr(value)),
            "expect": _table_is(register, getter, argument, value),
            "changes": frozenset({register}),
            "writes": writes,
        }

    return (
        positive("another table", **case(board.DATA)),
        boundary("the last six bytes before an unmapped page", **case(_LAST)),
        negative("an odd address", **case(board.DATA + 1)),
    )


def _get_table(register: str, value: int) -> tuple[Case, ...]:
    def expect(at: int) -> Expect:
        def look(bench: Bench, seen: Seen) -> Problems:
            del seen
            found = bench.pc.read(at, 6)
            if found != _dtr(value):
                yield Problem("effect", _dtr(value).hex(" "), found.hex(" "))

        return look

    def case(at: int) -> dict[str, object]:
        return {
            "arguments": {register: at},
            "setup": storing(at, b"\xcc" * 6),
            "expect": expect(at),
            "writes": ((at, 6),),
        }

    return (
        positive("six bytes", **case(board.DATA)),
        boundary("the last six bytes before an unmapped page", **case(_LAST)),
        negative("an odd address", **case(board.DATA + 3)),
    )


def _no_ldt(bench: Bench) -> None:
    bench.pc.uc.reg_write(x86.UC_X86_REG_LDTR, (0, 0, 0, 0x8200))


def _keep_ldt(bench: Bench) -> None:
    del bench


def _selectors() -> Mapping[str, tuple[Case, ...]]:
    ldt, tr, none = board.LDT_SELECTOR, board.OTHER_TSS_SELECTOR, frozenset[str]()
    changes = {"SetLDT": frozenset({"ldtr"}), "SetTR": frozenset({"tr"})}

    def load(call: str, register: str, selector: int, given: int = 0) -> dict[str, object]:
        return {
            "arguments": {"selector": selector | given},
            "setup": _no_ldt if selector == ldt else _keep_ldt,
            "expect": has(register, selector, f"Get{call[3:]}", 0xFFFF),
            "changes": changes[call],
            "writes": _TABLES,
        }

    refused: dict[str, object] = {"arguments": {"selector": board.KERNEL_DS}, "faults": _FAULTS, "changes": none}
    return {
        "SetLDT": (
            positive("a table", **load("SetLDT", "ldtr", ldt)),
            boundary("none; the upper half of EAX does not count", **load("SetLDT", "ldtr", 0, GARBAGE)),
            negative("a selector of something else", **refused),
        ),
        "SetTR": (
            positive("another TSS", **load("SetTR", "tr", tr)),
            boundary("the upper half of EAX does not count", **load("SetTR", "tr", tr, GARBAGE)),
            negative("a selector of something else", **refused),
        ),
        "GetLDT": (
            positive("the table's selector", expect=gives("GetLDT", ldt, "SetLDT", selector=ldt)),
            boundary("no table", setup=_no_ldt, expect=gives("GetLDT", 0, "SetLDT", selector=0)),
            negative("registers and flags that must not matter", expect=gives("GetLDT", ldt, "SetLDT", selector=ldt)),
        ),
        "GetTR": tuple(
            make(title, expect=gives("GetTR", board.TSS_SELECTOR, "SetTR", selector=board.TSS_SELECTOR))
            for make, title in (
                (positive, "the TSS's selector"),
                (boundary, "interrupts on"),
                (negative, "registers and flags that must not matter"),
            )
        ),
    }


def _alike(given: bytes, found: bytes, *, gate: bool) -> bool:
    """Tell whether the stored descriptor is the given one, but for what a hypervisor may change: DPL, RPL and limit."""
    free = 0x00006000_00030000 if gate else 0x000F6000_0000FFFF
    return (int.from_bytes(given, "little") ^ int.from_bytes(found, "little")) & ~free == 0


def _entry_cases(call: str) -> tuple[Case, ...]:
    gate = call == "WriteIDTEntry"
    live = (
        struct.pack("<II", board.KERNEL_CS << 16 | 0x5678, 0xC0128E00)
        if gate
        else board.descriptor(0xC0123000, 0x12345, 0x93)
    )

    def case(index: int, data: bytes, before: bytes) -> dict[str, object]:
        at = board.TABLE + 8 * index
        low, high = struct.unpack("<II", data)

        def expect(bench: Bench, seen: Seen) -> Problems:
            del seen
            found = bench.pc.read(at, 8)
            if not _alike(data, found, gate=gate):
                yield Problem("effect", f"{data.hex(' ')} at {at:#010x}", found.hex(" "))

        return {
            "arguments": {"table": board.TABLE, "index": index, "low": low, "high": high},
            "setup": storing(at, before),
            "expect": expect,
            "writes": ((at, 8),),
        }

    last = 255 if gate else _LAST_ENTRY
    return (
        positive("an entry that was empty", **case(3, live, bytes(8))),
        boundary("the first entry", **case(0, live, live[::-1])),
        boundary("the last entry", **case(last, live, bytes(8))),
        negative("an entry is emptied", **case(5, bytes(8), live)),
    )


def cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call."""
    gdtr, idtr = board.GDT << 16 | board.GDT_LIMIT, board.IDT << 16 | board.IDT_LIMIT
    return {
        "SetGDT": _set_table("SetGDT", "gdtr", _NEW_GDT),
        "SetIDT": _set_table("SetIDT", "idtr", _SHORT_IDT),
        "GetGDT": _get_table("gdtr", gdtr),
        "GetIDT": _get_table("idtr", idtr),
        **_selectors(),
        **{call: _entry_cases(call) for call in ("WriteGDTEntry", "WriteLDTEntry", "WriteIDTEntry")},
        "UpdateKernelStack": (
            positive("a selector", arguments={"stack": board.KERNEL_DS, "esp0": board.STACK}),
            boundary("a TSS's address", arguments={"stack": board.TSS, "esp0": board.STACK_END}),
            negative("a selector with the RPL of ring 1", arguments={"stack": board.KERNEL_DS | 1, "esp0": 0}),
        ),
    }
