# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the PC answers in place of the emulator: CPUID, MSRs, counters, ports. The same at every run."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from unicorn import x86_const as x86

from .seen import GENERAL_PROTECTION, Port

SYSENTER_CS: Final = 0x174
SYSENTER_ESP: Final = 0x175
SYSENTER_EIP: Final = 0x176
NATIVE_MSRS: Final = (SYSENTER_CS, SYSENTER_ESP, SYSENTER_EIP)
COUNTER_START: Final = 0x1_2345_6789
COUNTER_STEP: Final = 1000
PORT_PATTERN: Final = 0x11223344
"""What every port reads as, cut to the access's size."""
PIT: Final = range(0x40, 0x43)
"""The timer's counters: clocks are measured against them."""
_PIT_CYCLES: Final = 1000
_PORT_CYCLES: Final = 100_000
_MSR_START: Final = {0x10: 0, 0x1B: 0xFEE00900, 0x277: 0x0007040600070406, 0x8B: 0}
_FEATURES: Final = struct.unpack("<4I", struct.pack("<4I", 0x6FB, 0x00010800, 0x0000_0201, 0x0781ABFF))
_LEAVES: Final = {0: (1, *struct.unpack("<3I", b"GenuntelineI")), 1: _FEATURES}
_NAMES: Final = ("eax", "ebx", "ecx", "edx")
_HALF: Final = 0xFFFFFFFF


def cpuid(leaf: int) -> tuple[int, int, int, int]:
    """Return EAX, EBX, ECX, EDX of ``leaf``; beyond the last leaf those of the last, as Intel's do."""
    a, b, c, d = _LEAVES.get(leaf, _FEATURES)
    return a, b, c, d


class Devices:
    """The machine around the CPU.

    Args:
        uc: the emulated CPU.
        fault: is told the vector of an exception that an instruction raises.
    """

    def __init__(self, uc: Any, fault: Callable[[int], None]) -> None:  # noqa: ANN401 - unicorn has few types
        self._uc = uc
        self._fault = fault
        self.counter = COUNTER_START
        self.msrs = dict(_MSR_START)
        self.ports: list[Port] = []
        self.reset = False
        self._high = False
        self._count = 0
        self.instructions: Mapping[str, Callable[[], bool]] = {
            "cpuid": self._cpuid,
            "rdmsr": self._rdmsr,
            "wrmsr": self._wrmsr,
            "rdtsc": self._rdtsc,
            "rdtscp": self._rdtsc,
            "rdpmc": self._rdpmc,
            "wbinvd": lambda: True,
        }
        """By name: does an instruction, and tells whether it was done (else it faulted)."""

    def restart(self) -> None:
        """Forget what happened."""
        self.counter = COUNTER_START
        self.msrs = dict(_MSR_START)
        self.ports = []
        self.reset = False
        self._high = False

    def get(self, name: str) -> int:
        """Return a register."""
        return int(self._uc.reg_read(getattr(x86, f"UC_X86_REG_{name.upper()}")))

    def _set(self, **registers: int) -> None:
        for name, value in registers.items():
            self._uc.reg_write(getattr(x86, f"UC_X86_REG_{name.upper()}"), value)

    def _cpuid(self) -> bool:
        self._set(**dict(zip(_NAMES, cpuid(self.get("eax")), strict=True)))
        return True

    def _pair(self, value: int) -> bool:
        self._set(eax=value & _HALF, edx=value >> 32 & _HALF)
        return True

    def read_msr(self, index: int) -> int | None:
        """Return a model-specific register, None for one that there is not."""
        return int(self._uc.msr_read(index)) if index in NATIVE_MSRS else self.msrs.get(index)

    def write_msr(self, index: int, value: int) -> bool:
        """Set a model-specific register; False if there is no such."""
        if index in NATIVE_MSRS:
            self._uc.msr_write(index, value)
            return True
        if index not in self.msrs:
            return False
        self.msrs[index] = value
        return True

    def _rdmsr(self) -> bool:
        value = self.read_msr(self.get("ecx"))
        return self._refused() if value is None else self._pair(value)

    def _wrmsr(self) -> bool:
        return self.write_msr(self.get("ecx"), self.get("edx") << 32 | self.get("eax")) or self._refused()

    def _refused(self) -> bool:
        self._fault(GENERAL_PROTECTION)
        return False

    def _rdtsc(self) -> bool:
        self.counter += COUNTER_STEP
        return self._pair(self.counter)

    def _rdpmc(self) -> bool:
        return self._pair(self.get("ecx") + COUNTER_START) if self.get("ecx") < 4 else self._refused()

    def port_in(self, port: int, size: int) -> int:
        """Answer an IN instruction of ``size`` bytes."""
        value = (self._pit() if port in PIT else PORT_PATTERN) & (1 << 8 * size) - 1
        self.ports.append(Port("in", port, size, value))
        return value

    def _pit(self) -> int:
        """Return the next byte of a counter that counts down while ports are read: low, high, low ..."""
        self._high = not self._high
        if not self._high:
            return self._count >> 8
        self.counter += 2 * _PORT_CYCLES
        self._count = 0xFFFF - self.counter // _PIT_CYCLES & 0xFFFF
        return self._count

    def port_out(self, port: int, size: int, value: int) -> None:
        """Take an OUT instruction; notice the ones that reset a PC."""
        self.ports.append(Port("out", port, size, value & (1 << 8 * size) - 1))
        keyboard, chipset, fast = (
            port == 0x64 and value == 0xFE,
            port == 0xCF9 and value & 4,
            port == 0x92 and value & 1,
        )
        self.reset = self.reset or bool(keyboard or chipset or fast)
