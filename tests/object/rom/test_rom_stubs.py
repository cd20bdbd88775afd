# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each stub: what it does, what it leaves alone, and which segments it may lean on."""

from __future__ import annotations

import operator
import struct
from typing import Any

import pytest
from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86

from openvmi import abi
from openvmi.abi import Call, RelocType
from openvmi.rom import RomMode

from .machine import (
    ALWAYS,
    ARITHMETIC,
    BASE,
    DTR,
    GDT,
    GDT_LIMIT,
    GENERAL,
    KERNEL_CODE,
    KERNEL_DATA,
    LDT,
    OTHER_TSS,
    RETURN,
    SEGMENTS,
    STACK,
    SYSENTER_CS_MSR,
    TABLE,
    USER_CODE,
    USER_DATA,
    Machine,
    flags_of,
    interrupts,
)

IF = 0x200
IOPL3 = 0x3000
NEVER_BACK = {Call.IRET, Call.SYSEXIT, Call.Reboot, Call.Shutdown}
WAITS = {Call.Halt}
PATTERN = {name: 0x01010101 * number for number, name in enumerate(GENERAL, 0xA1)}
# Arguments with which a call can be made without harm; others take the pattern.
HARMLESS: dict[Call, dict[str, int]] = {
    Call.CPUID: {"eax": 0, "ecx": 0},
    Call.WRMSR: {"ecx": SYSENTER_CS_MSR, "eax": KERNEL_CODE, "edx": 0},
    Call.RDMSR: {"ecx": SYSENTER_CS_MSR},
    Call.SetGDT: {"eax": DTR},
    Call.SetLDT: {"eax": LDT},
    Call.SetIDT: {"eax": DTR},
    Call.SetTR: {"eax": OTHER_TSS},
    Call.GetGDT: {"eax": DTR + 16},
    Call.GetIDT: {"eax": DTR + 16},
    Call.WriteGDTEntry: {"eax": TABLE, "edx": 2},
    Call.WriteLDTEntry: {"eax": TABLE, "edx": 2},
    Call.WriteIDTEntry: {"eax": TABLE, "edx": 2},
    Call.SetCR0: {"eax": 0x11},
    Call.SetCR3: {"eax": 0x1000},
    Call.SetCR4: {"eax": 0x80},
    Call.SetDR: {"eax": 0},
    Call.GetDR: {"eax": 0},
    Call.RDPMC: {"ecx": 0},
    Call.SetInterruptMask: {"eax": IF},
    Call.SetPxE: {"edx": TABLE},
    Call.SetPxELong: {"ecx": TABLE},
    Call.InvalPage: {"eax": TABLE},
    Call.FlushTLB: {"eax": 3},
    Call.INSL: {"edi": TABLE, "ecx": 3},
    Call.INSB: {"edi": TABLE, "ecx": 3},
    Call.INSW: {"edi": TABLE, "ecx": 3},
    Call.OUTSL: {"esi": TABLE, "ecx": 3},
    Call.OUTSB: {"esi": TABLE, "ecx": 3},
    Call.OUTSW: {"esi": TABLE, "ecx": 3},
    Call.SetIOPLMask: {"eax": IOPL3},
}
# The emulator has no performance counters.
NOT_EMULATED = {Call.RDPMC}
SERVED = [
    call
    for call in Call
    if abi.load().call(call).answers != ("NONE",)
    and call not in {Call.MachineToPhysical, Call.PhysicalToMachine, Call.SetInitialAPState, Call.SetCallbacks}
    and not Call.APICWrite <= call <= Call.APICRead
    and not Call.GetCycleFrequency <= call <= Call.WallclockUpdated
]
CALLABLE = [call for call in SERVED if call not in NEVER_BACK | WAITS | NOT_EMULATED]
CS_SS = [call for call in SERVED if abi.load().call(call).segments == "cs-ss"]
BY_NAME = operator.attrgetter("name")


@pytest.fixture
def machine(roms: dict[RomMode, bytes]) -> Machine:
    made = Machine(roms[RomMode.STUBS])
    made.uc.mem_write(DTR, struct.pack("<HI", GDT_LIMIT, GDT))
    return made


