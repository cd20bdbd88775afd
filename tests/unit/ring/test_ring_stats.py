# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Statistics of ring: what QEMU says a CPU executes, what is counted, and what is told of it."""

from __future__ import annotations

import mmap
import time
from collections.abc import Mapping

from openvmi.abi import wire
from openvmi.abi.wire import RingExit
from openvmi.errors import HarnessError
from openvmi.hypervisor.link import Link, area
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.ring.stats import Watch, places, report, shadows
from openvmi.hypervisor.vcpu import WORD, Vcpu

CPU = "EAX=00000000\nEIP={} EFL=00000246 [---Z-P-] CPL={} II=0 A20=1 SMM=0 HLT={}\nES =0000\n"


def test_what_a_cpu_executes() -> None:
    told = [("08048000", 3, 0), ("c0100000", 1, 0), ("fe000400", 1, 0), ("ff000000", 0, 0), ("c0100000", 1, 1)]
    assert list(places("".join(CPU.format(*each) for each in told))) == [
        "program",
        "kernel",
        "stubs",
        "monitor",
        "halted",
    ]
    assert list(places("nonsense")) == []


class Qemu:
    """Answers a few times, then has ended."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.left = 3

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> object:
        assert (command, arguments) == ("human-monitor-command", {"command-line": "info registers -a"})
        self.left -= 1
        if self.left < 0:
            raise HarnessError("it has ended")
        self.link.words[area(1) // 4] = self.left & 1
        return CPU.format("c0100000", 1, 0) + CPU.format("ff000000", 0, 0)


def test_looks_end_with_the_machine() -> None:
    link = Link(mmap.mmap(-1, wire.WIRE_SIZE), 2, None)
    watch = Watch()
    watch.start(lambda: Qemu(link), link)
    until = time.monotonic() + 10
    while watch.looks.total() < 6 and time.monotonic() < until:
        time.sleep(0.01)
    watch.stop()
    watch.stop()
    assert watch.looks["kernel"] == 3
    assert watch.looks["monitor"] + watch.looks["Python"] == 3


def test_what_is_told() -> None:
    ring = Ring()
    ring.watch = Watch()
    link = Link(mmap.mmap(-1, wire.WIRE_SIZE), 1, None)
    ring.link = link
    ring.prepare(1)
    vcpus = [Vcpu(0, link.words, area(0) // 4)]
    handler = ring.exit_handlers(link, vcpus)[RingExit.WRMSR]
    assert handler is not None
    link.words[area(0) // 4 + WORD["caller"]] = 0xC0100010
    handler(0)
    handler(0)
    at = wire.RING_CPUS_OFFSET + wire.RING_COUNTERS + 8 * RingExit.WRMSR
    link.bytes[at : at + 8] = (7).to_bytes(8, "little")
    lines = list(report(ring.exit_counts(), ring.watch, link, hex))
    assert lines[1].split() == ["WRMSR", "7", "2", "0xc0100010", "2"]
    assert lines[2].startswith("shadows: 0 pages in use")
    assert lines[-1].endswith(" in 2 decisions")
    assert shadows(link)["peak"] == 0
