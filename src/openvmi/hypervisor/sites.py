# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Call sites of the kernel that the payload has made into instructions, as firmware/payload/sites.S describes them.

A site has three forms: the call that the guest's own patcher made, the instruction, and a call that differs from the
instruction in one byte. All three do the same, so a hash of the kernel's code takes the first for each.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..abi import Call, wire
from ..abi.wire import WirePayload

SIZE: Final = 5
_CALL: Final = 0xE8
_MIRROR: Final = wire.WIRE_BASE + wire.WIRE_MIRROR_OFFSET
# The instruction's first byte, and the low three bytes of what is a displacement behind a call's.
_FORMS: Final[Mapping[Call, tuple[int, int]]] = {
    Call.EnableInterrupts: (0xFB, 0x401F0F),
    Call.DisableInterrupts: (0xFA, 0x401F0F),
    Call.GetInterruptMask: (0x9C, 0xC0F658),
    Call.SetInterruptMask: (0x50, 0x3C909D),
}
FLAG_CALLS: Final = frozenset(_FORMS)
"""The calls whose sites become instructions: 29 to 32."""
CACHE_LINE: Final = 64
PAGE: Final = 4096


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the payload may change call sites.

    Args:
        low_memory: bytes of RAM from 0, below 4 GiB, that the guest may map where low memory is mapped.
        fetch: bytes of code that every CPU sees change all at once, a power of two: a cache line, or a page where CPUs
            stand still for a write that is not aligned, as under TCG.
    """

    low_memory: int
    fetch: int = CACHE_LINE


def stub_addresses(payload: bytes) -> dict[Call, int]:
    """Return the linear address of each flag call's stub in the payload's image."""
    table = WirePayload.unpack(payload).stubs - wire.WIRE_BASE - wire.WIRE_CODE_OFFSET
    return {call: struct.unpack_from("<I", payload, table + 4 * call)[0] for call in _FORMS}


def forms(address: int, call: Call) -> tuple[bytes, bytes]:
    """Return a site's five bytes as the instruction, and as the call into the mirror."""
    first, low = _FORMS[call]
    after = address + SIZE
    tail = struct.pack("<I", ((after + low) % (1 << 32) | _MIRROR) - after & 0xFFFFFFFF)
    return bytes([first]) + tail, bytes([_CALL]) + tail


def original(address: int, stub: int) -> bytes:
    """Return a site's five bytes as the guest's patcher made them: a call of the stub."""
    return bytes([_CALL]) + struct.pack("<I", stub - address - SIZE & 0xFFFFFFFF)


def restore(code: bytearray, base: int, sites: Mapping[int, Call], stubs: Mapping[Call, int]) -> None:
    """Put each site of ``code`` back into its original form; what is not in one of the others is let be.

    Args:
        code: bytes of the kernel, changed in place.
        base: linear address of the first.
        sites: by linear address; those outside ``code`` are passed over.
        stubs: linear address of each call's stub.
    """
    for address, call in sites.items():
        at = address - base
        if 0 <= at <= len(code) - SIZE and bytes(code[at : at + SIZE]) in forms(address, call):
            code[at : at + SIZE] = original(address, stubs[call])
