# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""An NMI may come between any two instructions of the payload, and make calls: neither gets what is the other's."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86
from unicorn.unicorn import Uc

from openvmi import images
from openvmi.abi import Call, wire
from openvmi.abi.wire import Action, BrainState, Mode, Phase, WireHeader, WirePayload
from openvmi.hypervisor.link import Link, area
from openvmi.hypervisor.sites import Reach, original, stub_addresses
from openvmi.hypervisor.vcpu import WORD

MEMORY = 0x10000
SIZE = 0x10000
STACK = MEMORY + 0x8000
RETURN = MEMORY + 0x100
SITES = (MEMORY + 0x1010, MEMORY + 0x2020)
GDT = 0x200000  # not of a trampoline
BOX = wire.WIRE_BASE + area(0)
LOST = BOX + wire.WIRE_CPU_RING + 20
WINDOW = wire.WIRE_TABLES_OFFSET + 4 * (wire.WIRE_WINDOWS_OFFSET >> 12)
GENERAL = (
    x86.UC_X86_REG_EAX, x86.UC_X86_REG_EBX, x86.UC_X86_REG_ECX, x86.UC_X86_REG_EDX, x86.UC_X86_REG_ESI,
    x86.UC_X86_REG_EDI, x86.UC_X86_REG_EBP, x86.UC_X86_REG_ESP, x86.UC_X86_REG_EFLAGS, x86.UC_X86_REG_EIP,
)  # fmt: skip
payloads = pytest.mark.parametrize("name", images.PAYLOADS)


class Cpu:
    """A CPU that executes the payload an instruction at a time; between two, the brain answers."""

    uc: Any  # unicorn has few types

    def __init__(self, name: str) -> None:
        self.payload = images.path(name).read_bytes()
        memory = bytearray(wire.WIRE_SIZE)
        link = Link(memory, 1, self.payload, reach=Reach(MEMORY + SIZE))
        link.set_mode(Mode.UPCALL, [Call.AllocatePage])
        link.set_brain(BrainState.ALIVE)
        self.uc = Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_32)  # type: ignore[no-untyped-call]
        self.uc.mem_map(wire.WIRE_BASE, wire.WIRE_SIZE)
        self.uc.mem_write(wire.WIRE_BASE, bytes(memory))
        self.uc.mem_map(MEMORY, SIZE)
        self.uc.reg_write(x86.UC_X86_REG_GDTR, (0, GDT, 0x1F, 0))
        self.answers = True

    def word(self, address: int, value: int | None = None) -> int:
        if value is not None:
            self.uc.mem_write(address, struct.pack("<I", value))
        found: tuple[int] = struct.unpack("<I", self.uc.mem_read(address, 4))
        return found[0]

    def begin(self, entry: int, caller: int, eax: int, esp: int = STACK) -> None:
        """Stand at ``entry`` as after a call."""
        self.word(esp - 4, caller)
        for register, value in zip(GENERAL, (eax, 0, 0, 0, 0, 0, 0, esp - 4, 2, entry), strict=True):
            self.uc.reg_write(register, value)

    def step(self) -> bool:
        """Execute an instruction; say whether the call has not returned."""
        self.uc.emu_start(self.uc.reg_read(x86.UC_X86_REG_EIP), 0xFFFFFFFF, count=1)
        state = self.word(BOX)
        if self.answers and state & wire.WIRE_PHASE_MASK == Phase.REQUEST:
            # the number comes back with a mark of the brain's
            self.word(BOX + 4 * WORD["eax"], self.word(BOX + 4 * WORD["eax"]) + 0x1000)
            self.word(BOX + 4 * WORD["action"], Action.RETURN)
            self.word(BOX, state + 1)
        return int(self.uc.reg_read(x86.UC_X86_REG_EIP)) not in {RETURN, *(site + 5 for site in SITES)}

    def finish(self) -> int:
        """Execute the rest; return EAX."""
        while self.step():
            pass
        return int(self.uc.reg_read(x86.UC_X86_REG_EAX))

    def interrupted(self, entry: int, caller: int, eax: int) -> int:
        """Make another call here, as an NMI's handler does, and return what it gave."""
        saved = [self.uc.reg_read(register) for register in GENERAL]
        self.begin(entry, caller, eax, saved[7] - 12)
        found = self.finish()
        for register, value in zip(GENERAL, saved, strict=True):
            self.uc.reg_write(register, value)
        return found

    @property
    def stub(self) -> int:
        """Address of the stub of AllocatePage, whose native code does nothing."""
        table = WirePayload.unpack(self.payload).stubs - wire.WIRE_BASE - wire.WIRE_CODE_OFFSET
        return int(struct.unpack_from("<I", self.payload, table + 4 * Call.AllocatePage)[0])


