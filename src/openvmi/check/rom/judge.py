# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for every call, whatever it does: registers, flags, segments, stack, memory, system state."""

from __future__ import annotations

from typing import Final

from ...abi.model import REGISTERS, STACK_SLOTS
from . import board
from .case import Case, Contract, Problem, Problems
from .pc import SEGMENTS, SYSTEM
from .seen import ARITHMETIC, IF, IOPL, SYSTEM_FLAGS, End, Seen

EVERYTHING: Final = frozenset("*")
_MOST: Final = 4


def judge(contract: Contract, case: Case, seen: Seen, virtual_top: int = 0) -> Problems:
    """Yield what a call did that none may do; the root's entries from ``virtual_top`` on are the hypervisor's."""
    wrong = list(_ending(contract, case, seen))
    yield from wrong
    yield from _memory(contract, case, seen, virtual_top)
    if wrong or seen.end is End.FAULT:
        return
    yield from _state(case, seen)
    if seen.end is End.RETURNED:
        yield from _returned(contract, case, seen)


def _ending(contract: Contract, case: Case, seen: Seen) -> Problems:
    if seen.end is End.FAULT and seen.vector not in case.faults:
        yield Problem("fault", "none", seen.says())
    elif seen.end is End.ENDLESS:
        yield Problem("endless", "an end", "it still ran when its instructions were used up")
    elif seen.end is End.RETURNED and not contract.returns:
        yield Problem("returned", "no return", "a return to the caller")
    elif contract.returns and seen.end in {End.LANDED, End.OFF, End.RESET}:
        yield Problem("not-returned", "a return to the caller", seen.says())


def _memory(contract: Contract, case: Case, seen: Seen, virtual_top: int) -> Problems:
    entry = seen.before["esp"]
    count = sum(place in STACK_SLOTS for argument in contract.takes for place in argument.at)
    end_of_arguments = entry + 4 * (1 + count + len(case.frame))
    hole = range(board.ROOT + 4 * (virtual_top >> 22), board.ROOT + board.PAGE) if virtual_top else range(0)
    rom, above, other = [], [], []
    for address in seen.changed:
        if address < board.DIRECT + board.WINDOW_END:
            rom.append(address)
        elif end_of_arguments <= address < board.STACK_END:
            above.append(address)
        elif not (board.STACK_LOW <= address < end_of_arguments or address in hole or _allowed(case, address)):
            other.append(address)
    for rule, found in (("rom-written", rom), ("stack-above", above), ("memory", other)):
        if found:
            yield Problem(rule, "no change", _bytes(found, seen))


def _allowed(case: Case, address: int) -> bool:
    return any(start <= address < start + size for start, size in case.writes)


def _bytes(addresses: list[int], seen: Seen) -> str:
    named = [f"{at:#010x}: {seen.changed[at][0]:02x} -> {seen.changed[at][1]:02x}" for at in addresses[:_MOST]]
    more = f" and {len(addresses) - _MOST} bytes more" if len(addresses) > _MOST else ""
    return ", ".join(named) + more


def _state(case: Case, seen: Seen) -> Problems:
    if case.changes == EVERYTHING:
        return
    for name in SYSTEM:
        old, new = seen.before[name], seen.after[name]
        if old != new and name not in case.changes:
            yield Problem("side-effect", f"{name.upper()} {old:#x}", f"{new:#x}")


def _returned(contract: Contract, case: Case, seen: Seen) -> Problems:
    yield from _registers(contract, seen)
    yield from _flags(contract, case, seen)
    free = 3 if case.changes == EVERYTHING else 0  # vmi_init may change the RPL
    for name in SEGMENTS:
        old, new = seen.before[name], seen.after[name]
        if (old ^ new) & ~free:
            yield Problem("segments-kept", f"{name.upper()} {old:#06x}", f"{new:#06x}")
    expected = seen.before["esp"] + 4
    if seen.after["esp"] != expected:
        yield Problem("stack-balance", f"ESP {expected:#010x}", f"{seen.after['esp']:#010x}")


def _registers(contract: Contract, seen: Seen) -> Problems:
    for name in REGISTERS:
        old, new = seen.before[name], seen.after[name]
        if old != new and name not in contract.clobbers:
            yield Problem("registers", f"{name.upper()} {old:#010x}", f"{new:#010x}")


def _flags(contract: Contract, case: Case, seen: Seen) -> Problems:
    old, new = seen.before["eflags"], seen.after["eflags"]
    if "flags" not in contract.clobbers and (old ^ new) & ARITHMETIC:
        yield Problem("flags", f"{old & ARITHMETIC:#05x}", f"{new & ARITHMETIC:#05x}")
    free = (IF if "if" in case.changes else 0) | (IOPL if "iopl" in case.changes else 0)
    if case.changes != EVERYTHING and (old ^ new) & SYSTEM_FLAGS & ~free:
        yield Problem("system-flags", f"EFLAGS {old & SYSTEM_FLAGS:#08x}", f"{new & SYSTEM_FLAGS:#08x}")
