# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which process of the guest makes a call.

Linux on i386, 2.6.21 to 2.6.36: at the bottom of each kernel stack lies a ``thread_info`` whose first word is the task,
and the task's second word is that stack (include/linux/sched.h, arch/x86/include/asm/thread_info.h); each proves the
other. Where else things are in a task depends on the kernel's configuration, so it is found out: the first task is
called ``swapper`` and lies in the kernel's image; the list of all tasks begins with it and goes on with processes 1 and
2.

The bundled guest: a table of processes, each with its number and its kernel stack.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ..errors import InputError

PAGE_OFFSET: Final = 0xC0000000
_FIRST_NAME: Final = b"swapper".ljust(16, b"\0")
_STACK_SIZES: Final = (0x1000, 0x2000)
_LARGEST_TASK: Final = 0x1000
_MOST_HITS: Final = 64
_WORD: Final = (1 << 32) - 1

Read = Callable[[int, int], bytes]
"""Returns bytes at a physical address, or raises InputError."""


@dataclass(frozen=True, slots=True)
class Task:
    """A process or thread of the guest.

    Args:
        pid: its number; None while that can't be told (before there are three tasks).
        comm: its name, as in ``ps``; empty where the guest has none.
        address: of its record in the guest's memory.
    """

    pid: int | None
    comm: str
    address: int

    def __str__(self) -> str:
        return f"{self.comm or 'process'}[{'?' if self.pid is None else self.pid}]"


class LinuxTasks:
    """Finds out where a Linux keeps its tasks, and reads them.

    Args:
        read: reads physical memory.
        image: the physical memory from 0 that holds the kernel's image.
    """

    def __init__(self, read: Read, image: bytes) -> None:
        self._read = read
        self._comm = 0
        self._pid: int | None = None
        self._asked = 0
        self._first = self._find_first(image)

    @property
    def known(self) -> bool:
        """Whether this is a Linux of the kind that can be read."""
        return self._first != 0

    def current(self, esp: int) -> Task | None:
        """Return whose kernel stack ``esp`` is in; None where that can't be told."""
        if not self._first:
            return None
        try:
            address = self._on_stack(esp)
            return None if address is None else self._task(address)
        except InputError:
            return None

    def _word(self, address: int) -> int:
        """Return a word of the kernel's directly mapped memory."""
        return int.from_bytes(self._read(address - PAGE_OFFSET, 4), "little")

    def _on_stack(self, esp: int) -> int | None:
        for size in _STACK_SIZES:
            bottom = esp & ~(size - 1) & _WORD
            if bottom >= PAGE_OFFSET:
                task = self._word(bottom)
                if task >= PAGE_OFFSET and task % 4 == 0 and self._word(task + 4) == bottom:
                    return task
        # an interrupt's own stack has a thread_info that names the task, too
        task = self._word(esp & ~(_STACK_SIZES[0] - 1) & _WORD)
        return task if self._is_task(task) else None

    def _is_task(self, task: int) -> bool:
        try:
            stack = self._word(task + 4) if task >= PAGE_OFFSET and task % 4 == 0 else 0
            return stack >= PAGE_OFFSET and stack % _STACK_SIZES[0] == 0 and self._word(stack) == task
        except InputError:
            return False

    def _task(self, address: int) -> Task:
        comm = self._read(address + self._comm - PAGE_OFFSET, 16).partition(b"\0")[0]
        name = "".join(char if char.isprintable() else "?" for char in comm.decode("ascii", "replace"))
        if address == self._first:
            return Task(0, name, address)
        if self._pid is None:
            self._asked += 1
            if self._asked & (self._asked - 1) == 0:  # less and less often
                self._pid = self._find_pid()
        return Task(None if self._pid is None else self._word(address + self._pid), name, address)

    def _find_first(self, image: bytes) -> int:
        """Return the address of the first task, which lies in the kernel's image, and note where its name is."""
        at = -1
        for _ in range(_MOST_HITS):
            at = image.find(_FIRST_NAME, at + 1)
            if at < 0:
                return 0
            start = max(0, at - _LARGEST_TASK) & ~3 | at & 3
            words = [word for (word,) in struct.iter_unpack("<I", image[start : at - (at - start) % 4])]
            for index in range(len(words) - 2, -1, -1):
                base, stack = start + 4 * index, words[index + 1]
                inside = PAGE_OFFSET <= stack <= PAGE_OFFSET + len(image) - 4 and stack % _STACK_SIZES[0] == 0
                bottom = stack - PAGE_OFFSET
                if inside and image[bottom : bottom + 4] == struct.pack("<I", base + PAGE_OFFSET & _WORD):
                    self._comm = at - base
                    return base + PAGE_OFFSET
        return 0

    def _find_pid(self) -> int | None:
        """Return the offset of ``pid`` in a task: 0, 1, 2 in the first three, and ``tgid`` behind it is the same."""
        try:
            for tasks in self._lists():
                records = [self._read(task - PAGE_OFFSET, self._comm) for task in tasks]
                for at in range(8, self._comm - 7, 4):
                    if all(record[at : at + 8] == struct.pack("<II", i, i) for i, record in enumerate(records)):
                        return at
        except InputError:
            return None
        return None

    def _lists(self) -> Iterator[list[int]]:
        """Yield the first three tasks of what may be the list of all tasks."""
        record = self._read(self._first - PAGE_OFFSET, self._comm)
        for at in range(8, self._comm - 7, 4):
            tasks = [self._first]
            link = int.from_bytes(record[at : at + 4], "little")
            while len(tasks) < 3 and link - at not in tasks and self._is_task(link - at):
                tasks.append(link - at)
                link = self._word(link)
            if len(tasks) == 3:
                yield tasks


class BundledTasks:
    """Reads the bundled guest's table of processes (``guest/kernel/process.h``).

    Args:
        read: reads physical memory.
        table: address of ``processes``.
        size: bytes of it.
    """

    SLOTS: Final = 64
    STACK_SIZE: Final = 0x2000
    _PID: Final = 12
    _STACK: Final = 28

    def __init__(self, read: Read, table: int, size: int) -> None:
        self._read = read
        self._table = table
        self._each = size // self.SLOTS

    def current(self, esp: int) -> Task | None:
        """Return whose kernel stack ``esp`` is in; None: the boot's or an idle CPU's."""
        try:
            data = self._read(self._table - PAGE_OFFSET, self._each * self.SLOTS)
        except InputError:
            return None
        for slot in range(self.SLOTS):
            pid, state = (int.from_bytes(data[slot * self._each + at :][:4], "little") for at in (self._PID, 8))
            stack = int.from_bytes(data[slot * self._each + self._STACK :][:4], "little")
            if state and stack and 0 < esp - stack <= self.STACK_SIZE:
                return Task(pid, "", self._table + slot * self._each)
        return None
