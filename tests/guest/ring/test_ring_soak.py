# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that checks itself without pause, as is and with hardly any memory for shadows: nothing is ever found.

OPENVMI_STRESS_SECONDS=600 pytest tests/guest/ring/test_ring_soak.py -s    # ten minutes on each of eight machines
"""

from __future__ import annotations

import os
import sys

import pytest

from openvmi.abi import wire
from openvmi.abi.wire import RingInfo
from openvmi.boot import Request, configure
from openvmi.hypervisor.link import Link
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.ring.stats import shadows
from openvmi.hypervisor.session import Session
from openvmi.report import parse_report

SECONDS = int(os.environ.get("OPENVMI_STRESS_SECONDS", "3"))
POOL = (wire.RING_INFO_OFFSET + RingInfo.OFFSETS["pool_pages"]) // 4
# that the monitor takes: firmware/ring/shadow_root.c, shadow_pool_least
LEAST = {("guest", 1): 22, ("guest", 2): 28, ("guest-pae", 1): 34, ("guest-pae", 2): 52}


class Poor(Ring):
    """Has hardly more pages than the monitor insists on."""

    pages = 0

    def install(self, link: Link, memory: int) -> None:
        super().install(link, memory)
        link.words[POOL] = self.pages


@pytest.mark.timeout(2 * SECONDS + 100)
@pytest.mark.parametrize("poor", [False, True], ids=["rich", "poor"])
@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("kernel", ["guest", "guest-pae"])
def test_checks_without_pause(kernel: str, cpus: int, poor: bool) -> None:  # noqa: FBT001 - a parameter
    ring = Poor() if poor else Ring()
    if isinstance(ring, Poor):
        ring.pages = LEAST[kernel, cpus]
    config = configure(
        Request(
            kernel=kernel,
            hypervisor="ring",
            append=f"-- loop={SECONDS}",
            cpus=cpus,
            accel="tcg",
            timeout=2 * SECONDS + 60,
        )
    )
    with Session(ring, config) as session:
        outcome = session.wait()
        report = parse_report(outcome.report)
        rounds = int(report.info.get("check-rounds", "0"))
        counted, losses = shadows(session.link), session.link.losses()
    sys.stdout.write(
        f"\n{kernel}, {cpus} CPUs: {rounds} rounds, {report.fails or 'none failed'}; "
        f"shadows {counted['peak']} at most of {counted['pages']}, {counted['evicted']:,} evicted\n"
    )
    assert outcome.ok, f"{outcome.reason}: {report.fails}"
    assert rounds > SECONDS / 10
    assert losses.upcalls == 0
    assert counted["peak"] <= counted["pages"]
    assert (counted["evicted"] > 0) == poor
