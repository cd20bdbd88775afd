# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Halt, reboot, shutdown (vmi-abi.md 4.8)."""

from __future__ import annotations

from collections.abc import Mapping

from .. import board
from ..bench import Bench
from ..case import ALWAYS, Case, Problem, Problems, boundary, negative, positive
from ..seen import GENERAL_PROTECTION, IF, End, Seen
from .common import ALL

_CHANGES = frozenset({"if"})
_LAST_RESORT = frozenset(range(32)) - {14}
"""A reboot may end in faults on purpose: their last is the CPU's own reset."""
_ANY = ((board.IDT, board.PAGE), (board.TSS, board.PAGE))


def _waits(bench: Bench, seen: Seen) -> Problems:
    del bench
    if "hlt-on" not in seen.events:
        yield Problem("effect", "a wait with interrupts on", "none")
    elif seen.open_at_halt > 1:
        yield Problem("atomic", "HLT right after STI", f"{seen.open_at_halt - 1} instructions between them")


def _is_off(bench: Bench, seen: Seen) -> Problems:
    del bench
    if "hlt-on" in seen.events:
        yield Problem("effect", "a halt with interrupts off", "a halt with interrupts on")


def _resets(bench: Bench, seen: Seen) -> Problems:
    del bench
    limit = seen.after["idtr"] & 0xFFFF
    if seen.end is End.OFF and not seen.ports:
        yield Problem("effect", "a reset", "a halt, and no port was asked for one")
    elif seen.end is End.FAULT and limit == seen.before["idtr"] & 0xFFFF:
        yield Problem("effect", "a reset", f"{seen.says()}, which the guest's own table has a gate for")


def cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call."""
    halt = {"expect": _waits, "changes": _CHANGES}
    free = frozenset("*")
    reboot = {"expect": _resets, "faults": _LAST_RESORT | {GENERAL_PROTECTION}, "changes": free, "writes": _ANY}
    off = {"expect": _is_off, "changes": free}
    return {
        "Halt": (
            positive("interrupts are off", **halt),
            boundary("interrupts are on", **halt),
            negative("registers and flags that must not matter", **halt),
        ),
        "Reboot": (
            positive("soft", arguments={"how": 0}, **reboot),
            boundary("hard", arguments={"how": 1}, **reboot),
            negative("neither", arguments={"how": ALL}, **reboot),
        ),
        "Shutdown": (
            positive("interrupts are on", flags=ALWAYS | IF, **off),
            boundary("interrupts are off", flags=ALWAYS, **off),
            negative("something that can't be masked wakes it", flags=ALWAYS | IF, wakes=3, **off),
        ),
    }
