# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel records of itself covers its instructions, and no more than that."""

from __future__ import annotations

import struct

import pytest

from openvmi.check.lint import Cover

from .kernels import BASE, CLI, DATA, LABEL, LOAD, NOP, OBJECT, RET, Builder, Piece, branch, one

RODATA = BASE + 0x10000
RECORDS = BASE + 0x20000
TABLE = BASE + 0x30000
PUSHF = b"\x9c"


def word(value: int) -> bytes:
    return struct.pack("<I", value)


def store(address: int) -> bytes:
    """Return ``mov %eax, address``."""
    return b"\xa3" + word(address)


def linux(*extra: Piece, vmi: bytes = b"", table: tuple[int, ...] = (BASE,), name: str = "pv_irq_ops") -> Builder:
    """Return a kernel whose first function is native_cli, the first word of a paravirt table."""
    pieces = (Piece("native_cli", CLI + RET + NOP * 14), Piece("vmi_activate", vmi + RET + NOP * 8), *extra)
    words = b"".join(word(target) for target in table)
    return Builder().text(*pieces).part(".data", TABLE, Piece(name, words, OBJECT), flags=DATA)


def cover(builder: Builder, place: str = "native_cli+0x0") -> tuple[Cover, str]:
    finding = one(builder.lint(), place)
    return finding.cover, finding.note


@pytest.mark.parametrize("name", ["pv_irq_ops", "paravirt_ops"])
def test_a_word_that_vmi_replaces(name: str) -> None:
    assert cover(linux(vmi=store(TABLE), name=name)) == (Cover.TABLE, f"{name}+0x0")


def test_a_word_that_vmi_leaves() -> None:
    found, note = cover(linux())
    assert found is Cover.NONE
    assert note == "through pv_irq_ops+0x0, which the VMI back end leaves native"


def test_a_store_by_somebody_else_replaces_nothing() -> None:
    builder = linux(Piece("xen_start", store(TABLE) + RET))
    assert cover(builder)[0] is Cover.NONE


def test_two_words_of_which_vmi_replaces_one() -> None:
    assert cover(linux(vmi=store(TABLE), table=(BASE, BASE)))[0] is Cover.NONE


def test_a_function_in_no_table() -> None:
    assert cover(linux(vmi=store(TABLE), table=(BASE + 16,)))[0] is Cover.NONE


@pytest.mark.parametrize("opcode", [0xE8, 0xE9])
def test_a_direct_call_past_the_table(opcode: int) -> None:
    place = BASE + 16 + 5 + 9
    builder = linux(Piece("other", branch(opcode, place, BASE) + RET), vmi=store(TABLE))
    assert cover(builder) == (Cover.NONE, "also reached from other")


def test_a_call_from_a_function_in_the_table() -> None:
    thunk = BASE + 16 + 10 + 9
    builder = linux(
        Piece("thunk", branch(0xE8, thunk, BASE) + RET), vmi=store(TABLE) + store(TABLE + 4), table=(BASE, thunk)
    )
    assert cover(builder)[0] is Cover.TABLE


def test_a_jump_into_the_middle() -> None:
    place = BASE + 16 + 5 + 9
    builder = linux(Piece("other", branch(0xE9, place, BASE + 1) + RET), vmi=store(TABLE))
    assert cover(builder) == (Cover.NONE, "also entered at native_cli+0x1")


def test_a_pointer_elsewhere() -> None:
    builder = linux(vmi=store(TABLE)).part(".rodata", RODATA, Piece("hooks", word(BASE), OBJECT), flags=DATA)
    assert cover(builder) == (Cover.NONE, "its address is also at hooks")


def test_code_before_it_that_runs_on() -> None:
    pieces = (Piece("before", NOP * 16), Piece("native_cli", CLI + RET), Piece("vmi_activate", store(TABLE) + RET))
    builder = Builder().text(*pieces).part(".data", TABLE, Piece("pv_irq_ops", word(BASE + 16), OBJECT), flags=DATA)
    assert cover(builder) == (Cover.NONE, "also reached from the code before it")


def test_an_exception_fixup_may_lead_back() -> None:
    place = BASE + 16 + 5 + 9
    fixup = Piece("", branch(0xE9, place, BASE + 1))
    builder = linux(fixup, vmi=store(TABLE))
    builder.part("__ex_table", RECORDS, Piece("", word(BASE) + word(place)), flags=DATA)
    assert cover(builder) == (Cover.TABLE, "pv_irq_ops+0x0; has an exception fixup")


def test_templates() -> None:
    pieces = (Piece("start_pv_irq_ops_irq_disable", CLI, LABEL), Piece("end_pv_irq_ops_irq_disable", NOP + RET, LABEL))
    read = Piece("native_patch", b"\xb8" + word(BASE) + RET)
    assert cover(Builder().text(*pieces, read), "start_pv_irq_ops_irq_disable+0x0")[0] is Cover.TEMPLATE
    used = Piece("schedule", b"\xb8" + word(BASE) + RET)
    assert cover(Builder().text(*pieces, used), "start_pv_irq_ops_irq_disable+0x0")[0] is Cover.NONE
    called = Piece("native_patch", b"\xb8" + word(BASE) + branch(0xE8, BASE + 8, BASE) + RET)
    assert cover(Builder().text(*pieces, called), "start_pv_irq_ops_irq_disable+0x0")[0] is Cover.NONE


