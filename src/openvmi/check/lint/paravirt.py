# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds paravirt tables, the native functions in them, and which words the VMI back end replaces.

Nothing is taken from a list of kernel versions: tables are found by name, and a word counts as replaced where the
kernel's own VMI code stores to it (Linux), or its own table names the call behind it (the bundled kernel's layer).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from iced_x86 import Decoder, Mnemonic, OpKind, Register

from ... import abi
from .code import Text
from .model import Kernel, Places, Symbol
from .records import Site

_TABLE = re.compile(r"paravirt_ops|pv_ops|pv_(?:init|time|cpu|irq|apic|mmu|lock)_ops")
_TEMPLATE = re.compile(r"start_(pv_\w+|cli|sti|popf|pushf|pushf_cli|save_fl|restore_fl|iret|sti_sysexit)")
_TEMPLATE_MAX = 32
_INFO = struct.Struct("<IIB3x")
_TABLE_MAX = 4096
# call *word, jmp *word
_THROUGH = re.compile(rb"\xff[\x15\x25](.{4})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a paravirt table.

    Args:
        address: its linear address.
        name: table and offset, or the operation's name.
        target: what it holds in the image: the native function.
        replaced: whether the VMI back end puts something else there.
    """

    address: int
    name: str
    target: int
    replaced: bool


@dataclass(frozen=True, slots=True)
class Paravirt:
    """The paravirt layer of a kernel.

    Args:
        words: by address.
        readers: ranges that may hold a native function's address and never lead the CPU there: the bundled layer's
            table of native code to copy.
        templates: ranges of code that the native patcher copies.
        bundled: whether it is the layer of the bundled kernel.
    """

    words: dict[int, Word]
    readers: tuple[range, ...]
    templates: tuple[range, ...]
    bundled: bool

    def by_type(self, kind: int) -> Word | None:
        """Return the word of an operation by the number in a patch site's record, where that is known."""
        ordered = sorted(self.words) if self.bundled else []
        return self.words[ordered[kind]] if kind < len(ordered) else None


def find_paravirt(text: Text, places: Places, sites: Iterable[Site]) -> Paravirt:
    """Return the paravirt layer of a kernel; empty if it has none.

    Args:
        text: the code of the kernel.
        places: names addresses.
        sites: its patch sites; without symbols of data, what they call through are the words.
    """
    kernel = text.kernel
    tables = [symbol for name, symbol in kernel.named.items() if symbol.kind == "object" and _TABLE.fullmatch(name)]
    names = {word: f"{table.name}+{word - table.address:#x}" for table in tables for word in _words(table)}
    if not tables:
        names = {word: f"word {word:#010x}" for word in _called_through(kernel, sites)}
    named = _bundled(kernel)
    stored = set() if named else _stored(text, places, names.keys())
    words = {}
    for address, name in names.items():
        data = kernel.bytes_at(address, 4)
        if len(data) == 4:
            replaced = address in named or address in stored
            words[address] = Word(address, named.get(address, name), int.from_bytes(data, "little"), replaced)
    natives = kernel.named.get("pv_natives") if named else None
    readers = (range(natives.address, natives.address + natives.size),) if natives else ()
    return Paravirt(words, readers, tuple(_templates(kernel)), bool(named))


def _called_through(kernel: Kernel, sites: Iterable[Site]) -> set[int]:
    """Return the words through which patch sites call or jump."""
    codes = (kernel.bytes_at(site.start, site.length) for site in sites if site.record == ".parainstructions")
    return {int.from_bytes(match[1], "little") for code in codes for match in _THROUGH.finditer(code)}


def _words(table: Symbol) -> range:
    return range(table.address, table.address + min(table.size, _TABLE_MAX) // 4 * 4, 4)


def _bundled(kernel: Kernel) -> dict[int, str]:
    """Return the words behind which the bundled layer's own table names a VMI call, with their operation's name."""
    table, infos = kernel.named.get("pv_ops"), kernel.named.get("pv_infos")
    if table is None or infos is None or infos.size != table.size // 4 * _INFO.size:
        return {}
    calls = {spec.name for spec in abi.load("D").calls}
    found = {}
    for address, fields in zip(
        _words(table), _INFO.iter_unpack(kernel.bytes_at(infos.address, infos.size)), strict=False
    ):
        name, call, _ = fields
        if _text(kernel, call) in calls:
            found[address] = _text(kernel, name)
    return found


def _text(kernel: Kernel, address: int) -> str:
    return kernel.bytes_at(address, 64).split(b"\0", 1)[0].decode("ascii", "replace")


def _stored(text: Text, places: Places, words: Iterable[int]) -> set[int]:
    """Return those of ``words`` that functions with VMI in their name store to."""
    found: set[int] = set()
    for scan in text.scans:
        symbol = places.symbol(scan.stretch.start)
        if scan.flaw or symbol is None or "vmi" not in symbol.name:
            continue
        text.budget.spend(scan.count)
        for instruction in Decoder(32, scan.stretch.data, ip=scan.stretch.start):
            if (
                instruction.mnemonic == Mnemonic.MOV
                and instruction.op0_kind == OpKind.MEMORY
                and instruction.memory_base == instruction.memory_index == Register.NONE
            ):
                found.add(instruction.memory_displacement)
    return found.intersection(words)


def _templates(kernel: Kernel) -> Iterator[range]:
    """Yield the ranges between ``start_X`` and ``end_X`` (Linux arch/x86/kernel/paravirt_patch_32.c, DEF_NATIVE)."""
    for name, symbol in kernel.named.items():
        match = _TEMPLATE.fullmatch(name)
        end = kernel.named.get(f"end_{match[1]}") if match else None
        if end is not None and symbol.address < end.address <= symbol.address + _TEMPLATE_MAX:
            yield range(symbol.address, end.address)
