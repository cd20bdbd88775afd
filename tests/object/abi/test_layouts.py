# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The compiler's view of ``vmi_abi.h`` and ``vmi_abi.inc`` equals Python's, value by value and offset by offset."""

from __future__ import annotations

import itertools
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from openvmi.abi import Call, RelocType, emit_c, load, structs
from openvmi.abi.generate import INCLUDE, ROOT
from openvmi.abi.validate import c_names

HEADER = ROOT / INCLUDE / "vmi_abi.h"
INC = ROOT / INCLUDE / "vmi_abi.inc"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
RECORDS = [getattr(structs, structure.class_name) for structure in load().structures]


def compile_alone(folder: Path, name: str, source: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Compile ``source`` in a folder that holds nothing but the two generated files."""
    for generated in (HEADER, INC):
        (folder / generated.name).write_bytes(generated.read_bytes())
    (folder / name).write_text(source)
    target = ("-target", "x86-freestanding-none", "-march=i686", "-nostdinc")
    line = [sys.executable, "-m", "ziglang", "cc", *target, *WARNINGS, *flags, "-I.", "-c", name, "-o", "out.o"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=100)


def section(folder: Path, name: str) -> bytes:
    with (folder / "out.o").open("rb") as file:
        found = ELFFile(file).get_section_by_name(name)
        assert found is not None
        return bytes(found.data())


def dwords(folder: Path, name: str) -> list[int]:
    data = section(folder, name)
    return list(struct.unpack(f"<{len(data) // 4}I", data))


def expected() -> dict[str, int]:
    """Return the value of each numeric macro, gathered from Python's enumerations, codecs and tables."""
    tables = load()
    values = {f"CALL_{call.name}": int(call) for call in Call} | {"CALL_COUNT": len(Call)}
    values |= {item.name: item.value for item in tables.constants if isinstance(item.value, int)}
    for enum in tables.enums:
        values |= {f"{enum.prefix}_{member.name}": member.value for member in (*enum.members, *enum.masks)}
    for structure, record in zip(tables.structures, RECORDS, strict=True):
        prefix = structure.name.upper()
        values[f"{prefix}_SIZE"] = record.SIZE
        values |= {f"{prefix}_{name}_OFFSET": offset for name, offset in record.OFFSETS.items()}
    return values


@pytest.mark.parametrize("standard", ["c11", "gnu11", "c23"])
def test_the_header_stands_alone_as_c(tmp_path: Path, standard: str) -> None:
    source = '#include "vmi_abi.h"\n#include "vmi_abi.h"\nint vmi_calls = VMI_CALL_COUNT;\n'
    done = compile_alone(tmp_path, "alone.c", source, f"-std={standard}")
    assert done.returncode == 0, done.stderr


def test_macros_mean_the_same_in_c_assembler_and_include(tmp_path: Path) -> None:
    values = expected()
    lists = ", ".join(f"VMI_{name}" for name in values)
    array = '__attribute__((section(".probe"))) const unsigned int probe[]'
    sources = {
        "c.c": f'#include "vmi_abi.h"\n{array} = {{ {lists} }};\n',
        "a.S": f'#include "vmi_abi.h"\n.section .probe, "a"\n.long {lists}\n',
        "i.s": f'.include "vmi_abi.inc"\n.include "vmi_abi.inc"\n.section .probe, "a"\n.long {lists}\n',
    }
    for name, source in sources.items():
        done = compile_alone(tmp_path, name, source)
        assert done.returncode == 0, done.stderr
        assert dict(zip(values, dwords(tmp_path, ".probe"), strict=True)) == values, name


def test_every_macro_of_the_tables_is_probed() -> None:
    strings = {item.name for item in load().constants if isinstance(item.value, str)}
    assert set(expected()) == (set(c_names(load())) | {"CALL_COUNT"}) - strings


def test_layouts_are_the_compiler_s(tmp_path: Path) -> None:
    """Take sizeof and offsetof themselves, not the macros: nothing here trusts the header's own assertions."""
    probes = []
    for structure in load().structures:
        probes.append(f"sizeof(struct vmi_{structure.name})")
        for field in structure.fields:
            member = f"((struct vmi_{structure.name} *)0)->{field.name}"
            probes += [f"__builtin_offsetof(struct vmi_{structure.name}, {field.name})", f"sizeof({member})"]
    source = '#include "vmi_abi.h"\n__attribute__((section(".probe"))) const unsigned int probe[] = {\n'
    done = compile_alone(tmp_path, "layout.c", source + ",\n".join(probes) + "\n};\n")
    assert done.returncode == 0, done.stderr
    python = []
    for record in RECORDS:
        starts = [*record.OFFSETS.values(), record.SIZE]
        python.append(record.SIZE)
        for start, end in itertools.pairwise(starts):
            python += [start, end - start]
    assert dwords(tmp_path, ".probe") == python


def test_a_record_packed_by_python_is_read_by_c(tmp_path: Path) -> None:
    """And the other way round: C fills every field with its own value, Python unpacks them."""
    lines = []
    for structure in load().structures:
        values = ", ".join(
            f".{field.name} = {{ {index + 1} }}" if field.type == "bytes" else f".{field.name} = {index + 1}"
            for index, field in enumerate(structure.fields)
        )
        lines.append(
            f'__attribute__((section(".{structure.name}"))) const struct vmi_{structure.name} a_{structure.name} = '
            f"{{ {values} }};"
        )
    done = compile_alone(tmp_path, "filled.c", '#include "vmi_abi.h"\n' + "\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    for structure, record in zip(load().structures, RECORDS, strict=True):
        data = section(tmp_path, f".{structure.name}")
        unpacked = record.unpack(data)
        for index, field in enumerate(structure.fields):
            value = getattr(unpacked, field.name)
            assert (value[0] if isinstance(value, bytes) else value) == index + 1
        assert unpacked.pack() == data


def test_strings_are_c_strings(tmp_path: Path) -> None:
    source = '#include "vmi_abi.h"\n__attribute__((section(".probe"))) const char probe[] = VMI_LICENSE_GPL_V2;\n'
    assert compile_alone(tmp_path, "string.c", source).returncode == 0
    assert section(tmp_path, ".probe") == b"GPL v2\0"


def test_a_wrong_layout_does_not_compile(tmp_path: Path) -> None:
    """The header's own assertions work: move a field, and it says which."""
    text = emit_c.header(load())
    broken = text.replace("unsigned short limit;", "unsigned char limit;", 1)
    assert broken != text
    done = compile_alone(tmp_path, "broken.c", broken + "int x;\n")
    assert done.returncode != 0
    assert "vmi_dtr" in done.stderr


def test_relocation_types_fit_their_byte() -> None:
    assert max(RelocType) < 1 << 8
