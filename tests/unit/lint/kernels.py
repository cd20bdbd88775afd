# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the ELF files and bzImages that the lint is tried on: pieces of code with names, at addresses of their own."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from openvmi.check.lint import Finding, Report, lint, parse_kernel

BASE = 0xC0100000
LOAD = 0x00100000
CODE, DATA, MIXED = 6, 3, 7  # section flags: alloc and exec, alloc and write, all three
FUNC, OBJECT, LABEL = 2, 1, 0

RET = b"\xc3"
NOP = b"\x90"
CLI = b"\xfa"


@dataclass(frozen=True)
class Piece:
    """A symbol and the bytes from it to the next; ``size`` None is all of them, ``name`` empty is no symbol."""

    name: str
    data: bytes
    kind: int = FUNC
    size: int | None = None


@dataclass(frozen=True)
class Part:
    """A section."""

    name: str
    address: int
    pieces: tuple[Piece, ...]
    flags: int = CODE

    @property
    def data(self) -> bytes:
        return b"".join(piece.data for piece in self.pieces)


@dataclass
class Builder:
    """A kernel in the making."""

    parts: list[Part] = field(default_factory=list)
    entry: int = 0

    def part(self, name: str, address: int, *pieces: Piece, flags: int = CODE) -> Builder:
        self.parts.append(Part(name, address, pieces, flags))
        return self

    def text(self, *pieces: Piece) -> Builder:
        return self.part(".text", BASE, *pieces)

    def elf(self, *, symbols: bool = True) -> bytes:
        return write_elf(self.parts, self.entry, symbols=symbols)

    def lint(self, *, symbols: bool = True) -> Report:
        return lint(parse_kernel(self.elf(symbols=symbols)))


def one(report: Report, place: str) -> Finding:
    """Return the finding at ``place``."""
    (found,) = (finding for finding in report.findings if finding.place == place)
    return found


def branch(opcode: int, source: int, target: int) -> bytes:
    """Return a near call (E8) or jump (E9) at ``source``."""
    return bytes([opcode]) + struct.pack("<i", target - source - 5)


class _Strings:
    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at


def write_elf(parts: list[Part], entry: int, *, symbols: bool) -> bytes:
    names, section_names = _Strings(), _Strings()
    table = bytes(16)
    for index, part in enumerate(parts, start=1):
        address = part.address
        for piece in part.pieces:
            if piece.name:
                size = (0 if piece.kind == LABEL else len(piece.data)) if piece.size is None else piece.size
                table += struct.pack("<IIIBBH", names.add(piece.name), address, size, piece.kind, 0, index)
            address += len(piece.data)
    bodies = [(part.name, 1, part.flags, part.address, part.data, 0, 0) for part in parts]
    if symbols:
        bodies += [(".symtab", 2, 0, 0, table, len(parts) + 2, 16), (".strtab", 3, 0, 0, names.data, 0, 0)]
    bodies.append((".shstrtab", 3, 0, 0, b"", 0, 0))
    named = [section_names.add(body[0]) for body in bodies]
    offset, content, headers = 52 + 32, b"", bytes(40)
    for number, (name, (title, kind, flags, address, data, link, size)) in enumerate(zip(named, bodies, strict=True)):
        data_ = section_names.data if number == len(bodies) - 1 else data
        headers += struct.pack("<10I", name, kind, flags, address, offset + len(content), len(data_), link, 0, 1, size)
        content += data_
        del title
    first = min(parts, key=lambda part: part.address)
    segment = struct.pack(
        "<8I", 1, offset, first.address, first.address - BASE + LOAD, len(content), len(content), 5, 1
    )
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        b"\x7fELF\x01\x01\x01" + bytes(9),
        *(2, 3, 1, entry, 52, offset + len(content), 0, 52, 32, 1, 40, len(bodies) + 1, len(bodies)),
    )
    return header + segment + content + headers


def bzimage(payload: bytes, *, version: int = 0x20A, length: int | None = None) -> bytes:
    """Return a boot image with one setup sector and ``payload``, said to be ``length`` bytes long."""
    head = bytearray(1024)
    head[0x1F1] = 1
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, version)
    if version >= 0x208:
        struct.pack_into("<II", head, 0x248, 64, len(payload) if length is None else length)
    return bytes(head) + bytes(64) + payload
