# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tiny guests on the real machine: how they end, what they say, and what they share."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi.errors import HarnessError, UsageError
from openvmi.machine import Drive, How, Machine, MachineConfig, Nic, Outcome, make_plan

from .kernels import COM1, COM2, HALT, POWER_OFF, RESET, SPIN, TRIPLE_FAULT, forever, put, say, wait_for

Guest = Callable[..., MachineConfig]
HELLO = say(COM2, b"hello 1\nmark kernel\n")


def ended(config: MachineConfig) -> Outcome:
    with Machine(config) as vm:
        return vm.wait()


ENDINGS: dict[str, tuple[tuple[bytes, ...], dict[str, object], How, int]] = {
    "power-off": ((POWER_OFF,), {}, How.POWERED_OFF, 0),
    "power-off, report expected": ((POWER_OFF,), {"expect_report": True}, How.SILENT, 125),
    "exit 0": ((HELLO, say(COM2, b"exit 0\n"), POWER_OFF), {"expect_report": True}, How.EXITED, 0),
    "exit 42": ((HELLO, say(COM2, b"exit 42\n"), POWER_OFF), {}, How.EXITED, 42),
    "exit, then spins": ((HELLO, say(COM2, b"exit 1\n"), SPIN), {"exit_grace": 0.2}, How.EXITED, 1),
    "hello, then nothing": ((HELLO, POWER_OFF), {}, How.SILENT, 125),
    "panic": ((HELLO, say(COM2, b"panic out of luck\n"), POWER_OFF), {}, How.PANIC, 255),
    "triple fault": ((HELLO, TRIPLE_FAULT), {}, How.RESET, 255),
    "reset": ((RESET,), {}, How.RESET, 255),
    "spins": ((SPIN,), {"timeout": 0.6}, How.TIMEOUT, 124),
    "halts": ((HALT,), {"timeout": 0.6}, How.TIMEOUT, 124),
    "refused option": ((SPIN,), {"extra_args": ("-nonsense",)}, How.QEMU_FAILED, 125),
    "unknown CPU": ((SPIN,), {"cpu_model": "z80"}, How.QEMU_FAILED, 125),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_ending(name: str, guest: Guest) -> None:
    code, changes, how, exit_code = ENDINGS[name]
    outcome = ended(guest(*code, **changes))
    assert (outcome.how, outcome.exit_code) == (how, exit_code), outcome


def test_what_a_guest_says_is_stamped(guest: Guest) -> None:
    outcome = ended(guest(HELLO, say(COM1, b"console text\r\n"), say(COM2, b"check a 1 0\nexit 0\n"), POWER_OFF))
    assert [(line.verb, line.text) for line in outcome.report] == [
        ("hello", "1"),
        ("mark", "kernel"),
        ("check", "a 1 0"),
        ("exit", "0"),
    ]
    assert 0 < outcome.times.marks["kernel"] <= outcome.times.duration
    assert outcome.console_tail == ("console text",)


def test_console_flood_is_bounded_by_time(guest: Guest, logs: Path) -> None:
    outcome = ended(guest(forever(say(COM1, b"flood! " * 20)), timeout=1.5))
    assert outcome.how is How.TIMEOUT
    assert outcome.log is not None
    assert outcome.log.parent == logs
    assert outcome.log.stat().st_size > 100_000
    assert outcome.times.duration < 5e9


def test_result_flood_is_bounded_by_time(guest: Guest) -> None:
    outcome = ended(guest(forever(say(COM2, b"x" * 40)), timeout=1.0))
    assert outcome.how is How.TIMEOUT
    assert [len(line.verb) for line in outcome.report] == [1000]


def test_console_input_reaches_the_guest(guest: Guest) -> None:
    # mov edx, COM1+5; wait: in al, dx; test al, 1; jz wait; mov edx, COM1; in al, dx; out dx, al
    echo = b"\xba\xfd\x03\x00\x00\xec\xa8\x01\x74\xfb\xba\xf8\x03\x00\x00\xec\xee"
    with Machine(guest(say(COM1, b"ready"), echo, echo, echo, POWER_OFF)) as vm:
        vm.console.expect("ready")
        vm.console.send("abc")
        assert vm.console.expect("abc") == "abc"
        assert vm.wait().ok


def test_memory_is_shared_both_ways(guest: Guest) -> None:
    code = (put(0x200000, 0x11111111), say(COM1, b"ready"), wait_for(0x200004, 0x22222222), POWER_OFF)
    with Machine(guest(*code, share_memory=True)) as vm:
        vm.console.expect("ready")
        assert vm.ram.read_u32(0x200000) == 0x11111111
        assert vm.ram.read(0x100000, 4) == struct.pack("<I", 0x1BADB002)
        vm.ram.write_u32(0x200004, 0x22222222)
        assert vm.wait().ok
        assert vm.ram.read_u32(0x200000) == 0x11111111
        with pytest.raises(UsageError, match="not all guest RAM"):
            vm.ram.read((16 << 20) - 3, 4)


def test_memory_is_not_shared_unless_asked_for(guest: Guest) -> None:
    with Machine(guest(POWER_OFF)) as vm, pytest.raises(UsageError, match="memory is not shared"):
        vm.ram.read(0, 1)


def test_qmp(guest: Guest) -> None:
    with Machine(guest(SPIN)) as vm:
        assert vm.qmp.execute("query-status")["running"]
        with pytest.raises(HarnessError, match="has not been found"):
            vm.qmp.execute("no-such-command")
        vm.qmp.execute("stop")
        assert vm.qmp.wait_event("STOP").name == "STOP"
        assert vm.qmp.events() == []
        with pytest.raises(HarnessError, match=r"did not tell RESUME within 0.1 s"):
            vm.qmp.wait_event("RESUME", timeout=0.1)
        vm.qmp.execute("quit")
        assert vm.wait().how is How.INTERRUPTED
        with pytest.raises(HarnessError):
            vm.qmp.execute("query-status", timeout=2.0)


def test_two_machines_at_once(guest: Guest, qemu: str) -> None:
    first = guest(say(COM1, b"one"), wait_for(0x200000, 1), POWER_OFF, share_memory=True)
    second = MachineConfig(kernel=first.kernel, qemu=qemu, memory_mib=16, timeout=20.0, share_memory=True)
    with Machine(first) as a, Machine(second) as b:
        a.console.expect("one")
        b.console.expect("one")
        b.ram.write_u32(0x200000, 1)
        assert b.wait().ok
        assert a.ram.read_u32(0x200000) == 0
        a.ram.write_u32(0x200000, 1)
        assert a.wait().ok
        assert a.outcome is not None
        assert a.outcome.times.duration > 0


def test_disk_and_network_are_there(guest: Guest, tmp_path: Path) -> None:
    disk = tmp_path / "disk,1.img"
    disk.write_bytes(bytes(1 << 20))
    config = guest(SPIN, drives=(Drive(path=disk, read_only=True),), nics=(Nic(),), cpus=2)
    with Machine(config) as vm:
        blocks = vm.qmp.execute("query-block")
        assert [(block["inserted"]["file"], block["inserted"]["ro"]) for block in blocks] == [(str(disk), True)]
        devices = vm.qmp.execute("human-monitor-command", {"command-line": "info pci"})
        assert devices.count("PCI device 1af4:") == 2
        assert len(vm.qmp.execute("query-cpus-fast")) == 2


def test_instruction_counts_repeat(guest: Guest) -> None:
    # rdtsc; store; again: what lies between is the same number of instructions in every run
    code = (b"\x0f\x31\xa3\x00\x00\x20\x00", say(COM1, b"text"), b"\x0f\x31\xa3\x04\x00\x20\x00", POWER_OFF)
    config = guest(*code, share_memory=True, icount=True)
    seen = set()
    for _ in range(3):
        with Machine(config) as vm:
            assert vm.wait().ok
            seen.add(vm.ram.read(0x200000, 8))
    assert len(seen) == 1


def test_the_printed_command_runs(guest: Guest) -> None:
    line = make_plan(guest(say(COM1, b"on the console\n"), say(COM2, b"exit 0\n"), POWER_OFF)).shell_line()
    done = subprocess.run(
        ["sh", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=20
    )
    assert (done.stdout, done.stderr) == ("on the console\n", "exit 0\n")
