# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The VMI back end against synthetic ROMs: what it accepts, asks, patches and passes on."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi.abi import Call, RelocType

from ...mainline import order
from .harness import (
    CLOBBER_BITS,
    KERNEL_BASE,
    PCI_HEADER,
    ROM,
    SCRATCH,
    STACK,
    STRINGS,
    STUBS,
    WINDOW,
    Guest,
    RomCall,
    decode,
    rom_image,
)

NONE, CALL, JUMP, NOP = RelocType.NONE, RelocType.CALL_REL, RelocType.JUMP_REL, RelocType.NOP


def asked(guest: Guest) -> list[tuple[int, str]]:
    lines = (line.split() for line in guest.report())
    return [(int(words[1]), words[2]) for words in lines if words[0] == "call"]


@pytest.fixture
def active(probe: Path) -> Guest:
    """Return a guest that has activated a ROM which answers CALL_REL to everything."""
    guest = Guest(probe, bytes(rom_image()))
    guest.boot()
    guest.rom_calls.clear()
    return guest


# ---- Acceptance (vmi-abi.md 1.7) ----


def set_bytes(offset: int, data: bytes) -> Callable[[bytearray], None]:
    def change(image: bytearray) -> None:
        image[offset : offset + len(data)] = data

    return change


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (set_bytes(0, b"\xaa\x55"), "info rom none"),
        (set_bytes(8, b"cVmj"), "info rom none"),
        (set_bytes(0x0D, b"\x02"), "info vmi refused api-version"),
        (set_bytes(0x0D, b"\x0d"), "info vmi refused api-version"),
        (set_bytes(0x18, b"\0\0"), "info vmi refused no-pci-header"),
        (set_bytes(0x16, b"\0\0"), "info vmi refused license unspecified"),
        (set_bytes(STRINGS, b"BSD\0"), "info vmi refused license BSD"),
        (set_bytes(STRINGS, b"GPL v2 or later\0"), "info vmi refused license GPL v2 or later"),
        (set_bytes(STRINGS, b"GP\0"), "info vmi refused license GP"),
    ],
)
def test_a_rom_is_refused(probe: Path, change: Callable[[bytearray], None], line: str) -> None:
    image = rom_image()
    change(image)
    guest = Guest(probe, bytes(image))
    guest.boot()
    assert line in guest.report()
    assert guest.call("rpl") & 0xFFFFFFFF == 0
    assert guest.word("reserved_top") == 0
    assert guest.rom_calls == []
    assert "site IRET 1 0" in guest.report()


@pytest.mark.parametrize(
    "change",
    [
        set_bytes(STRINGS, b"GPL v2\0"),
        set_bytes(0x0C, b"\x07"),  # a newer minor version
        set_bytes(0x1A, b"\0\0"),  # no PnP header
        set_bytes(PCI_HEADER, b"XXXX"),  # its signature is not looked at
        set_bytes(2, b"\0"),  # nor the length, nor a checksum
    ],
)
def test_a_rom_is_accepted(probe: Path, change: Callable[[bytearray], None]) -> None:
    image = rom_image()
    change(image)
    guest = Guest(probe, bytes(image))
    guest.boot()
    assert "info vmi active cpl 0" in guest.report()


def test_foreign_pci_ids_only_warn(probe: Path) -> None:
    image = rom_image()
    set_bytes(PCI_HEADER + 4, b"\x34\x12")(image)
    guest = Guest(probe, bytes(image))
    guest.boot()
    assert "info rom-warning the PCI ids are not 15ad:0801" in guest.report()
    assert "info vmi active cpl 0" in guest.report()


def test_a_refused_rom_does_not_end_the_search(probe: Path) -> None:
    guest = Guest(probe, bytes(rom_image()))
    bad = rom_image()
    set_bytes(0x0D, b"\x02")(bad)
    guest.uc.mem_write(WINDOW, bytes(bad))
    guest.boot()
    assert guest.report()[0] == "info rom found 0xc8000"


def test_the_first_refusal_is_told(probe: Path) -> None:
    guest = Guest(probe, bytes(rom_image()))
    for address, offset, data in ((WINDOW, 0x0D, b"\x02"), (ROM, 0x18, b"\0\0")):
        bad = rom_image()
        set_bytes(offset, data)(bad)
        guest.uc.mem_write(address, bytes(bad))
    guest.boot()
    assert guest.report()[0] == "info rom found 0xc0000"
    assert "info vmi refused api-version" in guest.report()


