# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The compiler's view of generation B's ``vmi_abi.h`` and ``vmi_abi.inc`` equals the tables'."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from openvmi.abi import load
from openvmi.abi.generate import INCLUDE_B, ROOT
from openvmi.abi.generation_b import Call
from openvmi.abi.structs import RomHeaderB
from openvmi.abi.validate import c_names

TABLES = load("B")


def compile_alone(folder: Path, name: str, source: str) -> Path:
    """Compile ``source`` in a folder that holds nothing but the two generated files."""
    for generated in ("vmi_abi.h", "vmi_abi.inc"):
        (folder / generated).write_bytes((ROOT / INCLUDE_B / generated).read_bytes())
    (folder / name).write_text(source)
    target = ("-target", "x86-freestanding-none", "-march=i686", "-nostdinc", "-Wall", "-Wextra", "-Werror")
    line = [sys.executable, "-m", "ziglang", "cc", *target, "-I.", "-c", name, "-o", "out.o"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return folder / "out.o"


def values(path: Path) -> list[int]:
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".probe")
        assert section is not None
        data = section.data()
    return list(struct.unpack(f"<{len(data) // 4}I", data))


def expected() -> dict[str, int]:
    found = {f"CALL_{call.name}": int(call) for call in Call} | {"CALL_COUNT": 88}
    found |= {item.name: item.value for item in TABLES.every_constant if isinstance(item.value, int)}
    for enum in TABLES.every_enum:
        found |= {f"{enum.prefix}_{member.name}": member.value for member in (*enum.members, *enum.masks)}
    for structure in TABLES.every_structure:
        prefix = structure.name.upper()
        found |= {f"{prefix}_SIZE": structure.size}
        found |= {f"{prefix}_{field.name}_OFFSET": field.offset for field in structure.fields}
    return found


@pytest.mark.parametrize("form", ["c.c", "a.S", "i.s"])
def test_macros_mean_the_same_in_c_assembler_and_include(tmp_path: Path, form: str) -> None:
    numbers = expected()
    assert set(numbers) == set(c_names(TABLES)) | {"CALL_COUNT"}
    lists = ", ".join(f"VMI_{name}" for name in numbers)
    sources = {
        "c.c": f'#include "vmi_abi.h"\n__attribute__((section(".probe"))) const unsigned p[] = {{ {lists} }};\n',
        "a.S": f'#include "vmi_abi.h"\n.section .probe, "a"\n.long {lists}\n',
        "i.s": f'.include "vmi_abi.inc"\n.section .probe, "a"\n.long {lists}\n',
    }
    assert dict(zip(numbers, values(compile_alone(tmp_path, form, sources[form])), strict=True)) == numbers


def test_the_header_ends_where_the_slots_begin() -> None:
    sizes = {structure.name: structure.size for structure in TABLES.structures}
    assert sizes["rom_header"] == RomHeaderB.SIZE == 32 * Call.Init
