# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every rule has a ROM that breaks it and no other; a ROM that is right in another way breaks none."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from openvmi.abi import CALL_COUNT, Call, RelocType
from openvmi.check.rom import Finding, Report, check_rom
from openvmi.check.rom.board import DATA, DIRECT, PREFERRED
from openvmi.check.rom.formats import text
from openvmi.check.rom.rules import RULES
from openvmi.rom import RULES as LAYOUT
from openvmi.rom import Rule, Severity

from ..rom.test_rom_verify import SPOILED
from .rom_model import RIGHT, Model, patched, smallest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "check-rom.md"
HEX_DATA = struct.pack("<I", DATA + 0x800).hex()
HEX_ROM = struct.pack("<I", DIRECT + PREFERRED).hex()
RIGHT_MODEL = Model()
NOP, CALL, JUMP = RelocType.NOP, RelocType.CALL_REL, RelocType.JUMP_REL
IRET_BY_JUMP = "cf"


def broken(image: bytes) -> tuple[Finding, ...]:
    return check_rom(image).findings


def model(call: Call, code: str) -> Model:
    return RIGHT_MODEL.but(call, code)


# By rule: the call that is named, and the ROM.
WRONG: dict[str, tuple[str, Model]] = {
    "init-answer": ("vmi_init", Model(init="b805000000 c3")),
    "answer-type": ("SetCR3", Model(types={Call.SetCR3: JUMP})),
    "answer-missing": ("IRET", Model(types={Call.IRET: RelocType.NONE})),
    "answer-group": ("GetCycleCounter", Model(types={Call.GetCycleCounter: RelocType.NONE})),
    "answer-target": ("WBINVD", Model(offsets={Call.WBINVD: 0x20})),
    "answer-reserved": ("CPUID", Model(after="81ca00010000")),  # or $0x100, %edx
    "answer-unknown": ("get_reloc", Model(count=CALL_COUNT + 1)),
    # cmp $IODelay, %eax; jne; rdtsc; xor %edx, %edx; ret
    "answer-stable": ("get_reloc", Model(before=f"83f8{Call.IODelay:02x} 7505 0f31 31d2 c3")),
    "fault": ("WBINVD", model(Call.WBINVD, "a100000000 c3")),
    "endless": ("WBINVD", model(Call.WBINVD, "ebfe")),
    "returned": ("Shutdown", model(Call.Shutdown, "c3")),
    "not-returned": ("SetCR2", model(Call.SetCR2, "fa f4")),
    "result": ("GetCR3", model(Call.GetCR3, "b834120000 c3")),
    "effect": ("SetCR2", model(Call.SetCR2, "c3")),
    "side-effect": ("WBINVD", model(Call.WBINVD, "0f22d0 c3")),
    "memory": ("WBINVD", model(Call.WBINVD, f"c705{HEX_DATA}01000000 c3")),
    # call; pop %eax; movb $0x55, 0x10(%eax)
    "rom-written": ("WBINVD", model(Call.WBINVD, "e800000000 58 c6401055 c3")),
    "registers": ("WBINVD", model(Call.WBINVD, "43 c3")),
    "flags": ("OUTB", model(Call.OUTB, "ee 39c0 c3")),
    "system-flags": ("WBINVD", model(Call.WBINVD, "fd c3")),
    "segments-kept": ("WBINVD", model(Call.WBINVD, "8cd1 8ee1 c3")),
    "segments-assumed": ("DisableInterrupts", model(Call.DisableInterrupts, f"803d{HEX_ROM}00 fa c3")),
    "stack-balance": ("WriteGDTEntry", model(Call.WriteGDTEntry, RIGHT[Call.WriteGDTEntry][:-2] + "c20400")),
    "stack-above": ("WBINVD", model(Call.WBINVD, "c744240800000000 c3")),
    "half-written": ("SetPxELong", model(Call.SetPxELong, "8901 895104 c3")),
    "entry-form": ("IRET", model(Call.IRET, IRET_BY_JUMP)),
    "transfer": ("IRET", model(Call.IRET, "8d642404 81642408feffffff cf")),  # and $~CF, 8(%esp)
    "atomic": ("SYSEXIT", model(Call.SYSEXIT, "fb 90 0f35")),
}
# Other ways to break some of them.
MORE: dict[str, tuple[str, str, Model]] = {
    "init-other-registers": ("init-answer", "vmi_init", Model(init="83f8ff 0f95c0 0fb6c0 48 c3")),
    "init-clobbers": ("registers", "vmi_init", Model(init="31c0 31db c3")),
    "init-writes-rom": ("rom-written", "vmi_init", Model(init="e800000000 58 c6401855 31c0 c3")),
    "query-clobbers": ("registers", "get_reloc", Model(before="47")),
    "query-writes-rom": ("rom-written", "get_reloc", Model(before="52 e800000000 5a fe42ef 5a")),
    "unknown-type": ("answer-type", "SetCR3", Model(types={Call.SetCR3: 9})),
    "nop-that-must-not-be": ("answer-type", "SetCR3", Model(types={Call.SetCR3: NOP})),
    "iret-nop": ("answer-missing", "IRET", Model(types={Call.IRET: NOP})),
    "beyond-the-image": ("answer-target", "WBINVD", Model(offsets={Call.WBINVD: 0xFFF0})),
    "iret-jump-form": ("entry-form", "IRET", Model(types={Call.IRET: JUMP})),
    "fs-assumed": ("segments-assumed", "WBINVD", model(Call.WBINVD, f"64a1{HEX_DATA} c3")),
    "reboot-into-a-handler": ("effect", "Reboot", model(Call.Reboot, "0f0b")),
    "reboot-halts": ("effect", "Reboot", model(Call.Reboot, "fa f4 ebfd")),
    "lost-wake-up": ("atomic", "Halt", model(Call.Halt, "fb 90 f4 c3")),
    "no-halt": ("effect", "Halt", model(Call.Halt, "fb c3")),
    "popf-of-anything": ("system-flags", "SetIOPLMask", model(Call.SetIOPLMask, "25fffeffff 50 9d c3")),
    "flags-not-masked": ("result", "GetInterruptMask", model(Call.GetInterruptMask, "9c 58 c3")),
    "eax-of-cli": ("registers", "DisableInterrupts", model(Call.DisableInterrupts, "fa 31c0 c3")),
    "global-kept": ("effect", "FlushTLB", model(Call.FlushTLB, "0f20d8 0f22d8 c3")),
    "no-invlpg": ("effect", "InvalPage", model(Call.InvalPage, "c3")),
    "no-reload": ("effect", "SetGDT", model(Call.SetGDT, "0f0110 c3")),
    "debug-4-is-0": ("side-effect", "SetDR", model(Call.SetDR, f"83f804 7504 0f23c2 c3 {RIGHT[Call.SetDR]}")),
    "rdtsc-32-bits": ("result", "RDTSC", model(Call.RDTSC, "0f31 31d2 c3")),
    "inb-of-the-next-port": ("effect", "INB", model(Call.INB, "8d5201 ec 8d52ff c3")),
    "outsb-keeps-ecx": ("result", "OUTSB", model(Call.OUTSB, "51 f36e 59 c3")),
    "insb-clobbers-edx": ("registers", "INSB", model(Call.INSB, "f36c 8d5201 c3")),
    "alarm-of-2": (
        "effect",
        "SetAlarm",
        model(Call.SetAlarm, RIGHT[Call.SetAlarm].replace("83f901", "83f902")).but(
            Call.CancelAlarm, RIGHT[Call.CancelAlarm].replace("83f801", "83f802")
        ),
    ),
    "cancel-says-true": ("result", "CancelAlarm", model(Call.CancelAlarm, "31c0 40 c3")),
    "frequency-0": ("result", "GetCycleFrequency", model(Call.GetCycleFrequency, "31c0 31d2 c3")),
    "clock-backwards": ("result", "GetWallclockTime", model(Call.GetWallclockTime, "0f31 f7d0 f7d2 c3")),
    "apic-whole-address": ("fault", "APICRead", model(Call.APICRead, "8b800000e0fe c3")),
    "ap-state-92-bytes": ("fault", "SetInitialAPState", model(Call.SetInitialAPState, "8b4858 c3")),
    "tss-always": ("fault", "UpdateKernelStack", model(Call.UpdateKernelStack, "8b4004 c3")),
    "sysexit-no-sti": ("transfer", "SYSEXIT", model(Call.SYSEXIT, "0f35")),
    "more-features": ("result", "CPUID", model(Call.CPUID, "0fa2 83ca10 c3")),
    # mov %ax, (%edx); shr $16, %eax; mov %ax, 2(%edx); ret
    "half-of-32-bits": ("half-written", "SetPxE", model(Call.SetPxE, "668902 c1e810 66894202 c3")),
    "half-a-descriptor": ("effect", "WriteIDTEntry", model(Call.WriteIDTEntry, "8d14d0 890a c3")),
}
# Right in other ways than the model.
ALSO_RIGHT: dict[str, Model] = {
    "declines": Model(init="83c8ff c3", types=dict.fromkeys(range(CALL_COUNT), RelocType.NONE)),
    "nothing-but-the-mandatory": Model(
        types=dict.fromkeys(set(range(CALL_COUNT)) - {Call.IRET, Call.SYSEXIT}, RelocType.NONE)
    ),
    "jumps": Model(stubs={Call.IRET: IRET_BY_JUMP}, types={Call.IRET: JUMP, Call.SYSEXIT: JUMP}),
    "nops": Model(types=dict.fromkeys((Call.IODelay, Call.SetLinearMapping, Call.ReleasePage, Call.SetLazyMode), NOP)),
    "triple-fault": model(Call.Reboot, "6a00 6a00 0f011c24 cc"),
    "cmpxchg8b": model(Call.SetPxELong, "53 56 89ce 89c3 89d1 8b06 8b5604 f00fc70e 75fa 5e 5b c3"),
}


