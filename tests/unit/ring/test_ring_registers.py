# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Control, debug and model-specific registers, CPUID, gates: what a guest writes, what it reads, what the CPU has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.hypervisor.ring.answers import Fault
from openvmi.hypervisor.ring.debug import GENERAL_DETECT, DebugRegisters
from openvmi.hypervisor.ring.features import SIGNATURE, Features, Leaf, mask
from openvmi.hypervisor.ring.gates import INTERRUPT, TRAP, Gate, Way, make_gate, route
from openvmi.hypervisor.ring.msrs import EFER, EFER_NX, PAT, RULES, SYSENTER_EIP, TSC, Kind, Msrs
from openvmi.hypervisor.ring.registers import (
    CR0_CD,
    CR0_NW,
    CR0_PE,
    CR0_PG,
    CR0_TS,
    CR0_WP,
    CR4_DE,
    CR4_MCE,
    CR4_PAE,
    CR4_PCE,
    CR4_PGE,
    CR4_PSE,
    CR4_TSD,
    CR4_VME,
    Control,
    cr0,
    cr3,
    cr4,
)
from openvmi.hypervisor.ring.segments import Descriptor, make, shadow

TOP = 0xFE010000
WORD = st.integers(0, (1 << 32) - 1)
LINUX = 0x8005003B


@given(WORD)
def test_cr0_on_the_cpu_always_protects(wanted: int) -> None:
    found = cr0(wanted)
    impossible = bool(wanted & CR0_PG and not wanted & CR0_PE) or bool(wanted & CR0_NW and not wanted & CR0_CD)
    assert isinstance(found, Fault) == impossible
    if isinstance(found, Control):
        assert found.hardware & (CR0_PE | CR0_PG | CR0_WP) == CR0_PE | CR0_PG | CR0_WP
        assert not found.hardware & (CR0_CD | CR0_NW)
        assert found.hardware & CR0_TS == wanted & CR0_TS
        assert found.view & CR0_WP == wanted & CR0_WP


def test_cr0_reads_as_linux_writes_it() -> None:
    for value in (LINUX, LINUX | CR0_TS, LINUX & ~CR0_TS):
        assert cr0(value) == Control(value, value)


@given(WORD, st.booleans())
def test_cr4_never_has_what_is_not_offered(wanted: int, pae: bool) -> None:  # noqa: FBT001
    view = CR4_PSE | CR4_PAE * pae
    found = cr4(view, wanted)
    if isinstance(found, Fault):
        known = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | 3 << 9
        assert wanted & ~known or bool(wanted & CR4_PAE) != pae
        return
    assert bool(found.hardware & CR4_PAE) == pae
    assert not found.hardware & (CR4_PCE | CR4_MCE | CR4_VME)
    assert found.view & CR4_PSE, "what is on stays on"
    assert found.view | CR4_PSE == wanted | CR4_PSE


def test_cr4_refuses_what_cpuid_does_not_show() -> None:
    assert isinstance(cr4(0, CR4_PGE, offered=CR4_PSE), Fault)
    assert isinstance(cr4(0, 1 << 13), Fault), "VMXE"
    assert isinstance(cr4(0, 1 << 18), Fault), "OSXSAVE"


def test_cr3_keeps_the_root_and_nothing_else() -> None:
    assert cr3(0x123018, pae=False, is_ram=True) == 0x123000
    assert cr3(0x123038, pae=True, is_ram=True) == 0x123020
    assert isinstance(cr3(0xE0000000, pae=False, is_ram=False), Fault)


# -- debug registers --

ADDRESS = st.one_of(WORD, st.integers(TOP - 9, TOP + 9))


@given(st.tuples(ADDRESS, ADDRESS, ADDRESS, ADDRESS), WORD.map(lambda value: value & ~GENERAL_DETECT))
def test_no_breakpoint_of_the_cpus_is_over_the_monitor(addresses: tuple[int, int, int, int], control: int) -> None:
    seen = DebugRegisters()
    for number, value in (*enumerate(addresses), (7, control)):
        written = seen.write(number, value)
        assert isinstance(written, DebugRegisters)
        seen = written
    assert [seen.read(number) for number in range(4)] == list(addresses)
    given = seen.hardware(TOP)
    assert not given.control & GENERAL_DETECT
    for index in range(4):
        if given.control >> 2 * index & 3:
            length = (1, 2, 8, 4)[given.control >> (18 + 4 * index) & 3]
            assert given.addresses[index] & -length <= TOP - length
            assert given.control >> (16 + 4 * index) & 3 != 2, "an I/O port of the monitor's"


