# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables say what the reference says. Numbers and names here were typed from vmi-abi.md, not from the tables."""

from __future__ import annotations

import pytest

from openvmi import abi
from openvmi.abi import Call, generation_b, load
from openvmi.abi.model import CallSpec

from ...mainline import order

# vmi-abi.md 3.1, in the order of the numbers from 0.
NAMES_D = """
CPUID WRMSR RDMSR SetGDT SetLDT SetIDT SetTR GetGDT GetLDT GetIDT GetTR WriteGDTEntry WriteLDTEntry WriteIDTEntry
UpdateKernelStack SetCR0 SetCR2 SetCR3 SetCR4 GetCR0 GetCR2 GetCR3 GetCR4 WBINVD SetDR GetDR RDPMC RDTSC CLTS
EnableInterrupts DisableInterrupts GetInterruptMask SetInterruptMask IRET SYSEXIT Halt Reboot Shutdown SetPxE
SetPxELong UpdatePxE UpdatePxELong MachineToPhysical PhysicalToMachine AllocatePage ReleasePage InvalPage FlushTLB
SetLinearMapping INL INB INW INSL INSB INSW OUTL OUTB OUTW OUTSL OUTSB OUTSW SetIOPLMask SetInitialAPState APICWrite
APICRead IODelay GetCycleFrequency GetCycleCounter SetAlarm CancelAlarm GetWallclockTime WallclockUpdated SetCallbacks
SetLazyMode
"""

# vmi-abi.md 3.2, from number 4; the last line, and the names of 45 and 48, are those of 13.3.
NAMES_B = """
Init CPUID WRMSR RDMSR SetGDT SetLDT SetIDT SetTR GetGDT GetLDT GetIDT GetTR WriteGDTEntry WriteLDTEntry WriteIDTEntry
UpdateKernelStack SetCR0 SetCR2 SetCR3 SetCR4 GetCR0 GetCR2 GetCR3 GetCR4 INVD WBINVD SetDR GetDR RDPMC RDTSC CLTS
EnableInterrupts DisableInterrupts GetInterruptMask SetInterruptMask IRET SYSEXIT Pause Halt Reboot Shutdown SetPxE0
GetPxE SwapPxE SetPxELong0 GetPxELong SwapPxELongAtomic TestAndSetPxEBit TestAndClearPxEBit AllocatePage ReleasePage
InvalPage FlushTLB FlushDeferredCalls SetLinearMapping IN INB INW INS INSB INSW OUT OUTB OUTW OUTS OUTSB OUTSW
SetIOPLMask DeactivatePxELongAtomic TestAndSetPxELongBit TestAndClearPxELongBit SetInitialAPState APICWrite APICRead
IODelay GetCycleFrequency GetCycleCounter SetAlarm CancelAlarm GetWallclockTime WallclockUpdated
GetRelocationInfo SetPxE SetPxELong
"""

# Places of the arguments in vmi-abi.md 3.1, low half first; C-callable calls and the instruction-like ones.
PLACES = {
    "CPUID": "eax ecx -> eax ebx ecx edx",
    "WRMSR": "ecx eax+edx ->",
    "RDMSR": "ecx -> eax+edx",
    "SetGDT": "eax ->",
    "GetTR": "-> eax",
    "WriteGDTEntry": "eax edx ecx s1 ->",
    "WriteLDTEntry": "eax edx ecx s1 ->",
    "WriteIDTEntry": "eax edx ecx s1 ->",
    "UpdateKernelStack": "eax edx ->",
    "RDPMC": "ecx -> eax+edx",
    "RDTSC": "-> eax+edx",
    "GetInterruptMask": "-> eax",
    "SetInterruptMask": "eax ->",
    "IRET": "frame ->",
    "SYSEXIT": "edx ecx ->",
    "SetPxE": "eax edx ecx ->",
    "SetPxELong": "eax+edx ecx s1 ->",
    "UpdatePxE": "eax edx ->",
    "UpdatePxELong": "eax edx ->",
    "AllocatePage": "eax edx ecx s1 s2 ->",
    "ReleasePage": "eax edx ->",
    "SetLinearMapping": "eax edx ecx s1 ->",
    "INB": "edx -> eax",
    "INSL": "edi edx ecx -> edi ecx",
    "OUTW": "eax edx ->",
    "OUTSB": "esi edx ecx -> esi ecx",
    "SetInitialAPState": "eax edx ->",
    "APICRead": "eax -> eax",
    "GetCycleCounter": "eax -> eax+edx",
    "SetAlarm": "eax edx+ecx s1+s2 ->",
    "CancelAlarm": "eax -> eax",
    "GetWallclockTime": "-> eax+edx",
}
ALIKE = {
    "->": "WBINVD CLTS EnableInterrupts DisableInterrupts Halt Shutdown IODelay SetCallbacks",
    "eax ->": "SetLDT SetIDT SetTR GetGDT GetIDT SetCR0 SetCR2 SetCR3 SetCR4 Reboot InvalPage FlushTLB SetIOPLMask "
    "SetLazyMode",
    "-> eax": "GetLDT GetCR0 GetCR2 GetCR3 GetCR4 WallclockUpdated",
    "eax -> eax": "GetDR MachineToPhysical PhysicalToMachine",
    "eax edx ->": "SetDR APICWrite OUTL OUTB",
    "edx -> eax": "INL INW",
    "edi edx ecx -> edi ecx": "INSB INSW",
    "esi edx ecx -> esi ecx": "OUTSL OUTSW",
    "-> eax+edx": "GetCycleFrequency",
}
PLACES |= {name: expected for expected, names in ALIKE.items() for name in names.split()}

