# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The payloads of ``ring`` as built: what their own code and Python believe of them is true."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from capstone import CS_ARCH_X86, CS_MODE_32, Cs, CsInsn

from openvmi import images
from openvmi.abi import Call, wire
from openvmi.abi.wire import WirePayload

WINDOWS = (wire.WIRE_CODE_OFFSET, wire.RING_STUBS_PAE_OFFSET)
MONITORS = (wire.RING_IMAGE_OFFSET, wire.RING_IMAGE_PAE_OFFSET)
ROOM = wire.RING_STUBS_PAE_OFFSET - wire.WIRE_CODE_OFFSET
NONE = {Call.MachineToPhysical, Call.PhysicalToMachine, Call.SetCallbacks}

payloads = pytest.mark.parametrize("number", [0, 1], ids=images.RING_PAYLOADS)


def image(number: int) -> bytes:
    return images.path(images.RING_PAYLOADS[number]).read_bytes()


def stubs(number: int) -> dict[Call, int]:
    origin = wire.WIRE_BASE + WINDOWS[number]
    table = WirePayload.unpack(image(number)).stubs - origin
    addresses = struct.unpack_from(f"<{len(Call)}I", image(number), table)
    return {call: addresses[call] for call in Call}


def patches(number: int) -> dict[Call, tuple[int, int]]:
    """Return, by call, its stub and where the jump over the stub's first bytes leads (firmware/ring/patch.c)."""
    monitor, found = image(number)[ROOM:], {}
    for call, stub in stubs(number).items():
        at = monitor.find(struct.pack("<II", call, stub)) if stub else -1
        if at >= 0:
            found[call] = stub, struct.unpack_from("<I", monitor, at + 8)[0]
    return found


def decode(number: int, stub: int, length: int = 16) -> Iterator[CsInsn]:
    at = stub - wire.WIRE_BASE - WINDOWS[number]
    yield from Cs(CS_ARCH_X86, CS_MODE_32).disasm(image(number)[at : at + length], stub)


@payloads
def test_the_payload_is_of_these_tables_and_fits(number: int) -> None:
    head = WirePayload.unpack(image(number))
    assert head.hash == wire.WIRE_HASH
    assert head.cpus == wire.RING_CPUS_MAX
    assert len(image(number)) - ROOM <= wire.RING_IMAGE_SIZE
    assert MONITORS[number] + wire.RING_IMAGE_SIZE <= wire.RING_INFO_OFFSET


@payloads
def test_every_call_that_is_offered_has_a_stub(number: int) -> None:
    assert {call for call, address in stubs(number).items() if address == 0} == NONE


@payloads
def test_get_reloc_of_the_one_is_found_by_the_other(number: int) -> None:
    expected = wire.WIRE_BASE + WINDOWS[number] + WirePayload.SIZE
    head = WirePayload.unpack(image(number))
    assert head.get_reloc - expected in range(16)
    padding = image(number)[WirePayload.SIZE : head.get_reloc - wire.WIRE_BASE - WINDOWS[number]]
    assert set(padding) <= {0x90}


@payloads
def test_a_jump_over_a_stubs_first_bytes_spoils_nothing_else(number: int) -> None:
    found = patches(number)
    assert {Call.IRET, Call.SYSEXIT, Call.EnableInterrupts, Call.SetPxE, Call.IODelay} <= set(found)
    for call, (stub, gate) in found.items():
        assert 2 <= gate - stub <= 2 + 127, call.name
        first = next(decode(number, stub))
        assert first.size >= 2 or gate - stub > 2, call.name


@payloads
def test_flag_stubs_reach_memory_by_the_stacks_segment_alone(number: int) -> None:
    for call in (Call.EnableInterrupts, Call.DisableInterrupts, Call.GetInterruptMask, Call.SetInterruptMask):
        for instruction in decode(number, stubs(number)[call], 64):
            if instruction.mnemonic == "ret":
                break
            if "[" in instruction.op_str and "esp" not in instruction.op_str:
                assert "ss:[" in instruction.op_str, f"{call.name}: {instruction.op_str}"


@payloads
def test_the_monitor_has_no_string_instructions_but_in_its_start(number: int) -> None:
    """ES is the guest's while the monitor runs, except in vmi_init."""
    monitor = image(number)[ROOM:]
    decoder = Cs(CS_ARCH_X86, CS_MODE_32)
    decoder.skipdata = True
    text = decoder.disasm(monitor, wire.WIRE_BASE + MONITORS[number])
    found = [each for each in text if each.mnemonic.startswith(("rep movs", "rep stos"))]
    assert len(found) <= 1, "\n".join(f"{each.address:#x} {each.mnemonic} {each.op_str}" for each in found)
