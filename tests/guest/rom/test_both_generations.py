# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine with ROMs of both generations: each guest picks its own, and the older one lies first."""

from __future__ import annotations

from openvmi.bench.measure import boot
from openvmi.boot import Request


def found(kernel: str) -> tuple[int, str]:
    """Return where ``kernel`` found its ROM, and the ROM's API version."""
    report = boot(Request(kernel=kernel, hypervisor="native13", append="-- check", accel="tcg", timeout=60))
    assert report.summary is not None
    assert (report.summary.failed, report.info["vmi"]) == (0, "active cpl 0")
    return int(report.info["rom"].removeprefix("found "), 16), report.info["rom-version"]


def test_each_guest_picks_its_own() -> None:
    """The guests of 2006 stop at the first VMI ROM, whatever its version (vmi-abi.md 1.7)."""
    older, mainline = found("guest-13"), found("guest")
    assert (older[1], mainline[1]) == ("13.3", "3.0")
    assert older[0] < mainline[0]


def test_alone_the_other_generation_is_refused() -> None:
    report = boot(Request(kernel="guest-13", hypervisor="native", append="-- check", accel="tcg", timeout=60))
    assert report.info["vmi"] == "refused api-version"
    assert report.summary is not None
    assert report.summary.failed == 0
