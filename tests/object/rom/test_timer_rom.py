# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls 62-64 and 66-71 of the test ROM, one by one: results, arguments, what they leave alone, what they tell devices.

The clock is the test's: every RDTSC is a fixed step later. Tests set the ROM's memory as if it had measured its clocks,
but for those that watch it measure.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86
from unicorn.unicorn import Uc

from openvmi import abi
from openvmi.abi import IF, Call, RelocType
from openvmi.abi.structs import ApState

from ...guest.timer_rom.recipe import build_elf, build_rom
from .machine import ALWAYS, BASE, GDT, GDT_LIMIT, GENERAL, SEGMENTS, STACK, TABLE, Machine, interrupts

MEGA = 1_000_000
APIC = 0xFFFFE000
ID, COMMAND, COMMAND_HIGH, LVT_TIMER, INITIAL, DIVIDE = 0x20, 0x300, 0x310, 0x320, 0x380, 0x3E0
PIT_COUNTER, PIT_MODE = 0x40, 0x43
PERIODIC_MODE, ONCE_MODE, STOP_MODE = 0x34, 0x38, 0x3A
PERIODIC, LVTT = 0x100, 0x10000
LVT_PERIODIC = 0x20000
ROOT, DIRECTORY = 0x5000, 0x6000
DIRECT_MAP = 0xC0000000
STEP = 10
RDTSC = b"\x0f\x31"
CALLS = (Call.SetInitialAPState, Call.APICWrite, Call.APICRead, *(Call(number) for number in range(66, 72)))
PATTERN = {name: 0x01010101 * number for number, name in enumerate(GENERAL, 0xA1)}


@dataclass(slots=True)
class TimerMachine(Machine):
    """The machine of ``machine.py`` with a ROM that may write to itself, and with clocks, a PIT and an APIC page."""

    now: int = 1 << 40
    cmos: dict[int, int] = field(default_factory=dict)
    written: list[tuple[int, int]] = field(default_factory=list)
    latched: bytes = b""

    def __post_init__(self) -> None:
        Machine.__post_init__(self)
        self.uc.mem_protect(self.base & ~0xFFF, (len(self.image) + 0xFFF) & ~0xFFF, uc_const.UC_PROT_ALL)
        self.uc.mem_map(APIC, 0x1000)
        self.uc.mem_map(DIRECT_MAP + 0x1000, 0x10000)
        for found in re.finditer(RDTSC, self.image):
            place = self.base + found.start()
            self.uc.hook_add(uc_const.UC_HOOK_CODE, self._rdtsc, begin=place, end=place)
        self.uc.hook_add(uc_const.UC_HOOK_MEM_WRITE, self._apic_written, begin=APIC, end=APIC + 0xFFF)

    def _rdtsc(self, uc: Any, address: int, _size: int, _data: object) -> None:  # noqa: ANN401 - unicorn's
        self.now += STEP
        uc.reg_write(x86.UC_X86_REG_EAX, self.now & 0xFFFFFFFF)
        uc.reg_write(x86.UC_X86_REG_EDX, self.now >> 32)
        uc.reg_write(x86.UC_X86_REG_EIP, address + len(RDTSC))

    def _apic_written(self, _uc: object, _kind: int, address: int, _size: int, value: int, _data: object) -> None:
        self.written.append((address - APIC, value & 0xFFFFFFFF))

    def _in(self, uc: object, port: int, size: int, data: object) -> int:
        if port == 0x42:
            value, self.latched = self.latched[0], self.latched[1:]
            return value
        if port == 0x71:
            return self.cmos[self.ports[-1][3]]
        return Machine._in(self, uc, port, size, data)

    def _out(self, uc: object, port: int, size: int, value: int, data: object) -> None:
        Machine._out(self, uc, port, size, value, data)
        if (port, value) == (PIT_MODE, 0x80):  # channel 2 counts one for two of the TSC
            self.now += 100
            self.latched = struct.pack("<H", -(self.now >> 1) & 0xFFFF)

    def pit(self) -> list[tuple[int, int]]:
        """Return and forget what the PIT was told."""
        told = [(port, value) for kind, port, _, value in self.ports if kind == "out" and 0x40 <= port <= 0x43]
        self.ports.clear()
        return told

    def apic(self) -> list[tuple[int, int]]:
        """Return and forget what the APIC was told."""
        told, self.written = self.written, []
        return told

    def give(self, address: int, apic_id: int) -> None:
        """Make call SetInitialAPState, which copies a page."""
        target, _ = self.reloc(Call.SetInitialAPState)
        self.set(eax=address, edx=apic_id)
        self.call(target, count=100_000)

    def alarm(self, flags: int, expiry: int = 0, period: int = 0) -> None:
        """Make call SetAlarm."""
        registers = {"eax": flags, "edx": expiry & 0xFFFFFFFF, "ecx": expiry >> 32}
        self.vmi(Call.SetAlarm, period & 0xFFFFFFFF, period >> 32, **registers)


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build_elf(tmp_path_factory.mktemp("timer"))