def test_every_call_is_accounted_for(machine: Machine) -> None:
    served = {call for call in Call if machine.reloc(call)[1] == RelocType.CALL_REL}
    assert served == set(SERVED)


@pytest.mark.parametrize("if_before", [0, IF], ids=["cli", "sti"])
@pytest.mark.parametrize(
    "call", [call for call in SERVED if call not in NEVER_BACK | WAITS | NOT_EMULATED], ids=lambda call: call.name
)
def test_what_a_stub_leaves_alone(machine: Machine, call: Call, if_before: int) -> None:
    spec = abi.load().call(call)
    arguments = PATTERN | HARMLESS.get(call, {})
    target, _ = machine.reloc(call)
    machine.set(**arguments, eflags=if_before | ARITHMETIC | ALWAYS)
    image, before = machine.read(BASE, len(machine.image)), machine.state()
    after = machine.call(target, 0x55AA55AA)
    assert {name: after[name] for name in spec.preserves} == {name: arguments[name] for name in spec.preserves}
    assert after["esp"] == STACK
    assert [after[name] for name in SEGMENTS] == [before[name] for name in SEGMENTS]
    if "flags" not in spec.clobbers:
        assert flags_of(after) == ARITHMETIC
    if call not in {Call.EnableInterrupts, Call.DisableInterrupts, Call.SetInterruptMask}:
        assert interrupts(after) == bool(if_before)
    assert after["eflags"] & 0x400 == 0
    assert machine.read(BASE, len(image)) == image


@pytest.mark.parametrize(
    "call", [call for call in SERVED if call not in NEVER_BACK | WAITS | NOT_EMULATED], ids=lambda call: call.name
)
def test_a_stub_writes_only_what_it_is_asked_to(machine: Machine, call: Call) -> None:
    target, _ = machine.reloc(call)
    machine.set(**(PATTERN | HARMLESS.get(call, {})))
    before = machine.memory()
    machine.call(target, 0x55AA55AA)
    assert machine.memory() == before or abi.load().call(call).writes, "memory that the table of calls does not list"


@pytest.mark.parametrize(
    "call", [call for call in SERVED if abi.load().call(call).segments == "cs-ss"], ids=lambda call: call.name
)
def test_calls_between_user_and_kernel_lean_on_cs_and_ss_only(machine: Machine, call: Call) -> None:
    """They touch the stack and, in returning, descriptors: nothing that DS or ES is needed for."""
    target, _ = machine.reloc(call)
    seen: list[int] = []
    for access in (uc_const.UC_HOOK_MEM_READ, uc_const.UC_HOOK_MEM_WRITE):
        machine.uc.hook_add(access, lambda _uc, _kind, address, *_rest: seen.append(address))
    if call in {Call.IRET, Call.SYSEXIT}:
        leave(machine, call, target)
    else:
        machine.set(eax=0)
        machine.call(target)
    assert all(STACK - 64 <= address < STACK + 64 or GDT <= address < GDT + 0x50 for address in seen)


def leave(machine: Machine, call: Call, target: int, *, by_call: bool = True) -> None:
    """Go to ring 3 through IRET or SYSEXIT, with PATTERN in the registers; arrive at RETURN."""
    frame = struct.pack("<5I", RETURN, USER_CODE, IF | 0x8C5 | ALWAYS, 0x12340, USER_DATA)
    machine.uc.msr_write(SYSENTER_CS_MSR, KERNEL_CODE)
    machine.set(**PATTERN)
    machine.set(eflags=ALWAYS | 0x10)
    at = STACK - 64
    machine.uc.mem_write(at, frame if not by_call else struct.pack("<I", 0xDEAD) + frame)
    machine.set(esp=at)
    if call is Call.SYSEXIT:
        machine.set(edx=RETURN, ecx=0x12340)
    machine.uc.emu_start(target, RETURN, count=10)
    assert machine.get("eip") == RETURN


