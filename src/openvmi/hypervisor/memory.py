# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's memory by physical and by linear address, by the CPU's own walk (Intel SDM 3A, 4.3 and 4.4).

Everything is a copy, and may have been changed by another CPU meanwhile: copy once, then look.
"""

from __future__ import annotations

from typing import Protocol

from ..errors import InputError, UsageError

PAGE = 4096
_PRESENT = 1
_LARGE = 0x80
_ADDRESS = 0x000FFFFF_FFFFF000
_FOUR_GIB = 1 << 32


class PhysicalMemory(Protocol):
    """Guest RAM by physical address; :class:`openvmi.machine.GuestRam` is one."""

    def read(self, address: int, length: int) -> bytes:
        """Return a copy; raise UsageError where there is no RAM."""

    def write(self, address: int, data: bytes) -> None:
        """Write; raise UsageError where there is no RAM."""


class GuestMemory:
    """Checked access to a guest's memory under one set of page tables.

    Args:
        ram: the guest's RAM.
        cr3: root of the page tables.
        pae: three levels with 64-bit entries.
    """

    __slots__ = ("_cr3", "_pae", "_ram")

    def __init__(self, ram: PhysicalMemory, cr3: int, *, pae: bool) -> None:
        self._ram = ram
        self._cr3 = cr3
        self._pae = pae

    def physical(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes at physical ``address``.

        Raises:
            InputError: they are not all RAM.
        """
        try:
            return self._ram.read(address, length)
        except UsageError as error:
            raise InputError(f"no RAM at physical {address:#x} ({length} bytes)") from error

    def translate(self, address: int) -> int:
        """Return the physical address of linear ``address`` (0 to 2^32-1).

        Raises:
            InputError: nothing is mapped there, or the page tables lead out of RAM.
        """
        if not 0 <= address < _FOUR_GIB:
            raise InputError(f"not a linear address: {address:#x}")
        return self._walk_pae(address) if self._pae else self._walk(address)

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes at linear ``address``; errors as :meth:`translate`."""
        pieces = []
        while length > 0:
            piece = min(length, PAGE - address % PAGE)
            pieces.append(self.physical(self.translate(address), piece))
            address += piece
            length -= piece
        return b"".join(pieces)

    def write(self, address: int, data: bytes) -> None:
        """Write ``data`` at linear ``address``, whatever the page's protection; errors as :meth:`translate`.

        TCG does not notice changes of code that it has translated: change data.
        """
        while data:
            piece = data[: PAGE - address % PAGE]
            physical = self.translate(address)
            try:
                self._ram.write(physical, piece)
            except UsageError as error:
                raise InputError(f"no RAM at physical {physical:#x}") from error
            address += len(piece)
            data = data[len(piece) :]

    def u32(self, address: int) -> int:
        """Return the 32-bit number at linear ``address``; errors as :meth:`translate`."""
        return int.from_bytes(self.read(address, 4), "little")

    def string(self, address: int, limit: int = 256) -> str:
        """Return the NUL-ended text at linear ``address``, at most ``limit`` bytes; errors as :meth:`translate`."""
        found = bytearray()
        while len(found) < limit:
            piece = min(limit - len(found), PAGE - (address + len(found)) % PAGE)
            text, end, _ = self.read(address + len(found), piece).partition(b"\0")
            found += text
            if end:
                break
        return found.decode("utf-8", "replace")

    def _entry(self, table: int, index: int, size: int) -> int:
        entry = int.from_bytes(self.physical(table + index * size, size), "little")
        if not entry & _PRESENT:
            raise InputError("nothing is mapped there")
        return entry

    def _walk(self, address: int) -> int:
        entry = self._entry(self._cr3 & 0xFFFFF000, address >> 22, 4)
        if entry & _LARGE:
            # PSE-36: bits 13-20 are address bits 32-39
            return (entry & 0xFFC00000) + (address & 0x3FFFFF) + ((entry >> 13 & 0xFF) << 32)
        entry = self._entry(entry & 0xFFFFF000, address >> 12 & 0x3FF, 4)
        return (entry & 0xFFFFF000) + (address & 0xFFF)

    def _walk_pae(self, address: int) -> int:
        entry = self._entry(self._cr3 & 0xFFFFFFE0, address >> 30, 8)
        entry = self._entry(entry & _ADDRESS, address >> 21 & 0x1FF, 8)
        if entry & _LARGE:
            return (entry & _ADDRESS & ~0x1FFFFF) + (address & 0x1FFFFF)
        entry = self._entry(entry & _ADDRESS, address >> 12 & 0x1FF, 8)
        return (entry & _ADDRESS) + (address & 0xFFF)
