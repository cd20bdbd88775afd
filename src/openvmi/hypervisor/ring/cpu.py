# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Decisions about registers: control, debug and model-specific ones, and CPUID."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...abi.wire import RING_CPU_SHARED, RING_CPU_SIZE, RING_CPUS_OFFSET, RingShared
from ..answers import Continue, Value
from ..vcpu import Vcpu
from . import features, msrs, registers
from .answers import Decision, Fault, protection
from .features import Leaf
from .state import TOP, Kept

_CR4: Final = RingShared.OFFSETS["cr4"]
_MONITORS: Final = frozenset({msrs.SYSENTER_CS, msrs.SYSENTER_ESP, msrs.SYSENTER_EIP, msrs.EFER})


class CpuDecisions(Kept):
    """What a CPU's registers hold for the guest."""

    def on_cpuid(self, vcpu: Vcpu, leaf: int, subleaf: int, a: int, b: int, c: int, d: int) -> Decision:  # noqa: PLR0913, PLR0917 - the instruction's
        """CPUID, as a call: ``a`` to ``d`` is what the CPU says. Answered with ``Value(a, more={"b": ...})``."""
        del vcpu
        offered = replace(self.features, no_execute=self._wide())
        told = features.mask(leaf, subleaf, Leaf(a, b, c, d), offered)
        return Value(told.a, more={"b": told.b, "c": told.c, "d": told.d})

    def on_rdmsr(self, vcpu: Vcpu, index: int) -> Decision:
        """RDMSR. None: the CPU's own is read, which the default never does but for the time stamp counter."""
        if index == msrs.TSC:
            return None
        found = self.msrs[vcpu.index].read(index)
        return found if isinstance(found, Fault) else Value(found)

    def on_wrmsr(self, vcpu: Vcpu, index: int, value: int) -> Decision:
        """WRMSR of 64 bits. None: taken by the monitor, which has SYSENTER's three and EFER's no-execute bit."""
        self.msrs[vcpu.index].no_execute = self._wide()
        fault = self.msrs[vcpu.index].write(index, value)
        if fault is not None:
            return fault
        return None if index in _MONITORS else Value()

    def on_rdpmc(self, vcpu: Vcpu, counter: int) -> Decision:
        """RDPMC: there are no counters."""
        del vcpu
        return protection(f"no performance counter {counter:#x}")

    def on_read_cr(self, vcpu: Vcpu, number: int) -> Decision:
        """A control register is read by an instruction. None: what the guest wrote."""

    def on_write_cr(self, vcpu: Vcpu, number: int, value: int) -> Decision:
        """A control register is written, by a call or an instruction; CR3 is :meth:`on_set_root`'s."""
        if number == 0:
            wanted = registers.cr0(value)
        elif number == 4:
            wanted = registers.cr4(self._cr4(vcpu.index), value)
        else:
            return None if number in {2, 3} else Fault(6, reason=f"no control register {number}")
        if isinstance(wanted, Fault) or wanted.view == value:
            return wanted if isinstance(wanted, Fault) else None
        return Continue(value=wanted.view)

    def on_read_dr(self, vcpu: Vcpu, number: int) -> Decision:
        """A debug register is read, by a call or an instruction."""
        found = self.debug[vcpu.index].read(number)
        # DR6 is written by the CPU, when a breakpoint is hit
        return found if isinstance(found, Fault) else None if number & ~2 == 4 else Value(found)

    def on_write_dr(self, vcpu: Vcpu, number: int, value: int) -> Decision:
        """A debug register is written: the guest reads what it wrote, the CPU gets what can't hit the monitor."""
        seen = self.debug[vcpu.index].write(number, value)
        if isinstance(seen, Fault):
            return seen
        self.debug[vcpu.index] = seen
        given = seen.hardware(TOP).read(number)
        return given if isinstance(given, Fault) else None if given == value else Continue(value=given)

    def _wide(self) -> bool:
        """Return whether the guest's page tables have three levels: entries of 32 bits have no place for no-execute."""
        return self.link is not None and self.link.pae

    def _cr4(self, cpu: int) -> int:
        """Return what the guest has in CR4; the page may say anything, but not about the width of page tables."""
        if self.link is None:
            return 0
        shared = self.link.words[(RING_CPUS_OFFSET + cpu * RING_CPU_SIZE + RING_CPU_SHARED + _CR4) // 4]
        return shared & ~registers.CR4_PAE | registers.CR4_PAE * self.link.pae
