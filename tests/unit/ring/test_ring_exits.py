# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Exits in a mailbox, the methods that decide about them, and what comes back."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openvmi.abi import wire
from openvmi.abi.structs import ApState
from openvmi.abi.wire import Action, Mode, RingAction, RingEnd, RingExit, RingFrame, RingInfo, RingRefusal
from openvmi.errors import UsageError
from openvmi.hypervisor.answers import Refuse, Stop, Value
from openvmi.hypervisor.handlers import Verdict
from openvmi.hypervisor.link import Link, area
from openvmi.hypervisor.load import load_hypervisor
from openvmi.hypervisor.memory import GuestMemory
from openvmi.hypervisor.ring import Decision, End, Fault, Ring
from openvmi.hypervisor.ring.exits import EXITS
from openvmi.hypervisor.ring.state import MOST
from openvmi.hypervisor.ring.vcpu import Frame, RingVcpu
from openvmi.hypervisor.vcpu import WORD, Vcpu

FRAMES = wire.RING_INFO_OFFSET + RingInfo.OFFSETS["frames"]


class Nothing:
    def read(self, address: int, length: int) -> bytes:
        raise UsageError(f"no RAM at {address:#x}, {length}")

    def write(self, address: int, data: bytes) -> None:
        raise UsageError(f"no RAM at {address:#x}, {len(data)}")


