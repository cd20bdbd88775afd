# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation B: every rule has a ROM that breaks it and no other; a ROM that is right in another way breaks none."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openvmi import abi
from openvmi.abi import RelocType, generation_b
from openvmi.abi.generation_b import CALL_COUNT, SINCE, SLOT_SIZE, Call
from openvmi.abi.model import CallSpec
from openvmi.check.rom import Finding, ImageReport, Kind, Status, check_rom, formats
from openvmi.check.rom.board import COPY, DATA, DIRECT, PREFERRED
from openvmi.check.rom.cases import cases_of
from openvmi.check.rom.rules import RULES
from openvmi.rom import RomMetadata, RomMode, build_image

from ..rom.conftest import make_elf
from .rom_model import patched
from .rom_model_b import QUERY, RIGHT_B, TYPES, ModelB

HEX_DATA = struct.pack("<I", DATA + 0x800).hex()
HEX_ROM = struct.pack("<I", DIRECT + PREFERRED).hex()
RIGHT = ModelB()
HEX_COPY = struct.pack("<I", COPY).hex()
HEX_WBINVD = struct.pack("<I", DIRECT + PREFERRED + SLOT_SIZE * Call.WBINVD + 5).hex()
NOP, CALL, JUMP, NONE = RelocType.NOP, RelocType.CALL_REL, RelocType.JUMP_REL, RelocType.NONE
CALLS = abi.load("B").calls
SECONDS = 3.0
IRET_BY_JUMP = "cf"
NOT_ACTIVE = "83c8ff c3"
_SET = RIGHT_B[Call.TestAndSetPxEBit]


def broken(image: bytes) -> tuple[Finding, ...]:
    return check_rom(image).findings


def only(image: bytes) -> ImageReport:
    (report,) = check_rom(image).images
    return report


def model(call: Call, code: str) -> ModelB:
    return RIGHT.but(call, code)


