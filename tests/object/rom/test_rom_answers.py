# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""vmi_init and get_reloc in every mode, at any address, without writing to the ROM."""

from __future__ import annotations

import pytest

from openvmi import abi
from openvmi.abi import CALL_COUNT, Call, RelocType
from openvmi.rom import RomMode

from .machine import BASE, GENERAL, KERNEL_CODE, RETURN, RING1_CODE, RING1_DATA, STACK, Machine

MINUS_ONE = 0xFFFFFFFF
BASES = (0x000C0000, 0x000DF800, 0xC00C0000, BASE, 0xFFFFF000, 0x40000800)
MUST = (Call.IRET, Call.SYSEXIT)
# Not mandatory, but cheaper for mainline's SYSENTER entry than the indirect call that NONE leaves there.
NATIVE = {Call.IRET: RelocType.JUMP_REL, Call.SYSEXIT: RelocType.JUMP_REL, Call.EnableInterrupts: RelocType.CALL_REL}
PATTERN = {name: 0x01010101 * number for number, name in enumerate(GENERAL, 0xA1)}
NUMBERS = (*range(101), 0x80, 0xFF, 0x100, 0x10021, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@pytest.mark.parametrize("base", BASES, ids=hex)
@pytest.mark.parametrize("mode", RomMode)
def test_vmi_init(roms: dict[RomMode, bytes], mode: RomMode, base: int) -> None:
    machine = Machine(roms[mode], base)
    before = machine.memory()
    machine.set(**PATTERN)
    state = machine.call(base + 0x80)
    assert state["eax"] == (MINUS_ONE if mode is RomMode.DECLINE else 0)
    assert state["esp"] == STACK
    assert {name: state[name] for name in ("ebx", "esi", "edi", "ebp")} == {
        name: PATTERN[name] for name in ("ebx", "esi", "edi", "ebp")
    }
    assert machine.memory() == before
    assert machine.read(base, len(roms[mode])) == roms[mode]


def test_vmi_init_declines_for_a_mode_that_it_does_not_know(roms: dict[RomMode, bytes]) -> None:
    for number in (4, 5, 0x7F, 0x80, 0xFE, 0xFF):
        image = bytearray(roms[RomMode.NATIVE])
        image[0x49] = number
        machine = Machine(bytes(image))
        assert machine.init() == MINUS_ONE
        assert {machine.reloc(call) for call in Call} == {(0, 0)}


def test_vmi_init_declines_outside_ring_0(roms: dict[RomMode, bytes]) -> None:
    machine = Machine(roms[RomMode.NATIVE])
    frame = (RETURN, RING1_CODE, 2, STACK - 4, RING1_DATA)
    iret, _ = machine.reloc(Call.IRET)
    machine.set(esp=STACK - 64)
    machine.uc.mem_write(STACK - 64, b"".join(word.to_bytes(4, "little") for word in frame))
    machine.uc.emu_start(iret, RETURN, count=10)
    assert machine.get("cs") == RING1_CODE
    assert machine.init() == MINUS_ONE


def test_vmi_init_can_be_called_again(roms: dict[RomMode, bytes]) -> None:
    machine = Machine(roms[RomMode.NATIVE])
    assert [machine.init() for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("base", BASES, ids=hex)
def test_native_answers_none_wherever_the_guest_is_right(roms: dict[RomMode, bytes], base: int) -> None:
    machine = Machine(roms[RomMode.NATIVE], base)
    answers = {number: machine.reloc(number) for number in NUMBERS}
    assert {number for number, answer in answers.items() if answer != (0, RelocType.NONE)} == set(NATIVE)
    for call, expected in NATIVE.items():
        target, kind = answers[call]
        assert kind == expected
        assert base <= target < base + len(roms[RomMode.NATIVE])


def test_declining_answers_none_to_everything(roms: dict[RomMode, bytes]) -> None:
    machine = Machine(roms[RomMode.DECLINE])
    assert {machine.reloc(number) for number in NUMBERS} == {(0, RelocType.NONE)}


@pytest.mark.parametrize("mode", [RomMode.STUBS, RomMode.STUBS_JUMP])
@pytest.mark.parametrize("base", BASES, ids=hex)
def test_stubs_answer_as_a_guest_can_take_it(roms: dict[RomMode, bytes], mode: RomMode, base: int) -> None:
    machine = Machine(roms[mode], base)
    for number in NUMBERS:
        target, kind = machine.reloc(number)
        if number >= CALL_COUNT:
            assert (target, kind) == (0, RelocType.NONE)
            continue
        assert RelocType(kind).name in abi.load().call(number).answers
        jumps = mode is RomMode.STUBS_JUMP and number in MUST
        assert kind in ({RelocType.JUMP_REL} if jumps else {RelocType.CALL_REL, RelocType.NONE})
        assert (target == 0) == (kind == RelocType.NONE)
        assert kind == RelocType.NONE or base <= target < base + len(roms[mode])


def test_whole_groups_are_there_or_not(roms: dict[RomMode, bytes]) -> None:
    machine = Machine(roms[RomMode.STUBS])
    for whole in abi.load().wholes:
        kinds = {machine.reloc(Call[name])[1] for name in (whole.leader, *whole.members)}
        assert len(kinds) == 1, whole.name


@pytest.mark.parametrize("mode", RomMode)
def test_get_reloc_changes_its_results_and_ecx_only(roms: dict[RomMode, bytes], mode: RomMode) -> None:
    machine = Machine(roms[mode])
    before = machine.memory()
    for number in NUMBERS:
        machine.set(**PATTERN)
        machine.set(eax=number)
        state = machine.call(machine.base + 0x88)
        for name in ("ebx", "esi", "edi", "ebp"):
            assert state[name] == PATTERN[name]
        assert state["esp"] == STACK
        assert state["cs"] == KERNEL_CODE
        assert state["edx"] >> 8 == 0
    assert machine.memory() == before
    assert machine.read(machine.base, len(roms[mode])) == roms[mode]


def test_answers_do_not_change_with_activation(roms: dict[RomMode, bytes]) -> None:
    for image in roms.values():
        machine = Machine(image)
        before = [machine.reloc(number) for number in NUMBERS]
        machine.init()
        assert [machine.reloc(number) for number in NUMBERS] == before
