# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rules judge: calls as they arrive, and the moment from which they may.

An event holds what was passed, as far as it is known: a recorded call lacks what a record has no room for, and rules
that need it stay silent.
"""

from __future__ import annotations

from typing import NamedTuple

from ...abi import Call
from .._generated_calls import SHAPES

REGISTERS = ("caller", "eax", "edx", "ecx", "s1", "s2", "esp", "eflags", "cr3")


class Start(NamedTuple):
    """A successful ``vmi_init``: what was known before is forgotten.

    Args:
        eflags: flags of the caller; None if not known.
        cr4: of the calling CPU; None if not known.
    """

    eflags: int | None = None
    cr4: int | None = None


class Early(NamedTuple):
    """A call before ``vmi_init``, as far as the ROM can tell.

    Args:
        call: number of the call.
        caller: return address; for IRET the frame's EIP.
    """

    call: int
    caller: int


class Event(NamedTuple):
    """A call, before it is done. Numbers are what the guest has passed, whatever that is; None is not known.

    Args:
        cpu: index of the CPU.
        call: number of the call.
        caller: return address; for IRET the frame's EIP.
        eax: as passed.
        edx: as passed.
        ecx: as passed.
        s1: dword at ESP+4; for IRET the frame's CS.
        s2: dword at ESP+8; for IRET the frame's EFLAGS.
        esp: at entry.
        eflags: at entry.
        cr3: root of the page tables in use.
        cs: selector, as the others up to ``gs``.
        ss: selector.
        ds: selector.
        es: selector.
        fs: selector.
        gs: selector.
        tr: selector of the task register.
        ldtr: selector of the LDT.
        gdt: linear address of the GDT in use.
        gdt_limit: its last byte's offset.
        told: the registers are known; False for a call of which only the caller is.
    """

    cpu: int
    call: int
    caller: int
    eax: int
    edx: int
    ecx: int
    s1: int | None = None
    s2: int | None = None
    esp: int | None = None
    eflags: int | None = None
    cr3: int | None = None
    cs: int | None = None
    ss: int | None = None
    ds: int | None = None
    es: int | None = None
    fs: int | None = None
    gs: int | None = None
    tr: int | None = None
    ldtr: int | None = None
    gdt: int | None = None
    gdt_limit: int | None = None
    told: bool = True

    def text(self) -> str:
        """Return the call with its arguments by name, ``SetCR3(value=0x1000)``."""
        if self.call == Call.IRET and self.told:
            frame = zip(("eip", "cs", "eflags"), (self.caller, self.s1, self.s2), strict=True)
            return f"IRET({', '.join(f'{name}={_number(value)}' for name, value in frame)})"
        shape = SHAPES.get(self.call)
        if shape is None:
            return f"call {self.call}"
        if not self.told:
            return Call(self.call).name
        taken = (f"{name}={_number(self._at(places))}" for name, _, places in shape.takes)
        return f"{Call(self.call).name}({', '.join(taken)})"

    def _at(self, places: tuple[str, ...]) -> int | None:
        value = 0
        for index, place in enumerate(places):
            word: int | None = getattr(self, place, None)
            if word is None:
                return None
            value |= word << 32 * index
        return value


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:#x}"