# By rule: the call that is named, and the ROM. Calls belong to no groups in this generation.
WRONG: dict[str, tuple[str, ModelB]] = {
    "init-answer": ("Init", ModelB(init="b805000000 c3")),
    "answer-type": ("SetCR3", ModelB(types={Call.SetCR3: NOP})),
    "answer-missing": ("IRET", ModelB(types={Call.IRET: NONE})),
    # call; pop %eax; sub $where that is in place, %eax; jz; ud2
    "moved": ("WBINVD", model(Call.WBINVD, f"e800000000 58 2d{HEX_WBINVD} 7402 0f0b c3")),
    "answer-target": ("WBINVD", ModelB(offsets={Call.WBINVD: 0x20})),
    "answer-reserved": ("CPUID", ModelB(after="81ca00010000")),
    "answer-unknown": ("GetRelocationInfo", ModelB(count=CALL_COUNT + 1)),
    "answer-stable": ("GetRelocationInfo", ModelB(before=f"83f8{Call.IODelay:02x} 7505 0f31 31d2 c3")),
    "fault": ("WBINVD", model(Call.WBINVD, "a100000000 c3")),
    "endless": ("WBINVD", model(Call.WBINVD, "ebfe")),
    "returned": ("Shutdown", model(Call.Shutdown, "c3")),
    "not-returned": ("SetCR2", model(Call.SetCR2, "fa f4")),
    "result": ("SwapPxE", model(Call.SwapPxE, "8710 c3")),
    "effect": ("TestAndClearPxELongBit", model(Call.TestAndClearPxELongBit, "0fa310 0f92c0 0fb6c0 c3")),
    "side-effect": ("WBINVD", model(Call.WBINVD, "0f22d0 c3")),
    "memory": ("Pause", model(Call.Pause, f"c705{HEX_DATA}01000000 c3")),
    "rom-written": ("INVD", model(Call.INVD, "e800000000 58 c6401055 c3")),
    "registers": ("FlushDeferredCalls", model(Call.FlushDeferredCalls, "43 31c0 c3")),
    "flags": ("OUTB", model(Call.OUTB, "ee 39c0 c3")),
    "system-flags": ("WBINVD", model(Call.WBINVD, "fd c3")),
    "segments-kept": ("WBINVD", model(Call.WBINVD, "8cd1 8ee1 c3")),
    "segments-assumed": ("DisableInterrupts", model(Call.DisableInterrupts, f"803d{HEX_ROM}00 fa c3")),
    "stack-balance": ("WriteGDTEntry", model(Call.WriteGDTEntry, RIGHT_B[Call.WriteGDTEntry][:-2] + "c20400")),
    "stack-above": ("WBINVD", model(Call.WBINVD, "c744240800000000 c3")),
    "half-written": ("SetPxELong0", model(Call.SetPxELong0, "8901 895104 c3")),
    "entry-form": ("IRET", model(Call.IRET, IRET_BY_JUMP)),
    "transfer": ("IRET", model(Call.IRET, "8d642404 81642408feffffff cf")),
    "atomic": ("SYSEXIT", model(Call.SYSEXIT, "fb 90 0f35")),
}
# Other ways to break some of them, and the calls that this generation alone has.
MORE: dict[str, tuple[str, str, ModelB]] = {
    "init-other-registers": ("init-answer", "Init", ModelB(init="83f8ff 0f95c0 0fb6c0 48 c3")),
    # 0 in place, 5 for a copy
    "init-no-copies": ("init-answer", "Init", ModelB(init=f"3d{HEX_COPY} b800000000 7505 b805000000 c3")),
    "init-clobbers": ("registers", "Init", ModelB(init="31c0 31db c3")),
    "query-clobbers": ("registers", "GetRelocationInfo", ModelB(before="47")),
    "jump-to-what-returns": ("answer-type", "SetCR3", ModelB(types={Call.SetCR3: JUMP})),
    "iret-nop": ("answer-missing", "IRET", ModelB(types={Call.IRET: NOP})),
    # call; pop %ecx; mov -0x400(%ecx), %ecx: before the image, where a copy has nothing
    "reads-before-itself": ("moved", "SetCR2", model(Call.SetCR2, "0f22d0 e800000000 59 8b8900fcffff c3")),
    "swap-of-nothing": ("result", "SwapPxE", model(Call.SwapPxE, "8910 31c0 c3")),
    "swap-half-written": (
        "half-written",
        "SwapPxELongAtomic",
        model(Call.SwapPxELongAtomic, "53 8b19 8901 89d8 8b5904 895104 89da 5b c3"),
    ),
    "set-takes-the-other-order": ("fault", "SetPxE0", model(Call.SetPxE0, "8902 c3")),
    "get-of-garbage": ("result", "GetPxE", model(Call.GetPxE, "40 c3")),
    "get-long-32-bits": ("result", "GetPxELong", model(Call.GetPxELong, "31d2 c3")),
    "bit-says-nothing": ("result", "TestAndSetPxEBit", model(Call.TestAndSetPxEBit, "f00fab10 31c0 c3")),
    "bit-of-32": ("effect", "TestAndSetPxELongBit", model(Call.TestAndSetPxELongBit, f"83e21f {_SET}")),
    "deactivate-keeps-high": (
        "effect",
        "DeactivatePxELongAtomic",
        model(Call.DeactivatePxELongAtomic, "89c1 31c0 8701 8b5104 c3"),
    ),
    "deactivate-high-first": (
        "half-written",
        "DeactivatePxELongAtomic",
        model(Call.DeactivatePxELongAtomic, "89c1 8b5104 c7410400000000 31c0 8701 c3"),
    ),
    "apic-low-bits": ("fault", "APICRead", model(Call.APICRead, "25ff0f0000 8b00 c3")),
    "tss-beyond": ("fault", "UpdateKernelStack", model(Call.UpdateKernelStack, "8b4068 c3")),
    "pause-enables": ("system-flags", "Pause", model(Call.Pause, "fb f390 c3")),
    "flags-by-pointer": ("fault", "FlushDeferredCalls", model(Call.FlushDeferredCalls, "8b00 c3")),
    "unnamed-slot": ("endless", "SetPxE", model(Call.SetPxE, "ebfe")),
}
# Right in other ways than the model.
ALSO_RIGHT: dict[str, ModelB] = {
    "declines": ModelB(init=NOT_ACTIVE, types=dict.fromkeys(range(CALL_COUNT), NONE)),
    "13.0": ModelB(minor=0),
    "13.2": ModelB(minor=2),
    "answers-nothing-but-the-mandatory": ModelB(
        types=dict.fromkeys(set(Call) - {Call.IRET, Call.SYSEXIT, Call.GetRelocationInfo}, NONE)
    ),
    "jumps": ModelB(types={Call.SYSEXIT: JUMP}),
}
LAYOUT: dict[str, Callable[[bytes], bytes]] = {
    "slots": lambda image: patched(image, {SLOT_SIZE * Call.SetPxE: bytes(SLOT_SIZE), TYPES + Call.SetPxE: b"\0"}),
    "landing": lambda image: _grown(image, generation_b.LANDING_SIZE + 0x800),
    "reserved": lambda image: patched(image, {0x0E: b"\1"}),
}


def _grown(image: bytes, size: int) -> bytes:
    at = int.from_bytes(image[0x18:0x1A], "little") + 16
    units = size // 512
    return patched(image + bytes(size - len(image)), {2: bytes([units]), at: units.to_bytes(2, "little")})


def test_every_rule_has_a_rom_that_breaks_it() -> None:
    assert set(WRONG) == set(RULES) - {"answer-group"}
    assert abi.load("B").wholes == ()


