# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a brain looks before it sleeps."""

from __future__ import annotations

from openvmi.hypervisor.spin import LONG_NS, SHORT_NS, Spin


def shared() -> Spin:
    """One that has found out that it shares a CPU with the guest."""
    spin = Spin()
    for _ in range(4):
        spin.woken(1000)
    return spin


def test_long_at_first_and_while_calls_are_caught() -> None:
    spin = Spin()
    for _ in range(100):
        assert spin.ns == LONG_NS
        spin.woken(1000)
        spin.caught()


def test_short_where_looking_is_in_vain() -> None:
    looks = [shared().ns for _ in range(3)]
    assert looks == [SHORT_NS] * 3


def test_now_and_then_long_to_find_out() -> None:
    spin = shared()
    looks = [spin.ns for _ in range(640)]
    assert looks.count(LONG_NS) == 10


def test_long_again_after_a_catch() -> None:
    spin = shared()
    assert spin.ns == SHORT_NS
    spin.caught()
    assert spin.ns == LONG_NS


def test_calls_that_come_seldom_say_nothing() -> None:
    spin = Spin()
    for _ in range(100):
        spin.woken(LONG_NS)
    assert spin.ns == LONG_NS
