# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Little memory and much."""

from __future__ import annotations

import pytest

from openvmi.boot import Request, configure
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.ring.pages import budget, taken
from openvmi.hypervisor.ring.stats import shadows
from openvmi.hypervisor.session import Session
from openvmi.report import parse_report


@pytest.mark.parametrize("memory", [32, 3072])
@pytest.mark.parametrize("kernel", ["guest", "guest-pae"])
def test_sizes_of_memory(kernel: str, memory: int) -> None:
    words = Request(
        kernel=kernel, hypervisor="ring", append="-- check", memory_mib=memory, cpus=1, accel="tcg", timeout=90
    )
    with Session(Ring(), configure(words)) as session:
        outcome = session.wait()
        report = parse_report(outcome.report)
        counted, losses = shadows(session.link), session.link.losses()
    assert outcome.ok, f"{outcome.reason}: {report.fails}"
    assert losses.upcalls == 0
    assert counted["used"] <= counted["peak"] <= counted["pages"]
    assert taken(memory << 20, 1, counted["pages"], counted["pages"]) <= budget(memory << 20)
    assert counted["evicted"] == 0
