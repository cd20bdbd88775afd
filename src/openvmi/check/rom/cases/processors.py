# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Application processors and the local APIC (vmi-abi.md 4.10, 4.11)."""

from __future__ import annotations

from collections.abc import Mapping

from ....abi.structs import ApState
from .. import board
from ..bench import Bench
from ..case import Case, Problem, Problems, boundary, negative, positive
from ..seen import Seen
from .common import ALL, number, stored, storing

_TASK_PRIORITY = 0x80
_VALUE = 0x20
_WIDE = 0xABCDE000


def _state(*, pe: bool = True) -> bytes:
    return ApState(
        cr0=0x80050023 if pe else 0,
        cr3=board.physical(board.ROOT),
        cr4=board.CR4,
        eip=board.KERNEL_LANDING,
        esp=board.STACK,
        cs=board.KERNEL_CS,
        ss=board.KERNEL_DS,
        ds=board.USER_DS,
        es=board.USER_DS,
        gdtr_limit=board.GDT_LIMIT,
        gdtr_base=board.GDT,
        idtr_base=board.IDT,
        idtr_limit=board.IDT_LIMIT,
    ).pack()


def _ap(at: int, apic_id: int, *, pe: bool = True) -> dict[str, object]:
    data = _state(pe=pe)
    return {
        "arguments": {"state": at, "apic_id": apic_id},
        "setup": storing(at, data),
        "expect": stored(at, data),
    }


def _write(register: int, again: int) -> dict[str, object]:
    def expect(bench: Bench, seen: Seen) -> Problems:
        del seen
        found = bench.value("APICRead", register=again)
        if found is not None and found != _VALUE:
            yield Problem("effect", f"register {_TASK_PRIORITY:#x} reads {_VALUE:#x}", number(found))

    return {"arguments": {"register": register, "value": _VALUE}, "expect": expect}


def _read(register: int, again: int) -> dict[str, object]:
    def expect(bench: Bench, seen: Seen) -> Problems:
        if bench.ask("APICWrite", register=again, value=_VALUE) is None:
            return
        del seen
        found = bench.value("APICRead", register=register)
        if found != _VALUE:
            yield Problem("result", number(_VALUE), "nothing" if found is None else number(found))

    return {"arguments": {"register": register}, "expect": expect}


def cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call."""
    return {**_ap_cases(), **_apic_cases(_TASK_PRIORITY, _WIDE | _TASK_PRIORITY, 0xFF0)}


def linear_cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases of a generation that takes linear addresses of the local APIC (vmi-abi.md 9.9)."""
    page = board.LOCAL_APIC
    return {**_ap_cases(), **_apic_cases(page | _TASK_PRIORITY, page | _TASK_PRIORITY, page | 0xFF0)}


def _apic_cases(register: int, other: int, none: int) -> Mapping[str, tuple[Case, ...]]:
    return {
        "APICWrite": (
            positive("task priority", **_write(register, register)),
            boundary("a whole address", **_write(other, register)),
            negative("a register that there is not", arguments={"register": none, "value": ALL}),
        ),
        "APICRead": (
            positive("task priority", **_read(register, register)),
            boundary("a whole address", **_read(other, register)),
            negative("a register that there is not", arguments={"register": none}),
        ),
    }


def _ap_cases() -> Mapping[str, tuple[Case, ...]]:
    last = board.DATA + board.PAGE - ApState.SIZE
    return {
        "SetInitialAPState": (
            positive("a state", **_ap(board.DATA, 1)),
            boundary("its last byte before an unmapped page", **_ap(last, 1)),
            boundary("an odd address", **_ap(board.DATA + 1, 0)),
            negative("a CR0 without PE and PG", **_ap(board.DATA, 2, pe=False)),
            negative("a processor that there is not", **_ap(board.DATA, ALL)),
        ),
    }
