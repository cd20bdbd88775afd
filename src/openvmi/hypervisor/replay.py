# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Feeds the calls of a trace to a hypervisor written in Python, with no kernel: policies are tested from real boots.

The hypervisor is any object with methods named after calls, ``set_cr3(vcpu, value)``. What a record does not hold
(arguments on the stack, memory, other registers) is not there in a replay: such arguments are 0, and reading memory is
an error that names the call.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn

from ..abi import Call
from ..errors import OpenVmiError
from ..trace.event import Event
from ..trace.schema import ArgumentInfo, ArgumentReader, TraceMeta
from ..trace.symbols import SymbolTable
from ._generated_calls import SHAPES, CallShape
from .answers import Stop
from .base import Hypervisor
from .checks import check_answer
from .handlers import exit_answer

OURS: Final = "openvmi."
_REGISTERS: Final = frozenset(("eax", "edx", "ecx", "caller", "call"))
_BOUNDARY: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class ReplayError(OpenVmiError):
    """A hypervisor asked for something that a trace does not hold."""


class ReplayVcpu:
    """The CPU that a call comes from, as far as a record tells; the rest is a :class:`ReplayError`.

    Args:
        event: the call.
        meta: names of calls.
        symbols: of the kernel.
        cr3: root of the page tables; None: no SetCR3 has been seen on this CPU.
    """

    __slots__ = ("_cr3", "_meta", "_symbols", "event")

    def __init__(self, event: Event, meta: TraceMeta, symbols: SymbolTable, cr3: int | None = None) -> None:
        self.event = event
        self._meta = meta
        self._symbols = symbols
        self._cr3 = cr3

    @property
    def index(self) -> int:
        """Index of the CPU."""
        return self.event.cpu

    @property
    def call(self) -> Call | int:
        """The call; a bare number for one that the tables don't have."""
        return Call(self.event.call) if self.event.call in Call.__members__.values() else self.event.call

    @property
    def caller(self) -> int:
        """Return address of the call."""
        return self.event.caller

    @property
    def cr3(self) -> int:
        """Root of the page tables in use, known from the last SetCR3 on this CPU.

        Raises:
            ReplayError: there was none so far.
        """
        if self._cr3 is None:
            raise self._unknown("CR3 before the first SetCR3")
        return self._cr3

    @property
    def time(self) -> int:
        """TSC ticks at the call."""
        return self.event.time

    @property
    def where(self) -> str:
        """The caller as ``function+0x12``."""
        return self._symbols.place(self.event.origin)

    @property
    def function(self) -> str:
        """The function that the caller lies in; a record does not hold the stack above it."""
        return self._symbols.function(self.event.origin)

    def register(self, name: str) -> int:
        """Return ``eax``, ``edx``, ``ecx``, ``caller``, ``call`` or ``cr3``.

        Raises:
            ReplayError: a record does not hold it.
        """
        if name == "cr3":
            return self.cr3
        if name not in _REGISTERS:
            raise self._unknown(name)
        value: int = getattr(self.event, name)
        return value

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._unknown(name)

    def _unknown(self, what: str) -> ReplayError:
        return ReplayError(
            f"{method_name(self._meta.name(self.event.call))} asks for {what}, which a trace does not hold"
        )


class _Absent:
    """What a machine has and a trace does not."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __bool__(self) -> bool:
        return False

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ReplayError(f"{self._name}.{name} is asked for, which a trace does not hold")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a hypervisor said to one call.

    Args:
        event: the call.
        kind: ``native``, or what it returned, by class: ``value``, ``refuse``.
        answer: what it returned.
    """

    event: Event
    kind: str
    answer: object


@dataclass(slots=True)
class ReplaySummary:
    """What came of a replay.

    Args:
        fed: calls that a method was there for, by number.
        passed: calls that none was there for, by number.
        decisions: what was said, by call and kind.
    """

    fed: Counter[int] = field(default_factory=Counter)
    passed: Counter[int] = field(default_factory=Counter)
    decisions: Counter[tuple[int, str]] = field(default_factory=Counter)

    def add(self, decision: Decision) -> None:
        """Count ``decision``."""
        self.fed[decision.event.call] += 1
        self.decisions[decision.event.call, decision.kind] += 1