@pytest.mark.parametrize("mode", [RomMode.STUBS, RomMode.STUBS_JUMP, RomMode.NATIVE])
def test_iret_to_ring_3(roms: dict[RomMode, bytes], mode: RomMode) -> None:
    machine = Machine(roms[mode])
    target, kind = machine.reloc(Call.IRET)
    leave(machine, Call.IRET, target, by_call=kind == RelocType.CALL_REL)
    state = machine.state()
    assert {name: state[name] for name in GENERAL} == PATTERN
    assert (state["cs"], state["ss"], state["esp"]) == (USER_CODE, USER_DATA, 0x12340)
    assert interrupts(state)
    assert flags_of(state) == 0x8C5


@pytest.mark.parametrize("mode", [RomMode.STUBS, RomMode.NATIVE])
def test_iret_within_ring_0(roms: dict[RomMode, bytes], mode: RomMode) -> None:
    machine = Machine(roms[mode])
    target, kind = machine.reloc(Call.IRET)
    by_call = kind == RelocType.CALL_REL
    machine.set(**PATTERN)
    machine.set(esp=STACK - 64)
    frame = struct.pack("<3I", RETURN, KERNEL_CODE, ALWAYS | 0x41)
    machine.uc.mem_write(STACK - 64, struct.pack("<I", 0xDEAD) * by_call + frame)
    machine.uc.emu_start(target, RETURN, count=10)
    state = machine.state()
    assert state["eip"] == RETURN
    assert state["esp"] == STACK - 64 + 4 * by_call + 12
    assert {name: state[name] for name in GENERAL} == PATTERN
    assert flags_of(state) == 0x41


@pytest.mark.parametrize("mode", [RomMode.STUBS, RomMode.STUBS_JUMP, RomMode.NATIVE])
def test_sysexit_enables_interrupts_and_passes_registers_through(roms: dict[RomMode, bytes], mode: RomMode) -> None:
    machine = Machine(roms[mode])
    target, kind = machine.reloc(Call.SYSEXIT)
    leave(machine, Call.SYSEXIT, target, by_call=kind == RelocType.CALL_REL)
    state = machine.state()
    assert {name: state[name] for name in GENERAL} == PATTERN | {"edx": RETURN, "ecx": 0x12340}
    assert (state["cs"] & 3, state["esp"]) == (3, 0x12340)
    assert interrupts(state)
    assert flags_of(state) == 0x10


def test_interrupt_flag_calls(machine: Machine) -> None:
    assert interrupts(machine.vmi(Call.EnableInterrupts, eflags=ALWAYS))
    assert not interrupts(machine.vmi(Call.DisableInterrupts, eflags=ALWAYS | IF))
    assert machine.vmi(Call.GetInterruptMask, eflags=ALWAYS | IF | ARITHMETIC | IOPL3)["eax"] == IF
    assert machine.vmi(Call.GetInterruptMask, eflags=ALWAYS | ARITHMETIC | IOPL3)["eax"] == 0
    for mask in (IF, 0xFFFFFFFF):
        state = machine.vmi(Call.SetInterruptMask, eax=mask, eflags=ALWAYS)
        assert interrupts(state)
        assert state["eflags"] & 0xFFFFF100 & ~IF == 0
    for mask in (0, 0xFFFFFFFF & ~IF):
        assert not interrupts(machine.vmi(Call.SetInterruptMask, eax=mask, eflags=ALWAYS | IF))


def test_halt_enables_interrupts_and_waits(machine: Machine) -> None:
    target, _ = machine.reloc(Call.Halt)
    machine.set(eflags=ALWAYS)
    machine.uc.mem_write(STACK - 4, struct.pack("<I", RETURN))
    machine.set(esp=STACK - 4)
    machine.uc.emu_start(target, RETURN, count=10)
    assert machine.image[target - BASE : target - BASE + 3] == bytes.fromhex("fb f4 c3")
    assert interrupts(machine.state())
    assert machine.get("eip") in {target + 1, target + 2}


