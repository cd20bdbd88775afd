# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules for a ROM image, as data: who applies each, how hard, where it is written.

To add a rule: a function that returns what is wrong with an image (or ``None``), a line in :data:`RULES`, and an image
that breaks it and nothing else in the unit tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .. import abi
from ..abi import generation_b
from .layout import GENERATIONS
from .model import ImageInfo, RomFile, VmiHeader


class Authority(StrEnum):
    """Who reads the image: a guest of its generation, the text of the interface's version 2.0, a BIOS.

    Of generation D that is mainline Linux, of B the guests of 2006.
    """

    GUEST = "guest"
    TEXT = "text"
    BIOS = "bios"


class Severity(StrEnum):
    """What follows from a broken rule: the image is refused, or accepted and then fails, or it is only odd."""

    REFUSE = "refuse"
    BREAK = "break"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Args:
        id: short name, stable.
        authorities: who applies it.
        severity: what follows.
        source: where it is written.
        text: the rule, as a sentence.
        broken: says what is wrong with an image of a file, ``None`` if nothing is.
    """

    id: str
    authorities: tuple[Authority, ...]
    severity: Severity
    source: str
    text: str
    broken: Callable[[RomFile, ImageInfo], str | None]


_GUEST, _TEXT, _BIOS = (Authority.GUEST,), (Authority.TEXT,), (Authority.BIOS,)
_GUEST_TEXT, _BIOS_TEXT = (Authority.GUEST, Authority.TEXT), (Authority.BIOS, Authority.TEXT)
_GUEST_BIOS = (Authority.GUEST, Authority.BIOS)
_LINUX = "Linux arch/x86/kernel/vmi_32.c"
_SCAN = "VMI 2.0, detection; Linux arch/x86/kernel/vmi_32.c, probe_vmi_rom"
_CHECK = f"{_LINUX}, check_vmi_rom"
_PATCHES = "the patches of March 2006"
_PCI = "PCI Firmware 3.0, 5.1"
_PNP = "Plug and Play BIOS 1.0A, 3.2"
_LEAST_TOP = 0xC8000000
_BLANK = (b"\0", b"\xff")
_MOST_NAMED = 6


def _for_pc(image: ImageInfo) -> bool:
    """Tell whether a BIOS runs the image: other code types give bytes 2 and up a meaning of their own."""
    return image.pci is None or image.pci.code_type == 0


def _mainline(image: ImageInfo) -> VmiHeader | None:
    """Return the VMI header if its layout is a mainline guest's: other generations have other fields in its place."""
    return image.vmi if image.vmi and image.vmi.generation == "D" else None


def _older(image: ImageInfo) -> VmiHeader | None:
    """Return the VMI header if its layout is that of API 13.x."""
    return image.vmi if image.vmi and image.vmi.generation == "B" else None


