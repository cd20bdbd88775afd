# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The payload's side of the wire in Python: stubs that read a mode, ask by mailbox, and write records."""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from openvmi.abi import Call, wire
from openvmi.abi.wire import Action, BrainState, Mode, Phase, WireHeader, WirePayload, WireRecord, WireRing
from openvmi.errors import UsageError
from openvmi.hypervisor.answers import Answer, Value
from openvmi.hypervisor.base import Hypervisor
from openvmi.hypervisor.brain import Brain
from openvmi.hypervisor.guest import Guest as Kernel
from openvmi.hypervisor.handlers import Verdict, make_handlers
from openvmi.hypervisor.link import Link, area
from openvmi.hypervisor.memory import GuestMemory
from openvmi.hypervisor.switchboard import Switchboard
from openvmi.hypervisor.vcpu import WORD, Vcpu
from openvmi.machine import MachineConfig

_STUBS = wire.WIRE_BASE + wire.WIRE_CODE_OFFSET + WirePayload.SIZE
_HEAD = WirePayload(hash=wire.WIRE_HASH, cpus=64, init=0, get_reloc=0, stubs=_STUBS, unused=bytes(12))
PAYLOAD = _HEAD.pack() + b"stub" * len(Call) + b"code" * 8
MODES = WireHeader.OFFSETS["modes"]
HEADER = {name: offset // 4 for name, offset in WireHeader.OFFSETS.items()}
RING = {name: (wire.WIRE_CPU_RING + offset) // 4 for name, offset in WireRing.OFFSETS.items()}


class Named(Hypervisor):
    """Answers GetCR2 and GetCR3 with a number of its own plus what is asked with."""

    def __init__(self, number: int, pause: float = 0.0) -> None:
        self.number = number
        self.pause = pause
        self.asked = 0

    def get_cr2(self, vcpu: Vcpu) -> Answer:
        self.asked += 1
        if self.pause:
            time.sleep(self.pause)
        return Value(self.number + vcpu.register("ecx"))

    def get_cr3(self, vcpu: Vcpu) -> Answer:
        return self.get_cr2(vcpu)


class Wired:
    """A link, a brain that runs, a switchboard, and what the brain wanted."""

    def __init__(self, cpus: int = 2, hypervisor: Hypervisor | None = None) -> None:
        self.file = os.memfd_create("wired")
        os.ftruncate(self.file, wire.WIRE_SIZE)
        self.memory = mmap.mmap(self.file, wire.WIRE_SIZE)
        self.link = Link(self.memory, cpus, PAYLOAD)
        self.verdicts: list[Verdict] = []
        self.on_verdict: Callable[[Verdict], object] = lambda _: None
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        self.ram = FakeRam()
        kernel = Kernel(self._memory, None, self.link)
        vcpus = [Vcpu(cpu, self.link.words, area(cpu) // 4, self._memory, kernel) for cpu in range(cpus)]
        first = hypervisor or Hypervisor()
        handlers = make_handlers(first, self.link, vcpus)
        self.brain = Brain(self.link, handlers, self.wake_read, verdict=self._verdict)
        self.board = Switchboard(self.link, self.brain, vcpus, first)
        self.link.set_mode(Mode.UPCALL, first.routed())

    def __enter__(self) -> Self:
        self.brain.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.brain.stop()
        os.close(self.wake_read)
        os.close(self.wake_write)
        os.close(self.file)

    def _memory(self, cr3: int) -> GuestMemory:
        return GuestMemory(self.ram, cr3, pae=self.link.pae)

    def _verdict(self, verdict: Verdict) -> object:
        self.verdicts.append(verdict)
        return self.on_verdict(verdict)


class FakeMachine:
    """What a control server wants of a machine: its kernel's file, its memory."""

    def __init__(self, wired: Wired, kernel: Path) -> None:
        self.config = MachineConfig(kernel=kernel)
        self.shared_file = wired.file
        self.ram = wired.ram


class FakeRam:
    """1 MiB of guest memory."""

    def __init__(self) -> None:
        self.bytes = bytearray(1 << 20)

    def read(self, address: int, length: int) -> bytes:
        if address < 0 or address + length > len(self.bytes):
            raise UsageError("not RAM")
        return bytes(self.bytes[address : address + length])

    def write(self, address: int, data: bytes) -> None:
        self.read(address, len(data))
        self.bytes[address : address + len(data)] = data


class FakeSession:
    """A session without a machine."""

    def __init__(self, wired: Wired, kernel: Path) -> None:
        self.wired = wired
        self.machine = FakeMachine(wired, kernel)
        self.link = wired.link
        self.brain = wired.brain
        self.failure: Exception | None = None
        self.guest: object = None
        self.switch = wired.board.switch
        self.attach = wired.board.attach
        self.detach = wired.board.detach

    @property
    def switchable(self) -> tuple[Call, ...]:
        return self.wired.board.switchable

    @property
    def hypervisor(self) -> Hypervisor:
        return self.wired.board.hypervisor


class Cpu:
    """One CPU of the guest, used by one thread."""

    def __init__(self, wired: Wired, index: int) -> None:
        self.wired = wired
        self.words = wired.link.words
        self.box = area(index) // 4
        self.index = index
        self.serial = 0
        self.lost = 0
        self.native = 0
        self.records = 0

    def mode(self, call: Call) -> Mode:
        return Mode(self.wired.link.bytes[MODES + call] & ~wire.WIRE_MODE_WORK)

    def call(self, call: Call, argument: int = 0, between: Callable[[], object] | None = None) -> int | None:
        """Make a call; return Python's answer, None when it was done natively.

        ``between`` is what happens after the mode has been read and before the request is out.
        """
        mode = self.mode(call)
        if mode is not Mode.UPCALL:
            self.native += 1
            return None
        if between is not None:
            between()
        return self.ask(call, argument)

    def ask(self, call: Call, argument: int = 0, patience: float = 3.0) -> int | None:
        if self.words[HEADER["brain"]] != BrainState.ALIVE:
            self.lost += 1
            return None
        self.post(call, argument)
        until = time.monotonic() + patience
        while self.words[self.box] != self.serial * 4 + Phase.ANSWER:
            if time.monotonic() > until:
                self.lost += 1
                self.words[HEADER["brain"]] = BrainState.LOST
                self.words[self.box] = self.serial * 4
                return None
            time.sleep(0)
        if self.words[self.box + WORD["action"]] == Action.RETURN:
            return self.words[self.box + WORD["eax"]]
        self.native += 1
        return None

    def post(self, call: Call, argument: int = 0) -> None:
        self.words[self.box] = self.serial * 4 + Phase.CLAIMED
        self.words[self.box + WORD["call"]] = call
        self.words[self.box + WORD["action"]] = Action.CONTINUE
        self.words[self.box + WORD["ecx"]] = argument
        self.serial += 1
        self.words[self.box] = self.serial * 4 + Phase.REQUEST
        if self.words[HEADER["asleep"]]:
            os.write(self.wired.wake_write, b"x")

    def record(self, call: Call, caller: int = 0xC0100000, time: int | None = None, count: int = 1) -> int:
        """Write trace records, as long as there is room; return how many were written."""
        ring = area(self.index) // 4
        mask, base = self.words[ring + RING["mask"]], self.words[ring + RING["base"]] - wire.WIRE_BASE
        for done in range(count):
            head = self.words[ring + RING["head"]]
            if (head - self.words[ring + RING["stop"]]) % (1 << 32) < 1 << 31:
                self.words[ring + RING["lost"]] += count - done
                return done
            self.words[ring + RING["head"]] = (head + 1) % (1 << 32)
            at = base + (head & mask) * WireRecord.SIZE
            stamp = self.records * 10 if time is None else time
            packed = struct.pack("<QBBBBIIIII", stamp, call, self.index, 1, 0, caller, 1, 2, 3, head)
            self.wired.link.bytes[at : at + WireRecord.SIZE] = packed
            self.records += 1
        return count


class Guest(threading.Thread):
    """A CPU that makes calls until it is told to stop, and keeps what came of each."""

    def __init__(self, wired: Wired, index: int, calls: tuple[Call, ...] = (Call.GetCR2, Call.GetCR3)) -> None:
        super().__init__(daemon=True)
        self.cpu = Cpu(wired, index)
        self.calls = calls
        self.answers: list[tuple[float, float, int, int | None]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            number += 1
            began = time.monotonic()
            answer = self.cpu.call(self.calls[number % len(self.calls)], number)
            if answer is not None:
                self.answers.append((began, time.monotonic(), number, answer))
            time.sleep(0)

    def end(self) -> None:
        self.ended.set()
        self.join(5)
        assert not self.is_alive()