@pytest.fixture(scope="module")
def at(elf: bytes) -> int:
    """Where the ROM has its memory."""
    table = ELFFile(BytesIO(elf)).get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    return BASE + next(int(symbol["st_value"]) for symbol in table.iter_symbols() if symbol.name == "timer_rom_state")


@pytest.fixture
def fresh(elf: bytes) -> TimerMachine:
    machine = TimerMachine(build_rom(elf))
    machine.uc.mem_write(APIC + ID, struct.pack("<I", 3 << 24))
    return machine


@pytest.fixture
def machine(fresh: TimerMachine, at: int) -> Iterator[TimerMachine]:
    """TSC 2400 MHz, PIT 1.2 MHz, APIC timer 60 MHz; three pages at physical 0x8000."""
    fresh.uc.mem_write(at, struct.pack("<4IQ2I", 1, 24 * MEGA, 12_000, 600_000, 2400 * MEGA, 1, 0x8000))
    yield fresh
    assert fresh.uc.reg_read(x86.UC_X86_REG_ESP) == STACK


def result(state: dict[str, int]) -> int:
    return state["edx"] << 32 | state["eax"]


@pytest.mark.parametrize("if_before", [0, IF], ids=["cli", "sti"])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_what_a_call_leaves_alone(machine: TimerMachine, call: Call, if_before: int) -> None:
    harmless = {
        Call.SetInitialAPState: {"eax": TABLE, "edx": 1},
        Call.APICWrite: {"eax": 0x80},
        Call.SetAlarm: {"eax": PERIODIC},
    }
    machine.cmos = dict.fromkeys(range(10), 1)
    arguments = PATTERN | harmless.get(call, {})
    machine.uc.mem_write(TABLE, ApState(cr3=ROOT).pack())
    before = machine.state()
    target, _ = machine.reloc(call)
    machine.set(**arguments, eflags=if_before | ALWAYS)
    after = machine.call(target, 0x100000, 0, count=100_000)
    preserved = abi.load().call(call).preserves
    assert {name: after[name] for name in preserved} == {name: arguments[name] for name in preserved}
    assert [after[name] for name in SEGMENTS] == [before[name] for name in SEGMENTS]
    assert interrupts(after) == bool(if_before)
    assert after["eflags"] & 0x400 == 0


def test_the_whole_group_is_there(machine: TimerMachine) -> None:
    assert {machine.reloc(call)[1] for call in CALLS} == {RelocType.CALL_REL}


def test_counters(machine: TimerMachine) -> None:
    real, available = (result(machine.vmi(Call.GetCycleCounter, eax=index)) for index in (0, 1))
    assert real == (1 << 40) + STEP
    assert available == real + STEP
    for index in (2, 3, 0x100, 0xFFFFFFFF):
        assert result(machine.vmi(Call.GetCycleCounter, eax=index, edx=7)) == 0


def test_frequency(machine: TimerMachine) -> None:
    assert result(machine.vmi(Call.GetCycleFrequency)) == 2400 * MEGA


def test_wallclock(machine: TimerMachine) -> None:
    machine.cmos = {0: 0x58, 2: 0x59, 4: 0x23, 7: 0x29, 8: 0x02, 9: 0x28}  # 2028-02-29 23:59:58, BCD
    assert result(machine.vmi(Call.GetWallclockTime)) == 1_835_481_598 * 1000 * MEGA
    assert machine.vmi(Call.WallclockUpdated)["eax"] == 0


