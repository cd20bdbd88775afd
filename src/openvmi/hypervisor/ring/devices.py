# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Decisions about devices: ports, the local APIC, and the machine's end."""

from __future__ import annotations

from ..vcpu import Vcpu
from . import irqs
from .answers import Decision, protection
from .pci import Latch
from .state import Kept


class DeviceDecisions(Kept):
    """What of the machine's devices the guest has."""

    def on_in(self, vcpu: Vcpu, port: int, size: int) -> Decision:
        """IN of 1, 2 or 4 bytes from a port that is looked at. None: the machine's own; a Value: that instead."""
        if size not in {1, 2, 4}:
            return protection(f"an access of {size} bytes")
        return self.ports.read(port & 0xFFFF, size, _latch(vcpu))

    def on_out(self, vcpu: Vcpu, port: int, size: int, value: int) -> Decision:
        """OUT to a port that is looked at. None: done; ``Continue(value=)``: another value; a Value: nothing is."""
        if size not in {1, 2, 4}:
            return protection(f"an access of {size} bytes")
        return self.ports.write(port & 0xFFFF, size, value, _latch(vcpu))

    def on_apic(self, vcpu: Vcpu, register: int, value: int) -> Decision:
        """A register of the local APIC is written. None: done; a Value: not done."""
        del vcpu
        return irqs.apic_write(register, value)

    def on_io_apic(self, vcpu: Vcpu, register: int, value: int) -> Decision:
        """Register ``register`` of the I/O APIC is written. None: done, and an entry that may not be is masked."""
        del vcpu
        return irqs.redirection(value) if register >= irqs.ROUTES and not register & 1 else None

    def on_reboot(self, vcpu: Vcpu, how: int) -> Decision:
        """The guest wants to be started anew: ``how`` is 0 for soft, 1 for hard. None: the machine is reset."""

    def on_shutdown(self, vcpu: Vcpu) -> Decision:
        """The guest wants this CPU to be off. None: it is."""


def _latch(vcpu: Vcpu) -> Latch:
    return Latch(vcpu.register("ebx"), vcpu.register("s2"), vcpu.register("eax"))
