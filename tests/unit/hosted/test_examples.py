# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the examples decide, call by call, without a guest."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from openvmi.abi import Call
from openvmi.abi.wire import Mode
from openvmi.hypervisor import Continue, Stop
from openvmi.hypervisor.load import load_hypervisor

from .fakes import MIB, ROOT, Ram, Space, example, vcpu

NX = 1 << 63
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_is_loaded_by_its_name_and_says_how_it_is_used(name: str) -> None:
    path = ROOT / "examples" / f"{name}.py"
    load_hypervisor(str(path))
    text = path.read_text()
    assert f"--hypervisor examples/{name}.py" in text.splitlines()[4]
    assert len(text.splitlines()) <= 60
    assert name in (ROOT / "docs" / "hosted.md").read_text()


def test_count(capsys: pytest.CaptureFixture[str]) -> None:
    count = example("count").Count()
    assert set(count.modes.values()) == {Mode.COUNT}
    assert not count.routed()
    count.link = SimpleNamespace(counts=lambda: {Call.SetCR3: 7, Call.IRET: 70})
    count.stopped(SimpleNamespace(times=SimpleNamespace(duration=2e9)))
    lines = capsys.readouterr().out.split("\n")
    assert [line.split()[0] for line in lines if line] == ["IRET", "SetCR3", "all"]
    assert "77 in 2.00 s" in lines[2]


def test_freeze(capsys: pytest.CaptureFixture[str]) -> None:
    freeze = example("freeze").Freeze()
    freeze.at = 3
    answers = [freeze.set_cr3(vcpu(caller=0xC0100000), 0x1000) for _ in range(3)]
    assert answers == [None, None, Stop("SetCR3 number 3")]
    assert "CR3 = 0x1000 in 0xc0100000" in capsys.readouterr().out


def test_slowtime(monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("slowtime")
    now = [1_000]
    monkeypatch.setattr(module.time, "monotonic_ns", lambda: now[0])
    slow = module.SlowTime()
    space = Space(Ram(4 * MIB), 0x100000, pae=False)
    space.map(0xC0001000, 0x300000)
    modes: list[tuple[Mode, list[Call]]] = []
    slow.link = SimpleNamespace(set_mode=lambda mode, calls: modes.append((mode, calls)))
    now[0] += 5_000
    assert slow.rdtsc(vcpu()).value == 5_000
    space.ram.number(0x300004, 0x60, 2)  # CS of the kernel: not a program
    slow.iret(vcpu(space), 0xC0001000)
    now[0] += 5_000
    assert slow.rdtsc(vcpu()).value == 10_000
    assert not modes
    space.ram.number(0x300004, 0x73, 2)
    slow.iret(vcpu(space), 0xC0001000)
    assert modes == [(Mode.NATIVE, [Call.IRET, Call.SYSEXIT])]
    now[0] += 1_000
    assert slow.rdtsc(vcpu()).value == 10_500
    slow.sysexit(vcpu(), 0, 0)
    now[0] += 1_000
    assert slow.rdtsc(vcpu()).value == 11_000


def test_cow(capsys: pytest.CaptureFixture[str]) -> None:
    cow = example("cow").Cow()
    space = Space(Ram(4 * MIB), 0x100000, pae=False)
    space.map(0xC0001000, 0x300000)
    space.ram.number(0x300010, 0x5005)
    cpu = vcpu(space, caller=0xC0100000)
    cow.set_pxe(cpu, 0x6007, 0xC0001010, 1)  # a copy of a read-only page
    cow.set_pxe(cpu, 0x7007, 0xC0001020, 1)  # a new one
    for value, flags in ((0x6005, 1), (0x6003, 1), (0x6007, 2)):  # read-only; the kernel's; a directory's
        cow.set_pxe(cpu, value, 0xC0001010, flags)
    space.ram.number(0x300014, 0x6007)
    cow.set_pxe(cpu, 0x6027, 0xC0001014, 1)  # it was writable before
    cow.set_pxe(cpu, 0x6007, 0xD0000000, 1)  # nothing is mapped there
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2] for line in lines] == [
        "page 0x6000 is writable, was read-only at 0x5000",
        "page 0x7000 is writable, is new",
    ]


def test_wx() -> None:
    wx = example("wx").WriteXorExecute()
    space = Space(Ram(4 * MIB), 0x100000, pae=True)
    space.map(0xC0001000, 0x300000)
    cpu = vcpu(space)
    assert wx.set_pxe_long(cpu, 0x6007, 0xC0001000, 1) is None, "the bit is reserved until the kernel uses it"
    assert wx.set_pxe_long(cpu, 0x6007 | NX, 0xC0001000, 1) is None
    changed = wx.set_pxe_long(cpu, 0x6007, 0xC0001000, 1)
    assert isinstance(changed, Continue)
    assert changed.arguments == {"value": 0x6007 | NX}
    for value, flags in ((0x6005, 1), (0x6003, 1), (0x6006, 1), (0x6007, 2), (0x6007 | NX, 1)):
        assert wx.set_pxe_long(cpu, value, 0xC0001000, flags) is None
    space.ram.number(0x300008, 0x7007, 8)
    wx.update_pxe_long(cpu, 0xC0001008, 1)
    assert space.memory.u64(0xC0001008) == 0x7007 | NX
    assert wx.refused == 2


def test_all_five_are_there() -> None:
    assert EXAMPLES == ["count", "cow", "freeze", "slowtime", "wx"]
