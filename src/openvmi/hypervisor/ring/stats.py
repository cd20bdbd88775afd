# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest of ``ring`` left its ring for, and where its time went (``openvmi run --hypervisor ring --stats``).

Exits are counted by the monitor, all of them. Call sites are known for those that Python is asked about. Where the time
goes is looked at from outside, some dozen times a second: what each CPU executes then, and whether it waits for us.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from ...abi.wire import RING_INFO_OFFSET, RING_WINDOW_SIZE, WIRE_BASE, WIRE_PHASE_MASK, Phase, RingExit, RingInfo
from ...errors import HarnessError
from ..link import area
from ..vcpu import WORD
from .pages import budget, taken

if TYPE_CHECKING:
    from ..handlers import Handler, Verdict
    from ..link import Link

PERIOD: Final = 0.02
"""Seconds between two looks."""
SHADOWS: Final = (
    *("faults", "filled", "reflected", "refused", "drains", "drained", "nonsense", "synced", "roots", "directories"),
    *("tables", "splinters", "released", "evicted", "flushes", "used", "peak", "pages"),
)
"""The monitor's counters of shadows, in their order (firmware/ring/shadow.h)."""
PLACES: Final = ("program", "kernel", "stubs", "monitor", "Python")
_SHADOWS_AT: Final = (RING_INFO_OFFSET + RingInfo.OFFSETS["shadow"]) // 4
_FRAMES_AT: Final = (RING_INFO_OFFSET + RingInfo.OFFSETS["frames"]) // 4
_REGISTERS: Final = re.compile(r"EIP=([0-9a-f]{8}).*?CPL=(\d).*?HLT=(\d)", re.DOTALL)
_KERNEL: Final = 1
_MIB: Final = 1 << 20
_CALLER: Final = WORD["caller"]


class Monitor(Protocol):
    """QEMU's; :attr:`openvmi.machine.Machine.qmp` is one."""

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> object:
        """Execute a command and return its result."""


@dataclass(slots=True)
class Watch:
    """Counts while a guest runs.

    Attributes:
        sites: exits that Python was asked about, by exit and the guest's EIP.
        python_ns: nanoseconds in which Python decided.
        looks: what a CPU was found doing, one of :data:`PLACES`, or ``halted``.
    """

    sites: Counter[tuple[RingExit, int]] = field(default_factory=Counter)
    python_ns: int = 0
    looks: Counter[str] = field(default_factory=Counter)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def watched(self, number: RingExit, handler: Handler, link: Link) -> Handler:
        """Return ``handler``, counted and timed."""
        words, clock = link.words, time.perf_counter_ns

        def take(cpu: int) -> Verdict | None:
            began = clock()
            try:
                return handler(cpu)
            finally:
                self.python_ns += clock() - began
                self.sites[number, words[area(cpu) // 4 + _CALLER]] += 1

        return take

    def start(self, monitor: Callable[[], Monitor], link: Link) -> None:
        """Begin to look, in a thread; ``monitor`` gives QEMU's."""
        self._thread = threading.Thread(target=self._run, args=(monitor, link), name="openvmi-stats", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Harmless when repeated."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def _run(self, monitor: Callable[[], Monitor], link: Link) -> None:
        try:
            qemu = monitor()
            while not self._end.wait(PERIOD):
                waiting = [link.words[area(cpu) // 4] & WIRE_PHASE_MASK == Phase.REQUEST for cpu in range(link.cpus)]
                told = qemu.execute("human-monitor-command", {"command-line": "info registers -a"})
                for place, asks in zip(places(str(told)), waiting, strict=False):
                    self.looks["Python" if asks and place == "monitor" else place] += 1
        except HarnessError:
            return  # the machine has ended


def places(registers: str) -> Iterator[str]:
    """Yield what each CPU executes, from what QEMU's ``info registers -a`` prints."""
    for eip, level, halted in _REGISTERS.findall(registers):
        address = int(eip, 16)
        if halted == "1":
            yield "halted"
        elif int(level) > _KERNEL + 1:
            yield "program"
        elif int(level) == 0:
            yield "monitor"
        else:
            yield "stubs" if WIRE_BASE <= address < WIRE_BASE + RING_WINDOW_SIZE else "kernel"


def shadows(link: Link) -> dict[str, int]:
    """Return the monitor's counters of shadows, by name."""
    return {name: link.words[_SHADOWS_AT + index] for index, name in enumerate(SHADOWS)}


def report(exits: Mapping[RingExit, int], watch: Watch, link: Link, place: Callable[[int], str]) -> Iterator[str]:
    """Yield lines for people.

    Args:
        exits: how often each was made.
        watch: what was seen.
        link: to the guest.
        place: an address in words.
    """
    asked = Counter[RingExit]()
    sites: dict[RingExit, Counter[str]] = {}
    for (number, eip), count in watch.sites.items():
        asked[number] += count
        sites.setdefault(number, Counter())[place(eip)] += count
    yield f"{'exit':12} {'times':>12} {'asked':>10}  most from"
    for number, count in sorted(exits.items(), key=lambda item: -item[1]):
        found = ", ".join(f"{where} {times:,}" for where, times in sites.get(number, Counter()).most_common(3))
        yield f"{number.name:12} {count:12,} {asked[number]:10,}  {found}".rstrip()
    counters = shadows(link)
    memory = link.words[_FRAMES_AT] * 4096
    most = taken(memory, link.cpus, counters["pages"], counters["peak"])
    yield (
        f"shadows: {counters['used']:,} pages in use, {counters['peak']:,} at most, of {counters['pages']:,}; "
        f"with tables {most / _MIB:.2f} MiB at most, of a bound of {budget(memory) / _MIB:.2f}; "
        + ", ".join(
            f"{counters[name]:,} {name}" for name in ("filled", "reflected", "refused", "drained", "roots", "evicted")
        )
    )
    total = watch.looks.total()
    if total:
        parts = (f"{name} {100 * watch.looks[name] / total:.0f} %" for name in (*PLACES, "halted") if watch.looks[name])
        yield f"time: {', '.join(parts)} of {total:,} looks"
    yield f"Python: {watch.python_ns / 1e6:.1f} ms in {sum(asked.values()):,} decisions"
