# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which function of the kernel an address belongs to: from vmlinux, System.map or /proc/kallsyms.

All of them are untrusted: lines and entries that are no symbols are left out, names are printable words.
"""

from __future__ import annotations

import fnmatch
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import InputError
from .elfsymbols import elf_symbols
from .event import NOWHERE

MAX_FILE_BYTES: Final = 512 << 20
MAX_SYMBOLS: Final = 1_000_000
"""That are looked at, those that turn out to be none included."""
_ADDRESSES: Final = 1 << 32
_LONGEST_NAME: Final = 128
_CODE: Final = frozenset("tTwW")
_END: Final = frozenset(("_etext", "_end"))
_REACH: Final = 1 << 20  # longer is no function: what lies further behind a symbol is something else
NO_CALLER: Final = "(no caller)"


class Place(NamedTuple):
    """A symbol's ``name`` and the ``offset`` of an address in it."""

    name: str
    offset: int

    def __str__(self) -> str:
        return f"{self.name}+{self.offset:#x}" if self.offset else self.name


class SymbolTable:
    """Addresses of functions, for quick look-up.

    Args:
        pairs: address and name; in any order, of which the first of several names of an address counts.
    """

    __slots__ = ("_addresses", "_cache", "_names")

    def __init__(self, pairs: Iterable[tuple[int, str]] = ()) -> None:
        first: dict[int, str] = {}
        for count, (address, name) in enumerate(pairs):
            if count == MAX_SYMBOLS:
                raise InputError(f"more than {MAX_SYMBOLS} symbols")
            if 0 <= address < _ADDRESSES and _is_name(name):
                first.setdefault(address, name)
        self._addresses = sorted(first)
        self._names = [first[address] for address in self._addresses]
        self._cache: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return zip(self._addresses, self._names, strict=True)

    def find(self, address: int) -> Place | None:
        """Return the nearest symbol at or below ``address``; None where the kernel has no code."""
        index = bisect_right(self._addresses, address) - 1
        if index < 0 or self._names[index] in _END:
            return None
        offset = address - self._addresses[index]
        return Place(self._names[index], offset) if offset < _REACH else None

    def place(self, caller: int) -> str:
        """Return ``function+0x12`` for a return address, or the address itself; :data:`NO_CALLER` for what has none.

        The byte before it decides, which is the call's own: a call may be a function's last instruction.
        """
        if caller == NOWHERE:
            return NO_CALLER
        found = self.find(caller - 1)
        return str(Place(found.name, found.offset + 1)) if found else f"{caller:#010x}"

    def function(self, caller: int) -> str:
        """Return the function that a return address lies in, the address itself, or :data:`NO_CALLER`."""
        name = NO_CALLER if caller == NOWHERE else self._cache.get(caller)
        if name is None:
            found = self.find(caller - 1)
            name = found.name if found else f"{caller:#010x}"
            if len(self._cache) < MAX_SYMBOLS:
                self._cache[caller] = name
        return name

    def ranges(self, pattern: str) -> list[tuple[int, int]]:
        """Return the address ranges, end excluded, of the functions whose names match ``pattern`` (``*`` and ``?``)."""
        ends = [*self._addresses[1:], _ADDRESSES]
        return [
            (start, min(end, start + _REACH))
            for start, end, name in zip(self._addresses, ends, self._names, strict=True)
            if name not in _END and fnmatch.fnmatchcase(name, pattern)
        ]

    def as_text(self) -> str:
        """Return the table in the form of System.map."""
        return "".join(f"{address:08x} T {name}\n" for address, name in self)


def load_symbols(path: Path) -> SymbolTable:
    """Return the symbols in ``path``: an ELF with a symbol table, a System.map, or what /proc/kallsyms printed.

    Raises:
        InputError: it can't be read, or holds no symbols of code.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", where=str(path)) from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError("too large for a kernel's symbols", where=str(path))
    try:
        return parse_symbols(data)
    except InputError as error:
        raise InputError(error.what, where=str(path), help=error.help) from error


def parse_symbols(data: bytes) -> SymbolTable:
    """Return the symbols in ``data``, an ELF or a text.

    Raises:
        InputError: it holds no symbols of code.
    """
    return _some(SymbolTable(elf_symbols(data, _LONGEST_NAME))) if data.startswith(b"\x7fELF") else parse_map(data)


def parse_map(data: bytes) -> SymbolTable:
    """Return the symbols in ``data``, a text: what somebody else has sent need not be taken for an ELF.

    Raises:
        InputError: it holds no symbols of code.
    """
    return _some(SymbolTable(_text(data)))


def _some(table: SymbolTable) -> SymbolTable:
    if not len(table):
        help = "vmlinux with its symbol table, System.map, or /proc/kallsyms read by root"  # noqa: A001 - as in errors
        raise InputError("no symbols of code in it", help=help)
    return table


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and name.isascii() and name.isprintable() and not set(name) & set(" ;")


def _text(data: bytes) -> Iterator[tuple[int, str]]:
    for line in BytesIO(data):
        words = line.decode("ascii", "replace").split()
        if len(words) < 3 or not (words[1] in _CODE or words[2] in _END):
            continue
        try:
            address = int(words[0], 16)
        except ValueError:
            continue
        if address:  # kallsyms without the privilege shows zeros
            yield address, words[2]
