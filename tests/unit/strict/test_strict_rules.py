# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules as a state machine: what is a breach and what is just not, over written-down events."""

from __future__ import annotations

import struct

import pytest

from openvmi.abi import Call
from openvmi.hypervisor.strict.events import Early, Event, Start
from openvmi.hypervisor.strict.judge import Judge

from .machine import DATA, DATA32, GDT, PAGE, ROOT, TABLE, TSS, Machine, announced


@pytest.fixture(params=[False, True], ids=["legacy", "pae"])
def machine(request: pytest.FixtureRequest) -> Machine:
    return Machine(pae=request.param)


def test_the_machine_itself_breaks_nothing(machine: Machine) -> None:
    assert machine.broken == []


def test_tables_in_use_at_activation_need_no_announcement(machine: Machine) -> None:
    machine.set(TABLE * PAGE, 0, 1)
    machine.set(TABLE * PAGE, 0, 0x11)
    assert machine.broken == []


def test_a_table_of_the_kernel_that_this_root_lacks_counts_as_current(machine: Machine) -> None:
    # mainline passes CURRENT_AS for its own tables under every root
    far = 0x40000000 if not machine.pae else 0x00800000
    machine.set(announced(machine), 0, 0x11 | far)
    assert machine.broken == []


def test_an_entry_that_another_table_maps_is_not_current(machine: Machine) -> None:
    machine.set(announced(machine), 0, 0x11)
    assert machine.broken == ["entry-address"]


def test_the_address_has_to_select_the_entry(machine: Machine) -> None:
    machine.set(TABLE * PAGE + 5 * machine.size, 0, 0x11 | 5 << 12)
    assert machine.broken == []
    machine.set(TABLE * PAGE + 5 * machine.size, 0, 0x11 | 6 << 12)
    assert machine.broken == ["entry-address"]


def test_a_released_table_may_be_announced_again(machine: Machine) -> None:
    kind = 0x51 if machine.pae else 0x41
    for _ in range(2):
        machine.set(announced(machine), 0, 1)
        machine.call(Call.ReleasePage, DATA, kind)
    assert machine.broken == []
    machine.set(DATA * PAGE, 0, 1)
    assert machine.broken == ["table-released"]


def test_released_after_its_link_is_gone(machine: Machine) -> None:
    directory = (ROOT + 8 if machine.pae else ROOT) * PAGE + 3 * machine.size
    kind = 0x51 if machine.pae else 0x41
    machine.set(directory, announced(machine) | 7, 2)
    machine.set(directory, 0, 2)
    machine.call(Call.ReleasePage, DATA, kind)
    assert machine.broken == []
    machine.set(directory, announced(machine) | 7, 2)
    machine.put(directory, 0)  # in silence: what is in memory counts
    machine.call(Call.ReleasePage, DATA, kind)
    assert machine.broken == []
    machine.set(directory, announced(machine) | 7, 2)
    machine.call(Call.ReleasePage, DATA, kind)
    assert machine.broken == ["release-linked"]


def test_a_directory_below_a_pae_root_has_to_be_announced() -> None:
    machine = Machine(pae=True)
    machine.set(ROOT * PAGE + 8, DATA * PAGE | 1, 4)
    assert machine.broken == ["link-unannounced"]
    machine = Machine(pae=True)
    machine.call(Call.AllocatePage, DATA, 0x52)
    machine.set(ROOT * PAGE + 8, DATA * PAGE | 1, 4)
    assert machine.broken == []


def test_a_pae_root_need_not_be_announced_and_its_directories_are_looked_at() -> None:
    machine = Machine(pae=True)
    machine.put(DATA * PAGE + 0x20, (ROOT + 8) * PAGE | 1)
    machine.call(Call.SetCR3, DATA * PAGE + 0x20)
    assert machine.broken == []
    machine.put(DATA * PAGE + 0x28, (DATA + 1) * PAGE | 1)
    machine.call(Call.SetCR3, DATA * PAGE + 0x20)
    assert machine.broken == ["link-unannounced"]


@pytest.mark.parametrize("drain", [Call.InvalPage, Call.FlushTLB, Call.GetCR2, Call.SetLazyMode, Call.SetCR3])
def test_what_drains_deferred_updates(drain: Call) -> None:
    machine = Machine()
    machine.set(TABLE * PAGE, 0, 0x31)
    machine.call(drain, {Call.FlushTLB: 1, Call.SetCR3: ROOT * PAGE}.get(drain, 0))
    machine.call(Call.IRET, s1=0x73, s2=0x202)
    assert machine.broken == []


@pytest.mark.parametrize("way", [Call.IRET, Call.SYSEXIT, Call.Halt])
def test_ways_out_with_a_deferred_update_and_in_a_lazy_mode(way: Call) -> None:
    machine = Machine()
    machine.set(TABLE * PAGE, 0, 0x31)
    machine.call(way, s1=0x73, s2=0x202)
    machine.call(Call.SetLazyMode, 1)
    machine.call(way, s1=0x73, s2=0x202)
    assert machine.broken == ["defer-unflushed", "lazy-left"]


def test_an_interrupt_returns_to_the_kernel_in_a_lazy_mode() -> None:
    machine = Machine()
    machine.call(Call.SetLazyMode, 1)
    machine.set(TABLE * PAGE, 0, 0x31)
    machine.call(Call.IRET, s1=8, s2=2)
    assert machine.broken == []


