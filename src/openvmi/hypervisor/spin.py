# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a brain looks for the next call before it sleeps.

Looking is worth it when the guest's CPU runs beside us. Where both have to share one of the host's, the guest makes no
call while we look: each look is then time lost for it, and its next call comes as soon as we sleep. That is how the two
are told apart, since nobody else can tell.
"""

from __future__ import annotations

from typing import Final

LONG_NS: Final = 50_000
SHORT_NS: Final = 3_000
_IN_VAIN: Final = 4
_PROBE: Final = 64


class Spin:
    """Decides from what came of the looks before."""

    def __init__(self) -> None:
        self._in_vain = 0
        self._turns = 0

    @property
    def ns(self) -> int:
        """Nanoseconds to look this time: long, unless that was in vain lately; and long now and then to find out."""
        if self._in_vain < _IN_VAIN:
            return LONG_NS
        self._turns += 1
        return SHORT_NS if self._turns % _PROBE else LONG_NS

    def caught(self) -> None:
        """A call came while we looked."""
        self._in_vain = 0

    def woken(self, after_ns: int) -> None:
        """A call came ``after_ns`` after we had fallen asleep; soon, although none had come while we looked."""
        if after_ns < LONG_NS:
            self._in_vain += 1