@pytest.mark.parametrize("counter", [0, 1])
def test_irq0_periodic(machine: TimerMachine, counter: int) -> None:
    machine.alarm(PERIODIC | counter, machine.now, 24 * MEGA)
    assert machine.pit() == [(PIT_MODE, PERIODIC_MODE), (PIT_COUNTER, 12_000 & 0xFF), (PIT_COUNTER, 12_000 >> 8)]
    assert machine.apic() == []


@pytest.mark.parametrize("counter", [0, 1])
def test_lvtt_periodic(machine: TimerMachine, counter: int) -> None:
    machine.uc.mem_write(APIC + LVT_TIMER, struct.pack("<I", 0xEF))
    machine.alarm(LVTT | PERIODIC | counter, machine.now, 24 * MEGA)
    assert machine.apic() == [(DIVIDE, 3), (LVT_TIMER, LVT_PERIODIC | 0xEF), (INITIAL, 600_000)]
    assert machine.pit() == []


def test_one_shots_count_to_their_expiry(machine: TimerMachine) -> None:
    machine.uc.mem_write(APIC + LVT_TIMER, struct.pack("<I", LVT_PERIODIC | 0xEF))
    machine.alarm(LVTT, machine.now + STEP + 24 * MEGA)
    assert machine.apic() == [(DIVIDE, 3), (LVT_TIMER, 0xEF), (INITIAL, 600_000)]
    machine.alarm(1, machine.now + STEP + 24 * MEGA)
    assert machine.pit() == [(PIT_MODE, ONCE_MODE), (PIT_COUNTER, 12_000 & 0xFF), (PIT_COUNTER, 12_000 >> 8)]


@pytest.mark.parametrize(
    ("later", "pit", "lvtt"),
    [
        (-1, 2, 2),
        (-(1 << 39), 2, 2),
        (0, 2, 2),
        ((1 << 32) - 1, 0, 107_374_182),
        (1 << 32, 0, 107_374_182),
        (1 << 50, 0, 107_374_182),
        ((1 << 63) - (1 << 42), 0, 107_374_182),
    ],
)
def test_a_far_or_past_expiry(machine: TimerMachine, later: int, pit: int, lvtt: int) -> None:
    """Past: at once. Beyond what the timer counts: as late as it can; the PIT's 65536 is written as 0."""
    machine.alarm(0, machine.now + STEP + later)
    assert machine.pit()[1:] == [(PIT_COUNTER, pit), (PIT_COUNTER, 0)]
    machine.alarm(LVTT, machine.now + 2 * STEP + later)
    assert abs(machine.apic()[-1][1] - lvtt) <= 1


def test_a_period_of_64_bits_and_none(machine: TimerMachine) -> None:
    machine.alarm(LVTT | PERIODIC, machine.now, 5 << 32)
    assert machine.apic()[-1] == (INITIAL, 107_374_182)
    machine.alarm(LVTT | PERIODIC, machine.now, 0)
    assert machine.apic()[-2:] == [(LVT_TIMER, 0), (INITIAL, 2)]


@pytest.mark.parametrize("counter", [2, 3, 0xFF])
def test_counters_without_an_alarm(machine: TimerMachine, counter: int) -> None:
    machine.alarm(counter | PERIODIC, machine.now, 24 * MEGA)
    assert (machine.pit(), machine.apic()) == ([], [])
    assert machine.vmi(Call.CancelAlarm, eax=counter)["eax"] == 0


@pytest.mark.parametrize("wiring", [0, LVTT], ids=["irq0", "lvtt"])
def test_cancelling_tells_whether_it_was_armed(machine: TimerMachine, wiring: int) -> None:
    def cancelled(counter: int) -> int:
        machine.pit(), machine.apic()
        armed = machine.vmi(Call.CancelAlarm, eax=counter)["eax"]
        told = machine.pit() + machine.apic()
        assert told == ([(INITIAL, 0) if wiring else (PIT_MODE, STOP_MODE)] if armed else [])
        return armed

    assert (cancelled(0), cancelled(1)) == (0, 0)
    machine.alarm(wiring | PERIODIC | 1, machine.now, 24 * MEGA)
    machine.now += 100 * MEGA
    assert (cancelled(0), cancelled(1), cancelled(1)) == (0, 1, 0)
    machine.alarm(wiring, machine.now + 24 * MEGA)
    machine.now += 23 * MEGA
    assert (cancelled(1), cancelled(0), cancelled(0)) == (0, 1, 0)
    machine.alarm(wiring, machine.now + 24 * MEGA)
    machine.now += 25 * MEGA
    assert cancelled(0) == 0


