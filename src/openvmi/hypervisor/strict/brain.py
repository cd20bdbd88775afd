# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor that asks the rules: every call that has some comes here, is judged, and is then done natively."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...abi import Call, wire
from ...abi.wire import Mode, WireHeader, WireMailbox, WireRing
from ...trace.symbols import SymbolTable
from .._generated_calls import SHAPES
from ..answers import Answer
from ..base import Hypervisor
from ..link import WITHOUT_STUB, area
from ..memory import GuestMemoryError
from .early import Reports
from .events import Early, Event, Start
from .findings import as_text, report, summary
from .judge import UNSEEN, Judge
from .sight import Sight

if TYPE_CHECKING:
    from ..vcpu import Vcpu

_BOX: Final = WireMailbox.SIZE // 4
_RING: Final = (wire.WIRE_CPU_RING + WireRing.OFFSETS["cs"]) // 4
_H: Final = {name: offset // 4 for name, offset in WireHeader.OFFSETS.items()}
SEEN: Final = tuple(call for call in Call if call not in WITHOUT_STUB and call not in UNSEEN)


class Strict(Hypervisor):
    """Judges the guest's calls, and changes nothing.

    Attributes:
        judge: what judges.
    """

    modes = dict.fromkeys(UNSEEN, Mode.NATIVE)

    def __init__(self) -> None:
        self.judge = Judge(Sight(self._read), top=wire.WIRE_BASE, blame=self._blame)
        self._vcpu: Vcpu | None = None
        self._inits = 0
        self._reports = Reports()
        for call in SEEN:
            # before the class's own methods: one that takes all, and knows its number
            setattr(self, SHAPES[call].method, self._taker(call))

    def routed(self) -> tuple[Call, ...]:
        """Return the calls that are judged."""
        return SEEN

    def _taker(self, call: Call) -> Callable[..., Answer]:
        number, judge = int(call), self.judge

        def take(vcpu: Vcpu, *arguments: int) -> Answer:
            del arguments
            link = self.link
            if link is None:
                return None
            words = link.words
            if words[_H["inits"]] != self._inits:
                self._inits = words[_H["inits"]]
                judge.feed(Start(words[_H["guest_eflags"]], words[_H["guest_cr4"]]))
            first = area(vcpu.index) // 4
            box = words[first : first + _BOX].tolist()
            ring = words[first + _RING : first + _RING + 6].tolist()
            self._vcpu = vcpu
            judge.feed(event_of(vcpu.index, number, box, ring))
            return None

        return take

    def heard(self, data: bytes) -> None:
        """Take what the ROM says about calls before ``vmi_init``."""
        for call, caller in self._reports.take(data):
            self.judge.feed(Early(call, caller))

    def _read(self, address: int, length: int) -> bytes | None:
        if self.guest is None:
            return None
        try:
            return self.guest.physical(address, length)
        except GuestMemoryError:
            return None

    def _blame(self, event: Event) -> str:
        del event
        return "" if self._vcpu is None else self._vcpu.function

    @property
    def symbols(self) -> SymbolTable:
        """The kernel's functions, as far as they are known."""
        return SymbolTable() if self.guest is None else self.guest.symbols

    def text(self) -> str:
        """Return the findings for people; empty if there are none."""
        return as_text(self.judge.findings, self.symbols) if len(self.judge.findings) else ""

    def summary(self) -> str:
        """Return in words how much was found, as the end of a line."""
        return f"; {summary(self.judge.findings)}"

    def as_dict(self) -> dict[str, object]:
        """Return what was found as plain data."""
        return report(self.judge.findings, self.symbols if len(self.judge.findings) else SymbolTable())


def event_of(cpu: int, call: int, box: list[int], ring: list[int]) -> Event:
    """Return the event that a CPU's mailbox and the selectors in its ring's header make.

    Args:
        cpu: index of the CPU.
        call: number of the call, which is not taken from the mailbox: the guest may write another there.
        box: the mailbox, as words.
        ring: the ring's header from ``cs`` on, six words.
    """
    code_stack, data, extra, task_limit, gdt, ldt = ring
    return Event(
        cpu,
        call,
        box[3],
        box[4],
        box[5],
        box[6],
        box[8],
        box[9],
        box[13],
        box[14],
        box[15],
        code_stack & 0xFFFF,
        code_stack >> 16,
        data & 0xFFFF,
        data >> 16,
        extra & 0xFFFF,
        extra >> 16,
        task_limit & 0xFFFF,
        ldt & 0xFFFF,
        gdt,
        task_limit >> 16,
    )
