# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes calls of one ROM in one PC: arguments to their places, the stack, the way in that the ROM has asked for."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ...abi import RelocType
from ...abi.model import REGISTERS, STACK_SLOTS, Interface
from . import board
from .case import ALWAYS, Case, Contract, result
from .model import Kind
from .pc import Pc
from .seen import ARITHMETIC, IF, NO_VECTOR, End, Seen

PATTERN: Final = {name: 0xA1A1A1A1 + 0x01010101 * number for number, name in enumerate(REGISTERS)}
"""What registers hold that carry no argument."""
ABOVE: Final = 0x5A5A5A5A
_RETURNS: Final = {
    board.RETURN: End.RETURNED,
    board.KERNEL_LANDING: End.LANDED,
    board.USER_LANDING: End.LANDED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A relocation: ``eip`` and the type's number; ``reserved`` are bits 40 to 63."""

    eip: int
    kind: int
    reserved: int = 0

    @property
    def callable(self) -> bool:
        """Whether there is code to enter."""
        return self.kind in {RelocType.CALL_REL, RelocType.JUMP_REL}

    def __str__(self) -> str:
        known = next((kind.name for kind in RelocType if kind == self.kind), f"type {self.kind:#x}")
        return f"{known} {self.eip:#010x}" if self.callable or self.eip else known


class Bench:
    """A PC, the ROM's answers, and the tables.

    Args:
        pc: with the ROM in its window.
        tables: of the ROM's generation.
        answers: by number, for :meth:`ask`.

    Attributes:
        asked: what the ROM itself said of each number, where it was asked.
    """

    def __init__(self, pc: Pc, tables: Interface, answers: Mapping[int, Answer]) -> None:
        self.pc = pc
        self.tables = tables
        self.answers = dict(answers)
        self.asked: Mapping[int, Answer] = {}

    def enter(self, contract: Contract, answer: Answer, case: Case, *, poisoned: bool = True) -> Seen:
        """Call the code at ``answer`` as ``case`` says, from the PC's present state.

        Args:
            contract: what is called.
            answer: where it is, and how it wants to be entered.
            case: arguments, flags, stack.
            poisoned: the segments that are not promised lead nowhere.
        """
        if not self.pc.segments(poisoned=poisoned, data=contract.flat):
            return Seen(self.pc.state(), self.pc.state(), End.FAULT, NO_VECTOR, reason="segments that can't be loaded")
        registers, slots = self._arguments(contract, case)
        jumped = answer.kind == RelocType.JUMP_REL
        words = [*([] if jumped else [board.RETURN]), *case.frame, *slots]
        esp = board.STACK - 4 * len(words)
        self.pc.write(board.STACK, struct.pack("<I", ABOVE) * ((board.STACK_END - board.STACK) // 4))
        self.pc.write(esp, struct.pack(f"<{len(words)}I", *words))
        self.pc.set(**registers, esp=esp, eflags=case.eflags)
        return self.pc.run(answer.eip, _RETURNS, wakes=case.wakes)

    def _arguments(self, contract: Contract, case: Case) -> tuple[dict[str, int], list[int]]:
        registers, slots = dict(PATTERN), dict.fromkeys(STACK_SLOTS, 0)
        used = 0
        for argument in contract.takes:
            value = case.arguments.get(argument.name, 0)
            for half, place in enumerate(argument.at):
                word = value >> 32 * half & 0xFFFFFFFF
                if place in slots:
                    slots[place], used = word, max(used, 1 + STACK_SLOTS.index(place))
                elif place in registers:
                    registers[place] = word
        return registers, list(slots.values())[:used]

    def ask(self, name: str, **arguments: int) -> Seen | None:
        """Make another call in the PC's present state, if the ROM serves it; None if it doesn't, or can't here."""
        spec = self.tables.call(name)
        answer = self.answers.get(spec.number)
        if answer is None or answer.kind != RelocType.CALL_REL:
            return None
        flags = ALWAYS | (self.pc.get("eflags") & (IF | ARITHMETIC))
        case = Case(Kind.POSITIVE, name, arguments, flags=flags)
        seen = self.enter(Contract.of_call(spec), answer, case)
        return seen if seen.end is End.RETURNED else None

    def value(self, name: str, **arguments: int) -> int | None:
        """Return the first result of another call, None if the ROM doesn't serve it."""
        seen = self.ask(name, **arguments)
        return None if seen is None else result(seen, self.tables.call(name).gives[0])

    def sees(self, expected: int, native: Callable[[], int], getter: str, mask: int = 0xFFFFFFFF) -> int | None:
        """Return what the guest sees in place of ``expected``; None if that is what it sees.

        It sees it if the CPU has it, or if the ROM, which may keep state of its own, answers it.
        """
        found = native()
        if found & mask == expected & mask:
            return None
        answered = self.value(getter)
        if answered is None:
            return found
        return None if answered & mask == expected & mask else answered
