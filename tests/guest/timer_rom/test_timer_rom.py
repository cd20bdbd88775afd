# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bundled kernel ticks by the VMI timer, and starts its CPUs by SetInitialAPState. More cells: test_matrix.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from openvmi.abi import Call, RelocType
from openvmi.machine import Machine
from openvmi.rom import check, parse

from ..checked import Vm, run_checked

GUESTS = ("guest.elf", "guest-pae.elf")
GROUP = {Call(number) for number in range(Call.GetCycleFrequency, Call.WallclockUpdated + 1)}


def answers(machine: Machine) -> dict[Call, RelocType]:
    """Return how the ROM answered each call that was asked for."""
    return {Call(int(line.words[0])): RelocType[line.words[1]] for line in machine.result.of("call")}


def time_checks(machine: Machine) -> int:
    """Return how many checks of time there were: more where alarms can be checked."""
    counts = {line.words[0]: int(line.words[1]) for line in machine.result.of("check")}
    return counts["kernel-time"]


def test_every_guest_and_bios_takes_it(timer_rom: Path) -> None:
    assert check(parse(timer_rom.read_bytes())) == []


@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize(
    ("append", "model"), [("", "qemu32"), ("noapic", "qemu32"), ("", "qemu32,-apic")], ids=["lvtt", "irq0", "pic"]
)
def test_ticks_and_single_alarms(vm: Vm, timer_rom: Path, guest: str, append: str, model: str) -> None:
    """Wired to the local APIC's timer entry; to IRQ 0 on a PC that has a local APIC, and on one that has none."""
    machine, facts = run_checked(vm, guest, append, option_roms=(timer_rom,), cpu_model=model)
    assert facts["timer"] == "vmi"
    assert {answers(machine)[call] for call in GROUP} == {RelocType.CALL_REL}
    assert time_checks(machine) == 16


@pytest.mark.parametrize("guest", GUESTS)
def test_cpus_start_in_the_state_given(vm: Vm, timer_rom: Path, guest: str) -> None:
    """Without a state the ROM lets no STARTUP through: that the CPUs are there shows that it was used."""
    machine, facts = run_checked(vm, guest, cpus=4, option_roms=(timer_rom,))
    assert facts["cpus"] == "4"
    assert answers(machine)[Call.SetInitialAPState] is RelocType.CALL_REL


@pytest.mark.parametrize("guest", GUESTS)
def test_the_kernel_can_be_told_to_keep_its_own_timers(vm: Vm, timer_rom: Path, guest: str) -> None:
    machine, facts = run_checked(vm, guest, "novmitimer", cpus=2, option_roms=(timer_rom,))
    assert (facts["timer"], facts["cpus"]) == ("lapic", "2")
    assert not GROUP & answers(machine).keys()
    assert time_checks(machine) == 6


def test_beside_a_display_the_rom_lies_elsewhere(vm: Vm, timer_rom: Path) -> None:
    _, facts = run_checked(vm, "guest.elf", cpus=2, option_roms=(timer_rom,), extra_args=("-vga", "std"))
    assert facts["timer"] == "vmi"
    assert int(facts["rom"].split()[-1], 0) > 0xC8000
