# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the strict ROM says through the wake port about calls before ``vmi_init``; the other side is firmware/strict.

A report is a mark and ten digits, highest first: the caller's eight, the call's two. Two bits of each byte say what it
is, so wake-ups in between do no harm; a report that is cut short is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MARK: Final = 3
_DIGIT: Final = 2
_DIGITS: Final = 10


class Reports:
    """Takes bytes from the wake port as they come, and makes reports of them."""

    __slots__ = ("_digits",)

    def __init__(self) -> None:
        self._digits: list[int] | None = None

    def take(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield the reports that ``data`` completes: number of the call, and its caller."""
        for byte in data:
            if byte == MARK:
                self._digits = []
            elif byte & 3 == _DIGIT and self._digits is not None:
                self._digits.append(byte >> 2 & 15)
                if len(self._digits) == _DIGITS:
                    value = 0
                    for digit in self._digits:
                        value = value << 4 | digit
                    self._digits = None
                    yield value & 0xFF, value >> 8
