# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a decision of ``ring`` comes to: a value, a fault that the guest gets, or the guest's end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...errors import UsageError
from ..answers import Answer

DIVIDE: Final = 0
INVALID: Final = 6
PROTECTION: Final = 13
_VECTORS: Final = 32
_ERROR_MAX: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Fault:
    """The guest gets an exception where it stands, and nothing else has changed.

    Args:
        vector: of the exception, 0 to 31.
        error: its error code; for exceptions that have one.
        reason: why, for statistics and traces.

    Raises:
        UsageError: no exception has such a number, or no error code is such a one.
    """

    vector: int = PROTECTION
    error: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.vector, int) or not 0 <= self.vector < _VECTORS:
            raise UsageError("an exception is a number from 0 to 31", where=f"Fault({self.vector!r:.60})")
        if not isinstance(self.error, int) or not 0 <= self.error <= _ERROR_MAX:
            raise UsageError("an error code is a number of 32 bits", where=f"Fault(error={self.error!r:.60})")


@dataclass(frozen=True, slots=True)
class End:
    """The guest is ended; the first reason stands.

    Args:
        reason: why, for whoever started it.
    """

    reason: str


def protection(reason: str, error: int = 0) -> Fault:
    """Return a general protection fault: what hardware raises for most things that may not be done."""
    return Fault(PROTECTION, error, reason)


Decision = Answer | Fault | End
"""What a method of ``Ring`` may answer to an exit: what it may answer to a call, or a fault, or the end."""
