# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest RAM, mapped into this process: what the guest writes is here, and the other way round, at once."""

from __future__ import annotations

import mmap

from ..errors import UsageError
from .inputs import low_memory

_FOUR_GIB = 1 << 32


class GuestRam:
    """Checked access by guest-physical address.

    The RAM of QEMU's i440fx PC begins at 0; what does not fit below 4 GiB (3 GiB of it) goes on at 4 GiB. The
    bytes at 0xA0000-0xFFFFF exist, but the guest may see a device or ROM there instead. What is read may change at any
    time: copy first, then check the copy.

    Args:
        fd: the memory file; can be closed afterwards.
        size: guest RAM in bytes.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.size = size
        self._low = low_memory(size)
        self._map = mmap.mmap(fd, size)

    def read(self, address: int, length: int) -> bytes:
        """Return a copy of ``length`` bytes at guest-physical ``address``.

        Raises:
            UsageError: they are not all RAM.
        """
        start = self._offset(address, length)
        return self._map[start : start + length]

    def write(self, address: int, data: bytes) -> None:
        """Write ``data`` at guest-physical ``address``.

        Translated code is not noticed by TCG: change data, and let the guest change its own code.

        Raises:
            UsageError: there is not RAM for all of it.
        """
        start = self._offset(address, len(data))
        self._map[start : start + len(data)] = data

    def view(self, address: int, length: int) -> memoryview:
        """Return the memory itself, for repeated access without a copy; valid until the machine is closed.

        Raises:
            UsageError: it is not all RAM.
        """
        start = self._offset(address, length)
        return memoryview(self._map)[start : start + length]

    def read_u32(self, address: int) -> int:
        """Return the little-endian 32-bit number at ``address``; errors as :meth:`read`."""
        return int.from_bytes(self.read(address, 4), "little")

    def write_u32(self, address: int, value: int) -> None:
        """Write a little-endian 32-bit number, 0 to 0xFFFFFFFF; errors as :meth:`write`."""
        if not 0 <= value < _FOUR_GIB:
            raise UsageError("not a 32-bit number", where=f"{value:#x}")
        self.write(address, value.to_bytes(4, "little"))

    def close(self) -> None:
        """Give the mapping back; views that are still held keep it alive."""
        try:
            self._map.close()
        except BufferError:
            return

    def _offset(self, address: int, length: int) -> int:
        """Return where ``length`` bytes at ``address`` lie in the file."""
        if address >= 0 and length >= 0 and address + length <= self._low:
            return address
        high = address - _FOUR_GIB
        if high >= 0 and length >= 0 and high + length <= self.size - self._low:
            return self._low + high
        raise UsageError(f"{length} bytes there are not all guest RAM", where=f"{address:#x}")