class Replay:
    """A trace being fed to a hypervisor.

    Args:
        hypervisor: an object with methods named after calls; those that openvmi's own base class defines don't count.
        meta: names and places of arguments.
        symbols: of the kernel; empty: addresses are shown.
    """

    def __init__(self, hypervisor: object, meta: TraceMeta, symbols: SymbolTable | None = None) -> None:
        self._meta = meta
        self._symbols = symbols or SymbolTable()
        self._read = ArgumentReader(meta).read
        if isinstance(hypervisor, Hypervisor):
            for name in ("link", "guest"):
                setattr(hypervisor, name, _Absent(f"self.{name}"))
        self._methods: dict[int, tuple[Callable[..., object], tuple[ArgumentInfo, ...]]] = {}
        for number, info in meta.calls.items():
            if info.name not in Call.__members__:
                continue  # names are the file's: none but a call's may choose a method
            method = _overridden(hypervisor, method_name(info.name))
            if method is not None:
                self._methods[number] = (method, info.takes)
        self._roots: dict[int, int] = {}
        self.summary = ReplaySummary()

    @property
    def routed(self) -> frozenset[int]:
        """Numbers of the calls that the hypervisor has methods for."""
        return frozenset(self._methods)

    def run(self, events: Iterable[Event]) -> Iterator[Decision]:
        """Feed ``events``, which come by time, and yield what is decided.

        A ``Stop`` is the last: it would have ended the machine.

        Raises:
            ReplayError: the hypervisor asks for something that a trace does not hold.
            UsageError: what it answers would be refused in a run, too.
            Exception: whatever the hypervisor itself raises, with a note that says at which call.
        """
        for event in events:
            entry = self._methods.get(event.call)
            if entry is None:
                self.summary.passed[event.call] += 1
            else:
                decision = self._ask(event, *entry)
                self.summary.add(decision)
                yield decision
                if isinstance(decision.answer, Stop):
                    return
            if event.call == Call.SetCR3:
                self._roots[event.cpu] = event.eax

    def _ask(self, event: Event, method: Callable[..., object], takes: tuple[ArgumentInfo, ...]) -> Decision:
        known = self._read(event)
        vcpu = ReplayVcpu(event, self._meta, self._symbols, self._roots.get(event.cpu))
        try:
            answer = method(vcpu, *(known.get(argument.name, 0) for argument in takes))
            check_answer(answer, self._shape(event.call))
        except SystemExit as error:
            answer = exit_answer(error)
        except Exception as error:
            place = f"{self._meta.name(event.call)} number {event.sequence} of CPU {event.cpu}"
            error.add_note(f"in a replay, at {place}, called from {vcpu.where}")
            raise
        return Decision(event, _kind(answer), answer)

    def _shape(self, number: int) -> CallShape:
        """Return the shape of a call: ours, or what the file tells of one that we don't know."""
        info, known = self._meta.calls[number], SHAPES.get(number)
        if known is not None and known.method == method_name(info.name):
            return known
        return CallShape(method_name(info.name), tuple((each.name, each.bits, ()) for each in info.takes), (), True)


def method_name(call: str) -> str:
    """Return the method of a call: ``SetPxELong`` is ``set_pxe_long``."""
    return _BOUNDARY.sub("_", call.replace("PxE", "Pxe")).lower()


def _overridden(hypervisor: object, name: str) -> Callable[..., object] | None:
    """Return the method of that name, unless there is none or it is the base class's own."""
    for cls in type(hypervisor).__mro__:
        if name in vars(cls):
            base = cls.__module__.startswith(OURS) and ".examples" not in cls.__module__
            method: Callable[..., object] = getattr(hypervisor, name)
            return None if base or not callable(method) else method
    return None


def _kind(answer: object) -> str:
    if answer is None:
        return "native"
    return type(answer).__name__.lower()
