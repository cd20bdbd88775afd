# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names the instructions that a ROM talks to the machine with: the ones that the PC answers itself or must notice."""

from __future__ import annotations

from typing import Final

_PREFIXES: Final = frozenset(b"\x66\x67\x2e\x36\x3e\x26\x64\x65\xf0\xf2\xf3")
_ONE: Final = {0xF4: "hlt", 0xCD: "int"}
_TWO: Final = {
    0x08: "wbinvd",
    0x09: "wbinvd",
    0x22: "mov-to-cr",
    0x30: "wrmsr",
    0x31: "rdtsc",
    0x32: "rdmsr",
    0x33: "rdpmc",
    0x34: "hypercall",
    0xA2: "cpuid",
}
_SYSTEM: Final = {0xC1: "hypercall", 0xD9: "hypercall", 0xF9: "rdtscp"}
_INVLPG: Final = 7


def decode(code: bytes) -> str:
    """Return the name of the instruction that ``code`` begins with, empty for one that the CPU does alone."""
    code = code.lstrip(bytes(_PREFIXES))[:3]
    if not code:
        return ""
    if code[0] != 0x0F:
        return _ONE.get(code[0], "")
    if len(code) < 2:
        return ""
    if code[1] != 0x01 or len(code) < 3:
        return _TWO.get(code[1], "")
    if code[2] < 0xC0:
        return "invlpg" if code[2] >> 3 & 7 == _INVLPG else ""
    return _SYSTEM.get(code[2], "")