# vmi-abi.md 3.5; 42, 43, 71 and 72 and the power calls are in none of its classes.
PRESENCE = {
    "mandatory": {33, 34},
    "timer": {66, 67, 68, 69, 70},
    "sensitive": {0, 7, 8, 9, 10, 14, 31, 32, 33, 34, 61},
    "traps": {*range(1, 7), 11, 12, 13, *range(15, 31), *range(49, 61), 63, 64, 65},
    "page-tables": {38, 39, 40, 41, 44, 45, 48},
    "optimisation": {27, 46, 47, 65, 73},
    "noop": {44, 45, 48, 65, 73},
    "processors": {62},
    "unclassified": {35, 36, 37, 42, 43, 71, 72},
}


def call(name: str) -> CallSpec:
    return load().call(name)


def places(spec: CallSpec) -> str:
    sides = (" ".join("+".join(item.at) for item in side) for side in (spec.takes, spec.gives))
    return " -> ".join(sides).strip()


def test_every_number_and_name_of_generation_d() -> None:
    assert [(spec.number, spec.name) for spec in load().calls] == list(enumerate(NAMES_D.split()))
    assert [(member.value, member.name) for member in Call] == list(enumerate(NAMES_D.split()))
    assert abi.CALL_COUNT == 74


def test_every_number_and_name_of_generation_b() -> None:
    assert [(spec.number, spec.name) for spec in load("B").calls] == list(enumerate(NAMES_B.split(), start=4))
    extensions = {item.name: {name: number for number, name in item.calls} for item in load("B").extensions}
    assert extensions == {
        "KIT": {"PhysToMachine": 85, "MachineToPhys": 86, "PhysIsCoherent": 87},
    }


def test_what_came_with_api_13_3() -> None:
    later = {call.name: call.number for call in load("B").calls if call.since}
    assert later == {"GetRelocationInfo": 85, "SetPxE": 86, "SetPxELong": 87} == {c.name: c for c in generation_b.SINCE}
    assert [call.number for call in load("B").until(2).calls] == list(range(4, 85))
    assert load("B").until(3) == load("B")
    assert not any(call.since for call in load().calls)


# vmi-abi.md 3.2, 3.3 and 9: where arguments of generation B are, of the calls that it alone has or has in another way.
PLACES_B = {
    "Init": "eax -> eax",
    "UpdateKernelStack": "eax edx ->",
    "SetPxE0": "eax edx ->",
    "GetPxE": "eax -> eax",
    "SwapPxE": "eax edx -> eax",
    "SetPxELong0": "eax+edx ecx ->",
    "GetPxELong": "eax+edx -> eax+edx",
    "SwapPxELongAtomic": "eax+edx ecx -> eax+edx",
    "TestAndSetPxEBit": "eax edx -> eax",
    "TestAndClearPxELongBit": "eax edx -> eax",
    "DeactivatePxELongAtomic": "eax -> eax+edx",
    "AllocatePage": "eax edx ecx s1 s2 ->",
    "FlushDeferredCalls": "eax -> eax",
    "APICWrite": "eax edx ->",
    "APICRead": "eax -> eax",
    "GetRelocationInfo": "eax -> eax+edx",
    "SetPxE": "eax edx ecx ->",
    "SetPxELong": "eax+edx ecx s1 ->",
}


@pytest.mark.parametrize(("name", "expected"), PLACES_B.items())
def test_places_of_arguments_of_generation_b(name: str, expected: str) -> None:
    assert places(load("B").call(name)) == expected


def test_who_may_answer_what_in_generation_b() -> None:
    """vmi-abi.md 9.12: no NOP; what does not return may be jumped to."""
    calls = load("B").calls
    assert {answer for spec in calls for answer in spec.answers} == {"NONE", "CALL_REL", "JUMP_REL"}
    assert {spec.name for spec in calls if "JUMP_REL" in spec.answers} == {"IRET", "SYSEXIT"}


