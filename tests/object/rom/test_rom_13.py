# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ROM of generation B: slots, answers by mode, any address, the native code that it shares with generation D's."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from openvmi.abi import RelocType
from openvmi.abi.generation_b import CALL_COUNT, LANDING_SIZE, SLOT_FIRST, SLOT_LAST, SLOT_SIZE, Call
from openvmi.errors import UsageError
from openvmi.rom import RomMetadata, RomMode, build_image, check, parse
from openvmi.rom.builder import code_of_elf
from openvmi.toolchain import link
from openvmi.toolchain.recipes import NATIVE_CODE, firmware_13

from .machine import BASE, MEMORY, RETURN, RING1_CODE, RING1_DATA, STACK, Machine

ROOT = Path(__file__).resolve().parents[3]
CALL, JUMP, NONE = RelocType.CALL_REL, RelocType.JUMP_REL, RelocType.NONE


@pytest.fixture(scope="module")
def elf_13(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = tmp_path_factory.mktemp("rom13") / "rom13.elf"
    link(firmware_13(ROOT), ROOT, output)
    return output.read_bytes()


def image(elf: bytes, mode: RomMode = RomMode.STUBS) -> bytes:
    return build_image(elf, RomMetadata(mode=mode))


def functions(elf: bytes) -> dict[str, bytes]:
    """Return the bytes of each function by its name."""
    table = ELFFile(BytesIO(elf)).get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    code = code_of_elf(elf)
    found = [symbol for symbol in table.iter_symbols() if symbol["st_info"]["type"] == "STT_FUNC"]
    return {symbol.name: code[symbol["st_value"] :][: symbol["st_size"]] for symbol in found}


def init(machine: Machine, at: int = 0) -> int:
    machine.set(eax=at)
    return machine.call(machine.base + SLOT_SIZE * Call.Init)["eax"]


def ask(machine: Machine, number: int) -> tuple[int, int]:
    machine.set(eax=number)
    state = machine.call(machine.base + SLOT_SIZE * Call.GetRelocationInfo)
    return state["eax"], state["edx"]


def test_a_guest_and_a_bios_take_it(elf_13: bytes) -> None:
    (found,) = parse(image(elf_13)).images
    assert check(parse(image(elf_13))) == []
    assert found.vmi is not None
    assert (found.vmi.api, found.vmi.generation) == ((13, 3), "B")
    assert len(found.data) <= LANDING_SIZE
    with pytest.raises(UsageError, match="virtual_top"):
        build_image(elf_13, RomMetadata(virtual_top=0xFC000000))


def test_every_number_has_a_slot(elf_13: bytes) -> None:
    """Calls jump to their code; behind the last one, whoever calls comes back."""
    code = code_of_elf(elf_13)
    starts = {number: code[SLOT_SIZE * number] for number in range(SLOT_FIRST, SLOT_LAST + 1)}
    assert {number for number, first in starts.items() if first == 0xE9} == set(map(int, Call))
    assert {number for number, first in starts.items() if first == 0xC3} == set(range(CALL_COUNT, SLOT_LAST + 1))


def test_native_operations_are_the_same_code_in_both_roms(elf: bytes, elf_13: bytes) -> None:
    """Nothing in them depends on the generation: what differs is around them."""
    ours, theirs = functions(elf), functions(elf_13)
    shared = {name for name in ours if name in theirs} - {"rom_bridge", "rom_bridge_reloc"}
    same = {name for name in shared if ours[name] == theirs[name]}
    assert shared - same <= {"rom_vmi_init", "rom_get_reloc"}  # other distances, other numbers
    assert len(same) > 45
    assert {path for path in firmware_13(ROOT).sources if "rom13" not in path} == {
        f"firmware/rom/{name}.S" for name in ("header", "init", *NATIVE_CODE)
    }


@pytest.mark.parametrize("mode", RomMode)
def test_answers_by_mode(elf_13: bytes, mode: RomMode) -> None:
    machine = Machine(image(elf_13, mode))
    expected = dict.fromkeys(Call, CALL)
    if mode is RomMode.DECLINE:
        expected = dict.fromkeys(Call, NONE)
    elif mode is RomMode.NATIVE:
        expected = dict.fromkeys(Call, NONE) | {Call.EnableInterrupts: CALL}
    if mode in {RomMode.NATIVE, RomMode.STUBS_JUMP}:
        expected |= {Call.IRET: JUMP, Call.SYSEXIT: JUMP}
    assert init(machine) == (0xFFFFFFFF if mode is RomMode.DECLINE else 0)
    answers = {call: ask(machine, call) for call in Call}
    assert {call: kind for call, (_, kind) in answers.items()} == expected
    inside = range(machine.base + SLOT_SIZE * CALL_COUNT, machine.base + len(machine.image))
    assert all(eip in inside for eip, kind in answers.values() if kind)
    assert [ask(machine, number) for number in (0, 3, CALL_COUNT, 127, 0x10005, 0xFFFFFFFF)] == [(0, 0)] * 6


def test_it_says_no_at_ring_1(elf_13: bytes) -> None:
    machine = Machine(image(elf_13))
    frame = (0, RETURN, RING1_CODE, 2, STACK - 4, RING1_DATA)  # IRET is called: a return address comes first
    machine.set(esp=STACK - 64)
    machine.uc.mem_write(STACK - 64, b"".join(word.to_bytes(4, "little") for word in frame))
    machine.uc.emu_start(machine.base + SLOT_SIZE * Call.IRET, RETURN, count=10)
    assert machine.get("cs") == RING1_CODE
    assert init(machine) == 0xFFFFFFFF


@pytest.mark.parametrize("base", [BASE, 0xC8000, 0xC1234000, 0xFFFF0000], ids=hex)
def test_it_runs_wherever_it_lies(elf_13: bytes, base: int) -> None:
    machine = Machine(image(elf_13), base)
    assert init(machine, 0xC0400000) == 0
    eip, kind = ask(machine, Call.SwapPxE)
    assert (kind, base < eip < base + len(machine.image)) == (CALL, True)
    machine.uc.mem_write(MEMORY, b"\1\2\3\4")
    for at, value, old in ((eip, 5, 0x04030201), (base + SLOT_SIZE * Call.SwapPxE, 6, 5)):
        machine.set(eax=MEMORY, edx=value)
        assert machine.call(at)["eax"] == old
    assert machine.read(MEMORY, 4) == b"\6\0\0\0"


@pytest.mark.parametrize(("call", "bits"), [(Call.TestAndSetPxEBit, 32), (Call.TestAndSetPxELongBit, 64)])
def test_bits_beyond_an_entry_stay_in_it(elf_13: bytes, call: Call, bits: int) -> None:
    """BTS with a register goes on in the next entry."""
    machine = Machine(image(elf_13))
    machine.set(eax=MEMORY + 8, edx=bits)
    assert machine.call(machine.base + SLOT_SIZE * call)["eax"] == 0
    assert machine.read(MEMORY, 24) == bytes(8) + b"\1" + bytes(15)
