# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of a ROM file once it has been read: plain records, made by :mod:`openvmi.rom.parser`."""

from __future__ import annotations

from dataclasses import dataclass

from .layout import RomMode


@dataclass(frozen=True, slots=True)
class PciData:
    """The PCI data structure ("PCIR").

    Args:
        offset: in the image.
        vendor: PCI vendor.
        device: PCI device.
        class_code: base class, sub-class and programming interface as one 24-bit number.
        length: of the structure, in bytes, as it says.
        image_length: of the image, in bytes, as it says.
        version: of the ROM, major and minor.
        code_type: 0 PC-AT, 1 Open Firmware, 2 PA-RISC, 3 EFI.
        last: no further image follows.
    """

    offset: int
    vendor: int
    device: int
    class_code: int
    length: int
    image_length: int
    version: tuple[int, int]
    code_type: int
    last: bool


@dataclass(frozen=True, slots=True)
class PnpHeader:
    """One Plug and Play expansion header ("$PnP").

    Args:
        offset: in the image.
        length: in bytes, as it says.
        checksum: 8-bit sum of those bytes, 0 when right; None if they are not all in the image.
        next_offset: image offset of the next header, 0 for none.
        manufacturer: name, or None if there is none inside the image.
        product: as ``manufacturer``.
        bcv: boot connection vector, 0 for none.
        bev: bootstrap entry vector, 0 for none.
    """

    offset: int
    length: int
    checksum: int | None
    next_offset: int
    manufacturer: str | None
    product: str | None
    bcv: int
    bev: int


@dataclass(frozen=True, slots=True)
class VmiHeader:
    """The part of the header that makes a ROM a VMI ROM.

    Args:
        api: major and minor version of the interface.
        generation: ``D`` or ``B``, after the major version; empty for others, of which nothing more is known.
        virtual_top: lowest linear address that the hypervisor uses, 0 for none (D).
        licence_offset: where the licence string is in the image, 0 for none (D).
        licence: the string; None if there is none inside the image (D).
        reserved: the bytes that should be 0, together.
        vmi_init: the 8 bytes of the jump point (D).
        get_reloc: as ``vmi_init``.
        slots: the bytes of each call's slot by its number, as far as the image has them (B).
    """

    api: tuple[int, int]
    generation: str
    virtual_top: int = 0
    licence_offset: int = 0
    licence: str | None = None
    reserved: bytes = b""
    vmi_init: bytes = b""
    get_reloc: bytes = b""
    slots: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """openvmi's private descriptor, in images built by openvmi.

    Args:
        mode: what the code will answer; None for a number that this version does not know.
        highest_mode: highest mode number that the code knows.
        code_end: image offset where the code ends.
        stub_table: image offset of the table of stubs, 16 bits a call.
        stub_count: calls in that table.
    """

    mode: RomMode | None
    highest_mode: int
    code_end: int
    stub_table: int
    stub_count: int


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image of a ROM file.

    Args:
        offset: in the file.
        declared: length in bytes that byte 2 of the image gives.
        data: the image's bytes, as far as the file has them.
        checksum: 8-bit sum of the declared bytes, 0 when right; None if they are not all in the file.
        entry: the four bytes at offset 3, which the BIOS calls.
        pci_offset: where the header says that the PCI data structure is, 0 for none.
        pci: that structure, None if it is not there.
        pnp_offset: where the header says that the first PnP header is, 0 for none.
        pnp: the chain of those headers, as far as it could be followed.
        pnp_broken: the chain points to what is not a PnP header, or runs in a circle.
        signed: the VMI signature is there.
        vmi: the VMI header, None without signature or if the file ends inside it.
        descriptor: openvmi's own facts, None in images of others.
    """

    offset: int
    declared: int
    data: bytes
    checksum: int | None
    entry: bytes
    pci_offset: int
    pci: PciData | None
    pnp_offset: int
    pnp: tuple[PnpHeader, ...]
    pnp_broken: bool
    signed: bool
    vmi: VmiHeader | None
    descriptor: Descriptor | None


@dataclass(frozen=True, slots=True)
class RomFile:
    """A ROM file: images one after the other, then ``trailing`` bytes that belong to none; ``size`` is the file's."""

    size: int
    images: tuple[ImageInfo, ...]
    trailing: int
