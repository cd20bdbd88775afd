# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Codecs of the interface's structures: packed, little-endian.

Written by ``python -m openvmi.abi.generate`` from ``tables``: change those, not this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from types import MappingProxyType
from typing import ClassVar

from .record import Record


@dataclass(frozen=True, slots=True)
class RomHeader(Record):
    """Header of the ROM image.

    Args:
        rom_signature: 0xAA55.
        rom_length: image length in 512-byte units; the area to checksum.
        rom_entry: 16-bit code that the BIOS calls at POST.
        rom_pad0: padding.
        vrom_signature: 0x696D5663, 'cVmi'.
        api_version_min: API minor version.
        api_version_maj: API major version.
        jump_slots: number of jump slots; informative.
        reserved1: 0.
        virtual_top: lowest linear address that the hypervisor uses; 0: none.
        reserved2: 0.
        license_offs: image offset of the NUL-terminated license; 0: none.
        pci_header_offs: image offset of the PCI data structure.
        pnp_header_offs: image offset of the PnP header; 0: none.
        rom_pad3: reserved by PCI and PnP.
        reserved: for further headers.
        vmi_init: instructions: initialise.
        get_reloc: instructions: relocation query.
    """

    SIZE: ClassVar[int] = 144
    LAYOUT: ClassVar[Struct] = Struct("<HBIBIBBBBIHHHHI96s8s8s")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "rom_signature": 0,
            "rom_length": 2,
            "rom_entry": 3,
            "rom_pad0": 7,
            "vrom_signature": 8,
            "api_version_min": 12,
            "api_version_maj": 13,
            "jump_slots": 14,
            "reserved1": 15,
            "virtual_top": 16,
            "reserved2": 20,
            "license_offs": 22,
            "pci_header_offs": 24,
            "pnp_header_offs": 26,
            "rom_pad3": 28,
            "reserved": 32,
            "vmi_init": 128,
            "get_reloc": 136,
        }
    )

    rom_signature: int = 0
    rom_length: int = 0
    rom_entry: int = 0
    rom_pad0: int = 0
    vrom_signature: int = 0
    api_version_min: int = 0
    api_version_maj: int = 0
    jump_slots: int = 0
    reserved1: int = 0
    virtual_top: int = 0
    reserved2: int = 0
    license_offs: int = 0
    pci_header_offs: int = 0
    pnp_header_offs: int = 0
    rom_pad3: int = 0
    reserved: bytes = bytes(96)
    vmi_init: bytes = bytes(8)
    get_reloc: bytes = bytes(8)


@dataclass(frozen=True, slots=True)
class Pcir(Record):
    """PCI data structure, at pci_header_offs.

    Args:
        signature: 'PCIR'.
        vendor: 0x15AD.
        device: 0x0801.
        vpd: image offset of vital product data, or of a device list; 0: none.
        length: of this structure: 24.
        revision: of this structure: 0.
        interface: programming interface; the standard stores it lowest.
        subclass: device sub-class.
        class_code: device base class.
        image_length: image length in 512-byte units.
        version_min: ROM minor version, printed by Linux.
        version_maj: ROM major version, printed by Linux.
        code_type: 0: PC-AT.
        indicator: bit 7: last image.
        reserved: 0.
    """

    SIZE: ClassVar[int] = 24
    LAYOUT: ClassVar[Struct] = Struct("<IHHHHBBBBHBBBBH")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "signature": 0,
            "vendor": 4,
            "device": 6,
            "vpd": 8,
            "length": 10,
            "revision": 12,
            "interface": 13,
            "subclass": 14,
            "class_code": 15,
            "image_length": 16,
            "version_min": 18,
            "version_maj": 19,
            "code_type": 20,
            "indicator": 21,
            "reserved": 22,
        }
    )

    signature: int = 0
    vendor: int = 0
    device: int = 0
    vpd: int = 0
    length: int = 0
    revision: int = 0
    interface: int = 0
    subclass: int = 0
    class_code: int = 0
    image_length: int = 0
    version_min: int = 0
    version_maj: int = 0
    code_type: int = 0
    indicator: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Pnp(Record):
    """PnP expansion header, at pnp_header_offs; a mainline guest reads the first 18 bytes.

    Args:
        signature: '$PnP'.
        revision: 1.
        length: in units of 16 bytes: 2.
        next_offs: image offset of the next header; 0: none.
        reserved1: 0.
        checksum: makes the 8-bit sum of the header zero.
        device_id: device identifier.
        manufacturer_offs: image offset of the manufacturer's name; 0: none.
        product_offs: image offset of the product's name; 0: none.
        interface: device type: programming interface; stored as the PCI class.
        subclass: device type: sub-class.
        class_code: device type: base class.
        indicators: device indicators.
        bcv: boot connection vector; 0: none.
        disconnect: disconnect vector; 0: none.
        bev: bootstrap entry vector; 0: not a boot device.
        reserved2: 0.
        static_resources: static resource information vector; 0: none.
    """

    SIZE: ClassVar[int] = 32
    LAYOUT: ClassVar[Struct] = Struct("<IBBHBBIHHBBBBHHHHH")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "signature": 0,
            "revision": 4,
            "length": 5,
            "next_offs": 6,
            "reserved1": 8,
            "checksum": 9,
            "device_id": 10,
            "manufacturer_offs": 14,
            "product_offs": 16,
            "interface": 18,
            "subclass": 19,
            "class_code": 20,
            "indicators": 21,
            "bcv": 22,
            "disconnect": 24,
            "bev": 26,
            "reserved2": 28,
            "static_resources": 30,
        }
    )

    signature: int = 0
    revision: int = 0
    length: int = 0
    next_offs: int = 0
    reserved1: int = 0
    checksum: int = 0
    device_id: int = 0
    manufacturer_offs: int = 0
    product_offs: int = 0
    interface: int = 0
    subclass: int = 0
    class_code: int = 0
    indicators: int = 0
    bcv: int = 0
    disconnect: int = 0
    bev: int = 0
    reserved2: int = 0
    static_resources: int = 0


