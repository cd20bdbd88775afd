# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rules may see of the guest's memory: physical bytes, from a function that may know nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

Read = Callable[[int, int], "bytes | None"]
"""Takes a physical address and a length; None where there is no RAM, or nothing is known."""

PAGE: Final = 4096
PRESENT: Final = 1
LARGE: Final = 0x80
_FRAME: Final = 0x000FFFFF_FFFFF000


def nothing(address: int, length: int) -> bytes | None:
    """Know nothing: the memory of a recorded run."""
    del address, length
    return None


class Sight:
    """The guest's memory, as far as it is known.

    Args:
        read: see :data:`Read`.
    """

    __slots__ = ("_read",)

    def __init__(self, read: Read = nothing) -> None:
        self._read = read

    def physical(self, address: int, length: int) -> bytes | None:
        """Return memory by physical address."""
        found = self._read(address, length)
        return found if found is not None and len(found) == length else None

    def page(self, frame: int) -> bytes | None:
        """Return a whole page."""
        return self.physical(frame * PAGE, PAGE)

    def number(self, address: int, size: int) -> int | None:
        """Return a number of ``size`` bytes by physical address."""
        found = self.physical(address, size)
        return None if found is None else int.from_bytes(found, "little")

    def translate(self, cr3: int, address: int, *, pae: bool) -> int | None:
        """Return the physical address of a linear one; None where nothing is mapped, or known."""
        entry = self.leads_to(cr3, address, pae=pae)
        if entry is None:
            return None
        size = 8 if pae else 4
        upper = self.number(entry, size)
        if upper is None or not upper & PRESENT:
            return None
        if upper & LARGE:
            span = (1 << 21 if pae else 1 << 22) - 1
            return (upper & _FRAME & ~span) + (address & span)
        lower = self.number((upper & _FRAME) + (address >> 12 & PAGE // size - 1) * size, size)
        return None if lower is None or not lower & PRESENT else (lower & _FRAME) + address % PAGE

    def leads_to(self, cr3: int, address: int, *, pae: bool) -> int | None:
        """Return the physical address of the directory entry that decides about a linear address."""
        if not pae:
            return (cr3 & 0xFFFFF000) + (address >> 22) * 4
        root = self.number((cr3 & 0xFFFFFFE0) + (address >> 30) * 8, 8)
        return None if root is None or not root & PRESENT else (root & _FRAME) + (address >> 21 & 511) * 8

    def linear(self, cr3: int, address: int, length: int, *, pae: bool) -> bytes | None:
        """Return memory by linear address, across pages."""
        pieces = []
        while length > 0:
            piece = min(length, PAGE - address % PAGE)
            physical = self.translate(cr3, address, pae=pae)
            found = None if physical is None else self.physical(physical, piece)
            if found is None:
                return None
            pieces.append(found)
            address = address + piece & 0xFFFFFFFF
            length -= piece
        return b"".join(pieces)

    def directories(self, cr3: int, *, pae: bool) -> Iterator[int]:
        """Yield the frames of the directories below a PAE root; without PAE the root's own."""
        if not pae:
            yield cr3 >> 12
            return
        for index in range(4):
            entry = self.number((cr3 & 0xFFFFFFE0) + 8 * index, 8)
            if entry is not None and entry & PRESENT:
                yield (entry & _FRAME) >> 12

    def tables(self, directory: int, *, pae: bool) -> Iterator[tuple[int, int]]:
        """Yield the entries of a directory that lead to tables: physical address of the entry, frame of the table."""
        content, size = self.page(directory), 8 if pae else 4
        if content is None:
            return
        for at in range(0, PAGE, size):
            entry = int.from_bytes(content[at : at + size], "little")
            if entry & PRESENT and not entry & LARGE:
                yield directory * PAGE + at, (entry & _FRAME) >> 12
