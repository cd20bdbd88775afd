# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The CPU that makes a call, as the method that answers it sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..abi import Call
from ..abi.wire import WireMailbox
from ..errors import UsageError
from ..trace.event import JUMPS
from ..trace.symbols import NO_CALLER
from .memory import GuestMemory, GuestMemoryError

if TYPE_CHECKING:
    from .guest import Guest
    from .tasks import Task

WORD: Final = {name: offset // 4 for name, offset in WireMailbox.OFFSETS.items()}
"""Index of each field of a mailbox, in words of 32 bits."""
_DEEP: Final = 512
_GLUE: Final = ("vmi_", "paravirt_", "native_", "pv_", "0x")


class Vcpu:
    """A CPU of the guest during a call: where it came from, its registers as passed, its memory.

    Valid while the method runs; afterwards the CPU has gone on.

    Args:
        index: of the CPU, from 0.
        words: memory that holds its mailbox, as 32-bit words.
        first: index of the mailbox's first word.
        memory: makes the memory as seen with a CR3; None where there is none (a recorded call).
        guest: what is known about the guest's kernel; None where nothing is.
    """

    __slots__ = ("_call", "_first", "_memory", "_words", "guest", "index")

    def __init__(
        self,
        index: int,
        words: memoryview[int],
        first: int = 0,
        memory: Callable[[int], GuestMemory] | None = None,
        guest: Guest | None = None,
    ) -> None:
        self.index = index
        self.guest = guest
        self._words = words
        self._first = first
        self._memory = memory
        self._call: Call | None = None

    def register(self, name: str) -> int:
        """Return a field of the mailbox: eax, ebx, ecx, edx, esi, edi, ebp, esp, eflags, cr3, s1, s2, caller, call.

        Raises:
            UsageError: there is no such register.
        """
        if name not in WORD:
            raise UsageError("no such register of a call", where=name, help=f"one of {', '.join(WORD)}")
        return self._words[self._first + WORD[name]]

    @property
    def call(self) -> Call:
        """The call that is being made."""
        return Call(self._words[self._first + WORD["call"]]) if self._call is None else self._call

    def during(self, call: Call) -> Vcpu:
        """Return this CPU while it makes ``call``, whatever number stands in the mailbox."""
        calling = Vcpu(self.index, self._words, self._first, self._memory, self.guest)
        calling._call = call
        return calling

    @property
    def caller(self) -> int:
        """The guest's code address after the call; IRET and SYSEXIT are jumps: what is on the stack there."""
        return self._words[self._first + WORD["caller"]]

    @property
    def cr3(self) -> int:
        """Root of the page tables in use."""
        return self._words[self._first + WORD["cr3"]]

    def _is_jump(self) -> bool:
        return self.call in JUMPS

    @property
    def where(self) -> str:
        """The caller as ``function+0x12``, or its address where symbols are not known; ``(no caller)`` of a jump."""
        if self._is_jump():
            return NO_CALLER
        return f"{self.caller:#010x}" if self.guest is None else self.guest.symbols.place(self.caller)

    @property
    def function(self) -> str:
        """The function that the call is made for: the nearest on the stack that is not Linux's glue to the interface.

        Its name alone, or an address where symbols are not known.
        """
        names = self.stack(8) or [NO_CALLER]
        return next((name for name in names if not name.startswith(_GLUE)), names[0])

    def stack(self, depth: int = 16) -> list[str]:
        """Return the functions on the stack, the caller first: where words look like return addresses.

        IRET and SYSEXIT have no caller.

        There is nothing in a kernel without frame pointers that would make this certain: a function that has returned
        may still be there.
        """
        jump = self._is_jump()
        if self.guest is None:
            return [] if jump else [f"{self.caller:#010x}"]
        symbols = self.guest.symbols
        found = [] if jump else [symbols.function(self.caller)]
        esp, memory = self.register("esp"), self.memory
        try:
            # up to the end of a page: the stack may end there
            data = memory.read(esp, min(_DEEP, -esp % 4096 or _DEEP))
        except GuestMemoryError:
            return found
        for at in range(4 - esp % 4 if esp % 4 else 4, len(data) - 3, 4):
            word = int.from_bytes(data[at : at + 4], "little")
            if len(found) < depth and symbols.find(word - 1) is not None and _after_call(memory, word):
                found.append(symbols.function(word))
        return found

    @property
    def task(self) -> Task | None:
        """Which process makes the call; None where that can't be told."""
        return None if self.guest is None else self.guest.task(self.register("esp"))

    @property
    def memory(self) -> GuestMemory:
        """The guest's memory as this CPU sees it.

        Raises:
            UsageError: this is a recorded call; its memory is gone.
        """
        if self._memory is None:
            raise UsageError("a recorded call has no memory")
        return self._memory(self.cr3)


def _after_call(memory: GuestMemory, address: int) -> bool:
    """Say whether the instruction before ``address`` may be a call (Intel SDM 2A, CALL: E8, or FF with /2)."""
    try:
        code = memory.read(address - 7, 7)
    except GuestMemoryError:
        return False
    return code[2] == 0xE8 or any(code[-n] == 0xFF and code[1 - n] >> 3 & 7 == 2 for n in (2, 3, 4, 6, 7))
