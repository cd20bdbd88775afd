# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hypervisors that do nothing, in four ways: what each way itself costs is what is measured with them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ..abi import Call
from ..abi.wire import Mode, WireRecord
from ..hypervisor._generated_calls import SHAPES
from ..hypervisor.base import Hypervisor
from ..hypervisor.link import SWITCHABLE
from ..hypervisor.sites import FLAG_CALLS

if TYPE_CHECKING:
    from ..hypervisor.answers import Answer
    from ..hypervisor.vcpu import Vcpu

LEFT_ALONE: Final = FLAG_CALLS | {Call.IRET, Call.SYSEXIT}
"""Calls that :class:`Everything` leaves native: those that a kernel makes all the time."""
_WINDOW: Final = 0.5  # seconds over which a rate is taken


class Count(Hypervisor):
    """Counts every call."""

    modes: Mapping[Call, Mode] = dict.fromkeys(SWITCHABLE, Mode.COUNT)


class Trace(Hypervisor):
    """Records calls, takes the records out of the rings, and throws them away.

    Args:
        calls: which; all that can be switched, unless given.

    Attributes:
        records: how many were taken.
        fastest: the most in a second, over half a second at least; 0 when it did not take that long.
    """

    period = 0.005

    def __init__(self, calls: Iterable[Call] = SWITCHABLE) -> None:
        self.modes = dict.fromkeys(calls, Mode.TRACE)
        self.records = 0
        self.fastest = 0.0
        self._since = (0.0, 0)

    def idle(self) -> bool:
        """Take what is ready; say whether there was anything."""
        if self.link is None:
            return False
        taken = sum(len(self.link.drain(cpu)) for cpu in range(self.link.cpus)) // WireRecord.SIZE
        self.records += taken
        self._look(time.perf_counter())
        return taken >= _MANY

    def _look(self, now: float) -> None:
        since, records = self._since
        if now - since > _WINDOW:
            if since:
                self.fastest = max(self.fastest, (self.records - records) / (now - since))
            self._since = (now, self.records)


_MANY: Final = 4096  # records: so many are ready that the next round finds some as well


class Pages(Hypervisor):
    """Lets Python answer what changes page tables and the address space: "natively", each time."""

    def set_pxe(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> Answer:
        """Natively."""

    def set_pxe_long(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> Answer:
        """Natively."""

    def set_cr3(self, vcpu: Vcpu, value: int) -> Answer:
        """Natively."""


def _natively(self: Hypervisor, vcpu: Vcpu, *arguments: int) -> None:
    """Natively."""


class Everything(Hypervisor):
    """Lets Python answer each call that can be switched, but for :data:`LEFT_ALONE`: "natively", each time."""


for _call in SWITCHABLE:
    if _call not in LEFT_ALONE:
        setattr(Everything, SHAPES[_call].method, _natively)

OWN: Final[Mapping[str, type[Hypervisor]]] = {"count": Count, "trace": Trace, "pages": Pages, "everything": Everything}
"""By the names that ``openvmi bench`` knows them by; for other hypervisors, see :data:`openvmi.hypervisor.NAMES`."""
