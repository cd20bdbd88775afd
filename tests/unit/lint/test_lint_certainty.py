# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is data, 16-bit code or out of step is said to be so, and covers nothing."""

from __future__ import annotations

import struct

import pytest

from .kernels import BASE, CLI, CODE, DATA, LABEL, MIXED, NOP, OBJECT, RET, Builder, Piece, branch, one


def test_code_of_a_function_is_certain() -> None:
    report = Builder().text(Piece("f", CLI + RET)).lint()
    assert one(report, "f+0x0").doubt == ""
    assert not report.doubts


def test_bytes_that_are_no_instruction() -> None:
    report = Builder().text(Piece("f", CLI + RET + b"\xff\xff\xff"), Piece("g", CLI + RET)).lint()
    assert "no instruction at 0xc0100002" in one(report, "f+0x0").doubt
    assert one(report, "g+0x0").doubt == ""
    assert [doubt.place for doubt in report.doubts] == ["f"]


def test_what_follows_such_bytes_is_not_missed() -> None:
    report = Builder().text(Piece("f", RET + b"\xd6\xff\xff" + CLI + RET)).lint()
    assert one(report, "f+0x4").doubt


def test_out_of_step_with_the_next_symbol() -> None:
    # the last instruction of f would take the first byte of g
    report = Builder().text(Piece("f", CLI + b"\xb8\x01\x02"), Piece("g", RET)).lint()
    assert "no instruction" in one(report, "f+0x0").doubt


def test_a_branch_into_the_middle_of_an_instruction() -> None:
    # b8 fa fa fa fa: mov $0xfafafafa, %eax; the jump goes to its third byte
    code = CLI + b"\xeb\x02" + b"\xb8\xfa\xfa\xfa\xfa" + RET
    assert "middle of an instruction" in one(Builder().text(Piece("f", code)).lint(), "f+0x0").doubt


def test_behind_the_end_of_a_function_nothing_is_certain() -> None:
    report = Builder().text(Piece("f", RET + CLI + RET)).lint()
    assert one(report, "f+0x1").doubt == "nothing is seen to lead there"


def test_zeros() -> None:
    report = Builder().text(Piece("f", CLI + RET + bytes(16) + RET)).lint()
    assert "zeros" in one(report, "f+0x0").doubt


@pytest.mark.parametrize("how", ["branch", "pointer", "falls", "fixup", "nothing"])
def test_a_label_needs_a_way_to_it(how: str) -> None:
    first = branch(0xE9, BASE, BASE + 8) if how == "branch" else NOP * 5
    end = NOP if how == "falls" else RET
    builder = Builder().text(Piece("f", first + NOP * 2 + end), Piece("label", CLI + RET, LABEL))
    if how == "pointer":
        builder.part(".rodata", BASE + 0x1000, Piece("table", struct.pack("<I", BASE + 8), OBJECT), flags=DATA)
    if how == "fixup":
        builder.part("__ex_table", BASE + 0x1000, Piece("", struct.pack("<II", BASE, BASE + 8)), flags=DATA)
    doubt = one(builder.lint(), "label+0x0").doubt
    assert doubt == ("nothing is seen to lead there" if how == "nothing" else "")


def test_a_label_that_is_read_is_data() -> None:
    code = b"\x0f\x01\x15" + struct.pack("<I", BASE + 8) + RET  # lgdt of the label's address
    report = Builder().text(Piece("f", code), Piece("gdt", b"\x17\xc3", LABEL)).lint()
    assert one(report, "gdt+0x0").doubt == "its address is that of a memory operand"


def test_a_label_among_data() -> None:
    pieces = (Piece("code16", CLI + RET, LABEL),)
    pointer = Piece("p", struct.pack("<I", BASE + 0x1000), OBJECT)
    builder = Builder().text(Piece("f", RET)).part(".init.data", BASE + 0x1000, *pieces, flags=MIXED)
    report = builder.part(".rodata", BASE + 0x2000, pointer, flags=DATA).lint()
    assert one(report, "code16+0x0").doubt == "a label among data"


def test_objects_among_code_are_data() -> None:
    assert not Builder().text(Piece("f", RET), Piece("table", CLI * 4, OBJECT)).lint().findings


def test_a_multiboot_header_is_data() -> None:
    header = struct.pack("<III", 0x1BADB002, 0, (1 << 32) - 0x1BADB002)
    assert b"\xe4" in header
    assert not Builder().text(Piece("start", header, LABEL), Piece("f", RET)).lint().findings


def test_without_symbols_nothing_is_certain() -> None:
    report = Builder().text(Piece("f", CLI + RET)).lint(symbols=False)
    assert one(report, ".text+0x0").doubt == "no symbol tells where code begins"
    assert any("no symbols" in note for note in report.notes)


def test_a_table_of_code_is_jumped_into() -> None:
    # lea 1f(,%eax,2), %ecx; jmp *%ecx; 1: cli; ret; sti; ret
    code = b"\x8d\x0c\x45" + struct.pack("<I", BASE + 9) + b"\xff\xe1" + CLI + RET + b"\xfb" + RET
    report = Builder().text(Piece("f", code)).lint()
    assert [finding.doubt for finding in report.findings] == ["", ""]


def test_code_of_several_sections() -> None:
    report = (
        Builder().text(Piece("f", CLI + RET)).part(".exit", BASE + 0x1000, Piece("g", CLI + RET), flags=CODE).lint()
    )
    assert [(finding.section, finding.function) for finding in report.findings] == [(".text", "f"), (".exit", "g")]