def test_a_breakpoint_of_the_guests_is_the_cpus() -> None:
    seen = DebugRegisters((0xC0100000, 0, 0, 0), control=0x400 | 1 | 0x10000)
    assert seen.hardware(TOP) == seen


@pytest.mark.parametrize(("number", "value"), [(7, GENERAL_DETECT), (8, 0), (-1, 0)])
def test_debug_registers_that_fault(number: int, value: int) -> None:
    assert isinstance(DebugRegisters().write(number, value), Fault)


def test_the_old_names_of_debug_registers() -> None:
    seen = DebugRegisters().write(5, 0x403)
    assert isinstance(seen, DebugRegisters)
    assert (seen.read(7), seen.read(5), seen.read(4)) == (0x403, 0x403, seen.read(6))


# -- MSRs --


@given(WORD, st.integers(0, (1 << 64) - 1))
def test_an_msr_that_is_not_listed_faults(index: int, value: int) -> None:
    msrs = Msrs(TOP)
    if index in RULES:
        return
    assert isinstance(msrs.read(index), Fault)
    assert isinstance(msrs.write(index, value), Fault)


@given(st.sampled_from(sorted(RULES)), st.integers(0, (1 << 64) - 1))
def test_a_write_is_read_back_or_changed_nothing(index: int, value: int) -> None:
    msrs = Msrs(TOP)
    before = msrs.read(index)
    fault = msrs.write(index, value)
    after = msrs.read(index)
    kept = RULES[index].kind in {Kind.VIRTUAL, Kind.SYSENTER, Kind.EXECUTE}
    assert after == (value if kept and fault is None else before)


def test_particular_msrs() -> None:
    msrs = Msrs(TOP)
    assert msrs.write(SYSENTER_EIP, TOP - 1) is None
    assert isinstance(msrs.write(SYSENTER_EIP, TOP), Fault), "the trampoline would jump into the hole"
    assert isinstance(msrs.write(EFER, EFER_NX), Fault)
    assert Msrs(TOP, no_execute=True).write(EFER, EFER_NX) is None
    assert isinstance(Msrs(TOP, no_execute=True).write(EFER, EFER_NX | 1), Fault), "SYSCALL"
    assert isinstance(msrs.write(EFER, 0x100), Fault), "long mode"
    assert isinstance(msrs.write(PAT, 0x0202020202020202), Fault)
    assert isinstance(msrs.write(TSC, 0), Fault)
    assert msrs.read(TSC, 77) == 77


# -- CPUID --

ALL = Leaf(*[(1 << 32) - 1] * 4)


def test_what_a_kernel_must_not_be_told() -> None:
    one = mask(1, 0, ALL, Features(sysenter=False, apic=False))
    hidden = {"MONITOR": 3, "VMX": 5, "SMX": 6, "EST": 7, "x2APIC": 21, "XSAVE": 26, "OSXSAVE": 27, "AVX": 28}
    assert [name for name, bit in hidden.items() if one.c >> bit & 1] == []
    assert [bit for bit in (1, 7, 9, 11, 14, 17, 22) if one.d >> bit & 1] == []
    two = mask(0x80000001, 0, ALL, Features())
    assert [bit for bit in (11, 20, 26, 27, 29) if two.d >> bit & 1] == []
    assert not two.c >> 2 & 1, "SVM"
    assert mask(0x80000001, 0, ALL, Features(no_execute=True)).d >> 20 & 1


def test_what_works_is_told() -> None:
    one = mask(1, 0, ALL, Features())
    assert [bit for bit in (0, 3, 4, 5, 6, 8, 9, 11, 13, 15, 24, 25, 26) if not one.d >> bit & 1] == []


