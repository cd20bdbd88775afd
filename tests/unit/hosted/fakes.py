# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""RAM and page tables without a machine, and a CPU that makes a call."""

from __future__ import annotations

from array import array
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from openvmi.errors import UsageError
from openvmi.hypervisor.guest import Guest
from openvmi.hypervisor.memory import GuestMemory
from openvmi.hypervisor.vcpu import WORD, Vcpu

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20


class Ram:
    """RAM from address 0."""

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)

    def read(self, address: int, length: int) -> bytes:
        self._check(address, length)
        return bytes(self.data[address : address + length])

    def write(self, address: int, data: bytes) -> None:
        self._check(address, len(data))
        self.data[address : address + len(data)] = data

    def number(self, address: int, value: int, size: int = 4) -> None:
        self.write(address, value.to_bytes(size, "little"))

    def _check(self, address: int, length: int) -> None:
        if address < 0 or address + length > len(self.data):
            raise UsageError("no RAM there")


class Space:
    """Page tables in a :class:`Ram`, from ``cr3`` on."""

    def __init__(self, ram: Ram, cr3: int, *, pae: bool) -> None:
        self.ram = ram
        self.cr3 = cr3
        self.pae = pae
        self._next = cr3 + 4096

    @property
    def memory(self) -> GuestMemory:
        return GuestMemory(self.ram, self.cr3, pae=self.pae)

    def map(self, va: int, physical: int, bits: int = 7) -> None:
        table = self.cr3
        for shift in (30, 21) if self.pae else (22,):
            table = self._table(table, va >> shift & (0x1FF if self.pae and shift < 30 else 0x3FF), shift)
        self._put(table, va >> 12 & (0x1FF if self.pae else 0x3FF), physical | bits)

    def map_large(self, va: int, physical: int, bits: int = 7) -> None:
        table = self._table(self.cr3, va >> 30, 30) if self.pae else self.cr3
        self._put(table, va >> 21 & 0x1FF if self.pae else va >> 22, physical | bits | 0x80)

    def _put(self, table: int, index: int, value: int) -> None:
        size = 8 if self.pae else 4
        self.ram.number(table + index * size, value, size)

    def _table(self, table: int, index: int, shift: int) -> int:
        size = 8 if self.pae else 4
        entry = int.from_bytes(self.ram.read(table + index * size, size), "little")
        if not entry & 1:
            entry, self._next = self._next | (1 if shift == 30 else 7), self._next + 4096
            self._put(table, index, entry)
        return entry & ~0xFFF


def vcpu(space: Space | None = None, guest: Guest | None = None, **registers: int) -> Vcpu:
    """Return a CPU that makes a call with these registers."""
    words = array("I", [0] * 32)
    for name, value in registers.items():
        words[WORD[name]] = value
    if space is not None:
        words[WORD["cr3"]] = space.cr3
    return Vcpu(0, memoryview(words), 0, None if space is None else lambda _: space.memory, guest)


def example(name: str) -> ModuleType:
    """Return one of the repository's examples as a module of its own."""
    spec = spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
