# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known about a guest as a kernel: its symbols, its tasks, its memory.

Symbols come from the first of these that has any: a file that the user names; the kernel itself, when it is an ELF (the
bundled ones are); ``System.map`` or ``vmlinux`` beside the kernel, if the guest's own table does not contradict it; the
guest's own table (kallsyms), read from its RAM.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import InputError
from ..trace.symbols import SymbolTable, load_symbols
from .kallsyms import find_kallsyms
from .memory import GuestMemory
from .tasks import BundledTasks, LinuxTasks

if TYPE_CHECKING:
    from .link import Link
    from .tasks import Task

_IMAGE: Final = 48 << 20  # physical memory in which a kernel's image ends
_MIB: Final = 1 << 20
_AGREES: Final = 0.9
_BESIDE: Final = ("System.map", "vmlinux")


class Guest:
    """The guest of one machine. Everything is found out when it is first asked for, while the guest waits.

    Args:
        memory: makes the memory as seen with a CR3.
        kernel: the kernel's file; None when there is none.
        link: the link, to have the guest wait for as long as it takes; None when nobody waits.
        symbol_file: where symbols are to come from; None for wherever there are some.
    """

    def __init__(
        self,
        memory: Callable[[int], GuestMemory],
        kernel: Path | None = None,
        link: Link | None = None,
        symbol_file: Path | None = None,
    ) -> None:
        self.memory_of = memory
        self.symbol_file = symbol_file
        self._kernel = kernel
        self._link = link
        self._lock = threading.RLock()
        self._symbols: SymbolTable | None = None
        self._source = ""
        self._tasks: LinuxTasks | BundledTasks | None = None
        self._image: bytes | None = None

    @property
    def symbols(self) -> SymbolTable:
        """The kernel's functions; empty where none are known.

        Raises:
            InputError: the file that the user named holds none.
        """
        if self._symbols is None:
            with self._lock, self._held():
                if self._symbols is None:
                    self._symbols = self._load()
        return self._symbols

    @property
    def symbols_from(self) -> str:
        """Where :attr:`symbols` come from: a file's name, ``the guest's kallsyms``, or nothing."""
        return self._source if len(self.symbols) else ""

    def physical(self, address: int, length: int) -> bytes:
        """Return physical memory; errors as :meth:`GuestMemory.physical`."""
        return self.memory_of(0).physical(address, length)

    def task(self, esp: int) -> Task | None:
        """Return the task on whose kernel stack ``esp`` is; None where that can't be told."""
        if self._tasks is None:
            with self._lock, self._held():
                if self._tasks is None:
                    self._tasks = self._find_tasks()
        return self._tasks.current(esp)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Have the guest wait without limit."""
        with nullcontext() if self._link is None else self._link.hold:
            yield

    def _load(self) -> SymbolTable:
        if self.symbol_file is not None:
            self._source = str(self.symbol_file)
            return load_symbols(self.symbol_file)
        if self._kernel is not None and _is_elf(self._kernel):
            table = _quietly(self._kernel)
            if len(table):
                self._source = str(self._kernel)
                return table
        own = SymbolTable(find_kallsyms(self._kernel_image()))
        for file in beside(self._kernel):
            table = _quietly(file)
            if len(table) and _agree(own, table):
                self._source = str(file)
                return table
        self._source = "the guest's kallsyms"
        return own

    def _kernel_image(self) -> bytes:
        """Return the physical memory from 0 that the kernel's image lies in."""
        if self._image is None:
            pieces = []
            for start in range(0, _IMAGE, _MIB):
                try:
                    # the hole for devices below 1 MiB does not matter here
                    pieces.append(self.physical(start, _MIB) if start else bytes(_MIB))
                except InputError:
                    break
            self._image = b"".join(pieces)
        return self._image

    def _find_tasks(self) -> LinuxTasks | BundledTasks:
        found = None if self._kernel is None or not _is_elf(self._kernel) else _object_of(self._kernel, "processes")
        if found is not None:
            return BundledTasks(self.physical, *found)
        tasks = LinuxTasks(self.physical, self._kernel_image())
        self._image = None
        return tasks


def _is_elf(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(4) == b"\x7fELF"
    except OSError:
        return False


def _quietly(file: Path) -> SymbolTable:
    try:
        return load_symbols(file)
    except InputError:
        return SymbolTable()


def beside(kernel: Path | None) -> Iterator[Path]:
    """Yield the files beside a kernel that may hold its symbols: System.map-2.6.32 for vmlinuz-2.6.32."""
    if kernel is None:
        return
    _, dash, version = kernel.name.partition("-")
    for name in _BESIDE:
        for file in (kernel.with_name(name + dash + version), kernel.with_name(name)):
            if file.is_file():
                yield file


def _agree(own: SymbolTable, other: SymbolTable) -> bool:
    """Say whether two tables may be of one kernel; an empty one agrees with everything."""
    there = dict(other)
    same = sum(there.get(address) == name for address, name in own)
    # an address may have several names: the tables need not choose the same
    return same >= _AGREES * len(own)


def _object_of(file: Path, name: str) -> tuple[int, int] | None:
    """Return address and size of an object in an ELF that we have built."""
    from elftools.common.exceptions import ELFError  # noqa: PLC0415 - slow, and only this needs it
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415
    from elftools.elf.sections import SymbolTableSection  # noqa: PLC0415

    try:
        with file.open("rb") as stream:
            table = ELFFile(stream).get_section_by_name(".symtab")
            found = table.get_symbol_by_name(name) if isinstance(table, SymbolTableSection) else None
            return (found[0].entry.st_value, found[0].entry.st_size) if found else None
    except (ELFError, OSError):
        return None
