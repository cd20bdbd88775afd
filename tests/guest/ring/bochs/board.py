# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A ROM image that is all the firmware a PC needs to start one kernel, and may carry the device's memory of ``ring``.

The CPU comes out of reset in its last page (``board.S``), which copies the kernel, its boot information and whatever
else is to be in memory out of the rest of the image.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final

from elftools.elf.elffile import ELFFile

from openvmi.abi import wire
from openvmi.hypervisor.link import Link
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.ring.place import PLACES, ROOM
from openvmi.rom import RomMetadata, build_image, loaded_pieces
from openvmi.toolchain import link
from openvmi.toolchain.recipes import firmware, ring, ring_image
from openvmi.toolchain.zig import Program

ROOT: Final = Path(__file__).resolve().parents[4]
HERE: Final = Path(__file__).resolve().parent.relative_to(ROOT).as_posix()
BAR: Final = 0x4000000  # as vmi_wire.h in this folder
MEMORY: Final = BAR
_IMAGE_ROOM: Final = 2 << 20  # of Bochs
_TOP: Final = 1 << 32
_PAGE: Final = 4096
_LIST: Final = 0xFE0  # in the last page: the list's address
_BOOT_INFO: Final = 0x9000  # and the command line behind it
_LOADED_BY_MULTIBOOT: Final = 0x2BADB002
_HAS_MEMORY, _HAS_COMMAND_LINE = 1, 4


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that are to be at a physical address."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Start:
    """Where the kernel begins, and what is in its registers."""

    entry: int
    eax: int
    ebx: int = 0
    esi: int = 0


def reset_page(folder: Path) -> bytes:
    """Return the last page of every image, assembled in ``folder``."""
    program = Program(name="board", sources=(f"{HERE}/board.S",), script=f"{HERE}/board.ld")
    output = folder / "board.elf"
    link(program, ROOT, output)
    ((_, page),) = (piece for piece in loaded_pieces(output.read_bytes()) if piece[1])
    return page


def moved(program: Program, *defines: str) -> Program:
    """Return ``program`` for a machine with the device's memory at :data:`BAR`, by ``vmi_wire.h`` in this folder."""
    return replace(program, includes=(HERE, *program.includes), defines=(*program.defines, *defines))


def in_place_rom(folder: Path) -> bytes:
    """Return our ROM for a machine in which the device's memory is where it belongs, and no device is behind it."""
    output = folder / "in-place.elf"
    link(moved(firmware(ROOT), "ROM_IN_PLACE=1"), ROOT, output)
    return build_image(output.read_bytes(), RomMetadata(virtual_top=wire.WIRE_BASE))


def payloads(folder: Path) -> list[bytes]:
    """Return the payloads of ``ring`` for such a machine, without PAE and with it."""
    made = []
    for pae in (0, 1):
        output = folder / f"ring-{pae}.elf"
        link(moved(ring(ROOT, pae)), ROOT, output)
        made.append(ring_image(output.read_bytes()))
    return made


def board_image(page: bytes, pieces: list[Piece], start: Start) -> bytes:
    """Return the image: a list of the pieces, the pieces, the last page."""
    padded = [replace(piece, data=piece.data.ljust(-(-len(piece.data) // 4) * 4, b"\0")) for piece in pieces]
    header = 12 * (len(padded) + 1) + 16
    size = -(-(header + sum(len(piece.data) for piece in padded)) // _PAGE) * _PAGE + _PAGE
    assert size <= _IMAGE_ROOM, f"{size} bytes, and there is room for {_IMAGE_ROOM}"
    base, at, listed, body = _TOP - size, _TOP - size + header, b"", b""
    for piece in padded:
        listed += struct.pack("<III", at + len(body), piece.address, len(piece.data) // 4)
        body += piece.data
    listed += struct.pack("<7I", 0, 0, 0, start.entry, start.eax, start.ebx, start.esi)
    last = bytearray(page)
    struct.pack_into("<I", last, _LIST, base)
    return (listed + body).ljust(size - _PAGE, b"\0") + bytes(last)


def kernel_pieces(kernel: Path, memory: int, append: str) -> tuple[list[Piece], Start]:
    """Return a multiboot kernel in ELF as pieces, with its boot information.

    Args:
        kernel: the file.
        memory: bytes that the kernel is told of, from address 0 on.
        append: its command line, without the file's name.
    """
    elf = ELFFile(BytesIO(kernel.read_bytes()))
    pieces = [Piece(part["p_paddr"], part.data()) for part in elf.iter_segments() if part["p_filesz"]]
    line = f"{kernel.name} {append}".encode() + b"\0"
    flags = _HAS_MEMORY | _HAS_COMMAND_LINE
    info = struct.pack("<5I", flags, 640, (memory >> 10) - 1024, 0, _BOOT_INFO + 20)
    return [*pieces, Piece(_BOOT_INFO, info + line)], Start(elf["e_entry"], _LOADED_BY_MULTIBOOT, _BOOT_INFO)


class Alone(Ring):
    """``ring`` without anybody who answers: the monitor goes by its own rules, and ports are the machine's."""

    def install(self, link: Link, memory: int) -> None:
        """As its base, but nobody is asked about ports: those that are looked at would fault."""
        super().install(link, memory)
        at = wire.RING_PORTS_OFFSET
        link.bytes[at : at + 8192] = bytes(8192)


def device_pieces(images: Sequence[bytes], memory: int) -> list[Piece]:
    """Return what is to be in the device's memory, at :data:`BAR`.

    Args:
        images: of :func:`payloads`.
        memory: bytes that the kernel is told of.
    """
    content = bytearray(wire.WIRE_SIZE)
    ring = Alone()
    ring.install(Link(content, 1, ring.payload(1)), memory)
    for image, (window, monitor) in zip(images, PLACES, strict=True):
        content[window : window + ROOM] = image[:ROOM]
        content[monitor : monitor + len(image) - ROOM] = image[ROOM:]
    _move(content, wire.WIRE_TABLES_OFFSET, 4)
    _move(content, wire.WIRE_TABLES_PAE_OFFSET, 8)
    pages = [bytes(content[at : at + _PAGE]) for at in range(0, wire.WIRE_SIZE, _PAGE)]
    return [Piece(BAR + i * _PAGE, page) for i, page in enumerate(pages) if any(page)]


def _move(content: bytearray, table: int, size: int) -> None:
    """Have the entries of a page table, of ``size`` bytes each, lead to :data:`BAR`."""
    for at in range(table, table + wire.WIRE_SIZE // _PAGE * size, size):
        (entry,) = struct.unpack_from("<I", content, at)
        struct.pack_into("<I", content, at, entry - wire.WIRE_BAR + BAR)
