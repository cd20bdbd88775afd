# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with a Python hypervisor behind it: set up, run, taken apart.

with Session(MyHypervisor(), config) as session:
    outcome = session.wait()
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .. import images
from ..abi import Call, wire
from ..abi.wire import Mode, Path
from ..machine import Machine, MachineConfig, SharedDevice
from .answers import Debug, Snapshot, Stop
from .base import Hypervisor
from .brain import Brain
from .handlers import Verdict, make_handlers
from .link import Link, area
from .memory import GuestMemory
from .vcpu import Vcpu

if TYPE_CHECKING:
    from mmap import mmap

    from ..machine import Outcome

_NAP = 0.1
_LOOK = 0.01


def hosted_config(config: MachineConfig) -> MachineConfig:
    """Return ``config`` with what a hosted hypervisor needs: our ROM if it has none, the device, shared memory."""
    return replace(
        config,
        option_roms=config.option_roms or (images.path("openvmi.rom"),),
        shared_device=SharedDevice(size=wire.WIRE_SIZE, wake_port=wire.WIRE_WAKE_PORT),
        share_memory=True,
    )


class Session:
    """One run of a machine under a hypervisor.

    Args:
        hypervisor: decides.
        config: the machine; :func:`hosted_config` is applied to it.
        paths: how calls are answered at activation; see :class:`~openvmi.hypervisor.link.Link`.
        chores: called in the brain's thread, at least every ``period`` seconds.
        period: seconds.
        machine: further arguments of :class:`openvmi.machine.Machine`.

    Attributes:
        machine: the machine.
        hypervisor: as given.
        stop: the answer that ended the machine; None if it was not the hypervisor's.
    """

    def __init__(  # noqa: PLR0913 - each is a thing of its own
        self,
        hypervisor: Hypervisor,
        config: MachineConfig,
        *,
        paths: Mapping[Call, Path] | None = None,
        chores: Callable[[], object] = lambda: None,
        period: float = _NAP,
        machine: Mapping[str, object] | None = None,
    ) -> None:
        self.hypervisor = hypervisor
        self.stop: Stop | None = None
        self._paths = paths
        self._chores = chores
        self._period = period
        self._link: Link | None = None
        self._brain: Brain | None = None
        self._pipe: tuple[int, int] | None = None
        self._told = False
        self.machine = Machine(hosted_config(config), prepare=self._prepare, **(machine or {}))  # type: ignore[arg-type]

    @property
    def link(self) -> Link:
        """The link to the guest; there from the start of the machine."""
        if self._link is None:
            self.machine.shared  # noqa: B018 - raises: there is no machine yet
            raise AssertionError  # pragma: no cover
        return self._link

    @property
    def brain(self) -> Brain | None:
        """Who answers; None before the start."""
        return self._brain

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Switch the machine on; errors as :meth:`openvmi.machine.Machine.start`."""
        self.machine.start()
        link = self.link
        self._pipe = os.pipe()
        self.machine.add_input(self._pipe[0], self._stop_asked)
        vcpus = [Vcpu(cpu, link.words, area(cpu) // 4, self._memory) for cpu in range(link.cpus)]
        self._brain = Brain(
            link,
            make_handlers(self.hypervisor, link, vcpus),
            self.machine.wake,
            verdict=self._verdict,
            chores=self._chores,
            period=self._period,
        )
        self.hypervisor.started(self.machine)
        self._brain.start()

    def wait(self) -> Outcome:
        """Carry on until the machine ends; return how."""
        outcome = self.machine.wait()
        self._end(outcome)
        return outcome

    def close(self) -> None:
        """End whatever still runs. Harmless when repeated."""
        if self._brain is not None:
            self._brain.stop()
        self.machine.close()
        if self._pipe is not None:
            for fd in self._pipe:
                os.close(fd)
            self._pipe = None

    def _end(self, outcome: Outcome) -> None:
        if self._brain is not None:
            self._brain.stop()
        if not self._told:
            self._told = True
            self._chores()
            self.hypervisor.stopped(outcome)

    def _prepare(self, memory: mmap) -> None:
        name = "payload-up.bin" if self.machine.config.cpus == 1 else "payload-smp.bin"
        self._link = Link(
            memory,
            self.machine.config.cpus,
            images.path(name).read_bytes(),
            self._paths,
            low_memory=min(self.machine.config.memory, 0xE0000000),
        )
        for call, mode in self.hypervisor.modes.items():
            self._link.set_mode(mode, [call])
        self._link.set_mode(Mode.UPCALL, self.hypervisor.routed())
        self.hypervisor.link = self._link

    def _memory(self, cr3: int) -> GuestMemory:
        return GuestMemory(self.machine.ram, cr3, pae=self.link.pae)

    def _verdict(self, verdict: Verdict) -> None:
        """Do what a handler wants, in the brain's thread, while the guest waits."""
        link = self.link
        link.set_hold(True)
        if verdict.error is not None:
            self._stop(Stop(f"{type(verdict.error).__name__}: {verdict.error}", status=125))
        elif isinstance(verdict.answer, Stop):
            self._stop(verdict.answer)
        elif isinstance(verdict.answer, Snapshot):
            self._snapshot(verdict.answer)
            link.set_hold(False)
        elif isinstance(verdict.answer, Debug):
            from .prompt import prompt  # noqa: PLC0415

            prompt(self.hypervisor, verdict.vcpu)
            link.set_hold(False)

    def _stop_asked(self, data: bytes) -> None:
        del data
        self.machine.stop()

    def _stop(self, answer: Stop) -> None:
        self.stop = self.stop or answer
        if self._pipe is not None:
            os.write(self._pipe[1], b"x")

    def _snapshot(self, answer: Snapshot) -> None:
        """Have QEMU write the machine's whole state; the CPUs stand still meanwhile."""
        # ``exec:`` goes through a shell, so the name must not be one's program
        from shlex import quote  # noqa: PLC0415 - rarely used

        qmp = self.machine.qmp
        qmp.execute("stop")
        qmp.execute("migrate", {"uri": f"exec:cat > {quote(answer.file)}"})
        while qmp.execute("query-migrate").get("status") not in {"completed", "failed", "cancelled"}:
            time.sleep(_LOOK)
        qmp.execute("cont")
