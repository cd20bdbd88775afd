# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What mainline 2.6.32 with SMP and local APIC asks a ROM, in order, by number; typed from vmi-abi.md 6.4."""

from __future__ import annotations

_BEFORE_MMU = [
    *(0, 28, 25, 24, 19, 20, 21, 22, 15, 16, 17, 18, 31, 32, 30, 29, 23, 27, 6, 4, 3, 5, 7, 9, 10, 12, 11, 13, 14),
    *(61, 65, 73, 73, 73, 73, 47, 47, 46),
]
_AFTER_ENTRIES = [44, 45, 48, 62, 64, 63]
CLOCKS = [66, 67, 70, 71, 68, 69]


def order(*, pae: bool, clocks: list[int] = CLOCKS) -> list[int]:
    """Return the calls asked for; ``clocks`` are those of a guest whose ROM has a timer."""
    return _BEFORE_MMU + ([39, 41] if pae else [38, 40]) + _AFTER_ENTRIES + clocks + [35]
