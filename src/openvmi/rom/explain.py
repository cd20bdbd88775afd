# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Explains any option ROM: every field with its place, its value and its meaning, in sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from .. import abi
from ..abi.generation_b import SLOT_SIZE
from ..abi.model import Interface, Structure
from .layout import DESCRIPTOR_FIELDS, DESCRIPTOR_OFFSET, RomMode
from .model import ImageInfo, RomFile
from .parser import parse
from .rules import is_blank

CODE_TYPES = {0: "PC-AT x86", 1: "Open Firmware", 2: "PA-RISC", 3: "EFI"}
# Where the tables say what a VMI ROM must have, and here anybody's ROM is read.
_MEANINGS = {
    "rom_header.rom_signature": "of every option ROM: bytes 55 AA",
    "rom_header.vrom_signature": "of every VMI ROM: bytes 'cVmi'",
    "pcir.signature": "must be the bytes 'PCIR'",
    "pcir.vendor": "PCI vendor; a VMI ROM's is 0x15ad",
    "pcir.device": "PCI device; a VMI ROM's is 0x0801",
    "pcir.length": "of this structure, in bytes",
    "pcir.revision": "of this structure",
    "pcir.code_type": "what runs it",
    "pcir.indicator": "in bit 7",
    "pnp.signature": "must be the bytes '$PnP'",
    "pnp.revision": "of this structure",
    "pnp.length": "of this structure, in units of 16 bytes",
}
_PLAIN_HEADER = ("rom_signature", "rom_length", "rom_entry", "pci_header_offs", "pnp_header_offs")
_JUMP_NEAR, _JUMP_SHORT = 0xE9, 0xEB


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of an image.

    Args:
        offset: in the file, in bytes.
        size: in bytes.
        name: of the field.
        value: as text: a number in hexadecimal, or bytes.
        meaning: what the field is for, and what this value says; may hold what the file's author wrote.
    """

    offset: int
    size: int
    name: str
    value: str
    meaning: str

    def as_dict(self) -> dict[str, object]:
        """Return the entry as plain data, for ``--json``."""
        return {name: getattr(self, name) for name in ("offset", "size", "name", "value", "meaning")}


@dataclass(frozen=True, slots=True)
class Section:
    """A structure of the image ``image`` (from 0), with its ``entries`` by offset."""

    image: int
    title: str
    entries: tuple[Entry, ...]

    def as_dict(self) -> dict[str, object]:
        """Return the section as plain data, for ``--json``."""
        return {"image": self.image, "title": self.title, "entries": [entry.as_dict() for entry in self.entries]}


def explain(data: bytes) -> list[Section]:
    """Explain a ROM file, field by field.

    Args:
        data: the file's content.

    Returns:
        For each image: the header, the VMI header if it has one, openvmi's descriptor, PCI data, PnP headers, contents.

    Raises:
        InputError: not an option ROM at all (see :func:`openvmi.rom.parse`).
    """
    rom = parse(data)
    sections = [section for number, image in enumerate(rom.images) for section in _sections(number, image)]
    if rom.trailing:
        rest = Entry(rom.size - rom.trailing, rom.trailing, "trailing", f"{rom.trailing} bytes", "belong to no image")
        sections.append(Section(len(rom.images) - 1, "after the last image", (rest,)))
    return sections


def summary(rom: RomFile) -> list[str]:
    """Return one line for each image: where it is, how long, and what it says it is."""
    return [f"image {number} at {image.offset:#x}: {_kind(image)}" for number, image in enumerate(rom.images)]


def _kind(image: ImageInfo) -> str:
    what = "option ROM"
    if image.vmi:
        what = f"VMI ROM, interface {image.vmi.api[0]}.{image.vmi.api[1]}"
    elif image.pci and image.pci.code_type in CODE_TYPES:
        what = f"option ROM, {CODE_TYPES[image.pci.code_type]}"
    names = [name for header in image.pnp[:1] for name in (header.manufacturer, header.product) if name]
    mode = f", mode {image.descriptor.mode}" if image.descriptor and image.descriptor.mode else ""
    return f"{what}, {len(image.data)} bytes{mode}{': ' if names else ''}{' '.join(names)}"


def _sections(number: int, image: ImageInfo) -> Iterator[Section]:
    interface = abi.load("D" if image.vmi is None or image.vmi.generation == "D" else "B")
    header = interface.structure("rom_header")
    only = None if image.vmi else _PLAIN_HEADER
    yield Section(number, "header", _entries(image, header, 0, _HEADER_NOTES, only))
    if image.vmi and image.vmi.slots:
        yield Section(number, "slots", tuple(_slots(image, interface, dict(image.vmi.slots))))
    if image.descriptor:
        yield Section(number, "openvmi's descriptor", _descriptor(image))
    if image.pci:
        pcir = abi.load("D").structure("pcir")
        yield Section(number, "PCI data structure", _entries(image, pcir, image.pci.offset, _PCIR_NOTES))
    pnp = abi.load("D").structure("pnp")
    for found in image.pnp:
        yield Section(number, "Plug and Play header", _entries(image, pnp, found.offset, _PNP_NOTES))
    yield Section(number, "contents", (_contents(image),))


_Note = Callable[[ImageInfo, int, int], str]


def _entries(
    image: ImageInfo, layout: Structure, at: int, notes: Mapping[str, _Note], only: tuple[str, ...] | None = None
) -> tuple[Entry, ...]:
    """Return the entries of the structure ``layout`` at ``at`` of ``image``; those in ``only`` if it is given."""
    made = []
    for field in layout.fields:
        start = at + field.offset
        raw = image.data[start : start + field.size]
        if len(raw) < field.size or (only is not None and field.name not in only):
            continue
        kind = "bytes" if field.name == "rom_entry" else field.type
        note = notes.get(field.name)
        said = note(image, int.from_bytes(raw, "little"), start) if note else ""
        doc = _MEANINGS.get(f"{layout.name}.{field.name}", field.doc)
        meaning = f"{doc}; {said}" if said else doc
        made.append(Entry(image.offset + start, field.size, field.name, _value(raw, kind), meaning))
    return tuple(made)


def _value(raw: bytes, kind: str = "number") -> str:
    if kind != "bytes":
        return f"0x{int.from_bytes(raw, 'little'):0{2 * len(raw)}x}"
    return raw.hex(" ") if len(raw) <= abi.JUMP_SIZE else "zeros" if not any(raw) else f"{len(raw)} bytes"


def _descriptor(image: ImageInfo) -> tuple[Entry, ...]:
    made = []
    for name, offset, size, doc in DESCRIPTOR_FIELDS:
        at = DESCRIPTOR_OFFSET + offset
        raw = image.data[at : at + size]
        known = RomMode.of_number(raw[0]) if name == "mode" else None
        meaning = f"{doc}; {known.value}" if known else doc
        made.append(Entry(image.offset + at, size, name, _value(raw, "bytes" if size > 4 else "number"), meaning))
    return tuple(made)


def _slots(image: ImageInfo, interface: Interface, slots: Mapping[int, bytes]) -> Iterator[Entry]:
    """Yield an entry for each slot: the call's name, its first bytes, what it does."""
    for call in interface.calls:
        code = slots.get(call.number, b"")
        if code:
            at = SLOT_SIZE * call.number
            jump = _jump_point(image, 0, at)
            meaning = f"{call.number} {call.name}: {jump or ('no code' if is_blank(code) else 'code')}"
            yield Entry(image.offset + at, len(code), "slot", code[: abi.JUMP_SIZE].hex(" "), meaning)