@pytest.mark.parametrize(("offset", "found"), [(0x1F800, True), (0x20000, False), (0x8400, False)])
def test_the_window_and_its_steps(probe: Path, offset: int, found: bool) -> None:  # noqa: FBT001 - a parameter
    image = rom_image()
    struct.pack_into("<HH", image, 0x16, 0x90, 0x98)
    image[0x90:0x94] = b"BSD\0"
    guest = Guest(probe)
    guest.uc.mem_write(WINDOW + offset, bytes(image))
    guest.boot()
    assert (guest.report()[0] != "info rom none") == found


def test_what_is_found_is_reported(active: Guest) -> None:
    assert active.report()[:6] == [
        "info rom found 0xc8000",
        "info rom-version 3.0",
        "info rom-build 1.7",
        "info rom-manufacturer A maker",
        "info rom-product A product",
        "info vmi active cpl 0",
    ]
    assert active.word("reserved_top") == 0xFC000000


def test_a_declining_rom_leaves_the_kernel_native(probe: Path) -> None:
    guest = Guest(probe, bytes(rom_image(init_result=0xFFFFFFFF)))
    guest.boot()
    assert "info vmi declined -1" in guest.report()
    assert asked(guest) == []
    assert all(line.endswith(" 0") for line in guest.report() if line.startswith("site "))
    assert guest.word("reserved_top") == 0xFC000000


# ---- What is asked, in which order ----


def test_services_are_asked_for_in_mainlines_order(active: Guest, pae: bool) -> None:  # noqa: FBT001 - a fixture
    calls = [call for call, _ in asked(active)]
    services = order(pae=pae)
    assert calls[: len(services)] == services
    assert sorted(calls[len(services) :]) == [29, 30, 31, 32, 33, 34]


def test_without_a_timer_only_its_presence_is_asked(probe: Path, pae: bool) -> None:  # noqa: FBT001 - a fixture
    guest = Guest(probe, bytes(rom_image({66: NONE})))
    guest.boot()
    services = order(pae=pae, clocks=[66])
    assert [call for call, _ in asked(guest)][: len(services)] == services
    assert guest.call("alarm_present") & 0xFF == 0
    unwanted = Guest(probe, bytes(rom_image()))
    unwanted.uc.mem_write(unwanted.symbols["paravirt_want_timer"], b"\0")
    unwanted.boot()
    assert 66 not in [call for call, _ in asked(unwanted)]


@pytest.mark.parametrize("missing", [67, 68, 69, 70])
def test_half_a_timer_is_none(probe: Path, missing: int) -> None:
    guest = Guest(probe, bytes(rom_image({missing: NONE})))
    guest.boot()
    assert guest.call("alarm_present") & 0xFF == 0


def test_frequency_zero_is_no_timer(probe: Path) -> None:
    guest = Guest(probe, bytes(rom_image(frequency=0)))
    guest.boot()
    assert guest.call("alarm_present") & 0xFF == 0


# ---- The four answers (vmi-abi.md 2.7) ----

FILLED = {28: "clts", 20: "read_cr2", 21: "read_cr3", 17: "write_cr3", 65: "io_delay", 46: "invlpg", 61: "set_iopl"}
FILLED |= {3: "load_gdt", 35: "safe_halt", 19: "read_cr0", 24: "set_dr", 63: "apic_write", 27: "read_tsc"}
WRAPPED = {0: "cpuid", 6: "load_tr", 4: "load_ldt", 11: "write_gdt_entry", 14: "update_kernel_stack"}
WRAPPED |= {73: "lazy_mode_mmu", 47: "flush_tlb", 62: "startup_ap", 44: "paging_alloc_root", 48: "linear_mapping"}


def is_native(guest: Guest, operation: str) -> bool:
    index = guest.operations().index(operation)
    now = guest.read(guest.symbols["pv_ops"] + 4 * index, 4)
    return now == guest.read(guest.symbols["pv_natives"] + 8 * index, 4)


@pytest.mark.parametrize(("call", "operation"), FILLED.items())
def test_answers_for_filled_operations(probe: Path, call: int, operation: str) -> None:
    for answer in (NONE, JUMP, NOP, CALL):
        guest = Guest(probe, bytes(rom_image({call: answer})))
        guest.boot()
        assert guest.panic() is None
        assert is_native(guest, operation) == (answer in {NONE, JUMP})
        if answer == NOP:
            site = guest.site(operation)
            assert [i.mnemonic for i in decode(guest.read(site.address, site.length))] in (["lea"], ["lea", "lea"])