@given(WORD, WORD)
def test_no_leaf_tells_more_than_the_cpu(leaf: int, subleaf: int) -> None:
    told = mask(leaf, subleaf, Leaf(), Features())
    assert told == Leaf() or leaf == 0x40000000
    assert mask(0x40000001, 0, ALL, Features()) == Leaf(), "nobody else's interface"


def test_the_hypervisors_name() -> None:
    told = mask(0x40000000, 0, ALL, Features())
    assert b"".join(word.to_bytes(4, "little") for word in (told.b, told.c, told.d)) == SIGNATURE
    assert mask(0, 0, Leaf(0x1F), Features()).a == 7
    assert mask(0x80000000, 0, Leaf(0x80000020), Features()).a == 0x80000008
    for leaf in (5, 6, 0xA, 0xB, 0xD, 0x14, 0x80000009):
        assert mask(leaf, 0, ALL, Features()) == Leaf()


# -- gates --

CODE = Descriptor(shadow(make(0, 0xFFFFFFFF, code=True), TOP).value)
SYSTEM_CALL = make_gate(0x60, 0xC0100000, TRAP, 3)


@pytest.mark.parametrize("rpl", [0, 1])
def test_a_system_call_goes_straight_to_the_kernel(rpl: int) -> None:
    routed = route(0x80, make_gate(0x60 | rpl, 0xC0100000, TRAP, 3), CODE, TOP)
    assert (routed.way, routed.selector, routed.offset) == (Way.DIRECT, 0x61, 0xC0100000)
    hardware = Gate(routed.hardware())
    assert (hardware.selector, hardware.offset, hardware.type, hardware.dpl) == (0x61, 0xC0100000, TRAP, 3)
    assert hardware.present


@pytest.mark.parametrize(
    ("vector", "gate", "code", "way"),
    [
        (0x80, make_gate(0x60, 0xC0100000, INTERRUPT, 3), CODE, Way.REFLECTED),  # nobody would clear the virtual flag
        (0x20, make_gate(0x60, 0xC0100000, TRAP, 0), CODE, Way.REFLECTED),
        (14, make_gate(0x60, 0xC0100000, TRAP, 3), CODE, Way.REFLECTED),
        (0x80, make_gate(0x60, TOP, TRAP, 3), CODE, Way.ABSENT),
        (0x80, make_gate(0x64, 0xC0100000, TRAP, 3), CODE, Way.ABSENT),
        (0x80, make_gate(0x60, 0xC0100000, 5, 3), CODE, Way.ABSENT),  # task gate
        (0x80, make_gate(0x60, 0xC0100000, 7, 3), CODE, Way.ABSENT),  # 16 bits
        (0x80, make_gate(0x60, 0xC0100000, 0xC, 3), CODE, Way.ABSENT),  # call gate
        (0x80, make_gate(0x60, 0xC0100000, TRAP, 3, present=False), CODE, Way.ABSENT),
        (0x80, SYSTEM_CALL, Descriptor(0), Way.ABSENT),
        (0x80, SYSTEM_CALL, make(0, TOP - 1, code=True, dpl=3), Way.ABSENT),
        (0x80, SYSTEM_CALL, make(0, TOP - 1, dpl=1), Way.ABSENT),
        (0x80, SYSTEM_CALL, make(0x1000, 0xFFF, code=True, dpl=1), Way.ABSENT),
    ],
)
def test_gates_that_are_not_taken_straight(vector: int, gate: Gate, code: Descriptor, way: Way) -> None:
    routed = route(vector, gate, code, TOP)
    assert routed.way is way
    assert routed.hardware() == 0
    assert routed.masks == (way is Way.REFLECTED and gate.type == INTERRUPT)


@given(st.integers(0, 255), st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_no_bits_make_a_gate_into_the_monitor(vector: int, gate: int, code: int) -> None:
    shadowed = Descriptor(shadow(Descriptor(code), TOP).value)
    hardware = Gate(route(vector, Gate(gate), shadowed, TOP, frozenset({0x82})).hardware())
    if hardware.value:
        assert hardware.offset < TOP
        assert hardware.selector & 3 == 1
        assert hardware.type == TRAP
        assert vector in {3, 4} or (vector >= 32 and vector != 0x82)