def _contents(image: ImageInfo) -> Entry:
    if image.checksum is None:
        said = f"{image.declared} bytes are declared: not all are there" if image.declared else "no length is declared"
    else:
        said = "the bytes add up to 0, as they should" if image.checksum == 0 else "the bytes do not add up to 0"
    total = "unknown" if image.checksum is None else f"{image.checksum:#04x}"
    return Entry(image.offset, len(image.data), "checksum", total, said)


def _length(image: ImageInfo, value: int, at: int) -> str:
    del image, at
    return f"{value * abi.ROM_UNIT} bytes"


def _entry_code(image: ImageInfo, value: int, at: int) -> str:
    del value
    code = image.data[at : at + 4]
    if code[0] == _JUMP_NEAR:
        return f"a jump to {at + 3 + int.from_bytes(code[1:3], 'little') & 0xFFFF:#x}"
    if code[0] == _JUMP_SHORT:
        return f"a jump to {at + 2 + int.from_bytes(code[1:2], 'little', signed=True):#x}"
    return ""


def _jump_point(image: ImageInfo, value: int, at: int) -> str:
    del value
    code = image.data[at : at + 5]
    if code[0] != _JUMP_NEAR:
        return ""
    return f"a jump to {at + 5 + int.from_bytes(code[1:], 'little') & 0xFFFFFFFF:#x}"


def _string(image: ImageInfo, value: int, at: int) -> str:
    del at
    end = image.data.find(b"\0", value, value + 256) if value else -1
    return repr(image.data[value:end].decode("latin-1")) if end >= 0 else ""


def _pointer(image: ImageInfo, value: int, at: int) -> str:
    del at
    return "outside the image" if value >= len(image.data) else ""


def _top(image: ImageInfo, value: int, at: int) -> str:
    del image, at
    return f"reserves {((1 << 32) - value) // 1024} KiB" if value else "reserves nothing"


def _code_type(image: ImageInfo, value: int, at: int) -> str:
    del image, at
    return CODE_TYPES.get(value, "not a known one")


def _last(image: ImageInfo, value: int, at: int) -> str:
    del image, at
    return "the last image" if value & abi.PCIR_LAST_IMAGE else "another image follows"


_HEADER_NOTES: Mapping[str, _Note] = {
    "rom_length": _length,
    "rom_entry": _entry_code,
    "virtual_top": _top,
    "license_offs": _string,
    "pci_header_offs": _pointer,
    "pnp_header_offs": _pointer,
    "vmi_init": _jump_point,
    "get_reloc": _jump_point,
}
_PCIR_NOTES: Mapping[str, _Note] = {
    "image_length": _length,
    "code_type": _code_type,
    "indicator": _last,
}
_PNP_NOTES: Mapping[str, _Note] = {
    "manufacturer_offs": _string,
    "product_offs": _string,
}
