# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A ROM made of hand-encoded bytes that serves all 74 calls natively and conforms, and ways to make it wrong.

No compiler is needed, and nothing of firmware/: what the check says of it is not what our own ROM happens to do.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from openvmi import abi
from openvmi.abi import Call, RelocType
from openvmi.abi.structs import RomHeader
from openvmi.rom import RomMetadata, RomMode, build_image
from openvmi.rom.layout import DESCRIPTOR_MAGIC, DESCRIPTOR_VERSION, DescriptorRecord

from ..rom.conftest import FIX_AT, make_code, make_elf

INIT, QUERY, TYPES, OFFSETS, STUBS, SLOT = 0x90, 0xC0, 0x100, 0x160, 0x200, 0x60
COUNTED = 80
RET = "c3"
_RELOAD = "8cd9 8ed9 8cc1 8ec1 8ce1 8ee1 8ce9 8ee9"  # mov %ds, %ecx; mov %ecx, %ds; ... es, fs, gs
_WRITE = "8d14d0 8b442404 890a 894204 c3"  # lea (%eax,%edx,8), %edx; high from the stack; low, then high
_DEBUG = (0, 1, 2, 3, 6, 7)


def _debug(opcode: int, register: int, end: str) -> str:
    """Compare EAX with each number; MOV to or from that debug register and RET if it is it."""
    moves = [f"83f8{n:02x} 7504 0f{opcode:02x}{0xC0 | n << 3 | register:02x} c3" for n in _DEBUG]
    return " ".join([*moves, end])


RIGHT: dict[Call, str] = {
    Call.CPUID: "0fa2 c3",
    Call.WRMSR: "0f30 c3",
    Call.RDMSR: "0f32 c3",
    Call.SetGDT: f"0f0110 {_RELOAD} c3",
    Call.SetLDT: f"0f00d0 {_RELOAD} c3",
    Call.SetIDT: "0f0118 c3",
    Call.SetTR: "0f00d8 c3",
    Call.GetGDT: "0f0100 c3",
    Call.GetLDT: "0f00c0 c3",
    Call.GetIDT: "0f0108 c3",
    Call.GetTR: "0f00c8 c3",
    Call.WriteGDTEntry: _WRITE,
    Call.WriteLDTEntry: _WRITE,
    Call.WriteIDTEntry: _WRITE,
    Call.SetCR0: "0f22c0 c3",
    Call.SetCR2: "0f22d0 c3",
    Call.SetCR3: "0f22d8 c3",
    Call.SetCR4: "0f22e0 c3",
    Call.GetCR0: "0f20c0 c3",
    Call.GetCR2: "0f20d0 c3",
    Call.GetCR3: "0f20d8 c3",
    Call.GetCR4: "0f20e0 c3",
    Call.WBINVD: "0f09 c3",
    Call.SetDR: _debug(0x23, 2, "c3"),
    Call.GetDR: _debug(0x21, 0, "31c0 c3"),
    Call.RDPMC: "0f33 c3",
    Call.RDTSC: "0f31 c3",
    Call.CLTS: "0f06 c3",
    Call.EnableInterrupts: "fb c3",
    Call.DisableInterrupts: "fa c3",
    Call.GetInterruptMask: "9c 58 2500020000 c3",
    Call.SetInterruptMask: "a900020000 7402 fb c3 fa c3",
    Call.IRET: "8d642404 cf",
    Call.SYSEXIT: "fb 0f35",
    Call.Halt: "fb f4 c3",
    Call.Reboot: "fa b0fe e664 f4 ebfd",
    Call.Shutdown: "fa f4 ebfd",
    Call.SetPxE: "8902 c3",
    Call.SetPxELong: "c70100000000 895104 8901 c3",  # not present, high, low
    Call.InvalPage: "0f0138 c3",
    Call.FlushTLB: "a802 740f 0f20e0 89c2 80e27f 0f22e2 0f22e0 c3 0f20d8 0f22d8 c3",
    Call.INL: "ed c3",
    Call.INB: "ec c3",
    Call.INW: "66ed c3",
    Call.INSL: "f36d c3",
    Call.INSB: "f36c c3",
    Call.INSW: "f3666d c3",
    Call.OUTL: "ef c3",
    Call.OUTB: "ee c3",
    Call.OUTW: "66ef c3",
    Call.OUTSL: "f36f c3",
    Call.OUTSB: "f36e c3",
    Call.OUTSW: "f3666f c3",
    Call.SetIOPLMask: "9c 5a 2500300000 81e2ffcfffff 09c2 52 9d c3",
    # registers of a local APIC that the guest maps where it is; alarms are armed in its last bytes
    Call.APICWrite: "25ff0f0000 89900000e0fe c3",
    Call.APICRead: "25ff0f0000 8b800000e0fe c3",
    Call.GetCycleFrequency: "b800ca9a3b 31d2 c3",
    Call.GetCycleCounter: "83f801 7703 0f31 c3 31c0 31d2 c3",
    Call.SetAlarm: "0fb6c8 83f901 770b c7048d000fe0fe01000000 c3",
    Call.CancelAlarm: "31d2 83f801 7707 871485000fe0fe 89d0 c3",
    Call.GetWallclockTime: "0f31 c3",
    Call.WallclockUpdated: "31c0 c3",
}
"""What each call's code is; of a call that is not here, RET."""


