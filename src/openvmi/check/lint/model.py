# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lint speaks of: a kernel in memory, its instructions that matter, and what becomes of each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Effect(StrEnum):
    """What an instruction does in a kernel that runs at CPL 1 or 2 with IOPL 0."""

    TRAPS = "traps"
    """It faults, whatever its operands: a hypervisor can emulate it, and it is slow."""
    SILENT = "silent"
    """It does something else than at CPL 0, or shows something else, and nobody is told."""
    DEPENDS = "depends"
    """It works, faults or differs by its operands, or by how the hypervisor set the CPU up."""


class Cover(StrEnum):
    """Why an instruction does not run, or not as it stands, once the kernel is deprivileged; or that it does."""

    NONE = "uncovered"
    SITE = "patch site"
    """It lies in a site that the kernel's patcher rewrites, if the ROM takes the operation."""
    TABLE = "paravirt table"
    """Only words of a paravirt table lead to it, and the VMI back end replaces all of them if the ROM has the call."""
    TEMPLATE = "patch template"
    """The native patcher copies it; it never runs where it lies, and a VMI kernel's patcher does not copy it."""
    ANNOTATION = "vmi annotation"
    """An annotation of the 2006 generation has it replaced by a call of the ROM."""
    BOOT = "boot"
    """It is on the way from the image's entry to the first indirect jump: before VMI can be on."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the image that is in memory when the kernel runs.

    Args:
        name: as in the file.
        address: linear address.
        data: its content; empty for one of zeros.
        code: whether it may be executed.
        mixed: whether it may be written as well: data that code was linked into.
    """

    name: str
    address: int
    data: bytes
    code: bool
    mixed: bool = False

    @property
    def end(self) -> int:
        """The address after its last byte."""
        return self.address + len(self.data)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of the image.

    Args:
        address: linear address.
        size: in bytes; 0 if the file does not say.
        kind: ``func``, ``object`` or ``label``.
        name: as in the file.
    """

    address: int
    size: int
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image.

    Args:
        sections: by address.
        symbols: by address; several may share one.
        entry: where it is entered, as a linear address of one of its sections; None if the file does not tell.
        offset: how much higher linear addresses are than physical ones where it is entered, in bytes.
        origin: one sentence on where image and symbols come from.
    """

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    entry: int | None
    offset: int
    origin: str
    named: Mapping[str, Symbol] = field(init=False)
    _starts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", tuple(section.address for section in self.sections))
        object.__setattr__(self, "named", {symbol.name: symbol for symbol in reversed(self.symbols)})

    def section(self, name: str) -> Section | None:
        """Return the section ``name``, or None."""
        return next((section for section in self.sections if section.name == name), None)

    def section_at(self, address: int) -> Section | None:
        """Return the section that holds ``address``, or None."""
        index = bisect_right(self._starts, address) - 1
        return self.sections[index] if index >= 0 and address < self.sections[index].end else None

    def bytes_at(self, address: int, size: int) -> bytes:
        """Return ``size`` bytes at ``address``; fewer, or none, where the image ends."""
        section = self.section_at(address)
        if section is None:
            return b""
        return section.data[address - section.address : address - section.address + size]


@dataclass(frozen=True, slots=True)
class Rule:
    """What the lint knows of one kind of instruction.

    Args:
        id: short name, stable.
        effect: what happens below CPL 0.
        text: the same as a sentence.
        source: where it is written.
        call: the VMI call that a kernel makes instead; empty if there is none.
    """

    id: str
    effect: Effect
    text: str
    source: str
    call: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """An instruction that matters, as the sweep found it.

    Args:
        address: linear address.
        data: its bytes.
        text: as GNU as writes it.
        rule: what it is.
    """

    address: int
    data: bytes
    text: str
    rule: Rule

    @property
    def end(self) -> int:
        """The address after it."""
        return self.address + len(self.data)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of an executable section, from one symbol to the next.

    Args:
        section: where it lies.
        start: its first address.
        end: the address after it.
        symbol: what begins there; None for a piece without a symbol.
    """

    section: Section
    start: int
    end: int
    symbol: Symbol | None

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.section.data[self.start - self.section.address : self.end - self.section.address]


@dataclass(frozen=True, slots=True)
class Finding:
    """An instruction that matters, and what becomes of it.

    Args:
        hit: the instruction.
        section: name of its section.
        function: name of the nearest symbol before it; empty if there is none.
        offset: from that symbol, in bytes; from the section's start if there is none.
        cover: why it does not matter, or that it does. Never more than NONE where ``doubt`` is not empty.
        doubt: why it may be no instruction at all; empty where that is certain.
        note: what else is known of it; may be empty.
    """

    hit: Hit
    section: str
    function: str
    offset: int
    cover: Cover
    doubt: str
    note: str

    @property
    def place(self) -> str:
        """Symbol and offset, or section and offset."""
        return f"{self.function or self.section}+{self.offset:#x}"

    @property
    def open(self) -> bool:
        """Whether it counts: nothing covers it."""
        return self.cover is Cover.NONE


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch whose decoding is not certain.

    Args:
        start: linear address.
        end: the address after it.
        place: symbol, or section and offset.
        reason: why.
    """

    start: int
    end: int
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that the lint says of one kernel.

    Args:
        findings: by address.
        doubts: every stretch that was not decoded with certainty, with or without a finding in it.
        notes: sentences on the kernel: where its symbols come from, which records it has.
        instructions: how many were decoded.
        code_bytes: how many bytes were decoded.
    """

    findings: tuple[Finding, ...]
    doubts: tuple[Doubt, ...]
    notes: tuple[str, ...]
    instructions: int
    code_bytes: int


class Places:
    """Finds the nearest symbol before an address."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        named = [symbol for symbol in kernel.symbols if symbol.name]
        # of several at one address the first function, else the first
        best: dict[int, Symbol] = {}
        for symbol in named:
            if symbol.address not in best or (symbol.kind == "func" and best[symbol.address].kind != "func"):
                best[symbol.address] = symbol
        self._symbols = [best[address] for address in sorted(best)]
        self._addresses = [symbol.address for symbol in self._symbols]

    def symbol(self, address: int) -> Symbol | None:
        """Return the nearest symbol at or before ``address`` in the same section, or None."""
        section = self._kernel.section_at(address)
        index = bisect_right(self._addresses, address) - 1
        if section is None or index < 0 or self._addresses[index] < section.address:
            return None
        return self._symbols[index]

    def text(self, address: int) -> str:
        """Return ``address`` as symbol and offset, or section and offset, or a number."""
        symbol, section = self.symbol(address), self._kernel.section_at(address)
        if symbol is not None:
            return f"{symbol.name}+{address - symbol.address:#x}" if address != symbol.address else symbol.name
        return f"{section.name}+{address - section.address:#x}" if section else f"{address:#010x}"
