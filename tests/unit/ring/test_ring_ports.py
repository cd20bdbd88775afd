# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports, configuration space, interrupt controllers: no sequence of writes leads beside the monitor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.hypervisor.answers import Continue, Value
from openvmi.hypervisor.ring.answers import Fault
from openvmi.hypervisor.ring.irqs import EXTINT, Pics, apic_write, redirection
from openvmi.hypervisor.ring.pci import BUS_MASTER, ENABLE, HOST_BRIDGE, ISA_BRIDGE, OPENVMI, Function, Latch, PciFilter
from openvmi.hypervisor.ring.ports import Ports, user_may

RESERVED = range(0xE0000000, 0xE2000000)
DISK = Function(0, 4, 0)
WAKE = 0x5A0


def ports(*masters: Function) -> Ports:
    return Ports(PciFilter(RESERVED, masters=frozenset(masters)), wake=WAKE)


def address(function: Function, register: int) -> int:
    return ENABLE | function.bus << 16 | function.device << 11 | function.function << 8 | register


def config(machine: Ports, function: Function, register: int, size: int, value: int) -> int | None:
    """Write to configuration space; return what the hardware gets, or None."""
    answer = machine.write(0xCFC + (register & 3), size, value, Latch(address(function, register & 0xFC)))
    if answer is None:
        return value
    return answer.arguments["value"] if isinstance(answer, Continue) else None


WRITES = st.tuples(
    st.one_of(st.sampled_from([0xCF8, 0xCFC, 0xCFD, 0xCFE, 0xCFF, 0xCF9]), st.integers(0xCF0, 0xD00)),
    st.sampled_from([1, 2, 4]),
    st.one_of(
        st.integers(0, (1 << 32) - 1),
        st.builds(address, st.sampled_from([HOST_BRIDGE, ISA_BRIDGE, OPENVMI, DISK]), st.integers(0, 252)),
    ),
)


class Machine:
    """The hardware behind: its address register, and a byte for each register of each function."""

    def __init__(self) -> None:
        self.address = 0
        self.space: dict[tuple[Function, int], int] = {}

    def write(self, port: int, size: int, value: int) -> None:
        if (port, size) == (0xCF8, 4):
            self.address = value
        elif 0xCFC <= port < 0xD00 and self.address & ENABLE:
            for at in range(size):
                place = (self.address & 0xFC) + (port & 3) + at
                self.space[Function.addressed(self.address), place] = value >> 8 * at & 0xFF

    def word(self, function: Function, register: int) -> int:
        return sum(self.space.get((function, register + at), 0) << 8 * at for at in range(4))


@given(st.lists(WRITES, max_size=40))
def test_no_sequence_makes_a_device_write_where_the_monitor_is(writes: list[tuple[int, int, int]]) -> None:
    filtered, machine = ports(), Machine()
    for port, size, wide in writes:
        value = wide % (1 << 8 * size)
        answer = filtered.write(port, size, value, Latch(machine.address))
        if answer is None or isinstance(answer, Continue):
            machine.write(port, size, value if answer is None else answer.arguments["value"])
    functions = {function for function, _ in machine.space}
    assert OPENVMI not in functions
    for function in functions:
        assert not machine.space.get((function, 4), 0) & BUS_MASTER
        for bar in (*range(0x10, 0x28, 4), 0x30):
            first = machine.word(function, bar) & ~0xF
            covers = first < RESERVED.stop and first + (256 << 20) > RESERVED.start
            assert not covers, "whatever the low bits say"
        if function == HOST_BRIDGE:
            assert all(at < 0x40 for owner, at in machine.space if owner == function)


def test_the_hidden_device_is_not_there() -> None:
    machine = ports()
    hidden = Latch(address(OPENVMI, 0))
    assert machine.read(0xCFC, 4, hidden) == Value(0xFFFFFFFF)
    assert machine.read(0xCFE, 2, hidden) == Value(0xFFFF)
    assert machine.write(0xCFC, 4, 0, hidden) == Value()
    assert machine.read(0xCFC, 4, Latch(address(DISK, 0))) is None
    assert machine.read(0xCF8, 4, hidden) is None, "the monitor has it"
    assert machine.read(0xCFA, 4, hidden) == Value(0xFFFFFFFF), "the data register begins there"


