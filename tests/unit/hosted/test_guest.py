# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where symbols come from, whom a call is made for, and what a run without Python does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from openvmi.hypervisor.guest import Guest
from openvmi.trace.symbols import SymbolTable

from .fakes import MIB, Ram, Space, vcpu
from .test_kallsyms import SYMBOLS, tables


def linux(ram: Ram) -> Space:
    """Return a space whose RAM holds a kernel's symbol table, and its code and stack."""
    space = Space(ram, 0x700000, pae=False)
    ram.write(0x400000, tables(SYMBOLS))
    space.map_large(0xC1000000, 0x400000 & ~0x3FFFFF)
    space.map(0xC0000000, 0x600000)
    return space


def guest(space: Space, kernel: Path | None = None) -> Guest:
    return Guest(lambda _: space.memory, kernel)


def system_map(folder: Path, symbols: list[tuple[int, str]], name: str = "System.map") -> None:
    lines = [f"{address:08x} T {symbol}\n" for address, symbol in symbols]
    (folder / name).write_text("".join(lines) + "c1100000 T only_in_the_file\n")


def kernel_in(folder: Path) -> Path:
    kernel = folder / "vmlinuz-2.6.32"
    kernel.write_bytes(b"MZ")
    return kernel


def test_the_guests_own_table() -> None:
    found = guest(linux(Ram(8 * MIB)))
    assert list(found.symbols) == SYMBOLS
    assert found.symbols_from == "the guest's kallsyms"


def test_a_file_beside_the_kernel_that_agrees_knows_more(tmp_path: Path) -> None:
    system_map(tmp_path, SYMBOLS, "System.map-2.6.32")
    found = guest(linux(Ram(8 * MIB)), kernel_in(tmp_path))
    assert found.symbols.function(0xC1100004) == "only_in_the_file"
    assert found.symbols_from.endswith("System.map-2.6.32")


def test_a_file_of_another_kernel_is_passed_over(tmp_path: Path) -> None:
    system_map(tmp_path, [(address + 4, name) for address, name in SYMBOLS])
    assert guest(linux(Ram(8 * MIB)), kernel_in(tmp_path)).symbols_from == "the guest's kallsyms"


def test_a_kernel_without_a_table_believes_the_file(tmp_path: Path) -> None:
    system_map(tmp_path, SYMBOLS)
    found = guest(Space(Ram(8 * MIB), 0x700000, pae=False), kernel_in(tmp_path))
    assert found.symbols_from.endswith("System.map")


def test_nothing_is_known_of_anything_else() -> None:
    found = guest(Space(Ram(8 * MIB), 0x700000, pae=False))
    assert (len(found.symbols), found.symbols_from, found.task(0xC0000100)) == (0, "", None)


def test_a_call_is_made_for_the_nearest_function_that_is_not_glue() -> None:
    space = linux(Ram(8 * MIB))
    stale, caller = 0xC1000015, 0xC1000025
    names = [(0xC1000000, "other"), (0xC1000010, "stale"), (0xC1000020, "do_fork"), (0xC1000030, "vmi_set_pte")]
    known = guest(space)
    known._symbols = SymbolTable(names)
    space.memory.write(stale - 7, b"\x90" * 7)
    space.memory.write(caller - 5, b"\xe8\0\0\0\0")
    for at, word in enumerate((0xC1000035, 0x1234, stale, caller)):
        space.memory.write(0xC0000100 + 4 * at, word.to_bytes(4, "little"))
    cpu = vcpu(space, known, caller=0xC1000035, esp=0xC0000100)
    assert cpu.where == "vmi_set_pte+0x5"
    assert cpu.stack() == ["vmi_set_pte", "do_fork"]
    assert cpu.function == "do_fork"


def test_a_run_without_python_behind_it_imports_none_of_this() -> None:
    script = "import sys, openvmi.cli.run; print([n for n in sys.modules if n.startswith('openvmi.hypervisor.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"
