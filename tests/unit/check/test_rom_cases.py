# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every call of the tables has cases of every kind, and all of them are executed where the ROM has code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openvmi import abi
from openvmi.abi import CALL_COUNT, Call
from openvmi.abi.model import CallSpec
from openvmi.check.rom import Kind, Status, check_rom
from openvmi.check.rom.cases import cases_of
from openvmi.check.rom.decode import decode
from openvmi.check.rom.devices import PORT_PATTERN
from openvmi.check.rom.formats import text

from .rom_model import Model, patched

CALLS = abi.load().calls

UNSEEN = {
    *(Call.UpdateKernelStack, Call.WBINVD, Call.RDPMC, Call.UpdatePxE, Call.UpdatePxELong),
    *(Call.MachineToPhysical, Call.PhysicalToMachine, Call.AllocatePage, Call.ReleasePage, Call.SetLinearMapping),
    *(Call.SetIOPLMask, Call.SetInitialAPState, Call.IODelay, Call.GetCycleFrequency, Call.GetWallclockTime),
    *(Call.SetCallbacks, Call.SetLazyMode),
}


def by_name(call: CallSpec) -> str:
    return call.name


@pytest.mark.parametrize("call", CALLS, ids=by_name)
def test_every_call_has_a_case_of_each_kind(call: CallSpec) -> None:
    cases = cases_of(call)
    assert {case.kind for case in cases} == set(Kind)
    titles = [(case.kind, case.title) for case in cases]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("call", CALLS, ids=by_name)
def test_cases_name_arguments_of_the_table(call: CallSpec) -> None:
    names = {argument.name for argument in call.takes}
    assert all(set(case.arguments) <= names for case in cases_of(call))


def test_a_call_that_is_new_in_the_tables_has_cases_at_once() -> None:
    new = replace(abi.load().call("SetPxELong"), name="SetSomething")
    cases = cases_of(new)
    assert {case.kind for case in cases} == set(Kind)
    assert cases[-1].arguments["value"] == (1 << 64) - 1


def test_all_calls_are_executed_in_all_cases() -> None:
    (image,) = check_rom(Model().image()).images
    assert (image.executed, image.served, image.init) == (CALL_COUNT, CALL_COUNT, "active (0)")
    for call in image.calls:
        assert call.status is Status.EXECUTED
        assert [case.reason for case in call.cases] == [""] * len(call.cases)
        assert {case.kind for case in call.cases} == set(Kind)
    assert image.count() == sum(image.count(kind) for kind in Kind) == sum(len(cases_of(call)) for call in CALLS)


def test_code_in_the_hole_is_not_executed_and_not_passed_over() -> None:
    """Reading a page there, and being told to call there, are its hypervisor's matter."""
    reads = Model(virtual_top=0xFC000000).but(Call.WBINVD, "a1001000fc c3")
    calls = Model(virtual_top=0xFC000000, after="3c00 b8001000fc")  # every answer is in the hole
    (image,) = check_rom(reads.image()).images
    (there,) = (call for call in image.calls if call.name == "WBINVD")
    assert image.findings == ()
    assert there.status is Status.SKIPPED
    assert "0xfc001000 in the hole" in there.reason
    assert image.executed == image.served - 1
    (image,) = check_rom(calls.image()).images
    assert image.findings == ()
    assert (image.executed, image.served) == (0, CALL_COUNT)


def test_a_hypercall_is_not_executed_and_not_passed_over() -> None:
    for code in ("0f01c1 c3", "0f01d9 c3", "cd82 c3"):
        (image,) = check_rom(Model().but(Call.WBINVD, code).image()).images
        (call,) = (call for call in image.calls if call.name == "WBINVD")
        assert image.findings == (), code
        assert call.status is Status.SKIPPED
        assert "no hypervisor is here" in call.reason


def test_a_hypercall_in_a_jump_point_is_no_pass() -> None:
    for rom in (Model(before="0f01c1"), Model(init="0f01c1")):
        report = check_rom(rom.image())
        assert report.findings == ()
        assert "as far as it could be executed here" in text(report, "x")
    assert not check_rom(Model(before="0f01c1").image()).complete


def test_other_generations_are_not_executed() -> None:
    report = check_rom(patched(Model().image(), {13: b"\x06"}))
    assert {finding.rule for finding in report.findings} == {"api-version"}
    assert "6.0" in report.images[0].reason
    assert report.images[0].calls == ()
    assert not report.passed


def test_several_images_are_judged_each() -> None:
    two = Model().image() + Model().but(Call.SetCR2, "c3").image()
    report = check_rom(two)
    assert {(finding.rule, finding.image) for finding in report.findings} == {("pci-last", 0), ("effect", 1)}


def test_decoding() -> None:
    named = {
        "f4": "hlt",
        "66f4": "hlt",
        "0f09": "wbinvd",
        "0fa2": "cpuid",
        "0f0138": "invlpg",
        "0f01f8": "",
        "0f01c1": "hypercall",
        "90": "",
        "0f": "",
        "66": "",
        "": "",
    }
    assert {code: decode(bytes.fromhex(code)) for code in named} == named
    assert PORT_PATTERN & 2 == 0  # an empty input buffer, to those who wait for the keyboard controller


def test_calls_that_do_nothing_are_noticed_where_anyone_could_notice() -> None:
    """Of the others the guest sees nothing, or nothing that is sure to be wrong."""
    asked = {Call.GetCR0, Call.GetInterruptMask}  # their garbage would say that CLTS and DisableInterrupts had worked
    lazy = check_rom(Model(stubs=dict.fromkeys(set(Call) - asked, "c3")).image())
    assert {Call[finding.call] for finding in lazy.findings} == set(Call) - UNSEEN - asked
