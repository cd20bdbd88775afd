# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The payloads as built: what Python believes of them is true."""

from __future__ import annotations

import struct

import pytest
from capstone import CS_ARCH_X86, CS_MODE_32, Cs

from openvmi import images
from openvmi.abi import Call, wire
from openvmi.abi.wire import Mode, WireHeader, WirePayload
from openvmi.hypervisor.link import SWITCHABLE, WITHOUT_STUB
from openvmi.hypervisor.sites import FLAG_CALLS, forms, stub_addresses

ORIGIN = wire.WIRE_BASE + wire.WIRE_CODE_OFFSET
PAGE = 4096
# What Linux calls most; after each TLB flush their page and the modes' have to be looked up again.
FREQUENT = (*sorted(FLAG_CALLS), Call.IRET, Call.SYSEXIT, Call.SetPxE, Call.SetPxELong, Call.SetCR3, Call.FlushTLB)

payloads = pytest.mark.parametrize("name", images.PAYLOADS)


def stubs(payload: bytes) -> dict[Call, int]:
    table = WirePayload.unpack(payload).stubs - ORIGIN
    numbers = struct.unpack_from(f"<{len(Call)}I", payload, table)
    return {call: numbers[call] for call in Call}


@payloads
def test_the_payload_is_of_these_tables(name: str) -> None:
    payload = images.path(name).read_bytes()
    assert WirePayload.unpack(payload).hash == wire.WIRE_HASH
    assert len(payload) <= wire.WIRE_CODE_SIZE


@payloads
def test_every_switchable_call_has_a_stub_that_begins_with_its_mode(name: str) -> None:
    payload = images.path(name).read_bytes()
    found = stubs(payload)
    assert {call for call, address in found.items() if address == 0} == WITHOUT_STUB
    for call in SWITCHABLE:
        at = found[call] - ORIGIN
        first = next(Cs(CS_ARCH_X86, CS_MODE_32).disasm(payload[at : at + 16], found[call]))
        mode = wire.WIRE_BASE + WireHeader.OFFSETS["modes"] + call
        assert first.mnemonic == "cmp"
        assert first.op_str == f"byte ptr ss:[{mode:#x}], {Mode.COUNT:d}"


def test_frequent_stubs_share_a_page_with_the_modes() -> None:
    found = stubs(images.path("payload-up.bin").read_bytes())
    assert {found[call] & -PAGE for call in FREQUENT} == {wire.WIRE_BASE}


@payloads
def test_forms_of_a_site_are_those_of_the_payload(name: str) -> None:
    payload = images.path(name).read_bytes()
    assert set(stub_addresses(payload)) == FLAG_CALLS
    codes = b"".join(forms(0, call)[0][1:4] + forms(0, call)[0][:1] for call in sorted(FLAG_CALLS))
    assert codes in payload
