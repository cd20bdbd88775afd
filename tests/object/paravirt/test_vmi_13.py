# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The layer compiled for API 13.3, against a ROM of that generation: what it takes, and what arrives there."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from openvmi.abi import RelocType
from openvmi.abi.generation_b import CALL_COUNT, SLOT_SIZE, Call

from .harness import ROM, SCRATCH, Guest, RomCall, build, rom_image

TABLE, STUBS13 = 0x1000, 0x1300
VA, ENTRY, PFN = 0x08049123, SCRATCH + 0x10, 0x1234
AT = 0x11 | (VA & ~0xFFF)
FLAGS = {Call.EnableInterrupts, Call.DisableInterrupts, Call.SetInterruptMask, Call.GetInterruptMask}


def rom_13(*, minor: int = 3, major: int = 13) -> bytes:
    """Return a ROM whose slots 4 and 85 are there, and whose calls destroy what they may."""
    image = rom_image()
    image[0x10:0x1800] = bytes(0x1800 - 0x10)
    struct.pack_into("<BB", image, 12, minor, major)
    image[SLOT_SIZE * Call.Init : SLOT_SIZE * Call.Init + 3] = bytes.fromhex("31c0c3")
    query = (
        b"\x8b\x14\xc5"
        + struct.pack("<I", ROM + TABLE + 4)
        + b"\x8b\x04\xc5"
        + struct.pack("<I", ROM + TABLE)
        + b"\xc3"
    )
    image[SLOT_SIZE * Call.GetRelocationInfo : SLOT_SIZE * Call.GetRelocationInfo + len(query)] = query
    for call in Call:
        struct.pack_into("<II", image, TABLE + 8 * call, ROM + STUBS13 + 16 * call, RelocType.CALL_REL)
        code = b"\x90\xc3" if call in FLAGS else bytes.fromhex("b8ee00eeee baddddddee b9ccccccee c3")
        if call is Call.GetCycleFrequency:
            code = bytes.fromhex("31c0 31d2 c3")
        image[STUBS13 + 16 * call : STUBS13 + 16 * call + len(code)] = code
    return bytes(image)


@pytest.fixture(scope="module", params=[False, True], ids=["legacy", "pae"])
def pae(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def older(pae: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: FBT001 - a fixture
    return build(tmp_path_factory.mktemp("probe13"), paravirt=True, pae=pae, abi="firmware/include13")


def booted(elf: Path, rom: bytes) -> Guest:
    guest = Guest(elf, rom, STUBS13, CALL_COUNT)
    guest.boot()
    return guest


@pytest.fixture
def active(older: Path) -> Guest:
    guest = booted(older, rom_13())
    guest.set_word("lapic_base", 0xFFFE0000)
    return guest


def seen(guest: Guest, name: str, *arguments: int) -> RomCall:
    guest.rom_calls.clear()
    guest.call(name, *arguments)
    assert guest.panic() is None
    (got,) = guest.rom_calls
    return got


def test_it_is_taken_by_signature_and_version(active: Guest, older: Path) -> None:
    """No licence, no PCI data is asked for; the top 64 MiB are the hypervisor's."""
    report = active.report()
    assert {"info rom-version 13.3", "info vmi active cpl 0"} <= set(report)
    assert active.call("top") & 0xFFFFFFFF == 0xFC000000
    for rom in (rom_13(minor=2), rom_13(major=3), bytes(rom_image())):
        assert "info vmi refused api-version" in booted(older, rom).report()


def test_low_memory_is_announced(older: Path) -> None:
    guest = booted(older, rom_13())
    (got,) = (call for call in guest.rom_calls if call.call == Call.SetLinearMapping)
    assert (got.eax, got.edx, got.ecx, got.stack[0]) == (0, 0xC0000000, 0x38000, 0)


@pytest.mark.parametrize(("name", "flags"), [("set_pte", 1), ("set_pde", 2), ("set_pdpte", 4), ("set_pte_at", AT)])
def test_entry_changes(active: Guest, pae: bool, name: str, flags: int) -> None:  # noqa: FBT001 - a fixture
    value = (0x25, 0x80000001) if pae else (0x25,)
    arguments = (VA, ENTRY, *((0,) if pae else ()), *value) if name == "set_pte_at" else (ENTRY, *value)
    got = seen(active, f"site_{name}", *arguments)
    if pae:
        assert got == RomCall(Call.SetPxELong, 0x25, 0x80000001, ENTRY, (flags, got.stack[1]))
    else:
        assert got == RomCall(Call.SetPxE, 0x25, ENTRY, flags, got.stack)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("pte_update", (VA, ENTRY)), ("pte_update_defer", (VA, ENTRY)), ("pte_update_other", (ENTRY,))],
)
def test_an_update_is_a_change_of_a_bit_that_nobody_uses(
    active: Guest,
    pae: bool,  # noqa: FBT001 - a fixture
    name: str,
    arguments: tuple[int, ...],
) -> None:
    got = seen(active, f"site_{name}", *arguments)
    call = Call.TestAndClearPxELongBit if pae else Call.TestAndClearPxEBit
    assert (got.call, got.eax, got.edx) == (call, ENTRY, 11)


