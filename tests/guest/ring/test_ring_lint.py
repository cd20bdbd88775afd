# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lint says would trap below CPL 0, against what trapped when the kernel ran there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from capstone import CS_ARCH_X86, CS_MODE_32, Cs
from elftools.elf.elffile import ELFFile

from openvmi import images
from openvmi.boot import Request, configure
from openvmi.check.lint import Cover, lint, read_kernel
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.session import Session

_FAULT = re.compile(r"^ *\d+: v=(?:06|0d) e=[0-9a-f]+ i=0 cpl=1 IP=[0-9a-f]+:([0-9a-f]+)", re.MULTILINE)


@pytest.mark.parametrize("kernel", ["guest.elf", "guest-pae.elf"])
def test_what_trapped_is_what_the_lint_lists_as_uncovered(kernel: str, tmp_path: Path) -> None:
    log = tmp_path / "exceptions"
    config = configure(Request(kernel=str(images.path(kernel)), hypervisor="ring", append="novmitimer -- check"))
    config = replace(config, accel="tcg", timeout=90, extra_args=("-d", "int", "-D", str(log)))
    with Session(Ring(), config) as session:
        assert session.wait().ok
    trapped = {int(address, 16) for address in _FAULT.findall(log.read_text(errors="replace"))}
    listed = {finding.hit.address: finding for finding in lint(read_kernel(images.path(kernel))).findings}
    for address in trapped & listed.keys():
        assert listed[address].cover is Cover.NONE, listed[address]
        assert not listed[address].doubt
    assert len(trapped & listed.keys()) > 50
    # what else faults does so on the bare machine, too: a segment register is loaded with what user space has left
    text, start = text_of(images.path(kernel))
    others = [address for address in trapped - listed.keys() if start <= address < start + len(text)]
    assert {mnemonic(text[address - start :]) for address in others} <= {
        "pop ds",
        "pop es",
        "pop fs",
        "pop gs",
        "mov gs",
    }


def text_of(kernel: Path) -> tuple[bytes, int]:
    with kernel.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".text")
        assert section is not None
        return section.data(), section["sh_addr"]


def mnemonic(code: bytes) -> str:
    instruction = next(Cs(CS_ARCH_X86, CS_MODE_32).disasm(code[:16], 0))
    return f"{instruction.mnemonic} {instruction.op_str.partition(',')[0]}"
