# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A CPU of a guest of ``ring``, as the method sees it that answers an exit: as for a call, and all its registers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ...abi import wire
from ...abi.wire import RingExit, RingFrame
from ...errors import UsageError
from ..vcpu import Vcpu

if TYPE_CHECKING:
    from ..link import Link

_VM: Final = 1 << 17
_KERNEL: Final = 1
_VM_WORDS: Final = 16  # bytes of segment registers behind a frame from virtual 8086 mode


class Frame(Mapping[str, int]):
    """The guest's registers in the monitor's memory, by name; what is written there the guest goes on with.

    The monitor looks at it again before it believes it: selectors keep a privilege level, EFLAGS its IF and IOPL.

    Args:
        words: the device's memory as 32-bit words.
        cpu: index of the CPU.
    """

    __slots__ = ("_first", "_words")

    def __init__(self, words: memoryview[int], cpu: int) -> None:
        self._words = words
        end = wire.RING_CPUS_OFFSET + cpu * wire.RING_CPU_SIZE + wire.RING_CPU_STACK
        self._first = (end - RingFrame.SIZE) // 4
        if self._words[self._first + RingFrame.OFFSETS["eflags"] // 4 - _VM_WORDS // 4] & _VM:
            self._first -= _VM_WORDS // 4

    def __getitem__(self, name: str) -> int:
        return self._words[self._first + self._place(name)]

    def __setitem__(self, name: str, value: int) -> None:
        self._words[self._first + self._place(name)] = value & 0xFFFFFFFF

    def __iter__(self) -> Iterator[str]:
        return iter(RingFrame.OFFSETS)

    def __len__(self) -> int:
        return len(RingFrame.OFFSETS)

    @staticmethod
    def _place(name: str) -> int:
        if name not in RingFrame.OFFSETS:
            raise UsageError("no such register of a frame", where=name, help=f"one of {', '.join(RingFrame.OFFSETS)}")
        return RingFrame.OFFSETS[name] // 4


class RingVcpu(Vcpu):
    """A CPU during an exit; valid while the method runs.

    Args:
        link: to the guest.
        calling: the CPU, as for calls.
        leaving: the exit.
    """

    __slots__ = ("_link", "leaving")

    def __init__(self, link: Link, calling: Vcpu, leaving: RingExit) -> None:
        super().__init__(calling.index, calling._words, calling._first, calling._memory, calling.guest)  # noqa: SLF001
        self._link = link
        self.leaving = leaving

    def _is_jump(self) -> bool:
        return False  # the instruction itself is where it is

    @property
    def frame(self) -> Frame:
        """All registers of the guest; may be changed."""
        return Frame(self._link.words, self.index)

    @property
    def is_kernel(self) -> bool:
        """Whether the guest's kernel was left, not a program."""
        frame = self.frame
        return not frame["eflags"] & _VM and frame["cs"] & 3 <= _KERNEL + 1