@dataclass(frozen=True, slots=True)
class Reloc(Record):
    """Relocation record, as get_reloc returns it in EDX:EAX.

    Args:
        eip: target linear address (EAX).
        type: relocation type (DL).
        reserved: reserved.
    """

    SIZE: ClassVar[int] = 8
    LAYOUT: ClassVar[Struct] = Struct("<IB3s")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "eip": 0,
            "type": 4,
            "reserved": 5,
        }
    )

    eip: int = 0
    type: int = 0
    reserved: bytes = bytes(3)


@dataclass(frozen=True, slots=True)
class Dtr(Record):
    """What LGDT, LIDT, SGDT and SIDT use.

    Args:
        limit: table size in bytes, less one.
        base: linear address of the table.
    """

    SIZE: ClassVar[int] = 6
    LAYOUT: ClassVar[Struct] = Struct("<HI")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "limit": 0,
            "base": 2,
        }
    )

    limit: int = 0
    base: int = 0


@dataclass(frozen=True, slots=True)
class ApState(Record):
    """SetInitialAPState: state in which an application processor starts; what is not here is power-on state.

    Args:
        cr0: PE and PG must be set.
        cr2: last fault address.
        cr3: physical address of the page-table root.
        cr4: PAE as on the other CPUs.
        efer: without LME and LMA.
        eip: first instruction, in paravirtual mode.
        eflags: flags.
        eax: general register.
        ebx: general register.
        ecx: general register.
        edx: general register.
        esp: stack pointer.
        ebp: general register.
        esi: general register.
        edi: general register.
        cs: selector, loaded from the new GDT.
        ss: stack selector.
        ds: selector.
        es: selector.
        fs: selector.
        gs: selector.
        ldtr: LDT selector; 0: none.
        gdtr_limit: GDT size in bytes, less one.
        gdtr_base: linear address of this CPU's GDT.
        idtr_base: linear address of the IDT.
        idtr_limit: IDT size in bytes, less one.
    """

    SIZE: ClassVar[int] = 90
    LAYOUT: ClassVar[Struct] = Struct("<IIIIQIIIIIIIIIIHHHHHHHHIIH")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "cr0": 0,
            "cr2": 4,
            "cr3": 8,
            "cr4": 12,
            "efer": 16,
            "eip": 24,
            "eflags": 28,
            "eax": 32,
            "ebx": 36,
            "ecx": 40,
            "edx": 44,
            "esp": 48,
            "ebp": 52,
            "esi": 56,
            "edi": 60,
            "cs": 64,
            "ss": 66,
            "ds": 68,
            "es": 70,
            "fs": 72,
            "gs": 74,
            "ldtr": 76,
            "gdtr_limit": 78,
            "gdtr_base": 80,
            "idtr_base": 84,
            "idtr_limit": 88,
        }
    )

    cr0: int = 0
    cr2: int = 0
    cr3: int = 0
    cr4: int = 0
    efer: int = 0
    eip: int = 0
    eflags: int = 0
    eax: int = 0
    ebx: int = 0
    ecx: int = 0
    edx: int = 0
    esp: int = 0
    ebp: int = 0
    esi: int = 0
    edi: int = 0
    cs: int = 0
    ss: int = 0
    ds: int = 0
    es: int = 0
    fs: int = 0
    gs: int = 0
    ldtr: int = 0
    gdtr_limit: int = 0
    gdtr_base: int = 0
    idtr_base: int = 0
    idtr_limit: int = 0