class Asked:
    """A guest that asks one thing at a time."""

    def __init__(self, ring: Ring, cpus: int = 2) -> None:
        self.link = Link(mmap.mmap(-1, wire.WIRE_SIZE), cpus, None)
        self.link.words[FRAMES // 4] = 32768
        self.vcpus = [Vcpu(cpu, self.link.words, area(cpu) // 4, self.memory) for cpu in range(cpus)]
        self.ring = ring
        ring.link = self.link
        ring.prepare(cpus)
        self.handlers = ring.exit_handlers(self.link, self.vcpus)
        self.verdict: Verdict | None = None

    def memory(self, cr3: int) -> GuestMemory:
        return GuestMemory(Nothing(), cr3, pae=False)

    def ask(self, number: RingExit, cpu: int = 0, **fields: int) -> tuple[int, dict[str, int]]:
        """Return the action and what is in the mailbox afterwards."""
        box, handler = area(cpu) // 4, self.handlers[number]
        assert handler is not None
        for name, value in {"call": wire.RING_EXIT_FIRST + number, "action": 99, **fields}.items():
            self.link.words[box + WORD[name]] = value
        self.verdict = handler(cpu)
        after = {name: self.link.words[box + at] for name, at in WORD.items()}
        return after["action"], after


@pytest.fixture
def asked() -> Asked:
    return Asked(Ring())


def test_cpuid_has_four_results(asked: Asked) -> None:
    action, box = asked.ask(RingExit.CPUID, eax=1, ecx=0, s1=0x663, ebx=0x800, s2=0xFFFFFFFF, edx=0xFFFFFFFF)
    assert (action, box["eax"], box["ebx"]) == (Action.RETURN, 0x663, 0x800)
    assert not box["ecx"] >> 3 & 1
    assert box["edx"] & 1


def test_msrs_are_64_bits_and_each_cpus_own(asked: Asked) -> None:
    assert asked.ask(RingExit.WRMSR, ecx=0x277, eax=0x00070406, edx=0x06060606)[0] == Action.RETURN
    action, box = asked.ask(RingExit.RDMSR, ecx=0x277)
    assert (action, box["eax"], box["edx"]) == (Action.RETURN, 0x00070406, 0x06060606)
    assert asked.ask(RingExit.RDMSR, cpu=1, ecx=0x277)[1]["edx"] == 0x00070406
    assert asked.ask(RingExit.RDMSR, ecx=0x10)[0] == Action.CONTINUE
    assert asked.ask(RingExit.WRMSR, ecx=0x176, eax=0xC0100000, edx=0)[0] == Action.CONTINUE


def test_a_fault_is_told_with_its_reason(asked: Asked) -> None:
    action, box = asked.ask(RingExit.WRMSR, ecx=0x176, eax=0xFF000000, edx=0)
    assert (action, box["eax"], box["edx"]) == (RingAction.FAULT, 13, 0)
    assert list(asked.ring.faults) == ["WRMSR: MSR 0x176: an entry point in the hole, 0xff000000"]
    assert asked.ask(RingExit.READ_DR, ecx=9)[1]["eax"] == 6


def test_ports(asked: Asked) -> None:
    assert asked.ask(RingExit.OUT, edx=0x3F8, ecx=1, eax=65)[0] == Action.CONTINUE
    assert asked.ask(RingExit.OUT, edx=0xB2, ecx=1, eax=1)[0] == Action.RETURN
    action, box = asked.ask(RingExit.OUT, edx=0x92, ecx=1, eax=0)
    assert (action, box["eax"]) == (Action.CHANGED, 2)
    assert asked.ask(RingExit.IN, edx=0x514, ecx=4)[1]["eax"] == 0xFFFFFFFF
    assert asked.ask(RingExit.IN, edx=0x20, ecx=3)[0] == RingAction.FAULT


def test_control_registers(asked: Asked) -> None:
    assert asked.ask(RingExit.WRITE_CR, ecx=0, eax=0x8005003B)[0] == Action.CONTINUE
    assert asked.ask(RingExit.WRITE_CR, ecx=0, eax=0x8004003B)[0] == Action.CONTINUE, "WP is its own"
    action, box = asked.ask(RingExit.WRITE_CR, ecx=0, eax=0x0005003B)
    assert (action, box["eax"]) == (Action.CHANGED, 0x8005003B)
    assert asked.ask(RingExit.WRITE_CR, ecx=4, eax=0x2000)[0] == RingAction.FAULT
    assert asked.ask(RingExit.WRITE_CR, ecx=4, eax=0x20)[0] == RingAction.FAULT
    assert asked.ask(RingExit.WRITE_CR, ecx=8, eax=0)[1]["eax"] == 6


def test_debug_registers(asked: Asked) -> None:
    action, box = asked.ask(RingExit.WRITE_DR, ecx=0, eax=0xFF000000)
    assert (action, box["eax"]) == (Action.CHANGED, 0)
    assert asked.ask(RingExit.READ_DR, ecx=0)[1]["eax"] == 0xFF000000
    assert asked.ask(RingExit.WRITE_DR, ecx=7, eax=0x403)[1]["eax"] == 0x400
    assert asked.ask(RingExit.WRITE_DR, ecx=0, eax=0xC0000000)[0] == Action.CONTINUE
    assert asked.ask(RingExit.WRITE_DR, ecx=7, eax=0x402)[0] == Action.CONTINUE


def test_tables(asked: Asked) -> None:
    assert asked.ask(RingExit.SET_GDT, eax=0xC0300000, ecx=255)[0] == Action.CONTINUE
    assert asked.ask(RingExit.SET_GDT, eax=0xFE00FF80, ecx=255)[0] == RingAction.FAULT
    assert asked.ask(RingExit.SET_IDT, eax=0xFFFFFFF0, ecx=255)[0] == RingAction.FAULT
    assert asked.ask(RingExit.SET_LDT, eax=4)[0] == RingAction.FAULT
    assert asked.ask(RingExit.SET_TR, eax=0)[0] == RingAction.FAULT


def test_an_exit_has_a_place(asked: Asked) -> None:
    asked.ask(RingExit.WRMSR, ecx=0x176, eax=0xC0100000, edx=0, caller=0xC0101234)
    vcpu = RingVcpu(asked.link, asked.vcpus[0], RingExit.WRMSR)
    assert vcpu.where == "0xc0101234"


class Strict(Ring):
    quiet = frozenset()


def test_a_gate_into_the_monitor_is_nothing() -> None:
    strict = Asked(Strict())
    assert strict.ask(RingExit.DESCRIPTOR, ecx=0x60, eax=0x0000FFFF, edx=0x00CF9B00)[0] == Action.CONTINUE
    action, box = strict.ask(RingExit.DESCRIPTOR, ecx=0x60, eax=0x00080000, edx=0x0000EC00)
    assert (action, box["eax"], box["edx"]) == (Action.CHANGED, 0, 0)
    assert strict.ask(RingExit.DESCRIPTOR, ecx=0x60, eax=0x67, edx=0x8900)[0] == Action.CONTINUE
    assert strict.ask(RingExit.DESCRIPTOR, ecx=0x64, eax=0x67, edx=0x8900)[0] == Action.CHANGED
    assert strict.ask(RingExit.GATE, ecx=0x80, eax=0x600000, edx=0xE500)[0] == Action.CHANGED
    assert strict.ask(RingExit.SET_ROOT, eax=0x1000)[0] == Action.CONTINUE
    assert strict.ask(RingExit.SET_ROOT, eax=0xE0000000)[0] == RingAction.FAULT
    assert strict.ask(RingExit.APIC, ecx=0x300, eax=0x4500)[0] == Action.CONTINUE, "the monitor's own"
    assert strict.ask(RingExit.APIC, ecx=0x300, eax=0x4400)[0] == Action.RETURN


def test_a_state_that_can_not_be_read_starts_no_cpu(asked: Asked) -> None:
    action, _ = asked.ask(RingExit.AP_STATE, eax=0xC0100000, edx=1)
    assert action == Action.RETURN
    assert "can't be read" in asked.ring.objections[0]
    assert ApState.SIZE == 90


def test_a_cpu_starts_with_registers_as_at_reset(asked: Asked) -> None:
    asked.ask(RingExit.WRMSR, cpu=1, ecx=0x176, eax=0xC0100000, edx=0)
    asked.ask(RingExit.WRITE_DR, cpu=1, ecx=0, eax=0xC0100000)
    asked.ring.efers = {1: 0x800}
    assert asked.ask(RingExit.AP_START, cpu=0, eax=1)[0] == Action.CONTINUE
    assert asked.ask(RingExit.RDMSR, cpu=1, ecx=0x176)[1]["eax"] == 0
    assert asked.ask(RingExit.READ_DR, cpu=1, ecx=0)[1]["eax"] == 0
    assert asked.ask(RingExit.RDMSR, cpu=1, ecx=0xC0000080)[1]["eax"] == 0x800
    assert asked.ask(RingExit.AP_START, cpu=0, eax=0x99)[0] == Action.CONTINUE


def test_what_a_guest_makes_python_remember_is_bounded(asked: Asked) -> None:
    for number in range(MOST + 10):
        asked.ring.note_fault(RingExit.RDMSR, Fault(reason=f"no MSR {number:#x}"))
        asked.ask(RingExit.AP_STATE, eax=0xC0100000, edx=number)
        asked.ask(RingExit.REFUSED, eax=0x1000, ecx=number << 12, edx=0)
    asked.ring.note_fault(RingExit.RDMSR, Fault(reason="no MSR 0x0"))
    assert asked.ring.faults["RDMSR: no MSR 0x0"] == 2
    assert len(asked.ring.faults) == len(asked.ring.objections) == len(asked.ring.refusals) == MOST
    assert asked.ring.efers == {}


def test_what_is_told_only(asked: Asked) -> None:
    assert asked.ask(RingExit.REFUSED, eax=0x1000, ecx=0xE0000123, edx=0)[0] == Action.CONTINUE
    assert asked.ring.refusals == {0xE0000000: 1}
    asked.ask(RingExit.END, eax=RingEnd.STACK, caller=0xC0100000, edx=8)
    asked.ask(RingExit.END, eax=99)
    assert asked.ring.end == "STACK, at 0xc0100000, 0x8"
    assert asked.verdict is not None
    assert asked.verdict.answer == Stop("the monitor ended the guest: STACK, at 0xc0100000, 0x8", status=255)


class Mine(Ring):
    def on_out(self, vcpu: Vcpu, port: int, size: int, value: int) -> Decision:
        assert isinstance(vcpu, RingVcpu)
        vcpu.frame["eax"] = vcpu.frame["eax"] + 1
        return End("enough") if port == 0x80 else super().on_out(vcpu, port, size, value)

    def on_read_cr(self, vcpu: Vcpu, number: int) -> Decision:
        return Value(number * 2 + vcpu.index) if number else Stop("no", status=3)

    def on_unknown(self, vcpu: Vcpu) -> Decision:
        return Refuse() if vcpu.index else Fault(6)


def test_a_class_of_ones_own() -> None:
    mine = Asked(Mine())
    assert RingExit.READ_CR in mine.ring.asked()
    assert RingExit.READ_CR not in Ring().asked()
    assert mine.ask(RingExit.OUT, edx=0x80, ecx=1, eax=1)[0] == RingAction.END
    assert mine.ring.end == "enough"
    assert mine.ask(RingExit.OUT, edx=0xB2, ecx=1, eax=1)[0] == Action.RETURN
    assert Frame(mine.link.words, 0)["eax"] == 2
    assert mine.ask(RingExit.READ_CR, ecx=3)[1]["eax"] == 6
    mine.ask(RingExit.READ_CR, ecx=0)
    assert mine.verdict is not None
    assert mine.verdict.kind == "stop"
    assert mine.ask(RingExit.UNKNOWN, cpu=1)[0] == Action.RETURN
    assert mine.ask(RingExit.UNKNOWN)[1]["eax"] == 6


def test_modes_say_what_is_asked() -> None:
    modes = Ring().exit_modes()
    assert len(modes) == wire.RING_EXITS
    assert (modes[RingExit.WRMSR], modes[RingExit.FILL], modes[RingExit.GATE]) == (
        Mode.UPCALL,
        Mode.COUNT,
        Mode.COUNT,
    )
    assert all(hasattr(Ring, shape.method) for shape in EXITS.values())


def test_a_frame_is_where_the_monitor_puts_it() -> None:
    link = Link(mmap.mmap(-1, wire.WIRE_SIZE), 2, None)
    end = wire.RING_CPUS_OFFSET + wire.RING_CPU_SIZE + wire.RING_CPU_STACK
    link.bytes[end - RingFrame.SIZE : end] = RingFrame(eip=5, cs=0x61, ss=9).pack()
    frame = Frame(link.words, 1)
    assert (frame["eip"], frame["cs"], frame["ss"]) == (5, 0x61, 9)
    frame["eip"] = -1
    assert RingFrame.unpack(link.bytes[end - RingFrame.SIZE : end]).eip == 0xFFFFFFFF
    link.bytes[end - 84 : end - 16] = RingFrame(eip=7, eflags=0x20002).pack()
    assert (Frame(link.words, 1)["eip"], len(frame)) == (7, 17)
    with pytest.raises(UsageError, match="no such register"):
        frame["rax"]


def test_counts_are_of_all_cpus(asked: Asked) -> None:
    for cpu in range(2):
        at = wire.RING_CPUS_OFFSET + cpu * wire.RING_CPU_SIZE + wire.RING_COUNTERS + 8 * RingExit.FILL
        asked.link.bytes[at : at + 8] = (10 + cpu).to_bytes(8, "little")
    assert asked.ring.exit_counts() == {RingExit.FILL: 21}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(EXITS)), st.lists(st.integers(0, (1 << 32) - 1), min_size=6, max_size=6)),
        max_size=30,
    )
)
def test_no_sequence_of_exits_breaks_python(exits: list[tuple[RingExit, list[int]]]) -> None:
    strict = Asked(Strict())
    for number, values in exits:
        names = ("eax", "ebx", "ecx", "edx", "s1", "s2")
        action, _ = strict.ask(number, **dict(zip(names, values, strict=True)))
        assert action in {Action.CONTINUE, Action.CHANGED, Action.RETURN, RingAction.FAULT}
        assert (strict.verdict is None) == (number is not RingExit.END)


