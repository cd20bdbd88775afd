# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with a Python hypervisor behind it: set up, run, changed while it runs, taken apart.

with Session(MyHypervisor(), config) as session:
    outcome = session.wait()

:meth:`Session.switch`, :meth:`~Session.attach` and :meth:`~Session.detach` may be called in any thread, handlers' own
included, from the start to the end; everything else belongs to the thread that started it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path as FilePath
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .. import images
from ..abi import Call, wire
from ..abi.wire import BrainState, Mode, Path
from ..errors import HarnessError
from ..machine import Machine, MachineConfig, SharedDevice
from .answers import Debug, Snapshot, Stop
from .base import Hypervisor
from .blame import user_traceback
from .brain import Brain
from .guest import Guest
from .handlers import Verdict, exit_answer, make_handlers
from .link import Link, area
from .memory import GuestMemory
from .sites import CACHE_LINE, PAGE, Reach
from .switchboard import Change, Switchboard
from .vcpu import Vcpu

if TYPE_CHECKING:
    from mmap import mmap

    from ..machine import GuestRam, Outcome

_LOW_MEMORY = 0xE0000000  # where the PC has its devices
_NAP = 0.1


def hosted_config(config: MachineConfig) -> MachineConfig:
    """Return ``config`` with what a hosted hypervisor needs: our ROM if it has none, the device, shared memory."""
    return replace(
        config,
        option_roms=config.option_roms or (images.path("openvmi.rom"),),
        shared_device=SharedDevice(size=wire.WIRE_DEVICE_SIZE, wake_port=wire.WIRE_WAKE_PORT),
        share_memory=True,
    )


