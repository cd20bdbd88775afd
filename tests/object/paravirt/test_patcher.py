# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Patch sites and what the patcher makes of them where no ROM is."""

from __future__ import annotations

import struct
from pathlib import Path

import capstone
import pytest
from elftools.elf.elffile import ELFFile
from unicorn import unicorn_const as uc_const

from openvmi import images

from .harness import CLOBBER_BITS, KERNEL_BASE, SCRATCH, Guest, InlineSite, Site, decode, symbols

JUMPS = {"iret", "sti_sysexit"}
CALLED = {"get_dr", "set_dr", "flush_tlb_global"}  # longer than a site
PREFIX = 0x3E


@pytest.fixture(scope="module")
def fresh(probe: Path) -> Guest:
    return Guest(probe)


@pytest.fixture(scope="module")
def patched(probe: Path) -> Guest:
    guest = Guest(probe)
    guest.boot()
    return guest


def text(guest: Guest, site: Site | InlineSite) -> bytes:
    return guest.read(site.address, site.length)


def test_every_operation_has_a_site(fresh: Guest) -> None:
    names = fresh.operations()
    assert len(names) > 60
    assert {names[site.type] for site in fresh.sites()} == set(names)


def test_records_point_at_indirect_transfers_through_their_word(fresh: Guest) -> None:
    for site in fresh.sites():
        name = fresh.operations()[site.type]
        opcode, modrm, word = struct.unpack("<BBI", text(fresh, site)[:6])
        assert (opcode, modrm) == (0xFF, 0x25 if name in JUMPS else 0x15), name
        assert word == fresh.symbols["pv_ops"] + 4 * site.type, name
        assert 6 <= site.length <= 15
        assert text(fresh, site)[6:] == b"\x90" * (site.length - 6)


def test_masks_allow_what_the_native_code_writes(fresh: Guest) -> None:
    for site in fresh.sites():
        name = fresh.operations()[site.type]
        written = set()
        for instruction in decode(fresh.template(site)):
            written |= {instruction.reg_name(register) for register in instruction.regs_access()[1]}
        if name not in {"iret", "sti_sysexit", "get_dr", "set_dr", "flush_tlb_global"}:
            mask = sum(bit for register, bit in CLOBBER_BITS.items() if register in written)
            assert mask & ~site.clobbers == 0, name
            assert not written & {"esi", "edi", "ebp"}, name


@pytest.mark.parametrize("image", ["guest.elf", "guest-pae.elf"])
def test_no_stub_of_the_kernel_addresses_its_operands_by_the_stack_pointer(image: str) -> None:
    kernel = Guest(images.path(image))
    for site in kernel.inline_sites():
        call = struct.pack("<BBI", 0xFF, 0x15, kernel.symbols["pv_ops"] + 4 * site.type)
        stub = kernel.read(site.stub, 64).partition(call)[0]
        operands = [instruction.op_str for instruction in decode(stub)]
        # its own word, pushed just before, is another matter
        assert not [text for text in operands if "esp" in text and text != "dword ptr [esp], eax"], hex(site.address)


def test_flag_sites_promise_to_destroy_nothing(fresh: Guest) -> None:
    masks = {fresh.operations()[site.type]: site.clobbers for site in fresh.sites()}
    assert [masks[name] for name in ("irq_disable", "irq_enable", "restore_flags", "save_flags")] == [0, 0, 0, 1]


# What each inline site executes natively: the instructions of a plain kernel.
INLINE = {
    "save_flags": ["pushfd", "pop"],
    "restore_flags": ["push", "popfd"],
    "invlpg": ["invlpg"],
    "flush_tlb": ["mov", "mov"],
    "pte_update_defer": ["nop"],
    "start_switch": ["mov"],
}


@pytest.mark.parametrize("when", ["unpatched", "patched"])
def test_inline_sites_are_native_code(probe: Path, pae: bool, when: str) -> None:  # noqa: FBT001 - a fixture
    guest = Guest(probe)
    if when == "patched":
        guest.boot()
    expected = INLINE | {name: ["mov"] * (1 + pae) for name in ("set_pte", "set_pte_at", "set_pde", "pte_clear")}
    for site in guest.inline_sites():
        name, code = guest.operations()[site.type], text(guest, site)
        instructions = decode(code)
        if name in expected:
            assert [i.mnemonic.split()[-1] for i in instructions] == expected[name], name
        assert 5 <= site.length <= 30
        assert len(instructions) <= 2
        prefixes = len(code) - len(code.lstrip(bytes([PREFIX])))
        assert prefixes == 0 or site.length == 5, name


def test_every_inline_site_has_a_stub_with_a_call_site(fresh: Guest) -> None:
    calls = {site.address: site.type for site in fresh.sites()}
    for site in fresh.inline_sites():
        inside = [address for address in calls if site.stub <= address < site.stub + 40]
        assert calls[min(inside)] == site.type
        assert not site.address <= site.stub < site.address + site.length


def test_templates_that_fit_are_position_independent(fresh: Guest) -> None:
    for site in fresh.sites():
        if len(fresh.template(site)) > site.length:
            continue
        for instruction in decode(fresh.template(site)):
            assert not {capstone.CS_GRP_JUMP, capstone.CS_GRP_CALL, capstone.CS_GRP_RET} & set(instruction.groups)


