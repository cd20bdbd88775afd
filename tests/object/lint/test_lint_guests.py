# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lint on the bundled kernels, against a second reader (pyelftools) and decoder (Capstone); its figures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import capstone
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from openvmi import images
from openvmi.check.lint import Cover, Report, lint, read_kernel

from ...unit.lint.kernels import RET, Builder, Piece

GUESTS = ("guest.elf", "guest-pae.elf", "guest-plain.elf", "guest-plain-pae.elf")
LAYERED = GUESTS[:2]

# Capstone's names, Intel syntax: typed apart from the lint's own table.
_PLAIN = re.compile(
    r"(?:rep(?:ne)? )?(?:cli|sti|hlt|in|out|ins[bwd]|outs[bwd]|l[gi]dt|s[gi]dt|lldt|sldt|ltr|str|lmsw|smsw|clts|"
    r"invlpg|invd|wbinvd|rdmsr|wrmsr|rdtscp?|rdpmc|cpuid|pushfd?|popfd?|iretd?|sysenter|sysexit|lar|lsl|verr|verw|arpl|lss|"
    r"monitor|mwait|retf|ljmp|lcall)"
)
_SEGMENT = r"(?:[cdefgs]s)"
_OPERANDS = re.compile(rf"mov .*\b(?:cr|dr)\d|mov .*, {_SEGMENT}$|mov ss,.*|push {_SEGMENT}$|pop ss$")


@pytest.fixture(scope="module", params=GUESTS)
def guest(request: pytest.FixtureRequest) -> Path:
    return images.path(request.param)


@pytest.fixture(scope="module", params=LAYERED)
def layered(request: pytest.FixtureRequest) -> Report:
    return lint(read_kernel(images.path(request.param)))


def decoded(file: Path) -> Iterator[tuple[int, str]]:
    """Yield each instruction that matters as Capstone sees it: a linear sweep from each symbol, all code sections."""
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)
    decoder.skipdata = True
    with file.open("rb") as stream:
        elf = ELFFile(stream)
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = {symbol["st_value"] for symbol in table.iter_symbols()}
        for section in elf.iter_sections():
            if section["sh_type"] == "SHT_PROGBITS" and section["sh_flags"] & 4:
                start, data = section["sh_addr"], section.data()
                end = start + len(data)
                cuts = sorted({start, end} | {address for address in symbols if start < address < end})
                for one, other in pairwise(cuts):
                    for address, _, mnemonic, operands in decoder.disasm_lite(data[one - start : other - start], one):
                        text = f"{mnemonic} {operands}"
                        if _PLAIN.fullmatch(mnemonic) or _OPERANDS.match(text):
                            yield address, text


def multiboot_header(file: Path) -> range:
    kernel = read_kernel(file)
    text = next(section for section in kernel.sections if section.name == ".text")
    at = text.data.find(b"\x02\xb0\xad\x1b")
    return range(text.address + at, text.address + at + 12)


def test_no_sensitive_instruction_is_missed(guest: Path) -> None:
    truth = dict(decoded(guest))
    assert len(truth) > 300
    found = {finding.hit.address for finding in lint(read_kernel(guest)).findings}
    header = multiboot_header(guest)
    missed = {hex(address): text for address, text in truth.items() if address not in found and address not in header}
    assert not missed


def test_what_is_certain_is_there_for_capstone_too(guest: Path) -> None:
    truth = dict(decoded(guest))
    findings = lint(read_kernel(guest)).findings
    assert not [finding.place for finding in findings if not finding.doubt and finding.hit.address not in truth]


def test_nothing_of_a_plain_kernel_is_covered(guest: Path) -> None:
    if "plain" not in guest.name:
        return
    covers = {finding.cover for finding in lint(read_kernel(guest)).findings}
    assert covers == {Cover.NONE, Cover.BOOT}


def test_only_data_of_the_start_is_in_doubt(guest: Path) -> None:
    places = {doubt.place for doubt in lint(read_kernel(guest)).doubts}
    assert places == {"no_cpu_text", "boot_gdt", "boot_gdt_physical", "boot_gdt_linear"}


def test_what_the_layer_is_for_is_covered(layered: Report) -> None:
    """Every instruction that has a VMI call is in the layer, but for MSRs and ports, which trap by intent."""
    by_intent = {"in", "out", "rdmsr", "wrmsr"}
    left = {
        (finding.function, finding.hit.rule.id)
        for finding in layered.findings
        if finding.open and not finding.doubt and finding.hit.rule.call and finding.hit.rule.id not in by_intent
    }
    assert left == {
        ("boot_high", "hlt"),  # if kernel_main() returns
        ("entry_sysenter", "pushf"),  # clears what a user left in the flags, and is right with IF untouched
        ("entry_sysenter", "popf"),
        ("switch_stacks", "pushf"),  # the flags of the process that goes, with interrupts off on both sides
        ("switch_stacks", "popf"),
        ("ap_entry", "hlt"),  # of a CPU that comes too late, for good
        ("begin_panic", "cpuid"),  # which CPU panics
        ("paravirt_patch", "cpuid"),  # serialises
        ("paravirt_patch", "mov-from-cr"),  # while VMI is not on
        ("paravirt_patch", "mov-to-cr"),
    }


def test_every_inline_site_with_such_an_instruction_is_covered(layered: Report) -> None:
    covered = [finding for finding in layered.findings if finding.cover is Cover.SITE]
    names = {finding.note for finding in covered}
    assert names == {
        "save_flags",
        "restore_flags",
        "read_cr2",
        "read_cr3",
        "write_cr3",
        "flush_tlb",
        "invlpg",
        "start_switch",
    }
    assert len(covered) > 100


def six_megabytes() -> bytes:
    """Return a kernel as large as Linux with all drivers: the bundled one's functions again and again, and its hits."""
    kernel = read_kernel(images.path("guest-plain.elf"))
    functions = [symbol for symbol in kernel.symbols if symbol.kind == "func" and symbol.size]
    hits = {finding.function for finding in lint(kernel).findings}
    code = [(symbol.name, kernel.bytes_at(symbol.address, symbol.size)) for symbol in functions]
    quiet = [body for name, body in code if name not in hits]
    pieces = [Piece(name, body + RET) for name, body in code for _ in range(3)]
    size = sum(len(piece.data) for piece in pieces)
    while size < 6 << 20:
        body = quiet[len(pieces) % len(quiet)]
        pieces.append(Piece(f"f{len(pieces)}", body))
        size += len(body)
    return Builder().text(*pieces).elf()


def test_six_megabytes_take_little(tmp_path: Path) -> None:
    file, found = tmp_path / "vmlinux", tmp_path / "found.json"
    file.write_bytes(six_megabytes())
    with subprocess.Popen([sys.executable, "-m", "openvmi", "lint", str(file), "--json", str(found)]) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 1
    assert json.loads(found.read_text())["code_bytes"] >= 6 << 20
    assert usage.ru_utime + usage.ru_stime < 10
    assert usage.ru_maxrss < 500 * 1024
