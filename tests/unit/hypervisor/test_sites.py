# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Call sites that are instructions: their forms, and code put back into the form that the guest's patcher left."""

from __future__ import annotations

import struct

import pytest
from capstone import CS_ARCH_X86, CS_MODE_32, Cs
from hypothesis import given
from hypothesis import strategies as st

from openvmi.abi import Call, wire
from openvmi.abi.wire import WirePayload
from openvmi.hypervisor.sites import FLAG_CALLS, SIZE, forms, original, restore, stub_addresses

MIRROR = wire.WIRE_BASE + wire.WIRE_MIRROR_OFFSET
addresses = st.integers(0xC0000000, 0xF7FFFFFF)
calls = st.sampled_from(sorted(FLAG_CALLS))


def decoded(code: bytes, address: int) -> list[str]:
    return [instruction.mnemonic for instruction in Cs(CS_ARCH_X86, CS_MODE_32).disasm(code, address)]


@pytest.mark.parametrize(
    ("call", "instructions"),
    [
        (Call.EnableInterrupts, ["sti", "nop"]),
        (Call.DisableInterrupts, ["cli", "nop"]),
        (Call.GetInterruptMask, ["pushfd", "pop", "test"]),
        (Call.SetInterruptMask, ["push", "popfd", "nop", "cmp"]),
    ],
)
@given(address=addresses)
def test_a_site_is_the_instruction(call: Call, instructions: list[str], address: int) -> None:
    code, _ = forms(address, call)
    assert len(code) == SIZE
    assert decoded(code, address) == instructions


@given(address=addresses, call=calls)
def test_the_other_form_differs_in_its_first_byte_and_calls_into_the_mirror(address: int, call: Call) -> None:
    code, calling = forms(address, call)
    assert code[0] != calling[0]
    assert code[1:] == calling[1:]
    (instruction,) = Cs(CS_ARCH_X86, CS_MODE_32).disasm(calling, address)
    assert instruction.mnemonic == "call"
    assert int(instruction.op_str, 0) & 0xFFFFFFFF >= MIRROR


@given(address=addresses, stub=st.integers(wire.WIRE_BASE, MIRROR - 1))
def test_the_original_calls_the_stub(address: int, stub: int) -> None:
    (instruction,) = Cs(CS_ARCH_X86, CS_MODE_32).disasm(original(address, stub), address)
    assert int(instruction.op_str, 0) & 0xFFFFFFFF == stub


@given(
    base=addresses,
    places=st.lists(st.tuples(st.integers(0, 40), calls, st.integers(0, 2)), unique_by=lambda each: each[0]),
    filler=st.binary(min_size=240, max_size=240),
)
def test_code_is_put_back(base: int, places: list[tuple[int, Call, int]], filler: bytes) -> None:
    stubs = dict.fromkeys(FLAG_CALLS, wire.WIRE_BASE + 0x400)
    wanted, code = bytearray(filler), bytearray(filler)
    sites = {}
    for number, call, form in places:
        at = number * SIZE
        address = base + at
        sites[address] = call
        wanted[at : at + SIZE] = original(address, stubs[call])
        code[at : at + SIZE] = (*forms(address, call), original(address, stubs[call]))[form]
    restore(code, base, sites, stubs)
    assert code == wanted


@given(base=addresses, filler=st.binary(min_size=0, max_size=20), sites=st.dictionaries(addresses, calls))
def test_what_is_no_site_is_let_be(base: int, filler: bytes, sites: dict[int, Call]) -> None:
    here = {base + at - 4: call for at, call in enumerate(FLAG_CALLS)} | sites
    known = {form for address, call in here.items() for form in forms(address, call)}
    code = bytearray(filler)
    restore(code, base, here, dict.fromkeys(FLAG_CALLS, 0))
    assert code == filler or any(form in filler for form in known)


@given(
    one=addresses,
    distance=st.integers(5, 3 << 20),
    kinds=st.tuples(calls, calls),
)
def test_two_sites_of_a_kernel_never_want_the_same_place(one: int, distance: int, kinds: tuple[Call, Call]) -> None:
    places = []
    for address, call in zip((one, one + distance), kinds, strict=True):
        displacement = struct.unpack("<I", forms(address, call)[1][1:])[0]
        places.append(address + SIZE + displacement & 0xFFFFFFFF)
    assert abs(places[0] - places[1]) >= SIZE


def test_stubs_are_found_in_the_payload() -> None:
    table = wire.WIRE_BASE + wire.WIRE_CODE_OFFSET + WirePayload.SIZE
    head = WirePayload(hash=0, cpus=1, init=0, get_reloc=0, stubs=table, unused=bytes(12)).pack()
    image = head + struct.pack(f"<{len(Call)}I", *(0x1000 + number for number in range(len(Call))))
    assert stub_addresses(image) == {call: 0x1000 + call for call in FLAG_CALLS}
