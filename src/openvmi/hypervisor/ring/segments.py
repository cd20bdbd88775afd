# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Segment descriptors: what the guest writes, and what stands in the table that the CPU uses.

The hole is kept from the guest's kernel by segment limits alone: paging does not tell CPL 1 from CPL 0. So no
descriptor in a shadow table may reach a byte from ``top`` on, none has DPL 0, and none is a gate (Intel SDM 3A, 3.4.5
and 3.5). A segment that wraps around the end of the address space reaches two parts of it, and one descriptor can show
the CPU one of them only: :func:`shadow` gives both, and the monitor changes between them when the guest asks for the
other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

_SPACE: Final = 1 << 32
_PAGE: Final = 4096
_ACCESSED: Final = 1 << 40
_WRITABLE: Final = 1 << 41  # of data; of code: readable
_DOWN: Final = 1 << 42  # of data; of code: conforming
_CODE: Final = 1 << 43
_SEGMENT: Final = 1 << 44  # code or data, no system descriptor
_DPL_AT: Final = 45
_PRESENT: Final = 1 << 47
_LONG: Final = 1 << 53
_BIG: Final = 1 << 54
_GRANULAR: Final = 1 << 55
_MAX_BYTES: Final = 1 << 20  # what a limit without granularity can say

LDT: Final = 2
TSS: Final = frozenset({1, 3, 9, 11})
CALL_GATES: Final = frozenset({4, 12})
TASK_GATE: Final = 5
KERNEL_DPL: Final = 1


class Why(Enum):
    """Why a descriptor is not in the shadow table."""

    EMPTY = "nothing is there"
    SYSTEM = "the CPU has the monitor's LDT and TSS; the guest's are kept in mind only"
    CALL_GATE = "a call gate leads where its writer wants"
    TASK_GATE = "a task gate loads every register"
    SYSTEM_GATE = "no descriptor of this type belongs into this table"
    CONFORMING = "conforming code runs at its caller's level"
    UNREACHABLE = "nothing of it is below the hole"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of 8 bytes as the CPU reads it.

    Args:
        value: 64 bits, low word first in memory.
    """

    value: int

    @property
    def base(self) -> int:
        """First linear address, for segments that don't expand down."""
        return (self.value >> 16 & 0xFFFFFF) | (self.value >> 56 & 0xFF) << 24

    @property
    def limit(self) -> int:
        """The last offset, or for data that expands down the last that is not in it; in bytes."""
        raw = (self.value & 0xFFFF) | (self.value >> 48 & 0xF) << 16
        return raw << 12 | 0xFFF if self.value & _GRANULAR else raw

    @property
    def dpl(self) -> int:
        """Privilege level, 0 to 3."""
        return self.value >> _DPL_AT & 3

    @property
    def type(self) -> int:
        """The four bits of the type."""
        return self.value >> 40 & 0xF

    @property
    def present(self) -> bool:
        """Whether it can be loaded."""
        return bool(self.value & _PRESENT)

    @property
    def is_segment(self) -> bool:
        """Code or data; else a system descriptor."""
        return bool(self.value & _SEGMENT)

    @property
    def is_code(self) -> bool:
        """Code; data has the bit clear."""
        return bool(self.value & _SEGMENT and self.value & _CODE)

    @property
    def is_conforming(self) -> bool:
        """Code that keeps its caller's privilege level."""
        return self.is_code and bool(self.value & _DOWN)

    @property
    def expands_down(self) -> bool:
        """Data whose offsets are those beyond the limit."""
        return self.is_segment and not self.is_code and bool(self.value & _DOWN)

    @property
    def is_big(self) -> bool:
        """32-bit code or stack; the upper bound of data that expands down is 4 GiB."""
        return bool(self.value & _BIG)

    def reach(self) -> tuple[range, ...]:
        """Return the linear addresses that it reaches, as one or two ranges below 4 GiB; none if it is empty."""
        if self.expands_down:
            end = _SPACE if self.is_big else 0x10000
            first, length = self.base + self.limit + 1, end - self.limit - 1
        else:
            first, length = self.base, self.limit + 1
        if length <= 0:
            return ()
        first %= _SPACE
        if first + length <= _SPACE:
            return (range(first, first + length),)
        return range(first, _SPACE), range(first + length - _SPACE)