@payloads
def test_each_of_two_calls_gets_its_own_answer_or_is_lost(name: str) -> None:
    cpu, at, going, natives = Cpu(name), 0, True, 0
    while going:
        lost = cpu.word(LOST)
        cpu.begin(cpu.stub, RETURN, 7)
        for _ in range(at):
            going = going and cpu.step()
        answers = [cpu.interrupted(cpu.stub, RETURN, 9)] if going else []
        answers.append(cpu.finish() if going else int(cpu.uc.reg_read(x86.UC_X86_REG_EAX)))
        assert set(answers) <= {0x1007, 0x1009, 7, 9}
        assert answers[-1] in {0x1007, 7}, f"after {at} instructions"
        native = sum(answer < 0x1000 for answer in answers)
        assert cpu.word(LOST) - lost == native
        natives += native
        at += 1
    assert 40 < at < 400
    assert natives


@payloads
def test_an_answer_after_a_guest_has_given_up_leaves_the_mailbox_free(name: str) -> None:
    cpu = Cpu(name)
    cpu.word(wire.WIRE_BASE + WireHeader.OFFSETS["wait_cycles"], 1)
    cpu.answers = False
    cpu.begin(cpu.stub, RETURN, 7)
    posted = 0
    while cpu.step():
        state = cpu.word(BOX)
        posted = state if state & wire.WIRE_PHASE_MASK == Phase.REQUEST else posted
    assert cpu.word(LOST) == 1
    cpu.word(BOX, posted + 1)  # too late
    cpu.word(wire.WIRE_BASE + WireHeader.OFFSETS["brain"], BrainState.ALIVE)
    cpu.answers = True
    cpu.begin(cpu.stub, RETURN, 8)
    assert cpu.finish() == 0x1008


@payloads
def test_a_page_that_a_site_is_written_through_stays_where_it_is(name: str) -> None:
    cpu, at, going, changed = Cpu(name), 0, True, 0
    stub = stub_addresses(cpu.payload)[Call.DisableInterrupts]
    clean = bytes(cpu.uc.mem_read(wire.WIRE_BASE, 0x90000))
    while going:
        cpu.uc.mem_write(wire.WIRE_BASE, clean)
        for site in SITES:
            for place in (site, wire.WIRE_BASE + wire.WIRE_WINDOWS_OFFSET + site % 4096):
                cpu.uc.mem_write(place, original(site, stub))
        cpu.begin(stub, SITES[0] + 5, 0)
        for _ in range(at):
            going = going and cpu.step()
        if going:
            before = cpu.word(wire.WIRE_BASE + WINDOW)
            cpu.interrupted(stub, SITES[1] + 5, 0)
            after = cpu.word(wire.WIRE_BASE + WINDOW)
            changed += before != after
            mine = before == SITES[0] & -4096 | 0x63
            returned = bytes(cpu.uc.mem_read(wire.WIRE_BASE + wire.WIRE_WINDOWS_OFFSET + SITES[0] % 4096, 1)) == b"\xfa"
            assert not mine or returned or before == after, f"after {at} instructions"
        at += 1
    assert 40 < at < 400
    assert changed
