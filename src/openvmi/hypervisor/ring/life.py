# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Decisions about address spaces and further CPUs, and what is only told."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Final

from ...abi.structs import ApState
from ...abi.wire import RING_INFO_OFFSET, RingEnd, RingInfo
from ...errors import ExitCode
from ..answers import Stop, Value
from ..memory import GuestMemoryError
from ..vcpu import Vcpu
from . import msrs, registers, starting
from .answers import Decision, Fault
from .debug import DebugRegisters
from .msrs import Msrs
from .state import MOST, TOP, Kept

_FRAMES: Final = (RING_INFO_OFFSET + RingInfo.OFFSETS["frames"]) // 4
_PAGE: Final = 4096


class LifeDecisions(Kept):
    """Where the guest's tables are, which CPUs run, and what went wrong.

    Attributes:
        refusals: what the guest mapped and may not have: pages of physical memory, and how often.
        objections: what was wrong with states that CPUs should have started with; the first 4,096.
        efers: EFER of the state that each CPU starts with, by APIC id.
    """

    refusals: Counter[int]
    objections: list[str]
    efers: dict[int, int]

    def prepare(self, cpus: int, device: int = 0) -> None:
        """Begin anew; see :meth:`.state.Kept.prepare`."""
        super().prepare(cpus, *([device] if device else []))
        self.refusals = Counter()
        self.objections = []
        self.efers = {}

    def on_set_root(self, vcpu: Vcpu, value: int) -> Decision:
        """CR3 is loaded. None: the monitor looks whether it is RAM; or a fault."""
        wide = self.link is not None and self.link.pae
        found = registers.cr3(value, pae=wide, is_ram=value // _PAGE < self._frames())
        del vcpu
        return found if isinstance(found, Fault) else None

    def on_allocate(self, vcpu: Vcpu, pfn: int, flags: int) -> Decision:
        """AllocatePage of a frame that has a shadow still. None: that is dropped."""

    def on_release(self, vcpu: Vcpu, pfn: int, flags: int) -> Decision:
        """ReleasePage of a frame that has a shadow. None: that is dropped."""

    def on_ap_state(self, vcpu: Vcpu, state: int, apic_id: int) -> Decision:
        """SetInitialAPState: the state at linear ``state`` is for the CPU with ``apic_id``.

        None: kept for its start, after the monitor's own look; a Value: forgotten, and the CPU will not start.
        """
        reasons = self._objections(vcpu, state, apic_id)
        self.objections += reasons[: max(0, MOST - len(self.objections))]
        return Value() if reasons else None

    def on_ap_start(self, vcpu: Vcpu, apic_id: int) -> Decision:
        """A CPU with a state is started, its debug registers and MSRs as at reset. None: it is; a Value: it is not."""
        del vcpu
        if apic_id < len(self.debug):
            self.debug[apic_id] = DebugRegisters()
            self.msrs[apic_id] = Msrs(TOP, values={msrs.EFER: self.efers.get(apic_id, 0)})
        return None

    def on_refused(self, vcpu: Vcpu, address: int, physical: int) -> Decision:
        """The guest touched linear ``address``, mapped to ``physical``: not its own. None: it gets a page fault."""
        del vcpu, address
        if len(self.refusals) < MOST:
            self.refusals[physical // _PAGE * _PAGE] += 1
        return None

    def on_exception(self, vcpu: Vcpu, vector: int, error: int) -> Decision:
        """The guest made an exception other than a page fault. None: its handler gets it; a Value: it is not told."""

    def on_unknown(self, vcpu: Vcpu) -> Decision:
        """The guest's kernel made a general protection fault by no instruction of ours. None: it gets it."""

    def on_end(self, vcpu: Vcpu, reason: int) -> Decision:
        """The guest can't go on: ``reason`` is a :class:`RingEnd`. Whatever is answered, it does not."""
        name = f"reason {reason}"
        with contextlib.suppress(ValueError):
            name = RingEnd(reason).name
        what = f"{name}, at {vcpu.caller:#010x}, {vcpu.register('edx'):#x}"
        self.end = self.end or what
        if reason == RingEnd.SHUTDOWN:
            return Stop("the guest has switched itself off")
        return Stop(f"the monitor ended the guest: {self.end}", status=int(ExitCode.PANIC))

    def _frames(self) -> int:
        return 0 if self.link is None else self.link.words[_FRAMES]

    def _objections(self, vcpu: Vcpu, address: int, apic_id: int) -> list[str]:
        try:
            state = ApState.unpack(vcpu.memory.read(address, ApState.SIZE))
            table = vcpu.memory.read(state.gdtr_base, state.gdtr_limit + 1)
        except GuestMemoryError as error:
            return [f"the state of CPU {apic_id} can't be read: {error}"]
        link = self.link
        board = starting.Board(
            top=TOP,
            pae=link is not None and link.pae,
            memory=self._frames() * _PAGE,
            cpus=1 if link is None else link.cpus,
        )
        found = [f"CPU {apic_id}: {reason}" for reason in starting.objections(state, apic_id, board, table)]
        if not found:
            self.efers[apic_id] = state.efer & msrs.EFER_NX
        return found