def bundled(
    call: str = "DisableInterrupts", site: int = 16, length: int = 5, stub: int = BASE + 32, kind: int = 0
) -> Builder:
    """Return a kernel with the bundled layer: an inline site in `user`, two operations, the second without a call."""
    pieces = (
        Piece("pv_native_irq_disable", CLI + RET + NOP * 14),
        Piece("user", b"\x3e\x3e\x3e\x3e" + CLI + b"\xb8" + word(0) + RET + NOP * 5),
        Piece("", b"\xff\x15" + word(TABLE) + RET),
    )
    texts = b"irq_disable\0".ljust(16, b"\0") + call.encode() + b"\0"
    infos = struct.pack("<IIB3xIIB3x", RODATA + 0x100, RODATA + 0x110, 30, RODATA + 0x100, RODATA + 0x100, 0)
    inline = struct.pack("<IIBBH", BASE + site, stub, kind, length, 0)
    return (
        Builder()
        .text(*pieces)
        .part(".rodata", RODATA, Piece("pv_infos", infos, OBJECT), Piece("", bytes(0x100 - 24) + texts), flags=DATA)
        .part(".pv_inline", RECORDS, Piece("", inline), flags=DATA)
        .part(".data", TABLE, Piece("pv_ops", word(BASE) + word(0), OBJECT), flags=DATA)
    )


def test_the_bundled_layer() -> None:
    assert cover(bundled(), "user+0x0") == (Cover.SITE, "irq_disable")
    assert cover(bundled(), "pv_native_irq_disable+0x0") == (Cover.TABLE, "irq_disable")


def test_an_operation_without_a_call_is_not_covered() -> None:
    assert cover(bundled(call="NoSuchCall"), "user+0x0")[0] is Cover.NONE
    assert cover(bundled(kind=1), "user+0x0")[0] is Cover.NONE
    assert cover(bundled(kind=2), "user+0x0")[0] is Cover.NONE
    assert cover(bundled(call="NoSuchCall"), "pv_native_irq_disable+0x0")[0] is Cover.NONE


@pytest.mark.parametrize(("site", "length"), [(20, 5), (16, 4), (17, 4), (16, 7), (0x5000, 5), (16, 0)])
def test_records_that_lie(site: int, length: int) -> None:
    """A site elsewhere, one that cuts an instruction in two, one outside the code."""
    finding = one(bundled(site=site, length=length).lint(), "user+0x0")
    assert finding.cover is Cover.NONE


def test_damaged_records_are_said() -> None:
    notes = bundled(stub=0x1234).lint().notes
    assert "1 damaged records in .pv_inline, which cover nothing" in notes


@pytest.mark.parametrize(("call", "covered"), [(5, True), (200, False)])
def test_annotations_of_the_2006_generation(call: int, covered: bool) -> None:  # noqa: FBT001 - a parameter
    record = struct.pack("<IIIBBbB", call, BASE + 1, BASE + 32, 5, 5, 0, 0)
    builder = Builder().text(Piece("f", NOP + PUSHF + b"\x58" + NOP * 3 + RET + NOP * 32))
    builder.part(".vmi.annotation", RECORDS, Piece("", record), flags=DATA)
    assert (cover(builder, "f+0x1")[0] is Cover.ANNOTATION) is covered


def test_alternatives_are_copied_not_covered() -> None:
    record = struct.pack("<IIBBBB", BASE, BASE + 0x1000, 26, 3, 2, 0)
    builder = (
        Builder().text(Piece("f", NOP * 3 + RET)).part(".altinstr_replacement", BASE + 0x1000, Piece("", b"\x0f\x31"))
    )
    builder.part(".altinstructions", RECORDS, Piece("", record), flags=DATA)
    finding = one(builder.lint(), ".altinstr_replacement+0x0")
    assert (finding.cover, finding.note) == (Cover.NONE, "copied to f on CPUs with feature 26")


# ---- Before VMI can be on ----


def boot(*extra: Piece, start: bytes = b"\x0f\x22\xc0") -> Builder:
    """Return a kernel that is entered at its physical address: mov %eax, %cr0; call main."""
    call = branch(0xE8, BASE + len(start), BASE + 16)
    first = Piece("startup", (start + call + CLI + RET).ljust(16, NOP))
    return Builder(entry=LOAD).text(first, Piece("main", b"\xff\xd0" + CLI + RET + NOP * 12), *extra)


def test_the_way_from_the_entry() -> None:
    report = boot().lint()
    assert one(report, "startup+0x0").cover is Cover.BOOT
    assert one(report, "startup+0x8").cover is Cover.NONE, "main may have turned VMI on"
    assert one(report, "main+0x2").cover is Cover.NONE


def test_a_far_jump_to_a_physical_address() -> None:
    jump = b"\xea" + word(LOAD + 7) + b"\x08\x00" + CLI
    assert one(boot(start=jump).lint(), "startup+0x7").cover is Cover.BOOT


def test_code_that_is_reached_later_is_no_boot_code() -> None:
    again = Piece("again", branch(0xE9, BASE + 32, BASE) + RET)
    assert one(boot(again).lint(), "startup+0x0").cover is Cover.NONE
    pointer = boot().part(".data", TABLE, Piece("restart", word(BASE + 1), OBJECT), flags=DATA)
    assert one(boot(start=NOP + CLI).lint(), "startup+0x1").cover is Cover.BOOT
    pointer = boot(start=NOP + CLI).part(".data", TABLE, Piece("restart", word(BASE + 1), OBJECT), flags=DATA)
    assert one(pointer.lint(), "startup+0x1").cover is Cover.NONE
