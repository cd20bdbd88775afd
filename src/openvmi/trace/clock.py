# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the time stamps of a trace run: the host's TSC, measured against wall time.

A guest's RDTSC is the host's plus a constant, under TCG (QEMU, cpu_get_host_ticks) as under KVM. Python has no RDTSC,
so a few bytes of machine code read it. Where they can't run (no x86-64, no executable memory), nothing is known.
"""

from __future__ import annotations

import mmap
import platform
import time
from collections.abc import Callable
from typing import Final, NamedTuple

ICOUNT_HZ: Final = 1_000_000_000
"""With instructions counted (``-icount shift=0``) an instruction takes a nanosecond, and the TSC counts those."""
_RDTSC: Final = bytes.fromhex("0f31 48c1e220 4809d0 c3")  # rdtsc; shl rdx, 32; or rax, rdx; ret
_TRIES: Final = 16
_SHORTEST: Final = 0.02


class _Sample(NamedTuple):
    ticks: int
    nanoseconds: int


class TscClock:
    """Measures the TSC's frequency from its creation to :meth:`hz`.

    Args:
        ticks: reads the TSC; None: the host's.
    """

    def __init__(self, ticks: Callable[[], int] | None = None) -> None:
        self._ticks = ticks or host_ticks()
        self._first = self._sample()

    def hz(self) -> int:
        """Return ticks in a second, rounded to kHz; 0 where they can't be read. Takes until 20 ms from the start."""
        if self._first is None:
            return 0
        left = _SHORTEST - (time.monotonic_ns() - self._first.nanoseconds) / 1e9
        if left > 0:
            time.sleep(left)
        last = self._sample()
        if last is None or last.nanoseconds <= self._first.nanoseconds:
            return 0
        hz = (last.ticks - self._first.ticks) * 1e9 / (last.nanoseconds - self._first.nanoseconds)
        return max(0, round(hz / 1000) * 1000)

    def _sample(self) -> _Sample | None:
        """Read both clocks at once: the one of several tries that took the least time."""
        if self._ticks is None:
            return None
        tries = []
        for _ in range(_TRIES):
            before = time.monotonic_ns()
            ticks = self._ticks()
            after = time.monotonic_ns()
            tries.append((after - before, _Sample(ticks, (before + after) // 2)))
        return min(tries)[1]


def host_ticks() -> Callable[[], int] | None:
    """Return a function that reads the host's TSC; None where there is no way to."""
    if platform.machine() not in {"x86_64", "AMD64"}:
        return None
    import ctypes  # noqa: PLC0415 - only a trace needs it

    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    page.write(_RDTSC)
    where = ctypes.addressof(ctypes.c_char.from_buffer(page))
    function = ctypes.CFUNCTYPE(ctypes.c_uint64)(where)

    def read(page: mmap.mmap = page) -> int:
        del page  # kept for as long as this is
        ticks: int = function()
        return ticks

    return read
