# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ring-3 programs as files: static, fixed, no page both writable and executable, the same bytes everywhere."""

from __future__ import annotations

import itertools
import shutil
from io import BytesIO
from pathlib import Path

import capstone
import pytest
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile

from openvmi.images import USER_PROGRAMS
from openvmi.toolchain import VARIANTS, link
from openvmi.toolchain.recipes import kernel, user_program
from openvmi.toolchain.zig import arguments

ROOT = Path(__file__).resolve().parents[3]
BASE = 0x08048000
FPU_REGISTERS = ("xmm", "mm0", "st(")


@pytest.fixture(params=USER_PROGRAMS)
def program(request: pytest.FixtureRequest, programs: dict[str, Path]) -> ELFFile:
    return ELFFile(BytesIO(programs[request.param].read_bytes()))


def test_it_is_a_static_i386_program(program: ELFFile) -> None:
    assert program.get_machine_arch() == "x86"
    assert program.header["e_type"] == "ET_EXEC"
    kinds = {segment.header["p_type"] for segment in program.iter_segments()}
    assert kinds <= {"PT_LOAD", "PT_GNU_STACK"}


def test_it_is_loaded_where_i386_programs_are(program: ELFFile) -> None:
    loads = [segment.header for segment in program.iter_segments("PT_LOAD")]
    assert loads[0]["p_vaddr"] == BASE
    assert loads[0]["p_vaddr"] <= program.header["e_entry"] < loads[0]["p_vaddr"] + loads[0]["p_filesz"]
    for before, after in itertools.pairwise(loads):
        assert (before["p_vaddr"] + before["p_memsz"] + 0xFFF) & ~0xFFF <= after["p_vaddr"] & ~0xFFF


def test_no_segment_is_both_writable_and_executable(program: ELFFile) -> None:
    flags = [segment.header["p_flags"] for segment in program.iter_segments()]
    assert flags
    assert not [flag for flag in flags if flag & P_FLAGS.PF_W and flag & P_FLAGS.PF_X]
    # code, constants and data are apart, so that each kind of access can be tried in vain
    loads = [segment.header["p_flags"] for segment in program.iter_segments("PT_LOAD")]
    assert loads == [P_FLAGS.PF_R | P_FLAGS.PF_X, P_FLAGS.PF_R, P_FLAGS.PF_R | P_FLAGS.PF_W][: len(loads)]


def test_pages_of_the_file_can_be_mapped(program: ELFFile) -> None:
    for segment in program.iter_segments("PT_LOAD"):
        assert segment.header["p_offset"] % 0x1000 == segment.header["p_vaddr"] % 0x1000


def test_nothing_is_left_to_a_dynamic_linker(program: ELFFile) -> None:
    names = {section.name for section in program.iter_sections()}
    assert not names & {".interp", ".dynamic", ".rel.text", ".rel.dyn", ".got", ".plt"}


def test_no_instruction_uses_the_fpu_or_sse(program: ELFFile) -> None:
    text = program.get_section_by_name(".text")
    assert text is not None
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)
    decoder.skipdata = True
    used = [
        f"{instruction.address:#x} {instruction.mnemonic} {instruction.op_str}"
        for instruction in decoder.disasm(text.data(), text.header["sh_addr"])
        if any(register in instruction.op_str for register in FPU_REGISTERS)
    ]
    assert not used


def test_an_undefined_symbol_is_an_error(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    shutil.copytree(ROOT / "guest", root / "guest")
    (root / "guest/user/true/true.c").write_text("int missing(void); int main(void) { return missing(); }\n")
    with pytest.raises(Exception, match="undefined symbol"):
        link(user_program(root, "true"), root, tmp_path / "true")


def test_two_folders_give_the_same_bytes(programs: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "another" / "place"
    shutil.copytree(ROOT / "guest", root / "guest")
    for name, built in programs.items():
        link(user_program(root, name), root, tmp_path / name)
        assert (tmp_path / name).read_bytes() == built.read_bytes(), name


def test_no_path_of_the_build_is_in_the_bytes(programs: dict[str, Path]) -> None:
    for name, built in programs.items():
        assert str(ROOT).encode() not in built.read_bytes(), name
        assert b".c\0" not in built.read_bytes(), name


def test_a_changed_program_makes_another_kernel(tmp_path: Path) -> None:
    """The compiler's cache does not see what the kernel embeds: the command line has to change."""
    commands = []
    for contents in (b"one", b"two", b"two"):
        (tmp_path / "init").write_bytes(contents)
        commands.append(arguments(kernel(ROOT, VARIANTS[0], tmp_path), tmp_path / "out.elf"))
    assert commands[0] != commands[1]
    assert commands[1] == commands[2]
