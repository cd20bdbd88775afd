# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From the ROM's code to an option ROM that a BIOS and a guest accept.

The code (firmware/rom) brings the header's skeleton, the descriptor and everything executable. Behind it come the PCI
data structure, the PnP header, the strings and padding to a multiple of 2 KB. An image can be taken apart again at the
descriptor's ``code_end``, so other modes, strings or a reservation need no compiler.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO

from .. import abi
from ..abi.structs import Pcir, Pnp, RomHeader, RomHeaderB
from ..errors import InputError, UsageError
from .layout import GENERATIONS, DescriptorRecord, RomMode
from .parser import parse

MAX_CODE_BYTES = 0xF000
"""Longest code: the header's 16-bit offsets must reach what follows it."""

MAX_NAME_CHARACTERS = 80
LICENCES = (abi.LICENSE_GPL, abi.LICENSE_GPL_V2)
_PAGE = 0x1000
_PNP_ALIGNMENT = 16
_CLASS_MEMORY, _SUBCLASS_OTHER = 5, 0x80


@dataclass(frozen=True, slots=True)
class RomMetadata:
    """What is told about a ROM, apart from its code.

    Args:
        mode: what the code answers.
        virtual_top: lowest linear address that the hypervisor uses, a multiple of 4 KiB; 0 reserves nothing. Generation
            B has no field for it: 0.
        manufacturer: printed by the guest; printable ASCII, 1 to 80 characters.
        product: as ``manufacturer``.
        licence: ``GPL`` or ``GPL v2``: a mainline guest takes no other. ``GPL`` is "version 2 or later" in the kernel's
            own list of licences, and true of openvmi. Generation B has no field for it.
        version: of the ROM, major and minor, 0 to 255 each.

    Raises:
        UsageError: a value out of its range.
    """

    mode: RomMode = RomMode.DECLINE
    virtual_top: int = 0
    manufacturer: str = "openvmi"
    product: str = "VMI ROM"
    licence: str = abi.LICENSE_GPL
    version: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if not 0 <= self.virtual_top < 1 << 32 or self.virtual_top % _PAGE:
            raise UsageError(f"virtual_top {self.virtual_top:#x} is not a multiple of 4 KiB below 4 GiB")
        for name, text in (("manufacturer", self.manufacturer), ("product", self.product)):
            if not (text.isascii() and text.isprintable() and 0 < len(text) <= MAX_NAME_CHARACTERS):
                raise UsageError(f"the {name} must be 1 to {MAX_NAME_CHARACTERS} printable ASCII characters")
        if self.licence not in LICENCES:
            raise UsageError(f"a guest accepts no licence but {' and '.join(LICENCES)}", where=repr(self.licence))
        if not all(0 <= part <= 0xFF for part in self.version):
            raise UsageError("the ROM version's parts must be 0 to 255", where=repr(self.version))


def build_image(elf: bytes, metadata: RomMetadata) -> bytes:
    """Make an option ROM from the linked firmware.

    Args:
        elf: the ELF that firmware/rom links to.
        metadata: what to tell about it.

    Returns:
        The image: a multiple of 2 KiB, checksum right, the same bytes for the same arguments.

    Raises:
        InputError: not such an ELF.
        UsageError: the code does not know the mode.
    """
    return assemble(code_of_elf(elf), metadata)


def rebuild(image: bytes, metadata: RomMetadata) -> bytes:
    """Make an option ROM of the same code as ``image``, with other metadata.

    Raises:
        InputError: ``image`` was not built by openvmi, or is damaged.
        UsageError: the code does not know the mode.
    """
    descriptor = _own_descriptor(image)
    return assemble(image[: descriptor.code_end], metadata)


def with_mode(image: bytes, mode: RomMode) -> bytes:
    """Return ``image`` with another mode: the mode byte and the checksum differ, nothing else.

    Raises:
        InputError: ``image`` was not built by openvmi, or is damaged.
        UsageError: its code does not know the mode.
    """
    return _told(image, _own_descriptor(image), mode)


def assemble(code: bytes, metadata: RomMetadata) -> bytes:
    """Put the builder's structures behind ``code`` and complete its header.

    Raises:
        InputError: ``code`` is not what firmware/rom links to.
        UsageError: it does not know the mode.
    """
    descriptor = _code_descriptor(code)
    image = bytearray(code)
    pci_at = _reserve(image, Pcir.SIZE, 4)
    pnp_at = _reserve(image, Pnp.SIZE, _PNP_ALIGNMENT)
    licence_at, manufacturer_at, product_at = (
        _append(image, text) for text in (metadata.licence, metadata.manufacturer, metadata.product)
    )
    _reserve(image, 0, abi.SCAN_STEP)
    units = len(image) // abi.ROM_UNIT
    header = _header(image, metadata, licence_at)
    header = replace(header, rom_length=units, pci_header_offs=pci_at, pnp_header_offs=pnp_at)
    image[: header.SIZE] = header.pack()
    image[pci_at : pci_at + Pcir.SIZE] = _pci(metadata, units)
    image[pnp_at : pnp_at + Pnp.SIZE] = _pnp(manufacturer_at, product_at)
    return _told(image, replace(descriptor, code_end=len(code)), metadata.mode)


def _header(image: bytearray, metadata: RomMetadata, licence_at: int) -> RomHeader | RomHeaderB:
    """Return the header with what only one generation has.

    Raises:
        UsageError: ``metadata`` has what this generation's header can't tell.
    """
    header = RomHeader.unpack(image)
    if GENERATIONS.get(header.api_version_maj) != "B":
        return replace(header, virtual_top=metadata.virtual_top, license_offs=licence_at)
    if metadata.virtual_top:
        raise UsageError("the header of API 13.x has no virtual_top", help="guests of 2006 leave the top 64 MiB alone")
    return RomHeaderB.unpack(image)