@pytest.mark.parametrize(("call", "operation"), WRAPPED.items())
def test_answers_for_wrapped_operations(probe: Path, call: int, operation: str) -> None:
    for answer in (NONE, NOP, CALL):
        guest = Guest(probe, bytes(rom_image({call: answer})))
        guest.boot()
        assert guest.panic() is None
        assert is_native(guest, operation) == (answer != CALL)
    guest = Guest(probe, bytes(rom_image({call: JUMP})))
    guest.boot()
    assert guest.panic() == f"paravirt: only IRET and SYSEXIT may be answered JUMP_REL: {Call(call).name}"


@pytest.mark.parametrize("call", [67, 68, 69, 70])
def test_a_jump_to_the_timer_is_fatal(probe: Path, call: int) -> None:
    guest = Guest(probe, bytes(rom_image({call: JUMP})))
    guest.boot()
    assert guest.panic() == "paravirt: a timer call was answered JUMP_REL"


PATCHED = {29: "irq_enable", 30: "irq_disable", 31: "save_flags", 32: "restore_flags"}


@pytest.mark.parametrize(("call", "operation"), (PATCHED | {33: "iret", 34: "sti_sysexit"}).items())
def test_answers_for_patched_sites(probe: Path, call: int, operation: str) -> None:
    stub = ROM + STUBS + 16 * call
    # A jump from a site that shall return is what the ROM asked for; with 32 the patcher itself is lost at once.
    for answer, mnemonic in ((CALL, "call"), (JUMP, "jmp"))[: 1 if call == Call.SetInterruptMask else 2]:
        guest = Guest(probe, bytes(rom_image({call: answer})))
        guest.boot()
        for site in guest.sites():
            if guest.operations()[site.type] != operation:
                continue
            [transfer] = decode(guest.read(site.address, site.length), site.address)
            assert transfer.mnemonic.split()[-1] == mnemonic
            assert int(transfer.op_str, 16) == stub
    guest = Guest(probe, bytes(rom_image({call: NONE})))
    guest.boot()
    site = guest.site(operation)
    code = guest.read(site.address, site.length)
    if call in PATCHED:
        assert code.endswith(guest.template(site))
    else:
        assert (
            int(decode(code, site.address)[0].op_str, 16)
            == guest.symbols[f"pv_vmi_no_{operation.rsplit('_', maxsplit=1)[-1]}"]
        )


@pytest.mark.parametrize(("operation", "word"), [("iret", "IRET"), ("sti_sysexit", "SYSEXIT")])
def test_a_missing_way_back_says_so(probe: Path, operation: str, word: str) -> None:
    call = {"iret": 33, "sti_sysexit": 34}[operation]
    for answer in (NONE, NOP):
        guest = Guest(probe, bytes(rom_image({call: answer})))
        guest.boot()
        guest.run_site(guest.site(operation))
        assert (guest.panic() or "").startswith(f"paravirt: the ROM is active but has no {word}")


@pytest.mark.parametrize(
    ("call", "answer", "stub", "copied"),
    [
        (33, JUMP, b"\xcf", True),
        (34, JUMP, b"\xfb\x0f\x35", True),
        (33, CALL, b"\xcf", False),  # the return address would be taken for the frame
        (30, CALL, b"\xfa\xc3", True),
        (29, CALL, b"\xfb\x90\xc3", False),
        (31, CALL, b"\x9c\x58\xc3", False),  # its sites have no template to compare with
    ],
)
def test_a_stub_that_is_the_bare_instruction_is_copied(
    probe: Path,
    call: int,
    answer: RelocType,
    stub: bytes,
    copied: bool,  # noqa: FBT001 - a table's column
) -> None:
    image = rom_image({call: answer})
    set_bytes(STUBS + 16 * call, stub)(image)
    guest = Guest(probe, bytes(image))
    guest.boot()
    site = guest.site((PATCHED | {33: "iret", 34: "sti_sysexit"})[call])
    transferred = guest.read(site.address, site.length)[-5] in b"\xe8\xe9"
    assert transferred != copied
    if copied:
        assert guest.read(site.address, site.length) == guest.template(site).rjust(6, b"\x3e")
    words = next(line.split() for line in guest.report() if line.startswith(f"site {Call(call).name} "))
    assert words[2] == words[3]


