# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A PC that runs: start, wait, talk, end. The package's centre; everything else here serves it.

A machine is used in one thread. Nothing moves while nobody waits (:meth:`Machine.wait`, ``console.expect`` ...), except
the time limit, which a watchdog enforces.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..errors import HarnessError, UsageError
from .config import MachineConfig
from .launch import Launched, launch
from .plan import Plan, make_plan
from .process import interrupts_held

if TYPE_CHECKING:
    from mmap import mmap

    from .channel import ResultChannel, ResultLine
    from .console import Console
    from .early import HeadStart
    from .outcome import Outcome
    from .pump import Reader
    from .qmp import Qmp
    from .ram import GuestRam
    from .run import Run
    from .wires import Wires


class Machine:
    """One run of a PC.

    Args:
        config: what it is made of.
        console_sink: called with each piece that the guest prints. The machine's time limit does not end a sink that
            waits: one that writes where nobody may read has to look at :attr:`time_left`.
        on_result: called with each line of the result channel.
        command_start: time.monotonic_ns() at the start of the command, for its times; now, if not given.
        head_start: what the command may have started early; taken over if it is this machine, ended if it is not.
        prepare: called with the memory of the shared device, all zeros, before QEMU is started.

    Attributes:
        config: as given.
        plan: what was found out about it; None before its start.
        outcome: how it ended; None while it has not.
    """

    def __init__(  # noqa: PLR0913 - all but the first by name, and seldom given
        self,
        config: MachineConfig,
        *,
        console_sink: Callable[[bytes], object] | None = None,
        on_result: Callable[[ResultLine], None] | None = None,
        command_start: int | None = None,
        head_start: HeadStart | None = None,
        prepare: Callable[[mmap], None] | None = None,
    ) -> None:
        self.config = config
        self.plan: Plan | None = None
        self.outcome: Outcome | None = None
        self._sink = console_sink
        self._on_result = on_result
        self._command_start = time.monotonic_ns() if command_start is None else command_start
        self._head_start = head_start
        self._prepare = prepare
        self._shared: mmap | None = None
        self._run: Run | None = None
        self._ram: GuestRam | None = None
        self._qmp: Qmp | None = None
        self._closed = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Switch it on.

        Raises:
            InputError, UsageError: as :func:`make_plan`, or the console's file can't be written.
            HarnessError: as :func:`make_plan`, or QEMU can't be started.
        """
        if self._run is not None or self.outcome is not None:
            raise UsageError("a machine can be started only once")
        self.plan = make_plan(self.config)
        try:
            with interrupts_held():
                self._run = self._attend(launch(self.plan, self._head_start, self._map_shared))
        except BaseException:
            self.close()
            raise

    def wait(self) -> Outcome:
        """Carry the machine on until it ends, and return how; at once if it has ended before.

        Ctrl-C ends the machine and passes through; :attr:`outcome` then says what was found.
        """
        if self.outcome is not None:
            return self.outcome
        try:
            self._running().until(lambda: False)
        except KeyboardInterrupt:
            self.stop()
            raise
        return self._finish()

    def wait_for(self, condition: Callable[[], bool], *, timeout: float) -> bool:
        """Carry the machine on until ``condition`` holds; False if it ends or ``timeout`` seconds pass before.

        Raises:
            HarnessError: it is not running, or has been closed.
        """
        return self._open().met(condition, timeout)

    def stop(self) -> Outcome:
        """End the machine now, unless it has ended; return how it ended. Its log is not kept for that."""
        self._running()
        with interrupts_held():
            self._stop()
        return self._finish()

    def close(self) -> None:
        """End whatever still runs and give everything back; harmless when repeated. The console can still be read."""
        with interrupts_held(), ExitStack() as parts:
            # the last first, and each even if one before it fails
            for part in (self._run, self._ram, self._qmp):
                if part is not None:
                    parts.callback(part.close)
            self._qmp = self._ram = None
            try:
                self._stop()
            finally:
                self._closed = self._run is not None

    @property
    def console(self) -> Console:
        """The first serial port."""
        return self._running().console

    @property
    def result(self) -> ResultChannel:
        """The second serial port: what the guest has said about itself."""
        return self._running().result

    @property
    def time_left(self) -> float:
        """Seconds until the machine reaches its time limit, at least 0."""
        return self._running().time_left

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self._running().launched.process.pid

    @property
    def ram(self) -> GuestRam:
        """The guest's memory.

        Raises:
            UsageError: the configuration does not share it.
            HarnessError: the machine is not running, or has been closed.
        """
        if self._ram is None:
            from .ram import GuestRam  # noqa: PLC0415 - after QEMU's start

            fd = self._open().launched.wires.ram
            if fd is None:
                raise UsageError("this machine's memory is not shared", help="configure it with share_memory=True")
            self._ram = GuestRam(fd, self.config.memory)
        return self._ram

    @property
    def qmp(self) -> Qmp:
        """QEMU's own monitor; the library for it is loaded at the first use.

        Raises:
            HarnessError: QEMU does not answer, or the machine is not running, or has been closed.
        """
        if self._qmp is None:
            from .qmp import Qmp  # noqa: PLC0415 - 40 ms of imports

            self._qmp = Qmp(self._open().launched.wires.qmp)
        return self._qmp

    @property
    def shared(self) -> mmap:
        """The memory of the shared device; still readable when the machine has been closed.

        Raises:
            UsageError: the configuration has no such device.
        """
        if self._shared is None:
            raise UsageError("this machine has no shared device", help="configure it with shared_device=...")
        return self._shared

    @property
    def shared_file(self) -> int:
        """The file behind that memory, as a descriptor that lives as long as the machine: another process can map it.

        Raises:
            UsageError: the configuration has no such device.
            HarnessError: the machine is not running, or has been closed.
        """
        fd = self._open().launched.wires.shared
        if fd is None:
            raise UsageError("this machine has no shared device", help="configure it with shared_device=...")
        return fd

    @property
    def wake(self) -> int:
        """A descriptor, not blocking, that gives a byte for each byte written to the shared device's wake port.

        Raises:
            UsageError: the configuration has no such device.
        """
        fd = self._running().launched.wires.wake
        if fd is None:
            raise UsageError("this machine has no shared device", help="configure it with shared_device=...")
        return fd

    def _map_shared(self, wires: Wires) -> None:
        if wires.shared is not None and self.config.shared_device is not None:
            from mmap import mmap  # noqa: PLC0415 - only machines with such a device need it

            self._shared = mmap(wires.shared, self.config.shared_device.size)
            if self._prepare is not None:
                self._prepare(self._shared)

    def add_input(self, fd: int, reader: Reader) -> None:
        """Hand what can be read from ``fd`` to ``reader`` while the machine is waited for."""
        self._open().pump.add(fd, reader, foreign=True)

    def remove_input(self, fd: int) -> None:
        """End :meth:`add_input`."""
        if self._run is not None:
            self._run.pump.remove(fd)

    def _attend(self, launched: Launched) -> Run:
        """Return the run of a QEMU that has been started; without one nothing of it is left."""
        try:
            from .run import Run  # noqa: PLC0415 - all that is needed only now loads while the guest boots

            return Run(self.config, launched, self._sink, self._on_result)
        except BaseException as error:
            launched.close()
            if isinstance(error, OSError | RuntimeError):  # no descriptor or no thread left
                raise HarnessError(f"can't watch over the machine: {error}") from error
            raise

    def _open(self) -> Run:
        """Return the run while its channels are there."""
        if self._closed:
            raise HarnessError("the machine has been closed", help="ask before the end of the `with` statement")
        return self._running()

    def _running(self) -> Run:
        if self._run is None:
            raise HarnessError("the machine is not running", help="start it, or use it in a `with` statement")
        return self._run

    def _stop(self) -> None:
        if self._run is not None and self.outcome is None:
            self._run.interrupt()
            self._finish()

    def _finish(self) -> Outcome:
        if self.outcome is None:
            self.outcome = self._running().finish(self._command_start)
        return self.outcome