@pytest.mark.parametrize("minor", [0, 3])
def test_the_model_breaks_none(minor: int) -> None:
    image = only(ModelB(minor=minor).image())
    calls = CALL_COUNT - generation_b.SLOT_FIRST - (0 if minor else len(SINCE))
    assert image.findings == ()
    assert (image.generation, image.executed, image.served) == ("B", calls, calls)
    assert image.complete


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_what_is_right_in_another_way_breaks_none(name: str) -> None:
    assert broken(ALSO_RIGHT[name].image()) == ()


@pytest.mark.parametrize("rule", WRONG)
def test_a_wrong_rom_is_caught_by_its_rule_and_no_other(rule: str) -> None:
    call, wrong = WRONG[rule]
    findings = broken(wrong.image())
    assert {finding.rule for finding in findings} == {rule}
    assert call in {finding.call for finding in findings}
    if rule != "answer-reserved":  # which is wrong with every answer
        assert {finding.call for finding in findings} == {call}
    assert all(finding.source.startswith("vmi-abi.md ") for finding in findings)


@pytest.mark.parametrize("name", MORE)
def test_another_wrong_rom_is_caught_too(name: str) -> None:
    rule, call, wrong = MORE[name]
    assert {(finding.rule, finding.call) for finding in broken(wrong.image())} == {(rule, call)}


@pytest.mark.parametrize("rule", LAYOUT)
def test_a_wrong_layout_is_caught_by_its_rule_and_no_other(rule: str) -> None:
    (finding,) = broken(LAYOUT[rule](RIGHT.image()))
    assert (finding.rule, finding.severity) == (rule, "warn" if rule == "reserved" else "fail")


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_every_call_has_a_case_of_each_kind(call: CallSpec) -> None:
    cases = cases_of(call, "B")
    assert {case.kind for case in cases} == set(Kind)
    names = {argument.name for argument in call.takes}
    assert all(set(case.arguments) <= names for case in cases)
    titles = [(case.kind, case.title) for case in cases]
    assert len(set(titles)) == len(titles)


def test_all_calls_are_executed_in_all_cases() -> None:
    image = only(RIGHT.image())
    assert [call.name for call in image.calls] == [call.name for call in Call]
    for call in image.calls:
        assert call.status is Status.EXECUTED
        assert [case.reason for case in call.cases] == [""] * len(call.cases)
        assert {case.kind for case in call.cases} == set(Kind)


def test_the_slots_are_held_to_the_rules_though_the_query_leads_elsewhere() -> None:
    """A guest of API 13.0 knows nothing else."""
    aside = QUERY + 0x38
    wrong = ModelB(offsets={Call.SetCR2: aside}, stubs={Call.SetCR2: "c3"})
    code = bytearray(wrong.code())
    code[aside : aside + 4] = bytes.fromhex("0f22d0c3")
    image = build_image(make_elf(bytes(code)), RomMetadata(mode=RomMode.NATIVE))
    assert {(finding.rule, finding.call) for finding in broken(image)} == {("effect", "SetCR2")}


def test_a_frequency_promises_alarms() -> None:
    wrong = broken(model(Call.GetCycleFrequency, "b800ca9a3b 31d2 c3").image())
    assert {(finding.rule, finding.call) for finding in wrong} == {("effect", "SetAlarm"), ("result", "CancelAlarm")}


def test_an_empty_slot_is_no_call() -> None:
    image = only(LAYOUT["slots"](RIGHT.image()))
    (there,) = (call for call in image.calls if call.name == "SetPxE")
    assert there.status is Status.NONE
    image = only(patched(RIGHT.image(), {SLOT_SIZE * Call.Init: bytes(SLOT_SIZE)}))
    assert "no code for Init" in image.reason


def test_the_report_names_the_points_of_the_generation() -> None:
    report = check_rom(RIGHT.image())
    lines = formats.text(report, "x").splitlines()
    assert lines[2:4] == ["  Init         active (0)", "  slots        84 served, 0 NONE, 0 NOP"]
    assert [check.name for check in formats.checks(report) if check.group == "jump-points"] == [
        "Init",
        "GetRelocationInfo",
    ]
    assert "get_reloc" not in formats.tap(check_rom(ModelB(minor=0).image()))


def survives(data: bytes) -> None:
    begun = time.process_time()
    report = check_rom(data)
    assert time.process_time() - begun < SECONDS
    for image in report.images:
        assert image.reason or image.init
    assert formats.text(report, "x").endswith("\n")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 0x17F0), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6))
def test_spoilt_images(changes: list[tuple[int, bytes]]) -> None:
    image = bytearray(RIGHT.image())
    for at, content in changes:
        image[max(at, 3) : max(at, 3) + len(content)] = content
    survives(bytes(image))


def test_everything_loops() -> None:
    survives(ModelB(stubs=dict.fromkeys(Call, "ebfe")).image())
    survives(ModelB(init="ebfe").image())
    survives(ModelB(before="ebfe").image())
