# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stops the guest at its n-th context switch.

FREEZE_AT=500 openvmi run --hypervisor examples/freeze.py
"""

import os

from openvmi.hypervisor import Hypervisor, Stop, Vcpu


class Freeze(Hypervisor):
    """Says who was about to run, and ends the machine with status 0; a run that never gets there ends as it does."""

    at = int(os.environ.get("FREEZE_AT", "1000"))
    seen = 0

    def set_cr3(self, vcpu: Vcpu, value: int) -> Stop | None:
        """Count up to ``at``."""
        self.seen += 1
        if self.seen < self.at:
            return None
        print(f"CPU {vcpu.index}: {vcpu.task} loads CR3 = {value:#x} in {vcpu.where}")
        print("  on its stack:", " < ".join(vcpu.stack()))
        return Stop(f"SetCR3 number {self.seen}")