NULL: Final = Descriptor(0)


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What becomes of a descriptor.

    Args:
        value: for the shadow table; 0 where the guest's may not be there.
        other: the same segment's other part, if it wraps and the monitor may change to it; else 0.
        why: why there is nothing in the shadow table; None if there is.
        truncated: bytes that the guest asked for are missing.
    """

    value: int
    other: int = 0
    why: Why | None = None
    truncated: bool = False


def make(  # noqa: PLR0913 - the fields of a descriptor
    base: int,
    limit: int,
    *,
    dpl: int = 0,
    code: bool = False,
    writable: bool = True,
    down: bool = False,
    big: bool = True,
    present: bool = True,
) -> Descriptor:
    """Return a segment descriptor.

    Args:
        base: linear address, 0 to 2^32-1.
        limit: as :attr:`Descriptor.limit`; from 1 MiB on its low 12 bits are taken as ones.
        dpl: privilege level, 0 to 3.
        code: code, else data.
        writable: data can be written, code can be read.
        down: data expands down; code conforms.
        big: 32 bits.
        present: it can be loaded.
    """
    value = _limited(_SEGMENT | dpl << _DPL_AT | _bits(base), limit)
    for wanted, bit in ((code, _CODE), (writable, _WRITABLE), (down, _DOWN), (big, _BIG), (present, _PRESENT)):
        value |= bit * wanted
    return Descriptor(value)


def shadow(descriptor: Descriptor, top: int, kernel_dpl: int = KERNEL_DPL) -> Shadowed:
    """Return what stands in the shadow table for what the guest wrote.

    Args:
        descriptor: the guest's.
        top: first linear address that the guest may not reach; a multiple of 4096.
        kernel_dpl: level of the guest's kernel; descriptors with a lower DPL get this one.
    """
    why = _refusal(descriptor)
    if why is not None:
        return Shadowed(0, why=why)
    value = descriptor.value & ~_LONG | _ACCESSED
    value = value & ~(3 << _DPL_AT) | (3 if descriptor.dpl == 3 else kernel_dpl) << _DPL_AT
    if not descriptor.present:
        # nobody can use it, and whoever loads it gets the fault that hardware has for it
        return Shadowed(value)
    allowed = _parts(descriptor, top)
    if all(part.stop <= top for part in descriptor.reach()):
        return Shadowed(value)
    forms = [form for part in allowed if (form := _form(Descriptor(value), part)) is not None]
    if not forms:
        return Shadowed(0, why=Why.UNREACHABLE)
    return Shadowed(forms[0], forms[1] if len(forms) > 1 else 0, truncated=True)


def shadow_table(raw: bytes, top: int, kernel_dpl: int = KERNEL_DPL) -> list[Shadowed]:
    """Return what stands in the shadow table for a guest's table; a piece at its end is no descriptor."""
    values = (int.from_bytes(raw[at : at + 8], "little") for at in range(0, len(raw) - 7, 8))
    return [shadow(Descriptor(value), top, kernel_dpl) for value in values]


def pack(shadowed: Iterable[Shadowed]) -> bytes:
    """Return the bytes of a shadow table."""
    return b"".join(entry.value.to_bytes(8, "little") for entry in shadowed)


def _refusal(descriptor: Descriptor) -> Why | None:
    if descriptor.is_conforming:
        return Why.CONFORMING
    if descriptor.is_segment:
        return None
    if descriptor.value == 0 or descriptor.type == 0:
        return Why.EMPTY
    if descriptor.type in TSS or descriptor.type == LDT:
        return Why.SYSTEM
    if descriptor.type in CALL_GATES:
        return Why.CALL_GATE
    return Why.TASK_GATE if descriptor.type == TASK_GATE else Why.SYSTEM_GATE


def _parts(descriptor: Descriptor, top: int) -> list[range]:
    """Return what of its reach is below ``top``, as ranges of offsets in order of use: from offset 0 first."""
    base = descriptor.base
    found = []
    for part in descriptor.reach():
        stop = min(part.stop, top)
        if part.start < stop:
            first = (part.start - base) % _SPACE
            found.append(range(first, first + stop - part.start))
    return sorted(found, key=lambda part: part.start)


def _form(descriptor: Descriptor, part: range) -> int | None:
    """Return the descriptor that reaches the offsets of ``part`` and no others; None if there is no such one."""
    value = descriptor.value & ~_GRANULAR
    if part.start == 0 and (descriptor.is_code or not descriptor.expands_down):
        return _shrunk_up(value, part.stop)
    if descriptor.is_code or part.stop != _SPACE or not descriptor.is_big:
        return None
    # up to the last offset: a segment that expands down, with what begins in a page's middle given up
    return _limited(value | _DOWN, _round_up(part.start) - 1)


def _shrunk_up(value: int, length: int) -> int | None:
    if length <= 0:
        return None
    if length <= _MAX_BYTES:
        return _limited(value, length - 1)
    return _limited(value, length // _PAGE * _PAGE - 1)


def _round_up(offset: int) -> int:
    return offset if offset <= _MAX_BYTES else -(-offset // _PAGE) * _PAGE


def _bits(base: int) -> int:
    return (base & 0xFFFFFF) << 16 | (base >> 24 & 0xFF) << 56


def _limited(value: int, limit: int) -> int:
    """Return ``value`` with a limit; one that needs granularity ends in ones."""
    value &= ~(_GRANULAR | 0xFFFF | 0xF << 48)
    if limit >= _MAX_BYTES:
        value |= _GRANULAR
        limit >>= 12
    return value | (limit & 0xFFFF) | (limit >> 16 & 0xF) << 48