@pytest.mark.parametrize(("cs", "eflags", "broken"), [(0x73, 2, 1), (0x73, 0x202, 0), (8, 2, 0), (8, 0x20002, 1)])
def test_user_mode_and_virtual_8086_mode_want_interrupts(cs: int, eflags: int, broken: int) -> None:
    machine = Machine()
    machine.call(Call.IRET, s1=cs, s2=eflags)
    assert machine.broken == ["iret-masked"] * broken


def test_lazy_modes_are_the_cpus_own() -> None:
    machine = Machine(cpus=2)
    machine.call(Call.SetLazyMode, 1, cpu=0)
    machine.call(Call.SetLazyMode, 2, cpu=1, gdt=(GDT + 16) * PAGE)
    machine.call(Call.SetLazyMode, 0, cpu=0)
    machine.call(Call.SetLazyMode, 0, cpu=0)  # leaving twice does no harm
    assert machine.broken == []


def test_mappings_are_the_cpus_own() -> None:
    machine = Machine()
    machine.set(TABLE * PAGE, 0, 1, cpu=1)
    assert machine.broken == ["entry-unmapped"]


def test_a_mapping_has_to_be_true() -> None:
    machine = Machine()
    machine.call(Call.SetLinearMapping, 1, 0x5000, 1, 5)
    assert machine.broken == []
    machine.call(Call.SetLinearMapping, 1, 0x5000, 1, 6)
    assert machine.broken == ["mapping-arguments"]


@pytest.mark.parametrize("selector", [0x10, 0x13])
def test_a_live_descriptor_stays_valid(selector: int) -> None:
    machine = Machine()
    machine.call(Call.WriteGDTEntry, GDT * PAGE, 2, *DATA32, gs=selector)
    machine.call(Call.WriteGDTEntry, GDT * PAGE, 3, 0, 0, gs=selector)
    machine.call(Call.WriteGDTEntry, 0x99000, 2, 0, 0, gs=selector)  # of nobody yet
    assert machine.broken == []
    machine.call(Call.WriteGDTEntry, GDT * PAGE, 2, 0, 0, gs=selector, ss=8, ds=8, es=8)
    assert machine.broken == ["descriptor-live"]


def test_an_ldt_goes_only_when_nobody_has_it_loaded() -> None:
    machine = Machine()
    machine.call(Call.SetLDT, 0)
    assert machine.broken == []
    machine.call(Call.SetLDT, 0, gs=0x0F)
    assert machine.broken == ["descriptor-live"]


def test_the_stack_told_is_the_tss() -> None:
    machine = Machine()
    machine.memory[TSS * PAGE + 4 : TSS * PAGE + 8] = struct.pack("<I", 0x9000)
    machine.call(Call.UpdateKernelStack, 0x10, 0x8000, tr=0)  # no TSS is loaded yet
    machine.call(Call.UpdateKernelStack, 0x10, 0x8000, tr=0x10)  # nor is that one
    machine.call(Call.UpdateKernelStack, 0x10, 0x9000, tr=0x18)
    assert machine.broken == []
    machine.call(Call.UpdateKernelStack, 0x10, 0x8000, tr=0x18)
    assert machine.broken == ["kernel-stack"]


@pytest.mark.parametrize(
    ("changes", "at", "apic", "broken"),
    [
        ({}, 0x50000, 1, 0),
        ({}, 0x50000 + PAGE - 90, 1, 0),
        ({}, 0x50000 + PAGE - 89, 1, 1),
        ({"cr0": 0x11}, 0x50000, 1, 1),
        ({"cr4": 0x20}, 0x50000, 1, 1),
        ({"efer": 0x100}, 0x50000, 1, 1),
        ({"gdt": GDT * PAGE}, 0x50000, 1, 1),
    ],
)
def test_the_state_of_another_processor(changes: dict[str, int], at: int, apic: int, broken: int) -> None:
    machine = Machine()
    state = bytearray(90)
    struct.pack_into("<4IQ", state, 0, changes.get("cr0", 0x80000011), 0, 0, changes.get("cr4", 0), 0)
    struct.pack_into("<Q", state, 16, changes.get("efer", 0))
    struct.pack_into("<I", state, 80, changes.get("gdt", 0x77000))
    machine.memory[at : at + 90] = state
    machine.call(Call.SetInitialAPState, at, apic)
    assert machine.broken == ["ap-state"] * broken


def test_early_calls_come_by_another_way_and_at_any_time() -> None:
    machine = Machine()
    machine.judge.feed(Early(Call.SetCR3, 0x1234))
    assert machine.broken == ["before-init"]
    (finding,) = machine.judge.findings
    assert finding.event.text() == "SetCR3"


def test_no_call_before_the_start() -> None:
    judge = Judge()
    judge.feed(Event(0, Call.SetCR3, 0, 0, 0, 0))
    judge.feed(Start())
    judge.feed(Event(0, Call.SetCR3, 4, 0, 0, 0))
    assert [finding.rule.id for finding in judge.findings] == ["before-init"]


def test_a_restart_forgets(machine: Machine) -> None:
    machine.call(Call.SetLazyMode, 1)
    machine.judge.feed(Start(2, 0x20 if machine.pae else 0))
    machine.call(Call.SetLazyMode, 1)
    assert machine.broken == []


def test_registers_that_are_not_known_are_not_judged() -> None:
    judge = Judge(active=True)
    for call in Call:
        judge.feed(Event(0, call, 0, 0, 0, 0))
    found = {finding.rule.id for finding in judge.findings}
    # what the three registers alone tell, all of them 0
    assert found == {"entry-flags", "feature-cleared", "flush-flags", "kernel-stack", "page-flags", "release-loaded"}
