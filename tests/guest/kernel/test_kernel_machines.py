# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bundled kernel on unlike PCs: with and without features, with little and much memory, below a reserved top.

The product of guests, ROMs and CPUs is in `../test_matrix.py`; here only what a machine of its own is needed for.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from openvmi import images
from openvmi.machine import How
from openvmi.rom import RomMetadata, RomMode, rebuild

from ..checked import Vm, run_checked

GUESTS = ("guest.elf", "guest-pae.elf")
STUBS = "openvmi-stubs.rom"


def run(vm: Vm, guest: str = "guest.elf", append: str = "", **changes: object) -> dict[str, str]:
    """Boot ``guest``, have everything checked, and return its `info` facts."""
    return run_checked(vm, guest, append, **changes)[1]


@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize(
    ("model", "timer"),
    [
        ("qemu32,-apic", "pit"),
        ("qemu32,-sep", "lapic"),
        ("qemu32,-pse", "lapic"),
        ("qemu32,-pge,-fxsr,-sse,-sse2", "lapic"),
        ("qemu32,+nx", "lapic"),
        ("max", "lapic"),
    ],
)
def test_cpu_features(vm: Vm, guest: str, model: str, timer: str) -> None:
    facts = run(vm, guest, cpu_model=model, option_roms=(images.path(STUBS),))
    assert facts["timer"] == timer
    assert facts["vmi"].startswith("active")


@pytest.mark.parametrize("guest", GUESTS)
def test_options_hide_features(vm: Vm, guest: str) -> None:
    assert run(vm, guest, append="nopse nopge nosep nonx noapic", cpus=2)["timer"] == "pit"


@pytest.mark.parametrize("guest", [*GUESTS, "guest-plain.elf", "guest-plain-pae.elf"])
def test_a_cpu_that_nobody_awaits_is_turned_away(vm: Vm, guest: str) -> None:
    """The kernel's check starts one of the CPUs left out, as if it came late: the same on every host."""
    assert run(vm, guest, append="maxcpus=2", cpus=4)["cpus"] == "2"


def test_eight_cpus(vm: Vm) -> None:
    assert run(vm, cpus=8)["cpus"] == "8"


@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize("patience_ms", [0, 1])
def test_a_cpu_that_is_late_is_turned_away(vm: Vm, guest: str, patience_ms: int) -> None:
    """How many come in time is the host's matter; those that don't must touch nothing when they do."""
    assert 1 <= int(run(vm, guest, append=f"apwait={patience_ms}", cpus=8)["cpus"]) <= 8


# The kernel maps what fits between 3 GiB and the top of the address space, less 16 MiB.
@pytest.mark.parametrize(
    ("memory", "guest", "mapped"),
    [(8, "guest.elf", 4), (32, "guest-pae.elf", 30), (3072, "guest.elf", 1004), (3072, "guest-pae.elf", 1006)],
)
def test_memory_sizes(vm: Vm, memory: int, guest: str, mapped: int) -> None:
    assert run(vm, guest, memory_mib=memory)["memory"] == str(mapped)


@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize(
    ("top", "mapped"),
    # The last three: the mappings below the top would lie in two page tables, or begin one.
    [
        (0xF0000000, "748"),
        (0xFC000000, "940"),
        (0xFC003000, "944"),
        (0xFC004000, "944"),
        (0xFC005000, "944"),
    ],
)
def test_a_hypervisor_reserves_the_top(vm: Vm, tmp_path: Path, guest: str, top: int, mapped: str) -> None:
    metadata = RomMetadata(mode=RomMode.STUBS, virtual_top=top)
    rom = tmp_path / "reserving.rom"
    rom.write_bytes(rebuild(images.path("openvmi.rom").read_bytes(), metadata))
    facts = run(vm, guest, cpus=2, memory_mib=2048, option_roms=(rom,))
    assert facts["vmi"].startswith("active")
    assert abs(int(facts["memory"]) - int(mapped)) <= 2  # large pages are 4 MiB, or 2 MiB with PAE


@pytest.mark.parametrize(
    ("guest", "model", "words"),
    [
        ("guest.elf", "pentium", "needs an i686 CPU"),
        ("guest-pae.elf", "qemu32,-pae", "needs an i686 CPU with PAE"),
    ],
)
def test_a_cpu_that_cannot_run_it_is_told(vm: Vm, guest: str, model: str, words: str) -> None:
    machine = vm(kernel=images.path(guest), cpu_model=model, accel="tcg", timeout=20, expect_report=True)
    outcome = machine.wait()
    assert not outcome.ok
    assert words in machine.result.of("panic")[0].text


def test_the_end_of_init_is_a_panic(vm: Vm) -> None:
    machine = vm(kernel=images.path("guest.elf"), append="-- panic", accel="tcg", timeout=20, expect_report=True)
    assert not machine.wait().ok
    assert machine.result.of("panic")[0].text == "init left with status 1"
    assert "panic: init left" in machine.console.text


def test_a_panic_that_panics_ends_the_machine(vm: Vm, tmp_path: Path) -> None:
    image = images.path("guest.elf")
    with image.open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        function = next(symbol for symbol in table.iter_symbols() if symbol.name == "console_break_locks")
        section = elf.get_section(function["st_shndx"])
        offset = section["sh_offset"] + function["st_value"] - section["sh_addr"]
    kernel = bytearray(image.read_bytes())
    kernel[offset : offset + 2] = b"\x0f\x0b"  # UD2: an exception while the first panic is told
    (tmp_path / "guest.elf").write_bytes(kernel)
    outcome = vm(kernel=tmp_path / "guest.elf", append="-- panic", accel="tcg", timeout=20, expect_report=True).wait()
    assert outcome.how is How.SILENT


def test_instruction_counts_repeat(vm: Vm) -> None:
    def figures() -> list[str]:
        machine = vm(
            kernel=images.path("guest-plain.elf"),
            append="-- bench=null-int80,fork-exit batches=3",
            accel="tcg",
            icount=True,
            timeout=60,
            expect_report=True,
        )
        assert machine.wait().ok
        return [line.text for line in machine.result.of("bench")]

    first = figures()
    assert len(first) == 2
    assert first == figures()