def test_values_of_generation_b() -> None:
    """vmi-abi.md 1.4, 3.3, 4.3, 4.4."""
    assert (generation_b.API_MAJOR, generation_b.API_MINOR) == (13, 3)
    assert (generation_b.SLOT_SIZE, generation_b.SLOT_FIRST, generation_b.SLOT_LAST) == (32, 4, 127)
    assert (generation_b.LANDING_SIZE, generation_b.HOLE_SIZE) == (16 << 10, 64 << 20)
    assert [int(flag) for flag in generation_b.PageFlag] == [1, 2, 4, 8]
    assert int(generation_b.PageFlag.PAE) == generation_b.PAGE_PDP
    assert (int(generation_b.DeferredFlag.MMU), int(generation_b.DeferredFlag.CPU)) == (0x80, 0x40)


def test_a_header_of_generation_b_has_what_both_share() -> None:
    b, d = load("B"), load()
    assert {entry.name for entry in b.shared.enums} | {"PageFlag", "LazyMode"} == {entry.name for entry in d.enums}
    assert {entry.name for entry in b.shared.structures} | {"rom_header"} == {entry.name for entry in d.structures}
    assert not {entry.name for entry in b.shared.constants} & {entry.name for entry in b.constants}


@pytest.mark.parametrize(("name", "expected"), PLACES.items())
def test_places_of_arguments(name: str, expected: str) -> None:
    assert places(call(name)) == expected


def test_places_are_given_for_every_call() -> None:
    assert set(PLACES) == set(NAMES_D.split())


@pytest.mark.parametrize(("rule", "numbers"), PRESENCE.items())
def test_which_calls_may_be_absent(rule: str, numbers: set[int]) -> None:
    assert {spec.number for spec in load().calls if rule in spec.presence} == numbers


def test_every_rule_of_presence_is_held_to_the_reference() -> None:
    assert {rule.name for rule in load().presence} == set(PRESENCE)


def test_what_may_be_queued_and_what_drains() -> None:
    """vmi-abi.md 4.6."""
    assert {spec.number for spec in load().calls if "MMU" in spec.queue} == {17, 38, 39, 40, 41}
    assert {spec.number for spec in load().calls if "CPU" in spec.queue} == {11, 12, 13, 14, 17, 24, 28, 61}
    assert {spec.number for spec in load().calls if spec.drains} == {17, 46, 47, 73}


def test_memory_that_calls_touch() -> None:
    """vmi-abi.md 3.1: who stores through a pointer, and who changes the guest's tables."""
    written = {name: {spec.number for spec in load().calls if name in spec.writes} for name in ("gdt", "ldt", "idt")}
    assert written == {"gdt": {3, 6, 11}, "ldt": {4, 12}, "idt": {5, 13}}
    through = {spec.number for spec in load().calls for item in spec.takes if item.name in spec.writes}
    assert through == {7, 9, 38, 39, 52, 53, 54}


def test_the_flag_calls_keep_everything_and_need_no_data_segment() -> None:
    for name, clobbers in {
        "EnableInterrupts": ("flags",),
        "DisableInterrupts": ("flags",),
        "SetInterruptMask": ("flags",),
        "GetInterruptMask": ("eax", "flags"),
    }.items():
        assert call(name).clobbers == clobbers
        assert call(name).segments == "cs-ss"
    assert {spec.name for spec in load().calls if spec.segments == "cs-ss"} == set(NAMES_D.split()[29:35])


def test_calls_with_other_than_standard_clobbers() -> None:
    special = {spec.number for spec in load().calls if spec.clobbers != ("eax", "edx", "ecx", "flags")}
    assert special == {0, 29, 30, 31, 32, 33, 34, *range(49, 61)}
    assert call("CPUID").preserves == ("esi", "edi", "ebp")


def test_who_may_answer_what() -> None:
    calls = load().calls
    assert {spec.name for spec in calls if not spec.may_be_none} == {"IRET", "SYSEXIT"}
    assert {spec.name for spec in calls if "JUMP_REL" in spec.answers} == {"IRET", "SYSEXIT"}
    assert {spec.number for spec in calls if spec.may_be_nop} == {44, 45, 48, 65, 73}
    assert {spec.number for spec in calls if not spec.returns} == {33, 34, 36, 37}
    (timer,) = load().wholes
    assert [call(name).number for name in timer.members] == [66, 67, 68, 69, 70]
    assert timer.leader == "GetCycleFrequency"


