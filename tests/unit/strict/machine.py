# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that exists as far as the rules look at one, and calls that nobody made."""

from __future__ import annotations

import struct
from typing import Any

from openvmi.abi import Call
from openvmi.hypervisor.strict.events import Event, Start
from openvmi.hypervisor.strict.judge import Judge
from openvmi.hypervisor.strict.sight import Sight
from openvmi.trace.event import Event as Record

PAGE = 4096
ROOT, TABLE, DATA, GDT, TSS = 0x10, 0x11, 0x40, 0x12, 0x13  # frames; linear addresses are physical ones
TOP = 0xFE000000
CODE32, DATA32 = (0xFFFF, 0x00CF9A00), (0xFFFF, 0x00CF9200)
TSS32 = (TSS * PAGE << 16 & 0xFFFFFFFF | 0x67, 0x8900 | TSS * PAGE >> 16)


class Machine:
    """A machine with its first 4 MiB mapped, flat segments at selectors 8 and 16, and a TSS at 24."""

    def __init__(self, *, pae: bool = False, cpus: int = 1) -> None:
        self.memory = bytearray(1 << 20)
        self.pae = pae
        self.size = 8 if pae else 4
        if pae:
            self.put(ROOT * PAGE, (ROOT + 8) * PAGE | 1)
            self.put((ROOT + 8) * PAGE, TABLE * PAGE | 7)
        else:
            self.put(ROOT * PAGE, TABLE * PAGE | 7)
        for index in range(256):
            self.put(TABLE * PAGE + index * self.size, index * PAGE | 7)
        for cpu in range(cpus):
            table = (GDT + 16 * cpu) * PAGE
            self.memory[table : table + 32] = struct.pack("<8I", 0, 0, *CODE32, *DATA32, *TSS32)
        self.judge = Judge(Sight(self.read), top=TOP)
        self.judge.feed(Start(2, 0x20 if pae else 0))
        for cpu in range(cpus):
            self.call(Call.SetLinearMapping, 0, 0, 256, 0, cpu=cpu, gdt=(GDT + 16 * cpu) * PAGE)

    def put(self, address: int, value: int) -> None:
        self.memory[address : address + self.size] = value.to_bytes(self.size, "little")

    def read(self, address: int, length: int) -> bytes | None:
        return bytes(self.memory[address : address + length]) if address + length <= len(self.memory) else None

    def call(self, call: Call, *arguments: int, **more: int) -> None:
        names = ("eax", "edx", "ecx", "s1", "s2")
        known = dict.fromkeys(names, 0) | dict(zip(names, arguments, strict=False))
        registers = {"cs": 8, "ss": 16, "ds": 16, "es": 16, "fs": 0, "gs": 0, "tr": 0, "ldtr": 0}
        usual = {"esp": 0x8000, "eflags": 2, "cr3": ROOT * PAGE, "gdt": GDT * PAGE, "gdt_limit": 63, **registers}
        values: dict[str, Any] = known | usual | more
        self.judge.feed(Event(0, call, 0x1234, 0, 0, 0)._replace(**values))

    def set(self, entry: int, value: int, flags: int, **more: int) -> None:
        if self.pae:
            self.call(Call.SetPxELong, value & 0xFFFFFFFF, value >> 32, entry, flags, **more)
        else:
            self.call(Call.SetPxE, value, entry, flags, **more)
        if entry + self.size <= len(self.memory):
            self.put(entry, value)

    @property
    def broken(self) -> list[str]:
        return [finding.rule.id for finding in self.judge.findings]


def announced(machine: Machine, frame: int = DATA) -> int:
    machine.call(Call.AllocatePage, frame, 0x51 if machine.pae else 0x41)
    return frame * PAGE


def record(call: Call, *registers: int, number: int = 1) -> Record:
    eax, edx, ecx = (*registers, 0, 0, 0)[:3]
    return Record(number, call, 0, 1, 0, 0x1010, eax, edx, ecx, number)