def test_shutdown_stays_off(machine: Machine) -> None:
    target, _ = machine.reloc(Call.Shutdown)
    machine.set(eflags=ALWAYS | IF, esp=STACK)
    machine.uc.emu_start(target, RETURN, count=10)
    assert not interrupts(machine.state())
    assert BASE < machine.get("eip") < BASE + len(machine.image)


@pytest.mark.parametrize(("how", "ports"), [(0, [(0x64, 0xFE)]), (1, [(0xCF9, 2), (0xCF9, 6), (0x64, 0xFE)])])
def test_reboot_tries_every_means(machine: Machine, how: int, ports: list[tuple[int, int]]) -> None:
    target, _ = machine.reloc(Call.Reboot)
    machine.set(eax=how, esp=STACK)
    interrupted: list[int] = []

    def stop(uc: Any, number: int, _data: object) -> None:  # noqa: ANN401 - unicorn's
        interrupted.append(number)
        uc.emu_stop()

    machine.uc.hook_add(uc_const.UC_HOOK_INTR, stop)
    machine.uc.emu_start(target, RETURN, count=4_000_000)
    assert [(port, value) for kind, port, _, value in machine.ports if kind == "out"] == ports
    assert interrupted == [3]
    assert machine.uc.reg_read(x86.UC_X86_REG_IDTR)[1:3] == (0, 0)


def test_control_registers(machine: Machine) -> None:
    for number, value in ((0, 0x11), (2, 0x12345678), (3, 0x5000), (4, 0x90)):
        machine.vmi(Call[f"SetCR{number}"], eax=value)
        assert machine.get(f"cr{number}") == value
        assert machine.vmi(Call[f"GetCR{number}"], eax=7)["eax"] == value
    machine.set(cr0=0x19)
    assert machine.vmi(Call.CLTS)["cr0"] == 0x11


def test_debug_registers(machine: Machine) -> None:
    for number in (0, 1, 2, 3):
        machine.vmi(Call.SetDR, eax=number, edx=0xC0001000 + number)
    for number in (0, 1, 2, 3):
        assert machine.get(f"dr{number}") == 0xC0001000 + number
        assert machine.vmi(Call.GetDR, eax=number)["eax"] == 0xC0001000 + number
    for number in (6, 7):
        machine.set(**{f"dr{number}": 0x400})
        assert machine.vmi(Call.GetDR, eax=number)["eax"] == machine.get(f"dr{number}") != 0
    machine.vmi(Call.SetDR, eax=7, edx=0x0400)
    assert machine.get("dr7") & 0xFFFF == 0x400
    for number in (4, 5, 8, 0x80000000):
        before = machine.state()
        state = machine.vmi(Call.SetDR, eax=number, edx=0xFFFFFFFF)
        assert {name: state[name] for name in state if name.startswith("dr")} == {
            name: before[name] for name in before if name.startswith("dr")
        }
        assert machine.vmi(Call.GetDR, eax=number)["eax"] == 0


def test_instructions(machine: Machine) -> None:
    leaf = machine.vmi(Call.CPUID, eax=0, ecx=0)
    assert leaf["eax"] >= 1
    assert all(0x20 <= byte < 0x7F for name in ("ebx", "edx", "ecx") for byte in leaf[name].to_bytes(4, "little"))
    machine.vmi(Call.WRMSR, ecx=SYSENTER_CS_MSR, eax=0x30, edx=0)
    assert machine.uc.msr_read(SYSENTER_CS_MSR) == 0x30
    state = machine.vmi(Call.RDMSR, ecx=SYSENTER_CS_MSR, eax=1, edx=1)
    assert (state["edx"], state["eax"]) == (0, 0x30)
    for name, code in (
        ("RDPMC", "0f33c3"),
        ("RDTSC", "0f31c3"),
        ("WBINVD", "0f09c3"),
        ("CLTS", "0f06c3"),
        ("InvalPage", "0f0138c3"),
    ):
        target, _ = machine.reloc(Call[name])
        assert machine.image[target - BASE :].hex().startswith(code)


