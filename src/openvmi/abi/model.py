# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records of the interface's tables: what :func:`openvmi.abi.load` returns.

Numbers live in ``tables/*.toml`` and nowhere else; these classes only give them a shape.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..errors import HarnessError

STACK_SLOTS = ("s1", "s2", "s3", "s4")
REGISTERS = ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp")
REGPARM_ORDER = ("eax", "edx", "ecx", *STACK_SLOTS)
STANDARD_CLOBBERS = ("eax", "edx", "ecx", "flags")
FRAME = "frame"
POINTER_BITS = 32
ENUM_BITS = 32


class TableError(HarnessError):
    """A table of the interface contradicts itself; ``where`` names the file and the entry."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument or result.

    Args:
        name: as in the generated prototypes.
        type: a scalar of ``[types]``, an enumeration, or ``NAME*`` for the linear address of a structure or type.
        bits: 8, 16, 32 or 64; of a narrow value the rest of the register does not count.
        at: registers or stack slots, low half first; ``("frame",)`` for the frame of IRET.
    """

    name: str
    type: str
    bits: int
    at: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinuxHook:
    """A hook of mainline Linux that reaches a call.

    Args:
        op: the operation, by its name in 2.6.32.
        kinds: ``fill`` (the pointer is the ROM's), ``wrap`` (a wrapper keeps the pointer), ``patch`` (sites are
            rewritten), ``fetch`` (the pointer is kept for wrappers of the guest's own; absent means feature off).
    """

    op: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallSpec:
    """One call of the interface.

    Args:
        number: what ``get_reloc`` takes (generation D), or the slot (generation B).
        name: as in the reference, ``SetCR3``.
        group: name of its :class:`Group`.
        does: what it does, one line.
        takes: arguments in the order of their places.
        gives: results.
        convention: ``regparm``, ``instruction`` (the registers of the CPU's own instruction) or ``frame``.
        clobbers: registers and ``flags`` that may differ after return, results included.
        segments: ``standard`` (CS, SS, DS, ES flat) or ``cs-ss`` (DS and ES may hold anything).
        reads: memory that it reads: names of pointer arguments or of :attr:`Interface.memory`.
        writes: memory that it changes, likewise.
        returns: whether it comes back to its caller.
        answers: relocation types that a ROM may give to a mainline guest.
        presence: names of the :class:`Presence` rules that hold.
        queue: lazy modes in which it may be queued.
        drains: whether it drains what is queued.
        unpublished: whether its arguments are guesses, because no public text has them.
        linux: hooks of mainline Linux that reach it.
        linux_note: what differs between Linux versions.
        since: API minor version that added it.
        sections: of ``vmi-abi.md``.
    """

    number: int
    name: str
    group: str
    does: str
    takes: tuple[Argument, ...]
    gives: tuple[Argument, ...]
    convention: Literal["regparm", "instruction", "frame"]
    clobbers: tuple[str, ...]
    segments: Literal["standard", "cs-ss"]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    returns: bool
    answers: tuple[str, ...]
    presence: tuple[str, ...]
    queue: tuple[str, ...]
    drains: bool
    unpublished: bool
    linux: tuple[LinuxHook, ...]
    linux_note: str
    since: int
    sections: tuple[str, ...]

    @property
    def may_be_none(self) -> bool:
        """Whether a ROM may leave it to the guest's native code."""
        return "NONE" in self.answers

    @property
    def may_be_nop(self) -> bool:
        """Whether a ROM may say that there is nothing to do."""
        return "NOP" in self.answers

    @property
    def preserves(self) -> tuple[str, ...]:
        """General registers that are after return what they were at entry, ESP aside."""
        return tuple(register for register in REGISTERS if register not in self.clobbers)


@dataclass(frozen=True, slots=True)
class JumpPoint:
    """Code in the header that the guest calls: regparm, standard clobbers and segments.

    Args:
        name: of the header field that holds the instructions.
        does: one line.
        takes: arguments.
        gives: results.
        status: what the result means.
        sections: of ``vmi-abi.md``.
    """

    name: str
    does: str
    takes: tuple[Argument, ...]
    gives: tuple[Argument, ...]
    status: str
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A named value of an :class:`Enumeration`: ``name``, ``value`` (32 bits), ``doc``."""

    name: str
    value: int
    doc: str


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A flag word or an enumeration.

    Args:
        name: of the Python class.
        prefix: of the C names, between ``VMI_`` and the member.
        kind: ``enum`` or ``flag`` (members are single bits).
        members: the values.
        masks: fields of the word that are no members: ``VMI_PXE_VA_MASK``.
        doc: one line.
        sections: of ``vmi-abi.md``.
    """

    name: str
    prefix: str
    kind: Literal["enum", "flag"]
    members: tuple[Member, ...]
    masks: tuple[Member, ...]
    doc: str
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A single named value: a number of at most 32 bits (``decimal``: people count with it), or a string."""

    name: str
    value: int | str
    decimal: bool
    doc: str
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a :class:`Structure`.

    Args:
        name: C identifier, Python attribute.
        offset: bytes from the structure's start.
        type: ``u8``, ``u16``, ``u32``, ``u64``, ``bytes``.
        size: in bytes.
        doc: one line, possibly empty.
    """

    name: str
    offset: int
    type: str
    size: int
    doc: str


@dataclass(frozen=True, slots=True)
class Structure:
    """A packed little-endian structure of ``size`` bytes without gaps."""

    name: str
    size: int
    fields: tuple[Field, ...]
    doc: str
    sections: tuple[str, ...]

    @property
    def class_name(self) -> str:
        """Name of the Python class: ``rom_header`` is ``RomHeader``."""
        return "".join(part.capitalize() for part in self.name.split("_"))


@dataclass(frozen=True, slots=True)
class Group:
    """A chapter of calls: ``name`` and ``title``."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Presence:
    """A rule on whether a call may be absent."""

    name: str
    rule: str
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """Calls that a ROM answers all by CALL_REL, or whose ``leader`` it answers by NONE."""

    name: str
    leader: str
    members: tuple[str, ...]
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One test that a mainline guest makes on a ROM.

    Args:
        order: 1 is made first.
        name: identifier for programs.
        test: what must hold.
        failure: ``skip`` (silently not VMI), ``reject`` (with a warning) or ``warn`` (taken all the same).
        reads: header fields (or ``structure.field``) that it looks at.
        sections: of ``vmi-abi.md``.
    """

    order: int
    name: str
    test: str
    failure: Literal["skip", "reject", "warn"]
    reads: tuple[str, ...]
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """One step of the order in which a mainline guest asks for calls.

    Args:
        call: name.
        condition: when it is asked: ``""`` (always), ``legacy``, ``pae``, ``smp``, ``apic``, ``timer``.
        times: how many times in a row.
    """

    call: str
    condition: str
    times: int


@dataclass(frozen=True, slots=True)
class Extension:
    """Numbers that only some ROMs or guests of a generation know; two extensions may disagree."""

    name: str
    title: str
    calls: tuple[tuple[int, str], ...]
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """What a generation has in common with the one that its tables build upon: names that they don't define again."""

    constants: tuple[Constant, ...] = ()
    enums: tuple[Enumeration, ...] = ()
    structures: tuple[Structure, ...] = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """A generation of the interface: all its tables.

    Args:
        generation: ``D`` or ``B``.
        title: one line.
        dispatch: how a guest reaches calls.
        years: when it was in use.
        types: scalar types and their sizes in bits.
        memory: names of memory objects that calls touch, explained.
        calls: by number, without gaps from the first.
        jump_points: code in the header that guests call.
        enums: flag words and enumerations.
        constants: single values.
        structures: packed structures.
        groups: chapters.
        presence: rules on absence.
        wholes: calls that are there together or not at all.
        acceptance: tests of a mainline guest, in order.
        queries: order in which a mainline guest asks.
        extensions: numbers beyond the common ones.
        shared: what another generation's tables say, and is true here.
    """

    generation: str
    title: str
    dispatch: str
    years: str
    types: dict[str, int]
    memory: dict[str, str]
    calls: tuple[CallSpec, ...]
    jump_points: tuple[JumpPoint, ...]
    enums: tuple[Enumeration, ...]
    constants: tuple[Constant, ...]
    structures: tuple[Structure, ...]
    groups: tuple[Group, ...]
    presence: tuple[Presence, ...]
    wholes: tuple[Whole, ...]
    acceptance: tuple[Acceptance, ...]
    queries: tuple[Query, ...]
    extensions: tuple[Extension, ...]
    shared: Shared = Shared()

    @property
    def every_constant(self) -> tuple[Constant, ...]:
        """The shared ones, then its own."""
        return (*self.shared.constants, *self.constants)

    @property
    def every_enum(self) -> tuple[Enumeration, ...]:
        """The shared ones, then its own."""
        return (*self.shared.enums, *self.enums)

    @property
    def every_structure(self) -> tuple[Structure, ...]:
        """The shared ones, then its own."""
        return (*self.shared.structures, *self.structures)

    def until(self, minor: int) -> Interface:
        """Return the generation as API minor version ``minor`` has it: without the calls that came later."""
        return replace(self, calls=tuple(call for call in self.calls if call.since <= minor))

    def call(self, which: int | str) -> CallSpec:
        """Return the call of that number or name (letter case does not count).

        Raises:
            KeyError: there is no such call.
        """
        for call in self.calls:
            if which == call.number or (isinstance(which, str) and which.lower() == call.name.lower()):
                return call
        raise KeyError(which)

    def structure(self, name: str) -> Structure:
        """Return the structure called ``name``.

        Raises:
            KeyError: there is no such structure.
        """
        return {structure.name: structure for structure in self.structures}[name]