def test_native_sites_hold_the_template_stretched_by_prefixes(patched: Guest) -> None:
    for site in patched.sites():
        name, code, template = patched.operations()[site.type], text(patched, site), patched.template(site)
        if name in CALLED:
            continue
        if not template:
            assert len(decode(code)) == 1, name
            assert decode(code)[0].mnemonic in {"lea", "nop"}, name
            continue
        prefixes = site.length - len(template)
        assert code == bytes([PREFIX] * prefixes) + template, name
        ours, native = decode(code), decode(template)
        assert [i.mnemonic.split()[-1] for i in ours] == [i.mnemonic for i in native], name
        assert [i.op_str.replace("ds:", "") for i in ours] == [i.op_str for i in native], name
        assert ours[0].size <= 15


def test_what_does_not_fit_is_called(patched: Guest) -> None:
    for name in CALLED:
        site = patched.site(name)
        [call] = decode(text(patched, site), site.address)
        assert call.mnemonic.endswith("call")
        assert int(call.op_str, 16) == patched.symbols[f"pv_native_{name}"]


def test_no_site_stays_indirect(patched: Guest) -> None:
    for site in patched.sites():
        assert text(patched, site)[:1] != b"\xff", patched.operations()[site.type]


def test_a_second_run_writes_nothing(patched: Guest) -> None:
    writes = []
    low, data = patched.sections[".text"]
    hook = patched.uc.hook_add(
        uc_const.UC_HOOK_MEM_WRITE,
        lambda _uc, _access, address, *_: writes.append(address),
        begin=low,
        end=low + len(data) - 1,
    )
    patched.call("patch")
    patched.uc.hook_del(hook)
    assert writes == []


@pytest.mark.parametrize("when", ["unpatched", "patched"])
def test_operations_keep_their_promises(probe: Path, when: str) -> None:
    guest = Guest(probe)
    if when == "patched":
        guest.boot()
    for name in (
        "irq_disable",
        "irq_enable",
        "clts",
        "read_tsc",
        "lazy_mode_mmu",
        "flush_tlb_global",
        "linear_mapping",
    ):
        site = guest.site(name)
        before = {"eax": 0x202, "ecx": 0x12345678, "edx": 0x9ABCDEF0}
        after = guest.run_site(site, **before)
        for register, bit in CLOBBER_BITS.items():
            if not site.clobbers & bit:
                assert after[register] == before.get(register, 0x5A000001), (name, register)


def test_irq_save_and_restore(patched: Guest) -> None:
    assert patched.call("irq_save_restore", 0x202) & 0x200 == 0
    assert patched.registers()["eflags"] & 0x200
    patched.call("irq_save_restore", 2)
    assert not patched.registers()["eflags"] & 0x200


def test_write_protection_is_lifted_and_put_back(probe: Path) -> None:
    guest = Guest(probe)
    guest.call("site_write_cr0", 0x00010011)
    guest.boot()
    assert guest.call("site_read_cr0") & 0x00010000


def test_a_damaged_record_is_told(probe: Path) -> None:
    guest = Guest(probe)
    address, _ = guest.sections[".parainstructions"]
    guest.uc.mem_write(address + 5, b"\x10")
    guest.boot()
    assert guest.panic() == "paravirt: damaged patch-site record"


def test_without_the_layer_there_is_no_trace_of_it(plain: Path) -> None:
    with plain.open("rb") as file:
        elf = ELFFile(file)
        sections = [elf.get_section_by_name(name) for name in (".parainstructions", ".pv_inline", ".text.pv")]
        assert all(section is None or section["sh_size"] == 0 for section in sections)
        names = set(symbols(elf))
    traces = {name for name in names if name.startswith(("pv_", "vmi_", "paravirt"))}
    assert traces <= {"pv_panic", "pv_cpu_index", "pv_sites_start", "pv_sites_end", "pv_inline_start", "pv_inline_end"}


def instructions(elf: Path, name: str, *arguments: int) -> int:
    """Count what ``name`` executes in a guest of its own: translated code keeps out later hooks."""
    guest = Guest(elf)
    guest.set_word("lapic_base", KERNEL_BASE - SCRATCH + 0x3000)
    guest.boot()
    count = 0

    def step(*_: object) -> None:
        nonlocal count
        count += 1

    guest.uc.hook_add(uc_const.UC_HOOK_CODE, step)
    guest.call(name, *arguments)
    return count


FREE = ["site_irq_enable", "irq_save_restore", "site_read_cr2", "site_read_cr3", "site_write_cr3", "site_clts"]
FREE += ["site_read_tsc", "site_invlpg", "site_flush_tlb", "site_clock_cycles", "site_clock_khz", "site_store_tr"]
FREE += ["site_set_pte", "site_set_pde", "site_pte_clear", "clear_bits", "site_update_kernel_stack"]
FREE += ["site_start_switch", "site_finish_switch", "site_write_gdt_entry", "site_apic_read", "site_apic_write"]
ONE_NOP = ["site_lazy_mode_none", "site_paging_alloc_pt", "site_paging_release_root", "site_pte_update"]


@pytest.mark.parametrize(("names", "more"), [(FREE, 0), (ONE_NOP, 1)], ids=["free", "one NOP"])
def test_instructions_executed_against_a_plain_build(probe: Path, plain: Path, names: list[str], more: int) -> None:
    for name in names:
        arguments = (SCRATCH, SCRATCH + 8, 3, 4, 5)
        assert instructions(probe, name, *arguments) == instructions(plain, name, *arguments) + more, name
