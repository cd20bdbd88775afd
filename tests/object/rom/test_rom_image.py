# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The compiled firmware as an image: the same bytes everywhere, layouts that agree, a BIOS entry that returns."""

from __future__ import annotations

import re
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import capstone
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86
from unicorn.unicorn import Uc

from openvmi.abi import CALL_COUNT, Call
from openvmi.rom import RomMetadata, RomMode, build_image, check, parse, with_mode
from openvmi.rom.layout import DESCRIPTOR_OFFSET, DESCRIPTOR_SIZE, DESCRIPTOR_VERSION
from openvmi.toolchain import link
from openvmi.toolchain.recipes import firmware

ROOT = Path(__file__).resolve().parents[3]
WITHOUT_STUB = {
    Call.MachineToPhysical,
    Call.PhysicalToMachine,
    Call.SetInitialAPState,
    Call.APICWrite,
    Call.APICRead,
    Call.GetCycleFrequency,
    Call.GetCycleCounter,
    Call.SetAlarm,
    Call.CancelAlarm,
    Call.GetWallclockTime,
    Call.WallclockUpdated,
    Call.SetCallbacks,
}


def symbols(elf: bytes) -> dict[str, int]:
    table = ELFFile(BytesIO(elf)).get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols() if symbol.name}


def test_two_folders_give_the_same_bytes(roms: dict[RomMode, bytes], tmp_path: Path) -> None:
    for name in ("one", "another/place"):
        root = tmp_path / name
        shutil.copytree(ROOT / "firmware", root / "firmware")
        output = root / "rom.elf"
        link(firmware(root), root, output)
        assert build_image(output.read_bytes(), RomMetadata()) == roms[RomMode.DECLINE]


def test_modes_are_the_same_code(roms: dict[RomMode, bytes]) -> None:
    for mode, image in roms.items():
        assert with_mode(roms[RomMode.DECLINE], mode) == image
        assert check(parse(image)) == []
        assert len(image) == 2048


def test_the_descriptor_says_what_the_code_has(elf: bytes, roms: dict[RomMode, bytes]) -> None:
    found = parse(roms[RomMode.STUBS]).images[0].descriptor
    names = symbols(elf)
    assert found is not None
    assert found.mode is RomMode.STUBS
    assert found.highest_mode == RomMode.STUBS_JUMP.number == len(RomMode) - 1
    assert (found.code_end, found.stub_table) == (names["rom_code_end"], names["rom_stub_table"])
    assert found.stub_count == CALL_COUNT
    assert names["rom_mode"] == DESCRIPTOR_OFFSET + 9


def test_assembler_and_python_have_the_same_numbers() -> None:
    text = (ROOT / "firmware" / "rom" / "rom.inc").read_text()
    defined = {name: int(value, 0) for name, value in re.findall(r"^#define (ROM_\w+) (\w+)", text, re.MULTILINE)}
    assert defined["ROM_DESCRIPTOR_OFFSET"] == DESCRIPTOR_OFFSET
    assert defined["ROM_DESCRIPTOR_SIZE"] == DESCRIPTOR_SIZE
    assert defined["ROM_DESCRIPTOR_VERSION"] == DESCRIPTOR_VERSION
    for mode in RomMode:
        assert defined[f"ROM_MODE_{mode.name}"] == mode.number


def test_the_table_of_stubs_leads_to_functions(elf: bytes, roms: dict[RomMode, bytes]) -> None:
    image = roms[RomMode.STUBS]
    found = parse(image).images[0].descriptor
    assert found is not None
    functions = {value: name for name, value in symbols(elf).items()}
    without = set()
    for call in Call:
        at = found.stub_table + 2 * call
        offset = int.from_bytes(image[at : at + 2], "little")
        if offset:
            assert functions[offset].startswith("rom_")
        else:
            without.add(call)
    assert without == WITHOUT_STUB


def test_a_bios_may_call_it_anywhere(roms: dict[RomMode, bytes]) -> None:
    """In real mode, as SeaBIOS does: far call to offset 3. Only AX and flags change, and no memory."""
    for segment in (0xC000, 0xC880, 0xDF80):
        uc: Any = Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_16)  # type: ignore[no-untyped-call]
        uc.mem_map(0x0000, 0x10000)
        uc.mem_map(segment << 4 & ~0xFFF, 0x2000, uc_const.UC_PROT_READ | uc_const.UC_PROT_EXEC)
        uc.mem_write(segment << 4, roms[RomMode.NATIVE])
        uc.mem_write(0x7000, b"\x00\x05\x00\x00")  # return to 0000:0500
        names = ("BX", "CX", "DX", "SI", "DI", "BP", "DS", "ES")
        registers = [getattr(x86, f"UC_X86_REG_{name}") for name in names]
        for register in registers:
            uc.reg_write(register, 0x1234)
        uc.reg_write(x86.UC_X86_REG_AX, 0x00F8)
        uc.reg_write(x86.UC_X86_REG_CS, segment)
        uc.reg_write(x86.UC_X86_REG_SS, 0)
        uc.reg_write(x86.UC_X86_REG_SP, 0x7000)
        uc.emu_start((segment << 4) + 3, 0x500, count=10)
        assert uc.reg_read(x86.UC_X86_REG_CS) == 0
        assert uc.reg_read(x86.UC_X86_REG_IP) == 0x500
        assert uc.reg_read(x86.UC_X86_REG_SP) == 0x7004
        assert uc.reg_read(x86.UC_X86_REG_AX) == 0
        assert [uc.reg_read(register) for register in registers] == [0x1234] * len(registers)


def test_iret_and_sysexit_cost_one_instruction_more(elf: bytes, roms: dict[RomMode, bytes]) -> None:
    names = symbols(elf)
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)

    def decoded(name: str, count: int) -> list[str]:
        code = roms[RomMode.NATIVE][names[name] : names[name] + 16]
        return [instruction.mnemonic for instruction in decoder.disasm(code, 0)][:count]

    assert decoded("rom_iret", 1) == ["iretd"]
    assert decoded("rom_sysexit", 2) == ["sti", "sysexit"]