def test_a_driver_can_do_its_work() -> None:
    machine = ports()
    assert config(machine, DISK, 4, 2, 0x7) == 0x3, "but for mastering the bus"
    assert config(ports(DISK), DISK, 4, 2, 0x7) == 0x7, "unless the user allows it"
    assert config(machine, DISK, 0x10, 4, 0xFFFFFFFF) == 0xFFFFFFFF, "how large are you?"
    assert config(machine, DISK, 0x10, 4, 0xFEB00000) == 0xFEB00000
    assert config(machine, DISK, 0x14, 4, 0xE1000000) is None
    assert config(machine, DISK, 0x14, 4, 0xDFFFF000) is None, "it might be larger than that"
    assert config(machine, DISK, 0x14, 4, 0xE1000001) is None, "a memory's register has no such bit"
    assert config(machine, DISK, 0x10, 4, 0xC001) == 0xC001, "ports"
    assert config(machine, DISK, 0x18, 4, 0) == 0, "the upper half of an address"
    assert config(machine, DISK, 0x3C, 1, 11) == 11
    assert config(machine, DISK, 0x40, 4, 5) == 5
    assert config(machine, DISK, 0x12, 2, 0xE000) is None
    assert config(machine, ISA_BRIDGE, 0x61, 1, 0x8B) == 0x8B, "interrupt routing"
    assert config(machine, ISA_BRIDGE, 0x4E, 2, 0) is None
    assert config(machine, HOST_BRIDGE, 0x72, 1, 0x4A) is None, "system-management memory"


@pytest.mark.parametrize(("kind", "length"), [(0x05, 0x18), (0x11, 0x0C)])
def test_messages_of_devices_are_not_there(kind: int, length: int) -> None:
    machine, at = ports(), Latch(address(DISK, 0x60), 0x60 << 8 | kind, 0x00807000 | kind)
    assert machine.read(0xCFC, 4, at) == Value(0x00807000), "a null capability, and the way to the next"
    assert machine.read(0xCFC, 1, at) == Value(0x00807000)
    assert machine.read(0xCFD, 1, at) is None
    for size, part in ((4, 0), (2, 2), (1, 3)):
        assert machine.write(0xCFC + part, size, 0xFF, at) == Value()
    for register in range(0x60, 0x80, 4):
        inside = register < 0x60 + length
        latch = Latch(address(DISK, register), 0x60 << 8 | kind)
        assert machine.write(0xCFC, 4, 0xFEE00000, latch) == (Value() if inside else None)
    assert machine.read(0xCFC, 4, Latch(address(DISK, 0x70), 0x70 << 8 | 0x09)) is None


def test_accesses_across_registers() -> None:
    machine = ports()
    assert isinstance(machine.write(0xCFE, 4, 0), Fault)
    assert isinstance(machine.read(0xCFF, 2), Fault)
    assert isinstance(machine.write(0xCF6, 4, 0), Fault)
    assert isinstance(machine.write(0x20, 2, 0x1111), Fault)
    assert isinstance(machine.write(0xFFFF, 2, 0), Fault)
    assert machine.write(0xCFA, 2, 0) == Value()
    assert machine.write(0xCF9, 1, 6) is None, "a reset ends the machine, and nothing more"


@pytest.mark.parametrize(
    "port", [0xB2, 0xB3, 0x480, 0x487, 0x514, 0x518, 0x51B, 0x5658, 0x7E, 0x7F, 0xAE08, 0xAE0B, 0xAF04, WAKE]
)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_ways_to_the_monitors_memory_are_closed(port: int, size: int) -> None:
    assert ports().write(port, size, 0x55) == Value()


@pytest.mark.parametrize("value", [0xF0, 0xF1])
def test_acpi_is_switched_on_and_off(value: int) -> None:
    assert ports().write(0xB2, 1, value) is None
    assert ports().write(0xB2, 2, value) == Value()
    assert ports().write(0xB2, 1, value ^ 3) == Value()


@pytest.mark.parametrize("port", [0x514, 0x5658, 0x5655])
def test_what_answers_in_other_ways_is_not_read(port: int) -> None:
    assert ports().read(port, 4) == Value(0xFFFFFFFF)


def test_a_cpu_does_not_wake_up_in_ring_0() -> None:
    machine = ports()
    assert machine.write(0x604, 2, 0x2400) == Value()
    assert machine.write(0x605, 1, 0x24) == Value()
    assert machine.write(0x604, 4, 0x2400) == Value()
    assert machine.write(0x604, 2, 0x2000) is None, "off"
    assert machine.write(0x604, 2, 0x0401) is None, "the kind alone"
    assert machine.write(0x605, 1, 0x28) is None, "to disk: off"


def test_address_line_20_stays_on() -> None:
    machine = ports()
    assert machine.write(0x64, 1, 0xDD) == Value()
    assert machine.write(0x64, 1, 0xD1) is None
    answer = machine.write(0x60, 1, 0xDD)
    assert isinstance(answer, Continue)
    assert answer.arguments == {"value": 0xDF}
    assert machine.write(0x60, 1, 0xED) is None, "a word for the keyboard"
    fast = machine.write(0x92, 1, 0)
    assert isinstance(fast, Continue)
    assert fast.arguments == {"value": 2}