class Session:
    """One run of a machine under a hypervisor.

    Args:
        hypervisor: decides, from the start.
        config: the machine; :func:`hosted_config` is applied to it.
        paths: how calls are answered at activation; see :class:`~openvmi.hypervisor.link.Link`.
        chores: called in the brain's thread, at least every ``period`` seconds; True says that there is more to do.
        period: seconds.
        symbols: file that the kernel's symbols come from; None for wherever there are some.
        machine: further arguments of :class:`openvmi.machine.Machine`.
        warn: called, in the brain's thread, with what went wrong while the machine goes on: a snapshot, for one.

    Attributes:
        machine: the machine.
        guest: its kernel, from the start on.
        stop: the answer that ended the machine; None if it was not the hypervisor's.
        failure: what an attached hypervisor raised last, for which it was detached; None if nothing.
    """

    def __init__(  # noqa: PLR0913 - each is a thing of its own
        self,
        hypervisor: Hypervisor,
        config: MachineConfig,
        *,
        paths: Mapping[Call, Path] | None = None,
        chores: Callable[[], object] = lambda: None,
        period: float = _NAP,
        symbols: FilePath | None = None,
        machine: Mapping[str, object] | None = None,
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._warn = warn
        self._first = hypervisor
        self.guest: Guest | None = None
        self.stop: Stop | None = None
        self.failure: Exception | None = None
        self._paths = paths
        self._chores = chores
        self._period = period
        self._symbol_file = symbols
        self._link: Link | None = None
        self._brain: Brain | None = None
        self._waiting = ExitStack()
        self._board: Switchboard | None = None
        self._ram: GuestRam | None = None
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
        try:
            self.start()
        except BaseException:
            self.close()  # nobody leaves a statement that he has not entered
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Switch the machine on; errors as :meth:`openvmi.machine.Machine.start`."""
        for caution in self._first.cautions(self.machine.config):
            self._warn(caution)
        self.machine.start()
        link = self.link
        self._pipe = os.pipe()
        self.machine.add_input(self._pipe[0], self._stop_asked)
        self._ram = self.machine.ram  # now: later, other threads ask
        self.guest = Guest(self._memory, FilePath(self.machine.config.kernel), link, self._symbol_file)
        vcpus = [Vcpu(cpu, link.words, area(cpu) // 4, self._memory, self.guest) for cpu in range(link.cpus)]
        self._brain = Brain(
            link,
            make_handlers(self._first, link, vcpus),
            self.machine.wake,
            verdict=self._verdict,
            chores=self._do_chores,
            hear=self._heard,
            period=min(self._period, self._first.period),
            exits=self._first.exit_handlers(link, vcpus),
        )
        self._board = Switchboard(link, self._brain, vcpus, self._first)
        self._first.started(self.machine)
        self._brain.start()
        self._waiting.close()

    @property
    def hypervisor(self) -> Hypervisor:
        """Who decides; after a detach, one that decides nothing."""
        return self._first if self._board is None else self._board.hypervisor

    @property
    def switchable(self) -> tuple[Call, ...]:
        """The calls whose mode can be changed in this machine."""
        return self._switchboard().switchable

    def switch(self, mode: Mode, calls: Iterable[Call] | None = None) -> Change:
        """Do ``mode`` with ``calls`` from now on, on all CPUs; None: with all calls that can be switched.

        Raises:
            UsageError: a call can't be switched in this machine, or Python was asked for and nobody is attached who
                answers it.
            HarnessError: the machine is not running.
        """
        return self._switchboard().switch(mode, calls)

    def attach(self, hypervisor: Hypervisor) -> Change:
        """Let ``hypervisor`` decide from now on; one that is attached goes. If it raises, it is detached.

        Raises:
            Exception: whatever its ``started`` raises; nothing has changed then.
            UsageError: it wants a call that can't be switched in this machine.
            HarnessError: a handler of the one before does not come back, or the machine is not running.
        """
        board = self._switchboard()
        board.check(hypervisor)
        hypervisor.link, hypervisor.guest = self._link, self.guest
        hypervisor.started(self.machine)  # before it is asked anything, and what it raises leaves all as it was
        self.failure = None
        change = board.attach(hypervisor)
        if self._brain is not None:
            self._brain.period = min(self._brain.period, hypervisor.period)
        return change

    def detach(self) -> Change:
        """Have everything done natively, and nobody asked. No request is outstanding when it returns.

        Raises:
            HarnessError: a handler does not come back (all is native even so), or the machine is not running.
        """
        return self._switchboard().detach()

    def _switchboard(self) -> Switchboard:
        if self._board is None or self._told or self.machine.outcome is not None:
            raise HarnessError("the machine is not running")
        return self._board

    def wait(self) -> Outcome:
        """Carry on until the machine ends; return how."""
        try:
            outcome = self.machine.wait()
        except KeyboardInterrupt:
            if self.machine.outcome is not None:
                self._end(self.machine.outcome)
            raise
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
            while self._do_chores():
                pass
            self.hypervisor.stopped(outcome)

    def _heard(self, data: bytes) -> None:
        try:
            self.hypervisor.heard(data)
        except Exception as error:  # noqa: BLE001 - user code; it must not take the brain with it
            if self._brain is not None:
                self._brain.failure = self._brain.failure or error

    def _do_chores(self) -> bool:
        """Do what is due between calls; say whether there is more."""
        more = self._chores() is True
        try:
            return self.hypervisor.idle() is True or more
        except SystemExit as error:
            self._verdict(Verdict("stop", answer=exit_answer(error)))
            return False
        except Exception as error:  # noqa: BLE001 - user code; it must not take the brain with it
            if self._brain is not None:
                self._brain.failure = self._brain.failure or error
            if not self._told:
                self._verdict(Verdict("failed", error=error))
            return False

    def _prepare(self, memory: mmap) -> None:
        cpus, ram = self.machine.config.cpus, min(self.machine.config.memory, _LOW_MEMORY)
        plan = self.machine.plan
        at_once = cpus == 1 or (plan is not None and plan.accel.name == "tcg")
        self._link = Link(
            memory,
            cpus,
            self._first.payload(cpus),
            {**dict.fromkeys(self._first.offers, Path.SWITCHABLE), **(self._paths or {})},
            None if self._first.deprivileges else Reach(ram, PAGE if at_once else CACHE_LINE),
        )
        self._first.install(self._link, self.machine.config.memory)
        for call, mode in self._first.modes.items():
            self._link.set_mode(mode, [call])
        self._link.set_mode(Mode.UPCALL, self._first.routed())
        # a guest may be quicker than we are: its first calls wait for the brain's thread, however long that takes
        self._link.set_brain(BrainState.ALIVE)
        self._waiting.enter_context(self._link.hold)
        self._first.link = self._link

    def _memory(self, cr3: int) -> GuestMemory:
        return GuestMemory(self._ram or self.machine.ram, cr3, pae=self.link.pae)

    def _verdict(self, verdict: Verdict) -> bool:
        """Do what a handler wants, in the brain's thread, while the guest waits; say whether the machine ends."""
        link = self.link
        if verdict.error is not None and self.hypervisor is not self._first:
            # whoever came while the machine ran goes while it runs
            self.failure = verdict.error
            who = type(self.hypervisor).__name__
            self._warn(f"{who} raised an exception, and is detached:\n{user_traceback(verdict.error).rstrip()}")
            if self._brain is not None and self._brain.failure is verdict.error:
                self._brain.failure = None
            self.detach()
        elif verdict.error is not None:
            self._stop(Stop(f"{type(verdict.error).__name__}: {verdict.error}", status=125))
            return True
        elif isinstance(verdict.answer, Stop):
            self._stop(verdict.answer)
            return True
        elif isinstance(verdict.answer, Snapshot):
            with link.hold:
                self._snapshot(verdict.answer)
        elif isinstance(verdict.answer, Debug):
            from .prompt import prompt  # noqa: PLC0415

            with link.hold:
                prompt(self.hypervisor, verdict.vcpu)
        return False

    def _stop_asked(self, data: bytes) -> None:
        del data
        self.machine.stop()

    def _stop(self, answer: Stop) -> None:
        self.link.hold.for_ever()
        self.stop = self.stop or answer
        if self._pipe is not None:
            os.write(self._pipe[1], b"x")

    def _snapshot(self, answer: Snapshot) -> None:
        """Have QEMU write the machine's whole state; what goes wrong is said, and the guest goes on."""
        from .snapshot import save  # noqa: PLC0415 - rarely used

        try:
            save(self.machine.qmp, answer.file, self.link)
        except HarnessError as error:
            self._warn(f"no snapshot: {error}")
