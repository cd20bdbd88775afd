# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel and its programs see of instructions that mean something else off ring 0, and of privileged ones.

The table is the interface's (sensitive instructions): natively the first column, under ``ring`` the second.
Ring 3's privileged instructions all fault: the bundled guest's self-check looks at that (``privilege``).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from openvmi.abi import wire
from openvmi.boot import Request, machine_of
from openvmi.machine import Machine

TOP = f"{wire.WIRE_BASE + wire.RING_WINDOW_SIZE - 1:x}"
GP = "fault-13"
ELSEWHERE = "in the hole"
OURS = "another"
# instruction: (natively, under ring); None for "the same as natively"
SEEN: dict[str, tuple[str, str | None]] = {
    # the interrupt flag: POPF can't set it, PUSHF shows the hardware's, CLI and STI are the virtual one's
    "popf-if": ("202", None),
    "flag-after-popf": ("200", "0"),
    "pushf-disabled": ("46", "246"),
    "sti": ("0", None),
    "flag-after-sti": ("200", None),
    "cli": ("0", None),
    "flag-after-cli": ("0", None),
    "popf-iopl": ("3002", "202"),
    # segments: DPL and RPL are raised, limits end at the window
    "arpl": ("13", None),
    "lar-cs": ("c09a00", "c0ba00"),
    "lar-user": ("c0f300", None),
    "lsl": ("ffffffff", TOP),
    "mov-ss-own": ("10", "11"),
    "mov-ss-0": ("10", "11"),
    "mov-ss-null": (GP, None),
    "pop-ss-own": ("10", "11"),
    "pop-ss-null": (GP, None),
    "lss-own": ("10", "11"),
    "lss-null": (GP, None),
    "mov-cs": ("8", "9"),
    "push-cs": ("8", "9"),
    "push-ss": ("10", "11"),
    # tables: the CPU's own are the monitor's
    "sgdt": ("*", ELSEWHERE),
    "sidt": ("*", ELSEWHERE),
    "sldt": ("0", None),
    "str": ("28", OURS),
    "lgdt": ("0", None),
    "lidt": ("0", None),
    "lldt": ("0", None),
    # privileged, emulated: as natively
    **dict.fromkeys(("smsw", "read-cr0", "write-cr0", "cr0"), ("80050033", None)),
    **dict.fromkeys(("read-cr4", "write-cr4", "cr4"), ("290", None)),
    **dict.fromkeys(("lmsw", "in", "out", "read-cr2", "clts", "wbinvd", "rdtsc", "cpuid"), ("0", None)),
    "read-cr3": ("*", "*"),
    "cr3": ("*", "*"),
    "dr0": ("c0100000", None),
    "dr7": ("400", None),
    "invlpg": ("c0000000", None),
    "rdmsr-none": ("*", GP),  # TCG reads 0 where hardware faults
    "wrmsr": ("1234", None),
    # of ring 3
    "user-vector": ("80", None),
    "user-lar-kernel": ("0", None),
    "user-lar": ("c0f300", None),
    "user-lsl": ("ffffffff", TOP),
    "user-pushf": ("246", None),
    "user-popf": ("202", None),
    "user-sgdt": ("*", ELSEWHERE),
    "user-sidt": ("*", ELSEWHERE),
    "user-sldt": ("0", None),
    "user-str": ("28", OURS),
    "user-cs": ("1b", None),
    "user-arpl": ("13", None),
    "user-smsw": ("33", None),
}


def saw(kernel: Path, hypervisor: str) -> dict[str, str]:
    request = Request(kernel=str(kernel), hypervisor=hypervisor, append="try=sensitive", accel="tcg", timeout=90)
    with machine_of(request) as run:
        outcome = run.wait()
        machine = run if isinstance(run, Machine) else run.machine
        assert outcome.ok, outcome.reason
        lines = [line.text.split() for line in machine.result.of("info")]
    return {words[1]: words[2] for words in lines if words[0] == "saw"}


def is_as_promised(value: str, promised: str) -> bool:
    if promised == "*":
        return True
    if promised == ELSEWHERE:
        return int(value, 16) >= wire.WIRE_BASE + wire.RING_WINDOW_SIZE
    if promised == OURS:
        return value not in {"28", "0"}
    return value == promised


@pytest.mark.parametrize("hypervisor", ["none", "native", "hosted", "ring"])
def test_each_instruction_is_seen_as_promised(hostile: Path, hypervisor: str) -> None:
    values = saw(hostile, hypervisor)
    assert values.keys() == SEEN.keys()
    wrong = {}
    for name, (natively, ring) in SEEN.items():
        promised = natively if hypervisor != "ring" or ring is None else ring
        if not is_as_promised(values[name], promised):
            wrong[name] = (values[name], promised)
    assert not wrong
    assert values["read-cr3"] == values["cr3"]