def test_every_rule_has_a_rom_that_breaks_it() -> None:
    assert set(WRONG) == set(RULES) - {"moved"}  # only guests of generation B do that
    # two images; rules of generation B
    assert set(SPOILED) == {rule.id for rule in LAYOUT} - {"alignment", "slots", "landing"}


def test_the_model_breaks_none() -> None:
    report = check_rom(RIGHT_MODEL.image())
    assert report.findings == ()
    assert report.passed


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
    for finding in findings:
        assert finding.severity == "fail"
        assert finding.seen
        assert finding.source.startswith("vmi-abi.md ")


@pytest.mark.parametrize("name", MORE)
def test_another_wrong_rom_is_caught_too(name: str) -> None:
    rule, call, wrong = MORE[name]
    assert {(finding.rule, finding.call) for finding in broken(wrong.image())} == {(rule, call)}


@pytest.mark.parametrize("rule", [rule for rule in LAYOUT if rule.id in SPOILED], ids=lambda rule: rule.id)
def test_a_wrong_layout_is_caught_by_its_rule_and_no_other(rule: Rule) -> None:
    (finding,) = broken(SPOILED[rule.id](smallest(), patched))
    assert finding.rule == rule.id
    assert finding.severity == ("warn" if rule.severity is Severity.WARN else "fail")
    assert check_rom(smallest()).findings == ()


def shown(report: Report, name: str) -> list[str]:
    """Return the report as the page shows it."""
    return [f"    {line}" for line in text(report, name).splitlines()]


def test_the_page_has_every_rule() -> None:
    page = PAGE.read_text()
    assert all(f"`{rule}`" in page for rule in RULES)


def test_the_page_shows_a_real_run() -> None:
    spoilt = (
        RIGHT_MODEL.but(Call.SetPxELong, WRONG["half-written"][1].stubs[Call.SetPxELong])
        .but(Call.DisableInterrupts, WRONG["segments-assumed"][1].stubs[Call.DisableInterrupts])
        .but(Call.IRET, IRET_BY_JUMP)
    )
    assert "\n".join(shown(check_rom(spoilt.image()), "mine.rom")) in PAGE.read_text()
