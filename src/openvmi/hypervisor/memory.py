# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's memory by physical and by linear address, by the CPU's own walk (Intel SDM 3A, 4.3 and 4.4).

All is a copy, and may have been changed by another CPU meanwhile: copy once, then look. What is not RAM (devices,
the hole that openvmi's payload lives in) can't be read: a device would notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from ..errors import InputError, UsageError

PAGE: Final = 4096
_PRESENT: Final = 1
_WRITABLE: Final = 2
_USER: Final = 4
_LARGE: Final = 0x80
_NO_EXECUTE: Final = 1 << 63
_ADDRESS: Final = 0x000FFFFF_FFFFF000
_FOUR_GIB: Final = 1 << 32
_VIDEO: Final = range(0xA0000, 0xC0000)  # RAM behind devices that the guest sees instead


class GuestMemoryError(InputError):
    """An address of the guest can't be read or written.

    Args:
        what: why not.
        address: the address.
        physical: it is a physical one.
    """

    def __init__(self, what: str, address: int, *, physical: bool = False) -> None:
        super().__init__(what, where=f"{'physical ' if physical else ''}{address:#x}")
        self.address = address
        self.physical = physical


class NotMappedError(GuestMemoryError):
    """No page is present at a linear address."""


class NotRamError(GuestMemoryError):
    """There is no RAM at a physical address: nothing, a device, or openvmi's own hole."""


class PhysicalMemory(Protocol):
    """Guest RAM by physical address; :class:`openvmi.machine.GuestRam` is one."""

    def read(self, address: int, length: int) -> bytes:
        """Return a copy; raise UsageError where there is no RAM."""

    def write(self, address: int, data: bytes) -> None:
        """Write; raise UsageError where there is no RAM."""


@dataclass(frozen=True, slots=True)
class Page:
    """What the page tables say about a linear address.

    Args:
        physical: the physical address that it means.
        size: bytes of the page: 4 KiB, 4 MiB, or with PAE 2 MiB.
        entry: the entry that maps it, as it stands in the table.
        writable: by user code, or by a kernel that has WP set; directory and table both allow it.
        user: user code may touch it.
        executable: the NX bit is nowhere set; without PAE always.
    """

    physical: int
    size: int
    entry: int
    writable: bool
    user: bool
    executable: bool


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

    @property
    def pae(self) -> bool:
        """Whether the page tables have three levels, with 64-bit entries."""
        return self._pae

    def physical(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes at physical ``address``.

        Raises:
            NotRamError: they are not all RAM.
        """
        self._check(address, length)
        try:
            return self._ram.read(address, length)
        except UsageError as error:
            raise NotRamError(f"not all of these {length} bytes are RAM", address, physical=True) from error

    def write_physical(self, address: int, data: bytes) -> None:
        """Write ``data`` at physical ``address``; errors as :meth:`physical`."""
        self._check(address, len(data))
        try:
            self._ram.write(address, data)
        except UsageError as error:
            raise NotRamError(f"not all of these {len(data)} bytes are RAM", address, physical=True) from error

    def translate(self, address: int) -> int:
        """Return the physical address of linear ``address`` (0 to 2^32-1).

        Raises:
            NotMappedError: nothing is mapped there.
            NotRamError: the page tables lead out of RAM.
        """
        return self.page(address).physical

    def page(self, address: int) -> Page:
        """Return what the page tables say about linear ``address``; errors as :meth:`translate`."""
        if not 0 <= address < _FOUR_GIB:
            raise NotMappedError("not a linear address", address)
        return self._walk_pae(address) if self._pae else self._walk(address)

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes at linear ``address``.

        Raises:
            NotMappedError, NotRamError: as :meth:`translate`, for the first byte that can't be read.
            UsageError: a negative length.
        """
        if length < 0:
            raise UsageError("a negative length", where=str(length))
        pieces = []
        while length > 0:
            piece = min(length, PAGE - address % PAGE)
            pieces.append(self._piece(address, piece))
            address += piece
            length -= piece
        return b"".join(pieces)

    def write(self, address: int, data: bytes) -> None:
        """Write ``data`` at linear ``address``, whatever the page's protection; all of it or nothing.

        TCG does not notice changes of code that it has translated: change data. Errors as :meth:`read`.
        """
        targets = []
        while data:
            piece = data[: PAGE - address % PAGE]
            physical = self.translate(address)
            self._piece(address, len(piece))
            targets.append((physical, piece))
            address += len(piece)
            data = data[len(piece) :]
        for physical, piece in targets:
            self.write_physical(physical, piece)

    def u8(self, address: int) -> int:
        """Return the byte at linear ``address``; errors as :meth:`read`."""
        return self.read(address, 1)[0]

    def u16(self, address: int) -> int:
        """Return the 16-bit number at linear ``address``; errors as :meth:`read`."""
        return int.from_bytes(self.read(address, 2), "little")

    def u32(self, address: int) -> int:
        """Return the 32-bit number at linear ``address``; errors as :meth:`read`."""
        return int.from_bytes(self.read(address, 4), "little")

    def u64(self, address: int) -> int:
        """Return the 64-bit number at linear ``address``; errors as :meth:`read`."""
        return int.from_bytes(self.read(address, 8), "little")

    def entry(self, address: int) -> int:
        """Return the page-table entry, of this paging mode's size, at linear ``address``; errors as :meth:`read`."""
        return self.u64(address) if self._pae else self.u32(address)

    def write_entry(self, address: int, value: int) -> None:
        """Write a page-table entry of this paging mode's size at linear ``address``; errors as :meth:`read`."""
        size = 8 if self._pae else 4
        self.write(address, (value & ((1 << 8 * size) - 1)).to_bytes(size, "little"))

    def string(self, address: int, limit: int = 256) -> str:
        """Return the NUL-ended text at linear ``address``, at most ``limit`` bytes; errors as :meth:`read`."""
        found = bytearray()
        while len(found) < limit:
            piece = min(limit - len(found), PAGE - (address + len(found)) % PAGE)
            text, end, _ = self.read(address + len(found), piece).partition(b"\0")
            found += text
            if end:
                break
        return found.decode("utf-8", "replace")

    def _piece(self, address: int, length: int) -> bytes:
        """Read within a page; an error names the linear address."""
        physical = self.translate(address)
        try:
            return self.physical(physical, length)
        except NotRamError as error:
            raise NotRamError(f"physical {physical:#x} behind it is not RAM", address) from error

    @staticmethod
    def _check(address: int, length: int) -> None:
        if length < 0 or (address < _VIDEO.stop and address + length > _VIDEO.start):
            what = "a negative length" if length < 0 else "a device, not RAM"
            raise NotRamError(what, address, physical=True)

    def _entry(self, table: int, index: int, size: int, address: int) -> int:
        entry = int.from_bytes(self.physical(table + index * size, size), "little")
        if not entry & _PRESENT:
            raise NotMappedError("nothing is mapped there", address)
        return entry

    def _walk(self, address: int) -> Page:
        upper = self._entry(self._cr3 & 0xFFFFF000, address >> 22, 4, address)
        if upper & _LARGE:
            # PSE-36: bits 13-20 are address bits 32-39
            physical = (upper & 0xFFC00000) + (address & 0x3FFFFF) + ((upper >> 13 & 0xFF) << 32)
            return _page(physical, PAGE << 10, upper, upper)
        entry = self._entry(upper & 0xFFFFF000, address >> 12 & 0x3FF, 4, address)
        return _page((entry & 0xFFFFF000) + (address & 0xFFF), PAGE, upper, entry)

    def _walk_pae(self, address: int) -> Page:
        root = self._entry(self._cr3 & 0xFFFFFFE0, address >> 30, 8, address)
        upper = self._entry(root & _ADDRESS, address >> 21 & 0x1FF, 8, address)
        if upper & _LARGE:
            return _page((upper & _ADDRESS & ~0x1FFFFF) + (address & 0x1FFFFF), PAGE << 9, upper, upper)
        entry = self._entry(upper & _ADDRESS, address >> 12 & 0x1FF, 8, address)
        return _page((entry & _ADDRESS) + (address & 0xFFF), PAGE, upper, entry)


def _page(physical: int, size: int, upper: int, entry: int) -> Page:
    both = upper & entry
    return Page(physical, size, entry, bool(both & _WRITABLE), bool(both & _USER), not (upper | entry) & _NO_EXECUTE)
