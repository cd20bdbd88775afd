# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory for shadows: how much there may be, how much there is, and what was announced."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_MIB: Final = 1 << 20
_SHARE: Final = 100
_FIXED: Final = 4 * _MIB
KINDS: Final = {1: "table", 2: "directory", 4: "pointers"}
_LEVELS: Final = 0x0F
KNOWN_FLAGS: Final = 0x7F


def budget(memory: int) -> int:
    """Return how many bytes shadows and their tables may take for ``memory`` bytes of guest RAM: 1 % and 4 MiB."""
    return memory // _SHARE + _FIXED


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