def test_everything_none_but_the_way_back_stays_inline(probe: Path) -> None:
    guest = Guest(probe, bytes(rom_image({33: JUMP, 34: JUMP}, default=NONE)))
    guest.boot()
    lines = [line for line in guest.report() if line.startswith("site ") and not line.endswith(" 0")]
    assert lines == ["site IRET 1 1", "site SYSEXIT 1 1"]


def test_sites_are_counted_by_call(active: Guest) -> None:
    sites = [line.split() for line in active.report() if line.startswith("site ")]
    assert sum(int(count) for _, _, count, _ in sites) == len(list(active.sites()))
    assert all(count == patched for _, _, count, patched in sites)
    assert len({name for _, name, _, _ in sites}) == len(sites)


# ---- What arrives in the ROM ----

VA, ENTRY, PFN = 0x08049123, SCRATCH + 0x10, 0x1234


def seen(guest: Guest, name: str, *arguments: int) -> RomCall:
    guest.rom_calls.clear()
    guest.call(name, *arguments)
    assert guest.panic() is None
    assert len(guest.rom_calls) == 1
    return guest.rom_calls[0]


@pytest.mark.parametrize(
    ("name", "flags"), [("set_pte", 1), ("set_pde", 2), ("set_pdpte", 4), ("set_pte_at", 0x11 | (VA & ~0xFFF))]
)
def test_entry_changes(active: Guest, pae: bool, name: str, flags: int) -> None:  # noqa: FBT001 - a fixture
    value = (0x25, 0x80000001) if pae else (0x25,)
    # A 64-bit argument that doesn't fit into the registers any more is on the stack.
    arguments = (VA, ENTRY, *((0,) if pae else ()), *value) if name == "set_pte_at" else (ENTRY, *value)
    got = seen(active, f"site_{name}", *arguments)
    if pae:
        assert got == RomCall(39, 0x25, 0x80000001, ENTRY, (flags, got.stack[1]))
    else:
        assert got == RomCall(38, 0x25, ENTRY, flags, got.stack)


def test_changing_bits_and_telling(active: Guest, pae: bool) -> None:  # noqa: FBT001 - a fixture
    active.uc.mem_write(ENTRY, struct.pack("<I", 0x1067))
    got = seen(active, "clear_bits", VA, ENTRY, 2)
    assert (got.call, got.eax, got.edx) == (41 if pae else 40, ENTRY, 0x11 | (VA & ~0xFFF))
    assert active.read(ENTRY, 4) == struct.pack("<I", 0x1065)


def test_a_switch_is_one_stretch(active: Guest) -> None:
    active.uc.mem_write(SCRATCH, bytes(104))
    active.call("site_start_switch")
    active.call("site_finish_switch", SCRATCH, 0xC0155000)
    assert [(c.call, c.eax) for c in active.rom_calls] == [(73, 2), (14, 0x10), (73, 0)]
    assert active.read(SCRATCH + 4, 4) == struct.pack("<I", 0xC0155000)


@pytest.mark.parametrize(("missing", "calls"), [(73, [14]), (14, [73, 73])])
def test_a_switch_without_one_of_its_calls(probe: Path, missing: int, calls: list[int]) -> None:
    guest = Guest(probe, bytes(rom_image({missing: NONE})))
    guest.boot()
    guest.rom_calls.clear()
    guest.call("site_start_switch")
    guest.call("site_finish_switch", SCRATCH, 0xC0155000)
    assert [c.call for c in guest.rom_calls] == calls
    assert guest.read(SCRATCH + 4, 4) == struct.pack("<I", 0xC0155000)


def test_clearing_an_entry(active: Guest, pae: bool) -> None:  # noqa: FBT001 - a fixture
    flags = 0x11 | (VA & ~0xFFF)
    got = seen(active, "site_pte_clear", VA, ENTRY)
    if pae:
        assert got == RomCall(39, 0, 0, ENTRY, (flags, got.stack[1]))
    else:
        assert got == RomCall(38, 0, ENTRY, flags, got.stack)