@pytest.mark.parametrize(
    ("name", "arguments", "flags", "rest"),
    [
        ("paging_alloc_pt", (PFN,), (1, 5), (0, 0, 0)),
        ("paging_alloc_pd", (PFN,), (2, 6), (0, 0, 0)),
        ("paging_alloc_root", (PFN, 0x101, 768, 256), (2, 4), (0x101, 768, 256)),
        ("paging_release_pt", (PFN,), (1, 5), None),
        ("paging_release_pd", (PFN,), (2, 6), None),
        ("paging_release_root", (PFN,), (2, 4), None),
    ],
)
def test_paging_structures(  # noqa: PLR0913, PLR0917 - a table's columns
    active: Guest,
    pae: bool,  # noqa: FBT001 - a fixture
    name: str,
    arguments: tuple[int, ...],
    flags: tuple[int, int],
    rest: tuple[int, int, int] | None,
) -> None:
    got = seen(active, f"site_{name}", *arguments)
    call = Call.ReleasePage if rest is None else Call.AllocatePage
    assert (got.call, got.eax, got.edx) == (call, PFN, flags[pae])
    if rest is not None:
        assert (got.ecx, *got.stack) == rest


def test_stack_and_queues(active: Guest) -> None:
    got = seen(active, "site_update_kernel_stack", SCRATCH, 0xC0155000)
    assert (got.call, got.eax, got.edx) == (Call.UpdateKernelStack, SCRATCH, 0xC0155000)
    assert active.read(SCRATCH + 4, 4) == struct.pack("<I", 0xC0155000)
    active.rom_calls.clear()
    active.call("site_start_switch")
    active.call("site_finish_switch", SCRATCH, 0xC0156000)
    calls = [(call.call, call.eax) for call in active.rom_calls]
    assert calls == [(Call.UpdateKernelStack, SCRATCH), (Call.FlushDeferredCalls, 0x40)]
    assert seen(active, "site_lazy_mode_none").eax == 0xC0
    active.rom_calls.clear()
    for name in ("site_lazy_mode_mmu", "site_lazy_mode_cpu"):
        active.call(name)
    assert active.rom_calls == []


def test_the_local_apic_is_reached_at_its_address(active: Guest) -> None:
    got = seen(active, "site_apic_write", 0xB0, 5)
    assert (got.call, got.eax, got.edx) == (Call.APICWrite, 0xFFFE00B0, 5)
    got = seen(active, "site_apic_read", 0x20)
    assert (got.call, got.eax) == (Call.APICRead, 0xFFFE0020)


def test_frequency_zero_is_no_timer(active: Guest) -> None:
    assert active.call("alarm_present") & 1 == 0
