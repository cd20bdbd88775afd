# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory for shadows: how much there may be, how much there is, and what was announced."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...abi import wire
from ...errors import UsageError

_MIB: Final = 1 << 20
_SHARE: Final = 100
_FIXED: Final = 4 * _MIB
_PAGE: Final = 4096
_RECORD: Final = 32  # SHADOW_PAGE_SIZE, firmware/ring/shadow.h
_BY_FRAME: Final = 2
KINDS: Final = {1: "table", 2: "directory", 4: "pointers"}
_LEVELS: Final = 0x0F
KNOWN_FLAGS: Final = 0x7F


def budget(memory: int) -> int:
    """Return how many bytes shadows and their tables may take for ``memory`` bytes of guest RAM: 1 % and 4 MiB."""
    return memory // _SHARE + _FIXED


def fixed(memory: int, cpus: int) -> int:
    """Return how many bytes are taken before the first shadow, for ``memory`` bytes of guest RAM and so many CPUs.

    They are the monitor's own page tables, the CPUs' areas, the bitmap and the table by frame.
    """
    own = wire.RING_PAGES_OFFSET - wire.RING_TABLES_OFFSET + cpus * wire.RING_CPU_SIZE + wire.RING_BITMAP_BITS // 8
    return own + memory // _PAGE * _BY_FRAME


def pool_pages(memory: int, cpus: int, device: int = wire.WIRE_DEVICE_SIZE) -> int:
    """Return how many pages there are for shadows: what the budget leaves, a record for each counted.

    Args:
        memory: bytes of guest RAM, from address 0 in one piece.
        cpus: of the guest's.
        device: bytes of the memory that they are in.

    Raises:
        UsageError: there is more memory than ``ring`` serves.
    """
    if memory > wire.RING_MEMORY_MAX:
        help_ = f"--memory {wire.RING_MEMORY_MAX // _MIB}"
        raise UsageError("more memory than ring serves", where=f"{memory // _MIB} MiB", help=help_)
    room = (device - wire.RING_POOL_OFFSET) // _PAGE
    return min((budget(memory) - fixed(memory, cpus)) // (_PAGE + _RECORD), room)


def taken(memory: int, cpus: int, pool: int, shadows: int) -> int:
    """Return how many bytes are taken by ``shadows`` pages of a pool of ``pool``, records and tables included."""
    return fixed(memory, cpus) + pool * _RECORD + shadows * _PAGE


@dataclass(slots=True)
class PageAccount:
    """What the guest announced as page tables, and what stands for it.

    Args:
        memory: bytes of guest RAM.

    Attributes:
        allocated: AllocatePage, by kind.
        released: ReleasePage, by kind.
        cloned: of those allocated, with a source.
        odd: announcements that name no kind, or memory that is not the guest's.
        shadows: pages in use for shadows.
        peak: the most there were.
    """

    memory: int
    allocated: dict[str, int] = field(default_factory=dict)
    released: dict[str, int] = field(default_factory=dict)
    cloned: int = 0
    odd: int = 0
    shadows: int = 0
    peak: int = 0

    def allocate(self, pfn: int, flags: int) -> bool:
        """Count an AllocatePage; say whether it makes sense."""
        if not self._count(self.allocated, pfn, flags):
            return False
        self.cloned += bool(flags & 0x20)
        return True

    def release(self, pfn: int, flags: int) -> bool:
        """Count a ReleasePage; say whether it makes sense."""
        return self._count(self.released, pfn, flags)

    def use(self, shadows: int) -> None:
        """Take note that ``shadows`` pages are in use."""
        self.shadows = max(0, shadows)
        self.peak = max(self.peak, self.shadows)

    @property
    def within(self) -> bool:
        """Whether the peak keeps to the budget."""
        return self.peak * 4096 <= budget(self.memory)

    def _count(self, counts: dict[str, int], pfn: int, flags: int) -> bool:
        kind = KINDS.get(flags & _LEVELS)
        if kind is None or not 0 <= pfn < self.memory // 4096:
            self.odd += 1
            return False
        counts[kind] = counts.get(kind, 0) + 1
        return True
