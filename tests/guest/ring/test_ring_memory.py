# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Little memory and much, and a pool of shadows that is too small for what runs."""

from __future__ import annotations

import pytest

from openvmi.abi import wire
from openvmi.abi.wire import RingInfo
from openvmi.boot import Request, configure
from openvmi.hypervisor.link import Link
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.ring.pages import budget, taken
from openvmi.hypervisor.ring.stats import shadows
from openvmi.hypervisor.session import Session
from openvmi.report import parse_report

POOL = (wire.RING_INFO_OFFSET + RingInfo.OFFSETS["pool_pages"]) // 4


class Poor(Ring):
    """Has hardly more pages than the monitor insists on."""

    pages = 0

    def install(self, link: Link, memory: int) -> None:
        super().install(link, memory)
        link.words[POOL] = self.pages


def run(hypervisor: Ring, kernel: str, *, cpus: int = 1, memory: int = 128) -> dict[str, int]:
    config = configure(
        Request(
            kernel=kernel,
            hypervisor="ring",
            append="-- check",
            memory_mib=memory,
            cpus=cpus,
            accel="tcg",
            timeout=120,
        )
    )
    with Session(hypervisor, config) as session:
        outcome = session.wait()
        report = parse_report(outcome.report)
        assert outcome.ok, f"{outcome.reason}: {report.fails}"
        assert session.link.losses().upcalls == 0
        return shadows(session.link)


@pytest.mark.parametrize("memory", [32, 3072])
@pytest.mark.parametrize("kernel", ["guest", "guest-pae"])
def test_sizes_of_memory(kernel: str, memory: int) -> None:
    counted = run(Ring(), kernel, memory=memory)
    assert counted["used"] <= counted["peak"] <= counted["pages"]
    assert taken(memory << 20, 1, counted["pages"], counted["pages"]) <= budget(memory << 20)
    assert counted["evicted"] == 0


# the least that the monitor takes: firmware/ring/shadow_root.c, shadow_pool_least
@pytest.mark.parametrize(("kernel", "cpus", "least"), [("guest", 1, 22), ("guest", 2, 28), ("guest-pae", 2, 52)])
def test_a_guest_that_wants_more_shadows_than_there_are(kernel: str, cpus: int, least: int) -> None:
    poor = Poor()
    poor.pages = least
    counted = run(poor, kernel, cpus=cpus)
    assert counted["pages"] == least
    assert counted["peak"] <= least
    assert counted["evicted"] > 0
