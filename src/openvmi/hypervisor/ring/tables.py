# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Decisions about descriptor tables."""

from __future__ import annotations

from typing import Final

from ..answers import Continue, Value
from ..vcpu import Vcpu
from .answers import Decision, protection
from .gates import KINDS, Gate
from .segments import Descriptor, Why, shadow
from .state import TOP, Kept

_ENTRIES: Final = 8192
_IN_LDT: Final = 4
_ALLOWED: Final = frozenset({Why.EMPTY, Why.SYSTEM})


class TableDecisions(Kept):
    """What of the guest's descriptor tables the CPU has. The monitor clamps whatever an answer says once more."""

    def on_set_gdt(self, vcpu: Vcpu, base: int, limit: int) -> Decision:
        """A GDT at linear ``base`` is loaded: its entries go through :meth:`on_descriptor`'s rules, at once."""
        del vcpu
        return _whole(base, limit)

    def on_set_idt(self, vcpu: Vcpu, base: int, limit: int) -> Decision:
        """An IDT at linear ``base`` is loaded."""
        del vcpu
        return _whole(base, limit)

    def on_set_ldt(self, vcpu: Vcpu, selector: int) -> Decision:
        """The LDT that ``selector`` means in the GDT is loaded; 0 for none."""
        del vcpu
        return protection("an LDT in the LDT", selector & 0xFFFC) if selector & _IN_LDT else None

    def on_set_tr(self, vcpu: Vcpu, selector: int) -> Decision:
        """The guest's task register is loaded: kept in mind, the CPU has the monitor's."""
        del vcpu
        return protection("no TSS", selector & 0xFFFC) if selector & _IN_LDT or not selector & ~7 else None

    def on_descriptor(self, vcpu: Vcpu, place: int, value: int) -> Decision:
        """An entry of GDT or LDT is written: ``place`` is its selector with an RPL of 0.

        None: the monitor's rules, which are :mod:`.segments`'; ``Continue(value=)``: the same, for another value.
        """
        del vcpu
        if place >> 3 >= _ENTRIES:
            return Value()
        shadowed = shadow(Descriptor(value), TOP)
        if shadowed.why is None or (shadowed.why in _ALLOWED and not place & _IN_LDT):
            return None
        return Continue(value=0)

    def on_gate(self, vcpu: Vcpu, vector: int, value: int) -> Decision:
        """A gate of the IDT is written. None: the monitor's rules, :mod:`.gates`'; ``Continue(value=)``: another."""
        del vcpu
        gate = Gate(value)
        served = vector < 256 and (not gate.present or gate.type in KINDS)
        return None if served else Continue(value=0)


def _whole(base: int, limit: int) -> Decision:
    """Refuse a table of which a part is in the hole, or around the end of the address space."""
    if base + (limit & 0xFFFF) >= TOP:
        return protection(f"a table from {base:#010x} to {base + limit:#x}")
    return None