@dataclass(frozen=True, slots=True)
class IretFrame(Record):
    """What IRET returns through, from ESP up; esp and ss only to user mode, es to gs only to virtual-8086 mode.

    Args:
        eip: where to go on.
        cs: real RPL, also when returning to the kernel.
        eflags: IF counts; IOPL does not (SetIOPLMask).
        esp: stack pointer.
        ss: stack selector.
        es: selector.
        ds: selector.
        fs: selector.
        gs: selector.
    """

    SIZE: ClassVar[int] = 36
    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIIII")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "eip": 0,
            "cs": 4,
            "eflags": 8,
            "esp": 12,
            "ss": 16,
            "es": 20,
            "ds": 24,
            "fs": 28,
            "gs": 32,
        }
    )

    eip: int = 0
    cs: int = 0
    eflags: int = 0
    esp: int = 0
    ss: int = 0
    es: int = 0
    ds: int = 0
    fs: int = 0
    gs: int = 0


@dataclass(frozen=True, slots=True)
class RomHeaderB(Record):
    """Header of the ROM image; the slots of the calls from 4 on follow.

    Args:
        rom_signature: 0xAA55.
        rom_length: image length in 512-byte units (the text: signed).
        rom_entry: 16-bit code that the BIOS calls at POST.
        rom_pad0: padding.
        vrom_signature: 0x696D5663, 'cVmi'.
        api_version_min: API minor version.
        api_version_maj: API major version: 13.
        reserved0: 0 (API 6.1: 4 KB pages of private data per CPU).
        reserved1: 0.
        reserved2: 0.
        reserved3: private use.
        pci_header_offs: image offset of the PCI data structure.
        pnp_header_offs: image offset of the PnP header; 0: none.
        rom_pad3: reserved by PCI and PnP.
        reserved: for growth of the header.
        elf_header: reserved for an ELF header, for symbols.
    """

    SIZE: ClassVar[int] = 128
    LAYOUT: ClassVar[Struct] = Struct("<HBIBIBBBBIIHHI32s64s")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "rom_signature": 0,
            "rom_length": 2,
            "rom_entry": 3,
            "rom_pad0": 7,
            "vrom_signature": 8,
            "api_version_min": 12,
            "api_version_maj": 13,
            "reserved0": 14,
            "reserved1": 15,
            "reserved2": 16,
            "reserved3": 20,
            "pci_header_offs": 24,
            "pnp_header_offs": 26,
            "rom_pad3": 28,
            "reserved": 32,
            "elf_header": 64,
        }
    )

    rom_signature: int = 0
    rom_length: int = 0
    rom_entry: int = 0
    rom_pad0: int = 0
    vrom_signature: int = 0
    api_version_min: int = 0
    api_version_maj: int = 0
    reserved0: int = 0
    reserved1: int = 0
    reserved2: int = 0
    reserved3: int = 0
    pci_header_offs: int = 0
    pnp_header_offs: int = 0
    rom_pad3: int = 0
    reserved: bytes = bytes(32)
    elf_header: bytes = bytes(64)


@dataclass(frozen=True, slots=True)
class AnnotationB(Record):
    """Record of a call site in the guest's .vmi.annotation section.

    Args:
        call: number of the call.
        native: address of the padded native code.
        translation: address of the code that calls the ROM.
        native_size: bytes of native code, padding included.
        translation_size: bytes of the translation.
        nops: bytes of padding, signed: negative when the native code is longer.
        pad: padding (in mid 2006: offset of the CALL in the translation).
    """

    SIZE: ClassVar[int] = 16
    LAYOUT: ClassVar[Struct] = Struct("<IIIBBBB")
    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "call": 0,
            "native": 4,
            "translation": 8,
            "native_size": 12,
            "translation_size": 13,
            "nops": 14,
            "pad": 15,
        }
    )

    call: int = 0
    native: int = 0
    translation: int = 0
    native_size: int = 0
    translation_size: int = 0
    nops: int = 0
    pad: int = 0