def test_a_class_of_ones_own_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from openvmi.hypervisor import Ring\nclass Mine(Ring):\n    pass\n")
    assert isinstance(load_hypervisor(str(file)), Ring)


def test_a_refusal_has_words(asked: Asked) -> None:
    at = (wire.RING_INFO_OFFSET + RingInfo.OFFSETS["refusal"]) // 4
    assert asked.ring.refusal() == ""
    for refusal in RingRefusal:
        asked.link.words[at] = refusal
        assert asked.ring.refusal().startswith(refusal.name) or not refusal
    asked.link.words[at] = 77
    assert asked.ring.refusal() == "reason 77"


@pytest.mark.parametrize(
    "method", ["def on_wrmsr(self, vcpu, value): pass", "on_out = 5", "async def on_cpuid(self, *all): pass"]
)
def test_a_method_that_can_not_be_called_is_told_before_the_machine_starts(tmp_path: Path, method: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(f"from openvmi.hypervisor import Ring\nclass Mine(Ring):\n    {method}\n")
    with pytest.raises(UsageError, match="on_"):
        load_hypervisor(str(file))


@pytest.mark.parametrize(("vector", "error"), [(32, 0), (-1, 0), ("x", 0), (13, -1), (13, 1 << 32), (13, None)])
def test_a_fault_that_no_cpu_has_is_none(vector: int, error: int) -> None:
    with pytest.raises(UsageError):
        Fault(vector, error)


@pytest.mark.parametrize("name", ["on_wrmrs", "on_set_alram", "on_wallclok"])
def test_a_slip_in_an_exits_name_is_told(tmp_path: Path, name: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from openvmi.hypervisor import Ring\n\n\nclass Mine(Ring):\n"
        f"    def {name}(self, *rest): ...\n\n    def on_my_own(self): ...\n",
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match=f"mine.py:5: {name} is no exit's method") as caught:
        load_hypervisor(str(file))
    assert caught.value.help.startswith("def on_")


def test_more_cpus_than_are_served_are_a_wrong_argument() -> None:
    ring = Ring()
    with pytest.raises(UsageError, match="9 CPUs: more CPUs than this hypervisor serves") as caught:
        Link(mmap.mmap(-1, wire.WIRE_SIZE), 9, ring.payload(9))
    assert caught.value.help == "--cpus 8"
