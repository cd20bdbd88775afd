# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A ROM of generation B made of hand-encoded bytes: slots, and a query that answers with them. See ``rom_model.py``."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from openvmi import abi
from openvmi.abi import Call as CallD
from openvmi.abi import RelocType, generation_b
from openvmi.abi.generation_b import SLOT_SIZE, Call
from openvmi.abi.structs import RomHeaderB
from openvmi.rom import RomMetadata, RomMode, build_image
from openvmi.rom.layout import DESCRIPTOR_MAGIC, DESCRIPTOR_VERSION, DescriptorRecord

from ..rom.conftest import make_elf
from .rom_model import RET, RIGHT

QUERY, TYPES, OFFSETS, ASIDE, ROOM = 0x1000, 0x1040, 0x10C0, 0x1200, 0x80
COUNTED = 96
_AS = {"IN": "INL", "INS": "INSL", "OUT": "OUTL", "OUTS": "OUTSL"}
_DIFFERENT = {"APICRead", "APICWrite", "SetAlarm", "CancelAlarm", "UpdateKernelStack"}
_LONG = "c70100000000 895104 8901 c3"  # not present, high, low
_SWAP_LONG = "53 56 89ce 89c3 89d1 8b06 8b5604 f00fc70e 75fa 5e 5b c3"
_BIT = "0f92c0 0fb6c0 c3"  # setc %al; movzbl %al, %eax

RIGHT_B: dict[Call, str] = {
    **{
        call: RIGHT[CallD[_AS.get(call.name, call.name)]]
        for call in Call
        if _AS.get(call.name, call.name) in CallD.__members__ and CallD[_AS.get(call.name, call.name)] in RIGHT
        if call.name not in _DIFFERENT
    },
    Call.INVD: "0f09 c3",
    Call.Pause: "f390 c3",
    Call.SetPxE0: "8910 c3",
    Call.GetPxE: "c3",
    Call.SwapPxE: "8710 89d0 c3",
    Call.SetPxELong0: _LONG,
    Call.GetPxELong: "c3",
    Call.SwapPxELongAtomic: _SWAP_LONG,
    Call.TestAndSetPxEBit: f"f00fab10 {_BIT}",
    Call.TestAndClearPxEBit: f"f00fb310 {_BIT}",
    Call.FlushDeferredCalls: "31c0 c3",
    Call.DeactivatePxELongAtomic: "89c1 31c0 8701 8b5104 c7410400000000 c3",
    Call.TestAndSetPxELongBit: f"f00fab10 {_BIT}",
    Call.TestAndClearPxELongBit: f"f00fb310 {_BIT}",
    Call.APICWrite: "8910 c3",
    Call.APICRead: "8b00 c3",
    Call.GetCycleFrequency: "31c0 31d2 c3",
    Call.GetCycleCounter: "31c0 31d2 c3",
    Call.CancelAlarm: "31c0 c3",
    Call.GetWallclockTime: "31c0 31d2 c3",
}
"""What each call's code is; of a call that is not here, RET."""


@dataclass(frozen=True)
class ModelB:
    """A ROM; arguments as those of ``rom_model.Model``, ``offsets`` being those that the query answers."""

    init: str = "31c0 c3"
    stubs: dict[Call, str] = field(default_factory=dict)
    types: dict[int, int] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    before: str = ""
    after: str = ""
    count: int = generation_b.CALL_COUNT
    minor: int = 3

    def code(self) -> bytes:
        """Return the code, header first, as firmware links to."""
        image = bytearray(ASIDE)
        header = RomHeaderB(
            rom_signature=abi.ROM_SIGNATURE,
            rom_entry=0xCB,
            vrom_signature=abi.SIGNATURE,
            api_version_maj=generation_b.API_MAJOR,
            api_version_min=self.minor,
        )
        image[:128] = header.pack()
        image[QUERY:TYPES] = self._query().ljust(TYPES - QUERY, b"\0")
        for number in range(COUNTED):
            known = generation_b.SLOT_FIRST <= number < self.count
            image[TYPES + number] = self.types.get(number, RelocType.CALL_REL if known else RelocType.NONE)
            struct.pack_into("<H", image, OFFSETS + 2 * number, self.offsets.get(number, SLOT_SIZE * number))
        for call in Call:
            self._slot(image, call)
        last = RomMode.STUBS_JUMP.number
        DescriptorRecord(DESCRIPTOR_MAGIC, DESCRIPTOR_VERSION, 0, 0, last, 0, 0, 0, bytes(14)).pack_into(image)
        return bytes(image)

    def _slot(self, image: bytearray, call: Call) -> None:
        """Put the code of a call into its slot, or behind everything and a jump into the slot."""
        if generation_b.SINCE.get(call, 0) > self.minor:
            return
        at = SLOT_SIZE * call
        code = bytes.fromhex(self.init if call is Call.Init else self.stubs.get(call, RIGHT_B.get(call, RET)))
        if call is Call.GetRelocationInfo:
            code = _jump(at, QUERY)
        elif len(code) > SLOT_SIZE:
            aside = len(image)
            image += code.ljust(ROOM, b"\xcc")
            code = _jump(at, aside)
        image[at : at + len(code)] = code

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
        known = bytes.fromhex("e800000000 59 83f8") + bytes([COUNTED - 1, 0x77, len(look) + len(answer)])
        return before + known + look + answer + bytes.fromhex("31c0 31d2 c3")

    def image(self) -> bytes:
        """Return the image, with everything that a BIOS and a guest look for."""
        return build_image(make_elf(self.code()), RomMetadata(mode=RomMode.NATIVE))

    def but(self, call: Call, code: str) -> ModelB:
        """Return this ROM with other code for one call."""
        return replace(self, stubs={**self.stubs, call: code})


def _jump(at: int, to: int) -> bytes:
    return b"\xe9" + struct.pack("<i", to - at - 5)
