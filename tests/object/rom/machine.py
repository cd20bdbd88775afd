# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One CPU, some memory and a ROM that can't be written: calls one piece of ROM code and says what came of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86
from unicorn.unicorn import Uc

from openvmi.abi import IF, Call

BASE = 0xC00C8000
MEMORY = 0x10000
MEMORY_SIZE = 0x20000
STACK = MEMORY + 0x8000
GDT = MEMORY + 0x10000
DTR = MEMORY + 0x11000
TABLE = MEMORY + 0x12000
RETURN = MEMORY + 0x100  # holds HLT
KERNEL_CODE, KERNEL_DATA, USER_CODE, USER_DATA, RING1_CODE, RING1_DATA = 0x08, 0x10, 0x1B, 0x23, 0x29, 0x31
TSS, LDT, OTHER_TSS = 0x38, 0x40, 0x48
GDT_LIMIT = 0x4F
GENERAL = ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp")
SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")
NAMES = (
    *GENERAL,
    "esp",
    "eip",
    "eflags",
    *SEGMENTS,
    "cr0",
    "cr2",
    "cr3",
    "cr4",
    *(f"dr{n}" for n in (0, 1, 2, 3, 6, 7)),
)
ARITHMETIC = 0x8D5  # CF, PF, AF, ZF, SF, OF
ALWAYS = 2
SYSENTER_CS_MSR = 0x174


def descriptor(base: int, limit: int, access: int, flags: int = 0xC) -> bytes:
    """Return a segment descriptor."""
    low = (limit & 0xFFFF) | (base & 0xFFFF) << 16
    high = base >> 16 & 0xFF | access << 8 | limit & 0xF0000 | flags << 20 | base & 0xFF000000
    return struct.pack("<II", low, high)


@dataclass(slots=True)
class Machine:
    """A CPU in flat protected mode at CPL 0, with ``image`` read-only at ``base``.

    ``ports`` records every port access as (direction, port, size, value); IN answers 0x11223344.
    """

    image: bytes
    base: int = BASE
    ports: list[tuple[str, int, int, int]] = field(default_factory=list)
    uc: Any = field(init=False)  # unicorn has few types

    def __post_init__(self) -> None:
        self.uc = Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_32)  # type: ignore[no-untyped-call]
        start, size = self.base & ~0xFFF, (len(self.image) + 0x1FFF) & ~0xFFF
        size = min(size, (1 << 32) - start)
        self.uc.mem_map(MEMORY, MEMORY_SIZE)
        self.uc.mem_map(start, size, uc_const.UC_PROT_READ | uc_const.UC_PROT_EXEC)
        self.uc.mem_write(self.base, self.image)
        self.uc.mem_write(RETURN, b"\xf4")
        self._segments()
        for direction, instruction in (("in", x86.UC_X86_INS_IN), ("out", x86.UC_X86_INS_OUT)):
            hook = self._in if direction == "in" else self._out
            self.uc.hook_add(uc_const.UC_HOOK_INSN, hook, None, 1, 0, instruction)

    def _segments(self) -> None:
        flat = [bytes(8), *(descriptor(0, 0xFFFFF, access) for access in (0x9B, 0x93, 0xFB, 0xF3, 0xBB, 0xB3))]
        system = [descriptor(TABLE, 0x67, 0x89, 0), descriptor(TABLE, 0x0F, 0x82, 0), descriptor(TABLE, 0x67, 0x89, 0)]
        self.uc.mem_write(GDT, b"".join([*flat, *system]))
        self.uc.reg_write(x86.UC_X86_REG_GDTR, (0, GDT, GDT_LIMIT, 0))
        self.set(cs=KERNEL_CODE, ss=KERNEL_DATA, ds=KERNEL_DATA, es=KERNEL_DATA, fs=0, gs=0)

    def _in(self, uc: object, port: int, size: int, _data: object) -> int:
        del uc
        value = 0x11223344 & (1 << 8 * size) - 1
        self.ports.append(("in", port, size, value))
        return value

    def _out(self, uc: object, port: int, size: int, value: int, _data: object) -> None:
        del uc
        self.ports.append(("out", port, size, value))

    def set(self, **registers: int) -> None:
        """Load registers by name."""
        for name, value in registers.items():
            self.uc.reg_write(getattr(x86, f"UC_X86_REG_{name.upper()}"), value)

    def get(self, name: str) -> int:
        """Return a register."""
        return int(self.uc.reg_read(getattr(x86, f"UC_X86_REG_{name.upper()}")))

    def state(self) -> dict[str, int]:
        """Return every register that a call might change."""
        return {name: self.get(name) for name in NAMES}

    def read(self, address: int, size: int) -> bytes:
        """Return memory."""
        return bytes(self.uc.mem_read(address, size))

    def memory(self) -> bytes:
        """Return all memory but the stack around the call."""
        above = STACK + 64
        return self.read(MEMORY, STACK - 64 - MEMORY) + self.read(above, MEMORY + MEMORY_SIZE - above)

    def call(self, address: int, *stack: int, until: int = RETURN, count: int = 1000) -> dict[str, int]:
        """CALL ``address`` with ``stack`` above the return address; return the state at ``until``.

        Raises:
            unicorn.UcError: the code faulted, or wrote where it must not.
            AssertionError: it did not arrive at ``until`` within ``count`` instructions.
        """
        self.uc.mem_write(STACK - 4, struct.pack(f"<{1 + len(stack)}I", RETURN, *stack))
        self.set(esp=STACK - 4)
        self.uc.emu_start(address, until, count=count)
        state = self.state()
        assert state["eip"] == until, f"ended at {state['eip']:#x}"
        return state

    def init(self) -> int:
        """Call vmi_init; return EAX."""
        return self.call(self.base + 0x80)["eax"]

    def reloc(self, number: int) -> tuple[int, int]:
        """Call get_reloc; return EAX and EDX: target and type."""
        self.set(eax=number)
        state = self.call(self.base + 0x88)
        return state["eax"], state["edx"]

    def vmi(self, call: Call, *stack: int, **registers: int) -> dict[str, int]:
        """Make a call of the interface through its stub; return the state afterwards."""
        target, kind = self.reloc(call)
        assert kind == 1
        self.set(**registers)
        return self.call(target, *stack)


def flags_of(state: dict[str, int]) -> int:
    """Return the arithmetic flags."""
    return state["eflags"] & ARITHMETIC


def interrupts(state: dict[str, int]) -> bool:
    """Tell whether EFLAGS.IF is set."""
    return bool(state["eflags"] & IF)
