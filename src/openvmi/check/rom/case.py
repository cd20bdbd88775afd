# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a piece of ROM code promises, from the tables, and a case: one way of calling it and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ...abi.model import STANDARD_CLOBBERS, Argument, CallSpec, JumpPoint
from .model import Kind
from .seen import ARITHMETIC, IF, Seen

if TYPE_CHECKING:
    from .bench import Bench

ALWAYS = 2
"""EFLAGS bit 1, which is always set."""
_FLAGS = {Kind.POSITIVE: ALWAYS, Kind.BOUNDARY: ALWAYS | IF | ARITHMETIC, Kind.NEGATIVE: ALWAYS | ARITHMETIC}


class Problem(NamedTuple):
    """A broken rule: its name, what it asks for, what there is."""

    rule: str
    expected: str
    seen: str


Problems = Iterator[Problem]
Expect = Callable[["Bench", Seen], Problems]
Setup = Callable[["Bench"], None]


@dataclass(frozen=True, slots=True)
class Contract:
    """What is promised of code that a guest calls.

    Args:
        name: of the call or jump point.
        takes: arguments.
        gives: results.
        clobbers: registers and ``flags`` that may differ afterwards.
        flat: DS and ES are flat at entry.
        returns: it comes back.
        sections: of ``vmi-abi.md``.
    """

    name: str
    takes: tuple[Argument, ...]
    gives: tuple[Argument, ...]
    clobbers: tuple[str, ...]
    flat: bool
    returns: bool
    sections: tuple[str, ...]

    @classmethod
    def of_call(cls, spec: CallSpec) -> Contract:
        """Return what the tables promise of a call."""
        return cls(
            spec.name, spec.takes, spec.gives, spec.clobbers, spec.segments == "standard", spec.returns, spec.sections
        )

    @classmethod
    def of_jump_point(cls, point: JumpPoint) -> Contract:
        """Return what the tables promise of code in the header."""
        return cls(point.name, point.takes, point.gives, STANDARD_CLOBBERS, True, True, point.sections)


def _nothing(bench: Bench) -> None:
    del bench


def _anything(bench: Bench, seen: Seen) -> Problems:
    del bench, seen
    yield from ()


@dataclass(frozen=True, slots=True)
class Case:
    """One way to make a call.

    Args:
        kind: what it is for.
        title: a few words.
        arguments: by name of the call's argument; others are 0.
        setup: is run before it, in a PC as after vmi_init.
        expect: yields what is wrong with what the call did.
        changes: system state that it may change (names of :data:`.pc.SYSTEM`, ``if``, ``iopl``); ``*`` for all.
        writes: memory that it may change, as pairs of address and size.
        flags: EFLAGS at entry; None for those of its kind.
        faults: vectors of exceptions that are right, too.
        frame: what IRET finds on the stack.
        wakes: how often a CPU that halts with interrupts off is woken.
        direction: EFLAGS.DF is set at entry.
    """

    kind: Kind
    title: str
    arguments: Mapping[str, int] = field(default_factory=dict)
    setup: Setup = _nothing
    expect: Expect = _anything
    changes: frozenset[str] = frozenset()
    writes: tuple[tuple[int, int], ...] = ()
    flags: int | None = None
    faults: frozenset[int] = frozenset()
    frame: tuple[int, ...] = ()
    wakes: int = 0

    @property
    def eflags(self) -> int:
        """EFLAGS at entry."""
        return _FLAGS[self.kind] if self.flags is None else self.flags


def positive(title: str, **rest: object) -> Case:
    """Return a case with ordinary values."""
    return Case(Kind.POSITIVE, title, **rest)  # type: ignore[arg-type]


def boundary(title: str, **rest: object) -> Case:
    """Return a case at the end of what is allowed."""
    return Case(Kind.BOUNDARY, title, **rest)  # type: ignore[arg-type]


def negative(title: str, **rest: object) -> Case:
    """Return a case outside of what is allowed, or with what must not matter."""
    return Case(Kind.NEGATIVE, title, **rest)  # type: ignore[arg-type]


def result(seen: Seen, give: Argument) -> int:
    """Return a call's result from the registers that the table says, cut to its width."""
    value = sum(seen.get(place) << 32 * half for half, place in enumerate(give.at))
    return value & (1 << give.bits) - 1
