# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each instruction that matters is known by its bytes, and no other is taken for one."""

from __future__ import annotations

import pytest

from openvmi.check.lint import RULES

from .kernels import RET, Builder, Piece

# Bytes typed from Intel SDM volume 2, by rule.
ENCODED = {
    "cli": ("fa",),
    "sti": ("fb",),
    "in": ("e4 60", "e5 60", "ec", "ed", "66 ed", "6c", "6d", "f3 6d"),
    "out": ("e6 60", "e7 60", "ee", "ef", "6e", "6f", "f3 6e"),
    "hlt": ("f4",),
    "lgdt": ("0f 01 10", "0f 01 15 44 33 22 11"),
    "lidt": ("0f 01 18",),
    "lldt": ("0f 00 d0", "0f 00 10"),
    "ltr": ("0f 00 d8", "66 0f 00 d8"),
    "lmsw": ("0f 01 f0",),
    "clts": ("0f 06",),
    "mov-to-cr": ("0f 22 c0", "0f 22 d8", "0f 22 e1"),
    "mov-from-cr": ("0f 20 c0", "0f 20 d1", "0f 20 d8"),
    "mov-to-dr": ("0f 23 f8",),
    "mov-from-dr": ("0f 21 f0",),
    "invlpg": ("0f 01 38",),
    "invd": ("0f 08",),
    "wbinvd": ("0f 09",),
    "rdmsr": ("0f 32",),
    "wrmsr": ("0f 30",),
    "sysexit": ("0f 35",),
    "sysret": ("0f 07",),
    "monitor": ("0f 01 c8",),
    "mwait": ("0f 01 c9",),
    "privileged": ("0f 01 d1", "0f aa"),
    "pushf": ("9c", "66 9c"),
    "popf": ("9d", "66 9d"),
    "sgdt": ("0f 01 00",),
    "sidt": ("0f 01 08",),
    "sldt": ("0f 00 c0", "66 0f 00 c0", "0f 00 00"),
    "str": ("0f 00 c8",),
    "smsw": ("0f 01 e0",),
    "lar": ("0f 02 c1",),
    "lsl": ("0f 03 c1",),
    "verr": ("0f 00 e0",),
    "verw": ("0f 00 e8",),
    "read-cs-ss": ("8c c8", "66 8c d0", "8c 08", "0e", "16"),
    "cpuid": ("0f a2",),
    "read-segment": ("8c d8", "8c c0", "8c e8", "06", "1e", "0f a0", "0f a8"),
    "write-ss": ("8e d0", "17", "8e 10"),
    "lss": ("0f b2 20",),
    "iret": ("cf", "66 cf"),
    "arpl": ("63 c8",),
    "far-transfer": ("ea 44 33 22 11 10 00", "9a 44 33 22 11 10 00", "ff 28", "ff 18", "cb", "ca 04 00"),
    "rdtsc": ("0f 31", "0f 01 f9"),
    "rdpmc": ("0f 33",),
    "sysenter": ("0f 34", "0f 05"),
}
HARMLESS = (
    *("8e d8", "8e c0", "8e e8", "1f", "07", "0f a1", "0f a9", "c5 08", "c4 08", "0f b4 08", "0f b5 08"),
    *("ff 10", "ff 20", "cd 80", "cc", "0f 0b", "0f 0d 08", "0f 18 00", "f3 90", "0f ae 00", "8b 00", "c2 04 00"),
)


@pytest.mark.parametrize(
    ("rule", "code"), [(rule, code) for rule, codes in ENCODED.items() for code in codes], ids=lambda word: word
)
def test_what_matters_is_found(rule: str, code: str) -> None:
    data = bytes.fromhex(code)
    (finding,) = Builder().text(Piece("f", b"\x40" + data + RET)).lint().findings
    assert (finding.hit.rule.id, finding.hit.data, finding.place, finding.doubt) == (rule, data, "f+0x1", "")
    assert finding.open


@pytest.mark.parametrize("code", HARMLESS)
def test_what_does_not_matter_is_not(code: str) -> None:
    assert not Builder().text(Piece("f", bytes.fromhex(code) + RET)).lint().findings


def test_every_rule_has_an_encoding() -> None:
    assert {rule.id for rule in RULES} == set(ENCODED)