def test_every_port_that_is_decided_about_is_asked() -> None:
    machine = ports()
    asked = machine.asked()
    for port in range(65536):
        decided = any(ports().write(port, 1, value) is not None for value in (0, 0x11, 0x24, 0xD1))
        assert not decided or asked[port // 8] >> port % 8 & 1, hex(port)
    assert sum(byte.bit_count() for byte in asked) < 96


TSS = bytes(0x66) + (0x68).to_bytes(2, "little") + bytes([0b11111011, 0xFF, 0xFE, 0xFF])


@pytest.mark.parametrize(
    ("port", "size", "iopl", "allowed"),
    [
        (2, 1, 0, True),
        (1, 1, 0, False),
        (2, 2, 0, False),
        (16, 1, 0, True),
        (15, 2, 0, False),  # the second byte decides, too
        (16, 2, 0, False),
        (24, 1, 0, False),
        (32, 1, 0, False),  # beyond the segment
        (0xFFFF, 1, 0, False),
        (0xFFFF, 1, 3, True),
        (2, 1, 2, True),
        (1, 1, 2, False),
    ],
)
def test_ports_of_programs(port: int, size: int, iopl: int, allowed: bool) -> None:  # noqa: FBT001
    assert user_may(port, size, iopl, TSS) is allowed


def test_a_segment_without_a_bitmap() -> None:
    assert not user_may(0, 1, 0, bytes(0x67))
    assert not user_may(0, 1, 0, bytes(0x66) + b"\xff\xff" + bytes(64))


# -- interrupt controllers --


def begin(pics: Pics, chip: int, first: int, icw1: int = 0x11) -> bool:
    pics.write(chip, icw1)
    return not isinstance(pics.write(chip + 1, first), Fault)


def test_interrupts_keep_off_exceptions() -> None:
    assert [first for first in range(0, 256, 8) if begin(Pics(), 0x20, first)] == list(range(32, 256, 8))
    assert not begin(Pics(frozenset({0x83})), 0xA0, 0x80)


def test_masks_are_not_vectors() -> None:
    pics = Pics()
    assert begin(pics, 0x20, 0x20)
    assert pics.write(0x21, 4) is None
    assert pics.write(0x21, 1) is None
    assert pics.write(0x21, 0) is None, "all lines open, no vector"
    assert pics.write(0x20, 0x20) is None, "end of interrupt"
    assert begin(pics, 0x20, 0x30, 0x12)
    assert pics.write(0x21, 0x00) is None


@given(st.lists(st.tuples(st.sampled_from([0x20, 0x21, 0xA0, 0xA1]), st.integers(0, 255)), max_size=30))
def test_no_sequence_moves_interrupts_to_exceptions(writes: list[tuple[int, int]]) -> None:
    pics, step, base = Pics(), {0x20: 0, 0xA0: 0}, {0x20: 32, 0xA0: 40}
    for port, value in writes:
        if isinstance(pics.write(port, value), Fault):
            continue
        # the chip: after ICW1 the next word at its other port is ICW2
        chip = port & ~1
        if not port & 1:
            step[chip] = 1 if value & 0x10 else step[chip]
        elif step[chip]:
            base[chip], step[chip] = value & 0xF8, 0
    assert min(base.values()) >= 32


@pytest.mark.parametrize(
    ("register", "value", "passes"),
    [
        (0x300, 0x000000FD, True),
        (0x300, 0x000C08FD, True),
        (0x300, 0x000000FD & ~0xFF | 0x1E, False),
        (0x300, 0x00000200, False),  # SMI
        (0x300, 0x00000400, False),  # NMI
        (0x1300, 0x00000400, False),  # 12 bits count
        (0x320, 0x000200EF, True),
        (0x320, 0x0000000E, False),
        (0x350, 0x00000700, True),  # ExtINT
        (0x360, 0x00000400, False),
        (0x360, 0x00010400, True),  # masked
        (0x0F0, 0x000001FF, True),
        (0x0F0, 0x0000010F, False),
        (0x0B0, 0, True),
        (0x080, 0xFF, True),
        (0x020, 1 << 24, False),  # its id, by which the monitor finds it
        (0x000, 0x00000500, False),  # no register: a message
        (0x3F0, 0x50, False),
    ],
)
def test_messages_between_cpus(register: int, value: int, passes: bool) -> None:  # noqa: FBT001
    answer = apic_write(register, value)
    assert (answer is None) is passes
    if isinstance(answer, Continue):
        assert register in range(0x320, 0x380) or register == 0xF0
        assert answer.arguments["value"] == value | (0xFF if register == 0xF0 else 1 << 16), "masked"


def test_starting_a_cpu_is_the_monitors() -> None:
    assert apic_write(0x300, 0x000C4500) is None
    assert apic_write(0x300, 0x000C0608) is None


def test_redirected_interrupts() -> None:
    assert redirection(0x31) is None
    assert redirection(1 << 16) is None
    assert redirection(EXTINT << 8) is None
    for entry in (*(kind << 8 | 0x31 for kind in (2, 3, 4, 5, 6)), 0x0E, 0x11F):
        answer = redirection(entry)
        assert isinstance(answer, Continue)
        assert answer.arguments == {"value": entry | 1 << 16}, "masked"
