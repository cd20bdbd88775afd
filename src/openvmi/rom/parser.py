# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes to :class:`RomFile`. The bytes are anybody's: every offset and length is checked against what is there.

Lenient on purpose: a field that lies becomes a fact about the image (:mod:`openvmi.rom.rules` judges it), not an error.
"""

from __future__ import annotations

from .. import abi
from ..abi.generation_b import SLOT_SIZE
from ..abi.structs import Pcir, Pnp, RomHeader, RomHeaderB
from ..errors import InputError
from .layout import GENERATIONS, DescriptorRecord, RomMode, slots_of
from .model import Descriptor, ImageInfo, PciData, PnpHeader, RomFile, VmiHeader

MAX_FILE_BYTES = 16 << 20
"""Longest file that is read: the largest PCI expansion ROM."""

MAX_STRING_BYTES = 255
MAX_PNP_HEADERS = 16
_SIGNATURE = abi.ROM_SIGNATURE.to_bytes(2, "little")
_VMI_AT = RomHeader.OFFSETS["vrom_signature"]
_PCI_AT = RomHeader.OFFSETS["pci_header_offs"]
_PNP_AT = RomHeader.OFFSETS["pnp_header_offs"]


def parse(data: bytes) -> RomFile:
    """Read a ROM file: one image or several, ours or not.

    Args:
        data: the file's content.

    Returns:
        What is in it; at least one image. Takes time linear in ``len(data)``.

    Raises:
        InputError: it does not begin with 55 AA, or is longer than 16 MiB.
    """
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{len(data)} bytes are too many for an option ROM", help="the most is 16 MiB")
    if len(data) <= len(_SIGNATURE) or not data.startswith(_SIGNATURE):
        raise InputError("this is not an option ROM: it does not begin with the bytes 55 AA and a length")
    images: list[ImageInfo] = []
    offset = 0
    while data.startswith(_SIGNATURE, offset) and offset + len(_SIGNATURE) < len(data):
        image = _image(data, offset)
        images.append(image)
        offset += len(image.data)
    return RomFile(len(data), tuple(images), len(data) - offset)


def _image(data: bytes, offset: int) -> ImageInfo:
    """Read the image at ``offset``; its ``data`` is never empty, so that the caller gets on."""
    declared = data[offset + 2] * abi.ROM_UNIT
    extent = data[offset : offset + declared] if declared else data[offset:]
    pci_offset, pnp_offset = _word(extent, _PCI_AT), _word(extent, _PNP_AT)
    pci = _pci(extent, pci_offset)
    if pci is not None and declared and pci.image_length > declared:
        # The PCI length is the image's on disk; byte 2 may be what stays in memory after POST.
        extent = data[offset : offset + pci.image_length]
    pnp, broken = _pnp_chain(extent, pnp_offset)
    signed = extent[_VMI_AT : _VMI_AT + 4] == abi.SIGNATURE.to_bytes(4, "little")
    vmi = _vmi(extent) if signed else None
    return ImageInfo(
        offset=offset,
        declared=declared,
        data=extent,
        checksum=sum(extent[:declared]) & 0xFF if len(extent) >= declared > 0 else None,
        entry=extent[3:7],
        pci_offset=pci_offset,
        pci=pci,
        pnp_offset=pnp_offset,
        pnp=pnp,
        pnp_broken=broken,
        signed=signed,
        vmi=vmi,
        descriptor=_descriptor(extent) if vmi else None,
    )


def _word(image: bytes, at: int) -> int:
    """Return the 16-bit word at ``at``, 0 if the image ends before it."""
    return int.from_bytes(image[at : at + 2], "little") if at + 2 <= len(image) else 0


def _inside(image: bytes, at: int, size: int) -> bool:
    """Tell whether ``at`` is not 0 and ``size`` bytes from there are in the image."""
    return 0 < at <= len(image) - size


def _string(image: bytes, at: int) -> str | None:
    """Return the NUL-terminated string at ``at``, None if ``at`` is 0 or no NUL follows within 255 bytes."""
    end = image.find(b"\0", at, at + MAX_STRING_BYTES + 1)
    return image[at:end].decode("latin-1") if 0 < at < len(image) and end >= 0 else None


def _pci(image: bytes, at: int) -> PciData | None:
    if not _inside(image, at, Pcir.SIZE):
        return None
    raw = Pcir.unpack(image, at)
    if raw.signature != abi.PCIR_SIGNATURE:
        return None
    return PciData(
        offset=at,
        vendor=raw.vendor,
        device=raw.device,
        class_code=raw.class_code << 16 | raw.subclass << 8 | raw.interface,
        length=raw.length,
        image_length=raw.image_length * abi.ROM_UNIT,
        version=(raw.version_maj, raw.version_min),
        code_type=raw.code_type,
        last=bool(raw.indicator & abi.PCIR_LAST_IMAGE),
    )


def _pnp_chain(image: bytes, at: int) -> tuple[tuple[PnpHeader, ...], bool]:
    """Follow the chain of PnP headers from ``at``; the second value tells that it does not end as it should."""
    chain: list[PnpHeader] = []
    while at:
        header = _pnp(image, at)
        if header is None or len(chain) == MAX_PNP_HEADERS:
            return tuple(chain), True
        chain.append(header)
        at = header.next_offset
    return tuple(chain), False


def _pnp(image: bytes, at: int) -> PnpHeader | None:
    if not _inside(image, at, Pnp.SIZE):
        return None
    raw = Pnp.unpack(image, at)
    if raw.signature != abi.PNP_SIGNATURE:
        return None
    length = raw.length * abi.PNP_UNIT
    return PnpHeader(
        offset=at,
        length=length,
        checksum=sum(image[at : at + length]) & 0xFF if 0 < length <= len(image) - at else None,
        next_offset=raw.next_offs,
        manufacturer=_string(image, raw.manufacturer_offs),
        product=_string(image, raw.product_offs),
        bcv=raw.bcv,
        bev=raw.bev,
    )


def _vmi(image: bytes) -> VmiHeader | None:
    if len(image) < RomHeader.SIZE:
        return None
    raw = RomHeader.unpack(image)
    api = raw.api_version_maj, raw.api_version_min
    generation = GENERATIONS.get(api[0], "")
    if generation == "B":
        return _vmi_b(image, api)
    if generation != "D":
        return VmiHeader(api, generation)
    return VmiHeader(
        api=api,
        generation=generation,
        virtual_top=raw.virtual_top,
        licence_offset=raw.license_offs,
        licence=_string(image, raw.license_offs),
        reserved=bytes([raw.reserved1]) + raw.reserved2.to_bytes(2, "little"),
        vmi_init=raw.vmi_init,
        get_reloc=raw.get_reloc,
    )


def _vmi_b(image: bytes, api: tuple[int, int]) -> VmiHeader:
    raw = RomHeaderB.unpack(image)
    slots = ((number, image[SLOT_SIZE * number :][:SLOT_SIZE]) for number in slots_of(api[1]))
    return VmiHeader(
        api=api,
        generation="B",
        reserved=bytes([raw.reserved0, raw.reserved1]) + raw.reserved2.to_bytes(4, "little"),
        slots=tuple(slots),
    )


def _descriptor(image: bytes) -> Descriptor | None:
    raw = DescriptorRecord.unpack(image)
    if raw is None:
        return None
    return Descriptor(
        mode=RomMode.of_number(raw.mode),
        highest_mode=raw.highest_mode,
        code_end=raw.code_end,
        stub_table=raw.stub_table,
        stub_count=raw.stub_count,
    )