def test_which_calls_linux_reaches_and_patches() -> None:
    reached = {spec.number for spec in load().calls if spec.linux}
    assert reached == set(range(74)) - {1, 2, 8, 26, 36, 37, 42, 43, 72, *range(49, 61)}
    patched = {spec.number for spec in load().calls for hook in spec.linux if "patch" in hook.kinds}
    assert patched == set(range(29, 35))


def test_the_order_in_which_linux_asks() -> None:
    asked = [
        call(query.call).number for query in load().queries if query.condition != "pae" for _ in range(query.times)
    ]
    assert asked == order(pae=False)
    assert [query.call for query in load().queries if query.condition == "pae"] == ["SetPxELong", "UpdatePxELong"]


def test_tests_of_a_mainline_guest() -> None:
    assert [(test.name, test.failure) for test in load().acceptance] == [
        ("rom_signature", "skip"),
        ("vrom_signature", "skip"),
        ("version", "reject"),
        ("pci_header", "reject"),
        ("pci_device", "warn"),
        ("license", "reject"),
    ]


def test_jump_points() -> None:
    offsets = {field.name: field.offset for field in load().structure("rom_header").fields}
    assert {point.name: offsets[point.name] for point in load().jump_points} == {"vmi_init": 0x80, "get_reloc": 0x88}
    sides = {point.name: (point.takes, point.gives) for point in load().jump_points}
    at = {name: [[item.at for item in side] for side in both] for name, both in sides.items()}
    assert at == {"vmi_init": [[], [("eax",)]], "get_reloc": [[("eax",)], [("eax", "edx")]]}


def test_values() -> None:
    assert (abi.ROM_SIGNATURE, abi.SIGNATURE) == (0xAA55, 0x696D5663)
    assert abi.SIGNATURE.to_bytes(4, "little") == b"cVmi"
    assert abi.PCIR_SIGNATURE.to_bytes(4, "little") == b"PCIR"
    assert abi.PNP_SIGNATURE.to_bytes(4, "little") == b"$PnP"
    assert (abi.API_MAJOR, abi.API_MINOR) == (3, 0)
    assert (abi.SCAN_FIRST, abi.SCAN_END, abi.SCAN_STEP) == (0xC0000, 0xE0000, 2048)
    assert (abi.PCI_VENDOR, abi.PCI_DEVICE) == (0x15AD, 0x0801)
    assert (abi.LICENSE_GPL, abi.LICENSE_GPL_V2) == ("GPL", "GPL v2")
    assert abi.IF == 1 << 9


def test_flag_words() -> None:
    assert [int(abi.RelocType[name]) for name in ("NONE", "CALL_REL", "JUMP_REL", "NOP")] == [0, 1, 2, 3]
    assert [int(flag) for flag in abi.PageFlag] == [1, 2, 4, 8, 0x10, 0x20, 0x40]
    assert abi.PageFlag.PD | abi.PageFlag.ZEROED | abi.PageFlag.CLONE == 0x62
    assert [int(flag) for flag in abi.PxeFlag] == [1, 2, 4, 8, 0x10, 0x20]
    assert abi.PXE_VA_MASK == 0xFFFFF000
    assert abi.PxeFlag(0xC0001011) & abi.PXE_VA_MASK == 0xC0001000
    assert (int(abi.FlushFlag.TLB), int(abi.FlushFlag.GLOBAL)) == (1, 2)
    assert [counter.name for counter in abi.Counter] == ["REAL", "AVAILABLE", "STOLEN"]
    assert (int(abi.AlarmFlag.PERIODIC), int(abi.AlarmFlag.LVTT), abi.ALARM_COUNTER_MASK) == (0x100, 0x10000, 0xFF)
    assert [(mode.name, int(mode)) for mode in abi.LazyMode] == [("NONE", 0), ("MMU", 1), ("CPU", 2)]
    assert (int(abi.RebootMode.SOFT), int(abi.RebootMode.HARD)) == (0, 1)


def test_a_call_is_found_by_number_and_by_name_in_any_case() -> None:
    assert load().call(38).name == load().call("setpxe").name == "SetPxE"
    with pytest.raises(KeyError):
        load().call("SetCR5")
    with pytest.raises(KeyError):
        load().call(74)


def test_every_entry_names_its_source() -> None:
    for generation in ("D", "B"):
        tables = load(generation)
        assert all(call.sections for call in tables.calls)
        assert all(enum.sections for enum in tables.enums)
        assert all(constant.sections for constant in tables.constants)
        assert all(structure.sections for structure in tables.structures)


def test_the_package_exports_every_generated_name() -> None:
    from openvmi.abi import _generated_enums, _generated_enums_b

    assert set(_generated_enums.__all__) | {"load"} == set(abi.__all__)
    assert set(_generated_enums_b.__all__) == set(generation_b.__all__)
