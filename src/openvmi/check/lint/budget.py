# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a look at a kernel may cost. Files that were made to cost more than any kernel are refused, in seconds.

Of the largest kernels that were tried, a bzImage of Linux 2.6.35 takes 350,000 steps, has 680,000 instructions, 110,000
branches, 15,000 symbols and 3,000 records of a kind.
"""

from __future__ import annotations

from ...errors import InputError

STEPS = 3 << 20
"""Instructions that are looked at closely, each time that one is."""
INSTRUCTIONS = 12 << 20
"""That are decoded at all: 32 MiB of ordinary code."""
BRANCHES = 1 << 20
RECORDS = 1 << 16


class Budget:
    """Steps that are left.

    Args:
        steps: how many there are.
    """

    __slots__ = ("_left",)

    def __init__(self, steps: int = STEPS) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take ``steps``.

        Raises:
            InputError: so many are not left.
        """
        self._left -= steps
        if self._left < 0:
            raise InputError(f"code that takes more than {STEPS} steps to follow: this is no kernel's")
