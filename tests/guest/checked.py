# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A boot in which the bundled guest checks everything, for the tests that do so on machines of their own."""

from __future__ import annotations

from collections.abc import Callable

from openvmi import images
from openvmi.machine import Machine

Vm = Callable[..., Machine]
# What the self-checks that need a local APIC count for.
FEWEST_CHECKS = 2700


def run_checked(vm: Vm, guest: str, append: str = "", **changes: object) -> tuple[Machine, dict[str, str]]:
    """Boot ``guest``, have everything checked, and return the machine and its `info` facts."""
    machine = vm(
        kernel=images.path(guest), append=f"{append} -- check", accel="tcg", timeout=60, expect_report=True, **changes
    )
    outcome = machine.wait()
    assert outcome.ok, outcome.reason
    (summary,) = machine.result.of("summary")
    passed, failed = (int(word) for word in summary.words)
    assert (failed, machine.result.of("fail")) == (0, [])
    assert passed > FEWEST_CHECKS
    facts = (line.text.partition(" ") for line in machine.result.of("info"))
    return machine, {key: value for key, _, value in facts}