def _alignment(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return f"begins at {image.offset:#x} of the file" if image.offset % abi.SCAN_STEP else None


def _signature(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return None if image.signed else f"bytes 8 to 11 are {image.data[8:12].hex(' ') or 'missing'}: not a VMI ROM"


def _api(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    if image.vmi is None or image.vmi.api[0] in GENERATIONS:
        return None
    return f"the ROM's interface is {image.vmi.api[0]}.{image.vmi.api[1]}"


def _pci_pointer(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return "the pointer at 0x18 is 0" if _mainline(image) and image.pci_offset == 0 else None


def _pci_device(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    if not (_mainline(image) and image.pci) or (image.pci.vendor, image.pci.device) == (abi.PCI_VENDOR, abi.PCI_DEVICE):
        return None
    return f"the device is {image.pci.vendor:04x}:{image.pci.device:04x}"


def _licence(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    vmi = _mainline(image)
    if vmi is None or vmi.licence in (abi.LICENSE_GPL, abi.LICENSE_GPL_V2):
        return None
    if vmi.licence_offset == 0:
        return "there is none, which counts as unspecified"
    if vmi.licence is None:
        return f"its offset {vmi.licence_offset:#x} leads to no string in the image"
    return f"it is {vmi.licence!r}"


def _names(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    if _mainline(image) is None or (image.pnp_offset and not image.pnp):
        return None
    named = image.pnp and image.pnp[0].manufacturer and image.pnp[0].product
    return None if named else "the guest prints UNKNOWN"


def _top_alignment(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    vmi = _mainline(image)
    return f"virtual_top is {vmi.virtual_top:#010x}" if vmi and vmi.virtual_top % 0x1000 else None


def _top_room(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    vmi = _mainline(image)
    return f"virtual_top is {vmi.virtual_top:#010x}" if vmi and 0 < vmi.virtual_top < _LEAST_TOP else None


def _jump_points(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    vmi = _mainline(image)
    if vmi is None:
        return None
    points = (("vmi_init at 0x80", vmi.vmi_init), ("get_reloc at 0x88", vmi.get_reloc))
    empty = [name for name, code in points if is_blank(code)]
    return f"no code: {' and '.join(empty)}" if empty else None


def _reserved(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    vmi = image.vmi
    return f"reserved1, reserved2 and their like hold {vmi.reserved.hex(' ')}" if vmi and any(vmi.reserved) else None


def _slots(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    vmi = _older(image)
    empty = [str(number) for number, code in vmi.slots if is_blank(code)] if vmi else []
    more = f" and {len(empty) - _MOST_NAMED} more" if len(empty) > _MOST_NAMED else ""
    return f"no code: {', '.join(empty[:_MOST_NAMED])}{more}" if empty else None


def is_blank(code: bytes) -> bool:
    """Tell whether there is no code: no bytes, or all of them 00 or FF."""
    return any(code.strip(byte) == b"" for byte in _BLANK)


def _landing(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    too_long = _older(image) and image.declared > generation_b.LANDING_SIZE
    return f"the length is {image.declared}" if too_long else None


def _length(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return "byte 2 is 0" if image.declared == 0 else None


def _truncated(rom: RomFile, image: ImageInfo) -> str | None:
    there = rom.size - image.offset
    return f"{image.declared} bytes declared, {there} in the file" if image.declared > there else None


def _checksum(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return f"they add up to {image.checksum:#04x}" if image.checksum and _for_pc(image) else None


def _unit(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return f"the length is {image.declared}" if image.declared % abi.SCAN_STEP and _for_pc(image) else None


def _window(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    room = abi.SCAN_END - abi.SCAN_FIRST_TEXT
    return f"the length is {image.declared}, the room {room}" if image.declared > room else None


def _entry(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return f"bytes 3 to 6 are {image.entry.hex(' ') or 'missing'}" if is_blank(image.entry) else None


def _pci_structure(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    if image.pci_offset == 0 or image.pci:
        return None
    return f"there is no PCIR at {image.pci_offset:#x}, or it is not all in the image"


def _pci_alignment(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return f"it lies at {image.pci_offset:#x}" if image.pci and image.pci_offset % 4 else None


def _pci_length(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return f"it says {image.pci.length}" if image.pci and image.pci.length < abi.PCIR_LENGTH else None


def _pci_code_type(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return f"it is {image.pci.code_type}" if image.pci and image.pci.code_type != 0 else None


def _pci_image_length(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    if image.pci is None or image.pci.image_length == image.declared or not _for_pc(image):
        return None
    return f"PCIR says {image.pci.image_length} bytes, byte 2 says {image.declared}"


def _pci_last(rom: RomFile, image: ImageInfo) -> str | None:
    last = image is rom.images[-1]
    if image.pci is None or image.pci.last == last:
        return None
    return "it is clear in the last image" if last else "it is set though another image follows"


def _pnp_structure(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    if image.pnp_offset == 0 or image.pnp:
        return None
    return f"there is no $PnP at {image.pnp_offset:#x}, or it is not all in the image"


def _pnp_checksum(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    wrong = [f"{header.offset:#x}" for header in image.pnp if header.checksum != 0]
    return f"not so at {', '.join(wrong)}" if wrong else None


def _pnp_chain(rom: RomFile, image: ImageInfo) -> str | None:
    del rom
    return "it runs in a circle, or to what is no $PnP" if image.pnp and image.pnp_broken else None


def _trailing(rom: RomFile, image: ImageInfo) -> str | None:
    return f"{rom.trailing} bytes follow" if rom.trailing and image is rom.images[-1] else None


_R, _B, _W = Severity.REFUSE, Severity.BREAK, Severity.WARN
RULES = (
    Rule("alignment", _GUEST_TEXT, _R, _SCAN, "a guest looks for ROMs every 2 KiB", _alignment),
    Rule("vmi-signature", _GUEST_TEXT, _R, _SCAN, "bytes 8 to 11 are 'cVmi'", _signature),
    Rule("api-version", _GUEST, _R, _CHECK, "API major is 3 or 13", _api),
    Rule("pci-pointer", _GUEST, _R, _CHECK, "the header points to PCI data", _pci_pointer),
    Rule("licence", _GUEST, _R, _CHECK, "the licence string is 'GPL' or 'GPL v2'", _licence),
    Rule("pci-device", _GUEST, _W, _CHECK, "the PCI device is 15ad:0801", _pci_device),
    Rule("names", _GUEST, _W, _CHECK, "manufacturer and product have names", _names),
    Rule("top-alignment", _GUEST, _B, f"{_LINUX}, vmi_init", "virtual_top is a multiple of 4 KiB", _top_alignment),
    Rule("top-room", _GUEST, _B, f"{_LINUX}, vmi_init", "virtual_top leaves a kernel at 3 GiB room", _top_room),
    Rule("jump-points", _GUEST, _B, f"{_LINUX}, activate_vmi", "there is code at 0x80 and 0x88", _jump_points),
    Rule("slots", _GUEST, _B, f"VMI 2.0, ROM header; {_PATCHES}", "of API 13.x, each call's slot holds code", _slots),
    Rule("landing", _GUEST, _B, _PATCHES, "of API 13.x, the image has 16 KiB at most: guests copy it", _landing),
    Rule("reserved", _TEXT, _W, "VMI 2.0, ROM header", "reserved header bytes are 0", _reserved),
    Rule("window", _TEXT, _W, "VMI 2.0, detection", "the image fits between 0xC8000 and 0xDFFFF", _window),
    Rule("length", _BIOS_TEXT, _R, _PCI, "byte 2 is the length in units of 512 bytes", _length),
    Rule("truncated", _BIOS_TEXT, _R, _PCI, "the file holds all of the image", _truncated),
    Rule("checksum", _BIOS_TEXT, _R, f"{_PCI}; VMI 2.0, detection", "the image's bytes add up to 0", _checksum),
    Rule("entry", _BIOS, _B, _PCI, "there is code at offset 3", _entry),
    Rule("length-unit", _BIOS, _W, "option ROMs are placed every 2 KiB", "the length is a multiple of 2 KiB", _unit),
    Rule("pci-structure", _GUEST_BIOS, _W, _PCI, "the pointer at 0x18 leads to PCI data in the image", _pci_structure),
    Rule("pci-code-type", _BIOS, _R, _PCI, "the code type is 0, PC-AT", _pci_code_type),
    Rule("pci-alignment", _BIOS, _W, _PCI, "PCI data lies at a multiple of 4", _pci_alignment),
    Rule("pci-length", _BIOS, _W, _PCI, "PCI data has at least 24 bytes", _pci_length),
    Rule("pci-image-length", _BIOS, _W, _PCI, "both lengths agree", _pci_image_length),
    Rule("pci-last", _BIOS, _W, _PCI, "the indicator's bit 7 marks the last image", _pci_last),
    Rule("pnp-structure", _BIOS, _W, _PNP, "the pointer at 0x1A leads to a PnP header in the image", _pnp_structure),
    Rule("pnp-checksum", _BIOS, _W, _PNP, "a PnP header's bytes add up to 0", _pnp_checksum),
    Rule("pnp-chain", _BIOS, _W, _PNP, "the chain of PnP headers ends with 0", _pnp_chain),
    Rule("trailing", _BIOS, _W, _PCI, "nothing follows the last image", _trailing),
)
"""Every rule, the refusing ones of each authority first."""
