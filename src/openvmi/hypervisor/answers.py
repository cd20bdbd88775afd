# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a method of a :class:`~openvmi.hypervisor.Hypervisor` may answer to a call; ``None`` is "do it natively".

Import these from :mod:`openvmi.hypervisor`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import UsageError


@dataclass(frozen=True, slots=True)
class Value:
    """The call is answered, and not done natively.

    Args:
        value: the result, in the call's own width; ignored for calls without one.
        more: further results by name (CPUID: ``a``, ``b``, ``c``, ``d``); ``value`` is the first.
    """

    value: int = 0
    more: dict[str, int] = field(default_factory=dict)


class Continue:
    """Done natively with changed arguments: ``Continue(value=0)``; arguments that are not named stay as passed."""

    __slots__ = ("arguments",)

    def __init__(self, **arguments: int) -> None:
        self.arguments = arguments

    def __repr__(self) -> str:
        return f"Continue({', '.join(f'{name}={value:#x}' for name, value in self.arguments.items())})"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call returns to the guest and nothing is done; a call with a result gives 0. ``reason`` is for the log."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delay:
    """The guest's CPU waits ``seconds``, with interrupts off; then as ``then`` has it."""

    seconds: float
    then: Value | Continue | Refuse | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """The machine ends, with ``reason`` and this exit status (0 to 255).

    Raises:
        UsageError: no exit status.
    """

    reason: str = ""
    status: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.status, int) or not 0 <= self.status <= 255:
            raise UsageError("an exit status is a number from 0 to 255", where=f"Stop(status={self.status!r})")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The machine's memory and registers are saved by QEMU into ``file`` (its migration format); then it goes on."""

    file: str


@dataclass(frozen=True, slots=True)
class Debug:
    """A Python prompt opens in the terminal, with ``vcpu`` and ``hypervisor``; when it is left, the guest goes on."""


Answer = Value | Continue | Refuse | Delay | Stop | Snapshot | Debug | None
