# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How often a kernel makes each call, without asking Python even once.

openvmi run --hypervisor examples/count.py
"""

from openvmi.abi.wire import Mode
from openvmi.hypervisor import Hypervisor
from openvmi.hypervisor.link import SWITCHABLE
from openvmi.machine import Outcome


class Count(Hypervisor):
    """Counts in the guest, where it costs a few instructions, and prints a table in the end."""

    modes = dict.fromkeys(SWITCHABLE, Mode.COUNT)

    def stopped(self, outcome: Outcome) -> None:
        """Print the calls, the most frequent first."""
        counts = self.link.counts() if self.link else {}
        for call, number in sorted(counts.items(), key=lambda item: -item[1]):
            print(f"{call.name:<20} {number:>12,}")
        seconds = outcome.times.duration / 1e9
        print(f"{'all':<20} {sum(counts.values()):>12,} in {seconds:.2f} s")