def test_descriptor_tables(machine: Machine) -> None:
    other = TABLE + 0x800
    machine.uc.mem_write(other, machine.read(GDT, GDT_LIMIT + 1))
    machine.uc.mem_write(DTR, struct.pack("<HI", GDT_LIMIT, other))
    machine.vmi(Call.SetGDT, eax=DTR)
    assert machine.uc.reg_read(x86.UC_X86_REG_GDTR)[1:3] == (other, GDT_LIMIT)
    machine.vmi(Call.GetGDT, eax=DTR + 16)
    assert machine.read(DTR + 16, 8) == struct.pack("<HIH", GDT_LIMIT, other, 0)
    machine.uc.mem_write(DTR, struct.pack("<HI", 0x7FF, 0xC0100000))
    machine.vmi(Call.SetIDT, eax=DTR)
    machine.vmi(Call.GetIDT, eax=DTR + 16)
    assert machine.read(DTR + 16, 8) == struct.pack("<HIH", 0x7FF, 0xC0100000, 0)
    machine.vmi(Call.SetLDT, eax=0xABCD0000 | LDT)
    assert machine.vmi(Call.GetLDT, eax=0)["eax"] & 0xFFFF == LDT
    machine.vmi(Call.SetTR, eax=OTHER_TSS)
    assert machine.vmi(Call.GetTR, eax=0)["eax"] & 0xFFFF == OTHER_TSS


def test_a_new_gdt_reaches_loaded_segments(machine: Machine) -> None:
    """FS is loaded, its descriptor's base then moves by a new table: the segment must follow."""
    machine.set(fs=USER_DATA)
    other = TABLE + 0x800
    table = bytearray(machine.read(GDT, GDT_LIMIT + 1))
    at = USER_DATA & ~7
    table[at : at + 8] = struct.pack("<II", (TABLE & 0xFFFF) << 16 | 0xFFFF, 0x00CFF300 | TABLE >> 16)
    machine.uc.mem_write(other, bytes(table))
    machine.uc.mem_write(DTR, struct.pack("<HI", GDT_LIMIT, other))
    state = machine.vmi(Call.SetGDT, eax=DTR)
    assert state["fs"] == USER_DATA
    machine.uc.mem_write(TABLE + 0x40, struct.pack("<I", 0xCAFED00D))
    probe = bytes.fromhex("64a140000000f4")  # mov eax, fs:[0x40]; hlt
    machine.uc.mem_write(RETURN + 0x10, probe)
    machine.uc.emu_start(RETURN + 0x10, RETURN + 0x16)
    assert machine.get("eax") == 0xCAFED00D


def test_a_new_gdt_without_a_loaded_segment_does_not_fault(machine: Machine) -> None:
    machine.set(fs=USER_DATA, gs=USER_DATA)
    other = TABLE + 0x800
    machine.uc.mem_write(other, machine.read(GDT, USER_CODE & ~7) + bytes(0x40))
    machine.uc.mem_write(DTR, struct.pack("<HI", GDT_LIMIT, other))
    state = machine.vmi(Call.SetGDT, eax=DTR)
    assert (state["fs"], state["gs"], state["ds"]) == (USER_DATA, USER_DATA, KERNEL_DATA)


@pytest.mark.parametrize("call", [Call.WriteGDTEntry, Call.WriteLDTEntry, Call.WriteIDTEntry])
def test_descriptors_are_stored(machine: Machine, call: Call) -> None:
    machine.uc.mem_write(TABLE, b"\xee" * 64)
    machine.vmi(call, 0x89ABCDEF, 0x11111111, eax=TABLE, edx=3, ecx=0x01234567)
    assert machine.read(TABLE, 64) == b"\xee" * 24 + struct.pack("<II", 0x01234567, 0x89ABCDEF) + b"\xee" * 32