@pytest.mark.parametrize(
    ("name", "arguments", "flags"),
    [
        ("pte_update", (VA, ENTRY), 0x11 | (VA & ~0xFFF)),
        ("pte_update_defer", (VA, ENTRY), 0x31 | (VA & ~0xFFF)),
        ("pte_update_other", (ENTRY,), 1),
    ],
)
def test_updates(active: Guest, pae: bool, name: str, arguments: tuple[int, ...], flags: int) -> None:  # noqa: FBT001
    got = seen(active, f"site_{name}", *arguments)
    assert (got.call, got.eax, got.edx) == (41 if pae else 40, ENTRY, flags)


@pytest.mark.parametrize(
    ("name", "arguments", "call", "flags", "rest"),
    [
        ("paging_alloc_pt", (PFN,), 44, 0x41, (0, 0, 0)),
        ("paging_alloc_pd", (PFN,), 44, 0x02, (0, 0, 0)),
        ("paging_alloc_root", (PFN, 0x101, 768, 256), 44, 0x62, (0x101, 768, 256)),
        ("paging_release_pt", (PFN,), 45, 0x41, None),
        ("paging_release_pd", (PFN,), 45, 0x42, None),
        ("paging_release_root", (PFN,), 45, 0x42, None),
    ],
)
def test_paging_structures(  # noqa: PLR0913, PLR0917 - a table's columns
    active: Guest,
    pae: bool,  # noqa: FBT001 - a fixture
    name: str,
    arguments: tuple[int, ...],
    call: int,
    flags: int,
    rest: tuple[int, int, int] | None,
) -> None:
    got = seen(active, f"site_{name}", *arguments)
    assert (got.call, got.eax, got.edx) == (call, PFN, flags | (0x10 if pae else 0))
    if rest is not None:
        assert (got.ecx, *got.stack) == rest


def test_other_arguments(active: Guest) -> None:
    got = seen(active, "site_write_idt_entry", 0xC0002000, 14, 0x11112222, 0x33334444)
    assert (got.call, got.eax, got.edx, got.ecx, got.stack[0]) == (13, 0xC0002000, 14, 0x11112222, 0x33334444)
    got = seen(active, "site_update_kernel_stack", SCRATCH, 0xC0155000)
    assert (got.call, got.eax, got.edx) == (14, 0x10, 0xC0155000)
    assert active.read(SCRATCH + 4, 4) == struct.pack("<I", 0xC0155000)
    got = seen(active, "site_linear_mapping", 1, 0xC0800000, 1, 0x777)
    assert (got.call, got.eax, got.edx, got.ecx, got.stack[0]) == (48, 1, 0xC0800000, 1, 0x777)
    got = seen(active, "site_startup_ap", 3, SCRATCH)
    assert (got.call, got.eax, got.edx) == (62, SCRATCH, 3)
    assert [seen(active, f"site_{name}").eax for name in ("flush_tlb", "flush_tlb_global")] == [1, 3]
    got = seen(active, "site_apic_write", 0xB0, 5)
    assert (got.call, got.eax, got.edx) == (63, 0xB0, 5)


def test_an_ldt_is_a_descriptor_and_a_selector(active: Guest) -> None:
    active.call("use_ldt", SCRATCH, 0x12345678, 2)
    entry, load = active.rom_calls
    assert (entry.call, entry.eax, entry.edx) == (11, SCRATCH, 6)
    assert (entry.ecx, entry.stack[0]) == (0x5678000F, 0x12008234)
    assert (load.call, load.eax & 0xFFFF) == (4, 0x30)
    assert seen(active, "use_ldt", SCRATCH, 0, 0).eax & 0xFFFF == 0


def test_low_memory_is_announced_on_every_cpu(probe: Path) -> None:
    guest = Guest(probe, bytes(rom_image()))
    guest.boot()
    assert [(c.call, c.eax, c.edx, c.ecx, c.stack[0]) for c in guest.rom_calls if c.call == 48] == [
        (48, 0, KERNEL_BASE, 0x38000, 0)
    ]
    guest.set_word("paravirt_lowmem_pages", 0x8000)
    got = seen(guest, "start_cpu")
    assert (got.call, got.eax, got.edx, got.ecx, got.stack[0]) == (48, 0, KERNEL_BASE, 0x8000, 0)


def test_lazy_modes_do_not_nest(active: Guest) -> None:
    modes = ("site_lazy_mode_cpu", "site_lazy_mode_none", "site_lazy_mode_mmu", "site_lazy_mode_none")
    assert [(seen(active, name).call, active.rom_calls[0].eax) for name in modes] == [
        (73, mode) for mode in (2, 0, 1, 0)
    ]
    active.call("site_lazy_mode_mmu")
    active.set_word("cpu_number", 1)
    active.call("site_lazy_mode_cpu")  # another CPU's is another matter
    assert active.panic() is None
    active.call("site_lazy_mode_mmu")
    assert active.panic() == "paravirt: lazy modes nested"