def test_setting_again_moves_the_alarm(machine: TimerMachine) -> None:
    machine.alarm(PERIODIC, machine.now, 24 * MEGA)
    machine.pit()
    machine.alarm(LVTT | PERIODIC, machine.now, 24 * MEGA)
    assert machine.pit() == [(PIT_MODE, STOP_MODE)]
    assert machine.apic()[-1] == (INITIAL, 600_000)


def test_alarms_are_per_cpu(machine: TimerMachine) -> None:
    machine.alarm(LVTT | PERIODIC, machine.now, 24 * MEGA)
    machine.uc.mem_write(APIC + ID, struct.pack("<I", 2 << 24))
    assert machine.vmi(Call.CancelAlarm, eax=0)["eax"] == 0
    machine.uc.mem_write(APIC + ID, struct.pack("<I", 3 << 24))
    assert machine.vmi(Call.CancelAlarm, eax=0)["eax"] == 1


def test_apic_registers_are_passed_through(machine: TimerMachine) -> None:
    for address in (0x80, 0xFEE00080):
        machine.vmi(Call.APICWrite, eax=address, edx=0x12345678)
        assert machine.apic() == [(0x80, 0x12345678)]
        assert machine.vmi(Call.APICRead, eax=address)["eax"] == 0x12345678


def test_an_lvt_entry_written_by_the_guest_stays_periodic(machine: TimerMachine) -> None:
    machine.vmi(Call.APICWrite, eax=LVT_TIMER, edx=LVT_PERIODIC | 0x30)
    assert machine.vmi(Call.APICRead, eax=LVT_TIMER)["eax"] == LVT_PERIODIC | 0x30
    machine.alarm(LVTT | PERIODIC, machine.now, 24 * MEGA)
    machine.apic()
    machine.vmi(Call.APICWrite, eax=LVT_TIMER, edx=0x31)
    assert machine.apic() == [(LVT_TIMER, LVT_PERIODIC | 0x31)]
    assert machine.vmi(Call.APICRead, eax=LVT_TIMER)["eax"] == 0x31


def test_a_cpu_starts_only_with_a_state_given_after_its_init(machine: TimerMachine, at: int) -> None:
    def command(value: int) -> list[tuple[int, int]]:
        machine.vmi(Call.APICWrite, eax=COMMAND, edx=value)
        return machine.apic()

    def give() -> None:
        state = ApState(cr3=ROOT, eip=0xC0101234, gdtr_base=0xC0200000, idtr_limit=0x7FF)
        machine.uc.mem_write(TABLE + 1, state.pack())
        machine.give(TABLE + 1, 2)
        assert state.pack() in machine.read(at, 1536)

    machine.vmi(Call.APICWrite, eax=COMMAND_HIGH, edx=2 << 24)
    machine.apic()
    assert command(0x4608) == []
    give()
    assert command(0x4608) == command(0x4699) == [(COMMAND, 0x4608)]
    assert command(0xC500) == [(COMMAND, 0xC500)]
    assert command(0x4608) == []
    assert command(0x40F3) == [(COMMAND, 0x40F3)]
    machine.give(TABLE, 8)
    assert command(0x4608) == []


@pytest.mark.parametrize("pae", [False, True], ids=["legacy", "pae"])
def test_the_first_call_measures_and_maps(fresh: TimerMachine, at: int, pae: bool) -> None:  # noqa: FBT001
    fresh.uc.mem_write(DIRECT_MAP + ROOT + 24, struct.pack("<Q", DIRECTORY | 1))
    target, _ = fresh.reloc(Call.GetCycleFrequency)
    fresh.set(cr3=ROOT, cr4=0x20 * pae, eflags=ALWAYS | IF)
    state = fresh.call(target, count=100_000)
    assert interrupts(state)
    frequency = result(state)
    assert abs(frequency - 2 * 1193182) < 100
    pages = struct.unpack("<I", fresh.read(at + 28, 4))[0]
    assert pages % 0x1000 == 0
    assert BASE < DIRECT_MAP + pages < BASE + len(fresh.image) - 0x3020
    entry = DIRECTORY + 511 * 8 if pae else ROOT + 1023 * 4
    assert struct.unpack("<I", fresh.read(DIRECT_MAP + entry, 4))[0] == pages + 0x1000 | 3
    table = DIRECT_MAP + pages + 0x1000
    mapped = table + (510 * 8 if pae else 1022 * 4)
    assert struct.unpack("<I", fresh.read(mapped, 4))[0] & 0xFFF == 0x01B  # the emulator's APIC has no address
    before = fresh.now
    assert result(fresh.vmi(Call.GetCycleFrequency)) == frequency
    assert fresh.now == before