@dataclass(frozen=True)
class Model:
    """A ROM.

    Args:
        init: code of vmi_init, in hexadecimal.
        stubs: code of calls that differs from :data:`RIGHT`.
        types: relocation types that are not CALL_REL, by number.
        offsets: offsets in the image that are not the stub's, by number.
        before: code that get_reloc begins with.
        after: code with which it ends when it answers.
        count: numbers below this have an answer.
        virtual_top: of the header.
    """

    init: str = "31c0 c3"
    stubs: dict[Call, str] = field(default_factory=dict)
    types: dict[int, int] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    before: str = ""
    after: str = ""
    count: int = abi.CALL_COUNT
    virtual_top: int = 0

    def code(self) -> bytes:
        """Return the code, header first, as firmware/rom links to."""
        image = bytearray(STUBS + SLOT * abi.CALL_COUNT)
        header = RomHeader(
            rom_signature=abi.ROM_SIGNATURE,
            rom_entry=0xCB,
            vrom_signature=abi.SIGNATURE,
            api_version_maj=abi.API_MAJOR,
            jump_slots=2,
            vmi_init=_jump(RomHeader.OFFSETS["vmi_init"], INIT),
            get_reloc=_jump(RomHeader.OFFSETS["get_reloc"], QUERY),
        )
        pieces = {0: header.pack(), INIT: bytes.fromhex(self.init), QUERY: self._query()}
        pieces |= {STUBS + SLOT * call: bytes.fromhex(self.stubs.get(call, RIGHT.get(call, RET))) for call in Call}
        for at, piece in pieces.items():
            assert not any(image[at : at + len(piece)])
            image[at : at + len(piece)] = piece
        for number in range(COUNTED):
            image[TYPES + number] = self.types.get(number, RelocType.CALL_REL)
            offset = self.offsets.get(number, STUBS + SLOT * min(number, abi.CALL_COUNT - 1))
            struct.pack_into("<H", image, OFFSETS + 2 * number, offset)
        last = RomMode.STUBS_JUMP.number
        DescriptorRecord(DESCRIPTOR_MAGIC, DESCRIPTOR_VERSION, 0, 0, last, 0, 0, self.count, bytes(14)).pack_into(image)
        return bytes(image)

    def _query(self) -> bytes:
        """EAX number -> EAX address, EDX type; from the two tables."""
        before = bytes.fromhex(self.before)
        here = QUERY + len(before) + 5
        answer = bytes.fromhex("8d8401") + struct.pack("<i", -here) + bytes.fromhex(self.after) + b"\xc3"
        look = b"".join(
            (
                bytes.fromhex("0fb69401") + struct.pack("<i", TYPES - here),
                bytes.fromhex("0fb78441") + struct.pack("<i", OFFSETS - here),
                bytes.fromhex("85d2 74") + bytes([len(answer)]),
            )
        )
        known = bytes.fromhex("e800000000 59 83f8") + bytes([self.count, 0x73, len(look) + len(answer)])
        return before + known + look + answer + bytes.fromhex("31c0 31d2 c3")

    def image(self) -> bytes:
        """Return the image, with everything that a BIOS and a guest look for."""
        metadata = RomMetadata(mode=RomMode.NATIVE, virtual_top=self.virtual_top)
        return build_image(make_elf(self.code()), metadata)

    def but(self, call: Call, code: str) -> Model:
        """Return this ROM with other code for one call."""
        return replace(self, stubs={**self.stubs, call: code})


def _jump(at: int, to: int) -> bytes:
    return b"\xe9" + struct.pack("<i", to - at - 5) + bytes(3)


def patched(image: bytes, changes: dict[int, bytes]) -> bytes:
    """Store bytes at offsets of an image, and mend its checksum."""
    changed = bytearray(image)
    for at, content in changes.items():
        changed[at : at + len(content)] = content
    changed[FIX_AT] = (changed[FIX_AT] - sum(changed)) & 0xFF
    return bytes(changed)


def smallest() -> bytes:
    """Return an image that declines and answers NONE, all in its jump points."""
    code = bytearray(make_code())
    code[0x80:0x90] = bytes.fromhex("83c8ff c3 00000000 31c0 31d2 c3 000000")
    return build_image(make_elf(bytes(code)), RomMetadata(mode=RomMode.NATIVE))