def _pci(metadata: RomMetadata, units: int) -> bytes:
    return Pcir(
        signature=abi.PCIR_SIGNATURE,
        vendor=abi.PCI_VENDOR,
        device=abi.PCI_DEVICE,
        length=abi.PCIR_LENGTH,
        class_code=_CLASS_MEMORY,
        subclass=_SUBCLASS_OTHER,
        image_length=units,
        version_maj=metadata.version[0],
        version_min=metadata.version[1],
        indicator=abi.PCIR_LAST_IMAGE,
    ).pack()


def _pnp(manufacturer_at: int, product_at: int) -> bytes:
    """Return the PnP header: names only, neither a boot device nor a boot connection."""
    header = Pnp(
        signature=abi.PNP_SIGNATURE,
        revision=1,
        length=Pnp.SIZE // abi.PNP_UNIT,
        manufacturer_offs=manufacturer_at,
        product_offs=product_at,
        class_code=_CLASS_MEMORY,
        subclass=_SUBCLASS_OTHER,
    )
    return replace(header, checksum=-sum(header.pack()) & 0xFF).pack()


def _reserve(image: bytearray, size: int, alignment: int) -> int:
    """Pad ``image`` to ``alignment``, append ``size`` zeros and return where they begin."""
    at = -(-len(image) // alignment) * alignment
    image.extend(bytes(at - len(image) + size))
    return at


def _append(image: bytearray, text: str) -> int:
    """Append ``text`` and a NUL; return where it begins."""
    at = len(image)
    image.extend(text.encode("ascii") + b"\0")
    return at


def _told(image: bytes | bytearray, descriptor: DescriptorRecord, mode: RomMode) -> bytes:
    """Return ``image`` with ``descriptor``, told ``mode``; its ``fix`` byte makes all bytes add up to 0.

    Raises:
        UsageError: the code does not know the mode.
    """
    if mode.number > descriptor.highest_mode:
        raise UsageError(f"this ROM's code does not know the mode {mode.value!r}")
    told = bytearray(image)
    descriptor = replace(descriptor, mode=mode.number, fix=0)
    descriptor.pack_into(told)
    replace(descriptor, fix=-sum(told) & 0xFF).pack_into(told)
    return bytes(told)


def _own_descriptor(image: bytes) -> DescriptorRecord:
    """Return the descriptor of an image that openvmi built and that is whole.

    Raises:
        InputError: it isn't.
    """
    found = parse(image).images[0]
    descriptor = DescriptorRecord.unpack(image) if found.descriptor else None
    if descriptor is None:
        raise InputError("this ROM was not built by openvmi: its mode and its names can't be changed")
    if len(found.data) != len(image) or found.checksum != 0:
        raise InputError(
            "this ROM is damaged: its length or its checksum is wrong", help="see `openvmi rom verify FILE`"
        )
    return descriptor


def _code_descriptor(code: bytes) -> DescriptorRecord:
    """Return the descriptor in ``code``, which must have everything that the builder adds to.

    Raises:
        InputError: it hasn't.
    """
    if not RomHeader.SIZE <= len(code) <= MAX_CODE_BYTES:
        raise InputError(f"{len(code)} bytes of ROM code: {RomHeader.SIZE} to {MAX_CODE_BYTES} are possible")
    header = RomHeader.unpack(code)
    descriptor = DescriptorRecord.unpack(code)
    if (header.rom_signature, header.vrom_signature) != (abi.ROM_SIGNATURE, abi.SIGNATURE) or descriptor is None:
        raise InputError("this code has no openvmi ROM header", help="link it as firmware/rom/rom.ld does")
    return descriptor


def code_of_elf(elf: bytes) -> bytes:
    """Return the bytes that a linked ROM loads, which begin at address 0; errors as :func:`loaded_bytes`."""
    return loaded_bytes(elf, 0)


def loaded_bytes(elf: bytes, address: int) -> bytes:
    """Return the bytes that a linked firmware loads.

    Raises:
        InputError: not a 32-bit x86 ELF with one loadable piece at ``address``.
    """
    pieces = _load_segments(elf)
    if len(pieces) != 1 or pieces[0][0] != address or pieces[0][1] != len(pieces[0][2]):
        raise InputError(
            f"this ELF is not firmware: one loadable piece at address {address:#x} is needed, with no zeroed memory"
        )
    return bytes(pieces[0][2])


def loaded_pieces(elf: bytes) -> list[tuple[int, bytes]]:
    """Return address and bytes of each piece that a linked firmware loads; zeroed memory is left out.

    Raises:
        InputError: not a 32-bit x86 ELF.
    """
    return [(address, bytes(data)) for address, _, data in _load_segments(elf)]


def _load_segments(elf: bytes) -> list[tuple[int, int, bytes]]:
    """Return address, size in memory and bytes of each loadable segment."""
    from elftools.common.exceptions import ELFError  # noqa: PLC0415 - a slow import that only this needs
    from elftools.construct import ConstructError  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    try:
        file = ELFFile(BytesIO(elf))
        machine = (file.elfclass, file["e_machine"])
        loads = [part for part in file.iter_segments() if part["p_type"] == "PT_LOAD"]
        pieces = [(part["p_vaddr"], part["p_memsz"], part.data()) for part in loads]
    except (ELFError, ConstructError, ValueError, OverflowError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"this ELF can't be read: {error}") from error
    if machine != (32, "EM_386"):
        raise InputError("this is not a 32-bit x86 ELF")
    return pieces