STATE = ApState(
    cr0=0x80050033,
    cr2=0x12345678,
    cr4=0x10,
    eip=0xC0001000,
    eflags=0x47,
    eax=0xA1,
    ebx=0xA2,
    ecx=0xA3,
    edx=0xA4,
    esp=0xC0002800,
    ebp=0xA5,
    esi=0xA6,
    edi=0xA7,
    cs=0x08,
    ss=0x10,
    ds=0x23,
    es=0x23,
    fs=0x10,
    gs=0x23,
    ldtr=0x40,
    gdtr_limit=GDT_LIMIT,
    gdtr_base=0xC0003000,
    idtr_base=0xC0004000,
    idtr_limit=0x7FF,
)


@pytest.mark.parametrize("pae", [False, True], ids=["legacy", "pae"])
def test_the_trampoline_arrives_in_the_state_given(machine: TimerMachine, at: int, pae: bool) -> None:  # noqa: FBT001
    """From real mode in a second CPU, which has the first one's ROM and a megabyte of memory, mapped at 3 GiB only."""
    state = replace(STATE, cr3=ROOT, cr4=STATE.cr4 | 0x20 * pae)
    physical = machine.base & ~0xFFF & 0xFFFFF
    if pae:
        machine.uc.mem_write(DIRECT_MAP + ROOT, struct.pack("<4Q", 0, 0, 0, DIRECTORY | 1))
        machine.uc.mem_write(DIRECT_MAP + DIRECTORY, struct.pack("<Q", 0x83))
    else:
        machine.uc.mem_write(DIRECT_MAP + ROOT + 768 * 4, struct.pack("<I", 0x83))
    machine.uc.mem_write(at, struct.pack("<I", 0))  # not ready: fills its page table, too
    machine.set(cr3=ROOT, cr4=state.cr4)
    machine.call(machine.reloc(Call.GetCycleFrequency)[0], count=100_000)
    machine.uc.mem_write(TABLE, state.pack())
    machine.give(TABLE, 0)
    pages = struct.unpack("<I", machine.read(at + 28, 4))[0]

    cpu: Any = Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_16)  # type: ignore[no-untyped-call]
    cpu.mem_map(0, 0x100000)
    cpu.mem_write(0x1000, machine.read(DIRECT_MAP + 0x1000, 0x10000))
    cpu.mem_write(physical, machine.read(machine.base & ~0xFFF, 0x7000))
    cpu.mem_write(0x3000, machine.read(GDT, GDT_LIMIT + 1))
    cpu.mem_write(0x1000, b"\xf4")
    cpu.reg_write(x86.UC_X86_REG_CS, pages >> 4)
    cpu.emu_start(pages, state.eip, count=200)

    def get(name: str) -> int:
        return int(cpu.reg_read(getattr(x86, f"UC_X86_REG_{name.upper()}")))

    general = ("eip", "esp", "eax", "ebx", "ecx", "edx", "ebp", "esi", "edi", "cr0", "cr2", "cr3", "cr4", *SEGMENTS)
    assert {name: get(name) for name in general} == {name: getattr(state, name) for name in general}
    assert get("eflags") & 0xFFF == state.eflags
    assert cpu.reg_read(x86.UC_X86_REG_GDTR)[1:3] == (state.gdtr_base, state.gdtr_limit)
    assert cpu.reg_read(x86.UC_X86_REG_IDTR)[1:3] == (state.idtr_base, state.idtr_limit)
    assert cpu.reg_read(x86.UC_X86_REG_LDTR)[0] == state.ldtr