def test_page_table_entries(machine: Machine) -> None:
    machine.uc.mem_write(TABLE, b"\xee" * 32)
    machine.vmi(Call.SetPxE, eax=0x12345067, edx=TABLE + 4, ecx=1)
    assert machine.read(TABLE, 12) == b"\xee" * 4 + struct.pack("<I", 0x12345067) + b"\xee" * 4
    machine.vmi(Call.SetPxELong, 0x11, 0x22, eax=0x12345067, edx=0x80000003, ecx=TABLE + 16)
    assert machine.read(TABLE + 8, 24) == b"\xee" * 8 + struct.pack("<II", 0x12345067, 0x80000003) + b"\xee" * 8


@pytest.mark.parametrize("old", [0, 0x0000000512345067, 0x8000000000000001])
@pytest.mark.parametrize("new", [0, 0x00000004ABCDE067, 0x0000000512345025])
def test_a_present_entry_is_never_half_written(machine: Machine, old: int, new: int) -> None:
    """After each instruction the entry is the old one, the new one, or not present."""
    machine.uc.mem_write(TABLE, struct.pack("<Q", old))
    seen: set[int] = set()

    def look(*_: object) -> None:
        seen.add(int.from_bytes(machine.read(TABLE, 8), "little"))

    machine.uc.hook_add(uc_const.UC_HOOK_CODE, look)
    machine.vmi(Call.SetPxELong, 0x31, eax=new & 0xFFFFFFFF, edx=new >> 32, ecx=TABLE)
    look()
    assert {entry for entry in seen if entry & 1} <= {old, new}
    assert int.from_bytes(machine.read(TABLE, 8), "little") == new


def test_a_flush_leaves_the_registers_as_they_were(machine: Machine) -> None:
    for flags in (1, 2, 3, 0xFFFFFFFF):
        for cr4 in (0, 0x90, 0x10):
            machine.set(cr3=0x7000, cr4=cr4)
            state = machine.vmi(Call.FlushTLB, eax=flags, eflags=ALWAYS | IF)
            assert (state["cr3"], state["cr4"], interrupts(state)) == (0x7000, cr4, True)


@pytest.mark.parametrize(("name", "size"), [("L", 4), ("B", 1), ("W", 2)])
def test_ports(machine: Machine, name: str, size: int) -> None:
    mask = (1 << 8 * size) - 1
    state = machine.vmi(Call[f"IN{name}"], eax=0xFFFFFFFF, edx=0xABCD0060)
    assert state["eax"] == (0xFFFFFFFF & ~mask | 0x11223344 & mask)
    machine.vmi(Call[f"OUT{name}"], eax=0x55667788, edx=0x3F8)
    assert machine.ports == [("in", 0x60, size, 0x11223344 & mask), ("out", 0x3F8, size, 0x55667788 & mask)]


@pytest.mark.parametrize(("name", "size"), [("L", 4), ("B", 1), ("W", 2)])
def test_strings_of_ports(machine: Machine, name: str, size: int) -> None:
    machine.uc.mem_write(TABLE, bytes(range(16)))
    state = machine.vmi(Call[f"OUTS{name}"], esi=TABLE, edx=0x170, ecx=3)
    assert (state["esi"], state["ecx"]) == (TABLE + 3 * size, 0)
    sent = b"".join(value.to_bytes(size, "little") for _, _, _, value in machine.ports)
    assert sent == bytes(range(3 * size))
    state = machine.vmi(Call[f"INS{name}"], edi=TABLE + 0x100, edx=0x170, ecx=3)
    assert (state["edi"], state["ecx"]) == (TABLE + 0x100 + 3 * size, 0)
    assert machine.read(TABLE + 0x100, 3 * size) == (0x11223344).to_bytes(4, "little")[:size] * 3


def test_iopl(machine: Machine) -> None:
    assert machine.vmi(Call.SetIOPLMask, eax=0xFFFFFFFF, eflags=ALWAYS | IF)["eflags"] & (IOPL3 | IF) == IOPL3 | IF
    assert machine.vmi(Call.SetIOPLMask, eax=0x1000, eflags=ALWAYS | IOPL3)["eflags"] & (IOPL3 | IF) == 0x1000
    assert machine.vmi(Call.SetIOPLMask, eax=0, eflags=ALWAYS | IOPL3)["eflags"] & IOPL3 == 0
