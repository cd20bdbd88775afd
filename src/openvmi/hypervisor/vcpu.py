# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The CPU that makes a call, as the method that answers it sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..abi import Call
from ..abi.wire import WireMailbox
from ..errors import UsageError
from .memory import GuestMemory

WORD: Final = {name: offset // 4 for name, offset in WireMailbox.OFFSETS.items()}
"""Index of each field of a mailbox, in words of 32 bits."""


class Vcpu:
    """A CPU of the guest during a call: where it came from, its registers as passed, its memory.

    Valid while the method runs; afterwards the CPU has gone on.

    Args:
        index: of the CPU, from 0.
        words: memory that holds its mailbox, as 32-bit words.
        first: index of the mailbox's first word.
        memory: makes the memory as seen with a CR3; None where there is none (a recorded call).
    """

    __slots__ = ("_first", "_memory", "_words", "index")

    def __init__(
        self, index: int, words: memoryview[int], first: int = 0, memory: Callable[[int], GuestMemory] | None = None
    ) -> None:
        self.index = index
        self._words = words
        self._first = first
        self._memory = memory

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
        return Call(self._words[self._first + WORD["call"]])

    @property
    def caller(self) -> int:
        """The guest's code address after the call; IRET and SYSEXIT are jumps: what is on the stack there."""
        return self._words[self._first + WORD["caller"]]

    @property
    def cr3(self) -> int:
        """Root of the page tables in use."""
        return self._words[self._first + WORD["cr3"]]

    @property
    def memory(self) -> GuestMemory:
        """The guest's memory as this CPU sees it.

        Raises:
            UsageError: this is a recorded call; its memory is gone.
        """
        if self._memory is None:
            raise UsageError("a recorded call has no memory")
        return self._memory(self.cr3)
