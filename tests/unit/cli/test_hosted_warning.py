# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is told that nothing comes to Python."""

from __future__ import annotations

import pytest

from openvmi.cli._hosted import _does_nothing
from openvmi.hypervisor import Hypervisor, Ring
from openvmi.hypervisor.ring.pci import Function


class _Call(Hypervisor):
    def set_cr3(self, vcpu: object, value: int) -> None: ...


class _Slip(Hypervisor):
    def set_cr33(self, vcpu: object, value: int) -> None: ...


class _Exit(Ring):
    def on_cpuid(self, *arguments: object) -> None: ...


class _Masters(Ring):
    masters = frozenset({Function(0, 1, 1)})


class _RingSlip(Ring):
    def on_cpuidd(self, *arguments: object) -> None: ...


@pytest.mark.parametrize(
    ("kind", "silent"),
    [
        (Hypervisor, False),
        (_Call, False),
        (_Slip, True),
        (Ring, False),
        (_Exit, False),
        (_Masters, False),
        (_RingSlip, True),
    ],
)
def test_a_hypervisor_that_nothing_comes_to(kind: type[Hypervisor], *, silent: bool) -> None:
    assert _does_nothing(kind()) is silent
