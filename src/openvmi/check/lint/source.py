# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From a file to a kernel in memory: ELF as it is, a bzImage unpacked, symbols from wherever there are some."""

from __future__ import annotations

import mmap
import os
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG

from ...errors import InputError
from .elf import read_elf
from .kallsyms import find_kallsyms
from .model import Kernel, Section, Symbol
from .unpack import MAX_UNPACKED, is_bzimage, unpack_bzimage

MAX_FILE = 1 << 30
_HEAD = 1024
_PAGE = 0xFFF
# Linux's own marks in a bare memory image: where code ends, and where that of start-up lies.
_MARKS = ("_etext", "_sinittext", "_einittext")
_HELP = "give vmlinux, or a bzImage"


def read_kernel(file: Path) -> Kernel:
    """Return the kernel in ``file``.

    Raises:
        InputError: it can't be read, or is no 32-bit x86 kernel.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            data = _contents(descriptor)
        finally:
            os.close(descriptor)
        return parse_kernel(data)
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read: {getattr(error, 'strerror', None) or error}", where=str(file)) from error
    except InputError as error:
        raise InputError(error.what, where=str(file), help=error.help) from error


def _contents(descriptor: int) -> memoryview:
    """Return the file, mapped: debug information makes it large, and is not read."""
    state = os.fstat(descriptor)
    if not S_ISREG(state.st_mode):
        raise InputError("can't be read: not a file")
    if state.st_size > MAX_FILE:
        raise InputError(f"larger than {MAX_FILE >> 30} GiB: no kernel")
    if state.st_size == 0:
        raise InputError("an empty file", help=_HELP)
    return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))


def parse_kernel(data: bytes | memoryview) -> Kernel:
    """Return the kernel that the bytes of a file hold.

    Raises:
        InputError: no 32-bit x86 kernel, or damaged.
    """
    head = bytes(data[:_HEAD])
    if head.startswith(b"\x7fELF"):
        return _with_symbols(read_elf(data))
    if is_bzimage(head):
        if len(data) > MAX_UNPACKED:
            raise InputError(f"a bzImage of more than {MAX_UNPACKED >> 20} MiB: no 32-bit kernel")
        payload = unpack_bzimage(bytes(data))
        if payload.startswith(b"\x7fELF"):
            return _with_symbols(read_elf(payload, "an ELF file from a bzImage"))
        return _bare(payload)
    raise InputError("neither an ELF file nor a bzImage", help=_HELP)


def _with_symbols(kernel: Kernel) -> Kernel:
    """Return ``kernel`` with the symbols that it carries for its own use, if the file has none."""
    if kernel.symbols:
        return kernel
    for section in kernel.sections:
        symbols = find_kallsyms(section)
        if symbols:
            origin = f"{kernel.origin}, symbols of code from its kallsyms, none of data"
            return replace(kernel, symbols=tuple(sorted(symbols, key=lambda symbol: symbol.address)), origin=origin)
    return kernel


def _bare(payload: bytes) -> Kernel:
    """Return the kernel of a bare memory image, as bzImages had before Linux 2.6.26: without sections and records."""
    symbols = sorted(find_kallsyms(Section("image", 0, payload, code=False)), key=lambda symbol: symbol.address)
    named = {symbol.name: symbol.address for symbol in symbols}
    code = [symbol for symbol in symbols if symbol.kind != "object"]
    base = code[0].address & ~_PAGE if code else 0
    marks = [named.get(name, 0) for name in _MARKS]
    edges = [base, *marks, base + len(payload)]
    if not code or edges != sorted(edges):
        raise InputError("a bzImage with a bare memory image, in which code and data can't be told", help=_HELP)
    pieces = [
        Section(name, start, payload[start - base : end - base], code=name != "data")
        for name, start, end in zip(("text", "data", "init text", "data"), edges, edges[1:], strict=False)
        if start < end
    ]
    moved = [_moved(symbol, base) for symbol in symbols]
    origin = "a bare memory image from a bzImage, symbols of code from its kallsyms; it tells of no patch sites"
    return Kernel(tuple(pieces), tuple(sorted(moved, key=lambda symbol: symbol.address)), base, 0, origin)


def _moved(symbol: Symbol, base: int) -> Symbol:
    return replace(symbol, address=symbol.address + base) if symbol.kind == "object" else symbol