def test_alarms(active: Guest) -> None:
    now_low, now_high = 0xFFFF0000 + 67, 0xDDDD0000 + 67  # what the synthetic counter reads
    assert active.call("alarm_present") & 1
    active.call("alarm_periodic", 100)
    alarm = active.rom_calls[-1]
    assert (alarm.call, alarm.eax) == (68, 0x101)
    assert (alarm.edx, alarm.ecx) == (now_low + 20_000_000 - 2**32, now_high + 1)
    assert alarm.stack == (20_000_000, 0)
    assert active.rom_calls[0].eax == 1
    active.call("alarm_lvtt")
    active.call("alarm_oneshot", 5)
    alarm = active.rom_calls[-1]
    assert (alarm.eax, alarm.edx, alarm.ecx, alarm.stack) == (0x10000, now_low + 5, now_high, (0, 0))
    active.rom_calls.clear()
    active.call("alarm_cancel")
    assert [(c.call, c.eax) for c in active.rom_calls] == [(69, 0), (69, 1)]
    assert active.call("site_clock_khz") & 0xFFFFFFFF == 2_000_000
    assert active.call("site_clock_cycles") == now_high << 32 | now_low


def test_a_fast_clock_needs_64_bits(probe: Path) -> None:
    guest = Guest(probe, bytes(rom_image(frequency=4_000_000_000_000)))
    guest.boot()
    assert guest.call("site_clock_khz") & 0xFFFFFFFF == 4_000_000_000
    guest.call("alarm_periodic", 100)
    assert guest.rom_calls[-1].stack == (40_000_000_000 & 0xFFFFFFFF, 40_000_000_000 >> 32)


# ---- Registers survive what a ROM may destroy ----


SAFE = {name: SCRATCH + 64 * index for index, name in enumerate(("eax", "ebx", "ecx", "edx", "esi", "edi"))}


def test_call_sites_keep_their_promises_under_a_rom(active: Guest) -> None:
    """The stubs destroy EAX, EDX and ECX; only what a site's mask gives up may change."""
    inline = {site.type for site in active.inline_sites()}
    for site in active.sites():
        name = active.operations()[site.type]
        if name in {"iret", "sti_sysexit", "cpuid"} or site.type in inline:
            continue
        active.call("site_lazy_mode_none")
        after = active.run_site(site, **SAFE)
        for register, value in SAFE.items():
            if not site.clobbers & CLOBBER_BITS.get(register, 0):
                assert after[register] == value, (name, register)
        assert active.panic() is None, name


RESULTS = {"save_flags", "read_cr2", "read_cr3", "apic_read", "clock_khz", "start_switch"}


def test_inline_sites_keep_every_register_under_a_rom(active: Guest) -> None:
    for site in active.inline_sites():
        name = active.operations()[site.type]
        active.call("site_lazy_mode_none")
        active.rom_calls.clear()
        after = active.run_site(site, **SAFE)
        changed = [register for register, value in SAFE.items() if after[register] != value]
        assert len(changed) == (name in RESULTS), (name, changed)
        assert after["esp"] == STACK, name
        assert active.rom_calls or name == "clock_khz", name
        assert active.panic() is None, name


def test_results_arrive(active: Guest) -> None:
    assert active.call("site_read_cr2") & 0xFFFFFFFF == 0xFFFF0000 + 20
    assert active.call("site_read_cr3") & 0xFFFFFFFF == 0xFFFF0000 + 21
    assert active.call("site_apic_read", 0x20) & 0xFFFFFFFF == 0xFFFF0000 + 64
    assert active.call("irq_save_restore", 0x200) & 0xFFFFFFFF == 0x200
    assert active.rom_calls[-1].eax == 0x200


def test_an_erased_inline_site_executes_nothing(probe: Path) -> None:
    guest = Guest(probe, bytes(rom_image({46: NOP, 17: NOP, 31: NOP, 32: NOP})))
    guest.boot()
    for name in ("invlpg", "write_cr3", "save_flags", "restore_flags"):
        site = guest.inline_site(name)
        assert [i.mnemonic for i in decode(guest.read(site.address, site.length))] == ["lea"]
