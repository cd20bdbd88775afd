# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The thread that answers upcalls: awake and spinning while calls come, asleep when they stop.

The order of things when it falls asleep: set the flag, fence, look again, block. The guest publishes its request, which
is a fence, and then reads the flag; so one of the two sees the other. A blocked brain looks again every 0.1 s anyway.

What answers may be changed while it runs: changes are work for its thread (:meth:`Brain.run`), done between two
answers, so no handler goes away under a call.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from ..abi import CALL_COUNT, Call
from ..abi.wire import RING_EXIT_FIRST, WIRE_PHASE_MASK, BrainState, Mode, Phase
from ..errors import HarnessError
from .handlers import Handler, Verdict
from .link import Link, area
from .spin import LONG_NS, Spin

T = TypeVar("T")
PATIENCE: Final = 5.0
_LOOKS: Final = range(64)  # before the clock is read
_REQUEST: Final = int(Phase.REQUEST)  # an enumeration's member takes longer to compare
_NAP: Final = 0.1
_ANSWER: Final = int(Phase.ANSWER - Phase.REQUEST)


class Brain:
    """Answers one machine's upcalls and empties its rings.

    Args:
        link: the shared memory.
        handlers: by call number, what answers it; None for calls that are not routed.
        exits: the same for exits of ``ring``, by their number; they stay whoever answers calls.
        wake: descriptor that becomes readable when the guest wakes us; not blocking.
        chores: called between calls, at least every ``period`` seconds: draining, live views. True says that there is
            more to do at once; after an exception it is not called any more.
        hear: called with what the guest has written to the wake port; must not raise.
        period: seconds.
        verdict: called, in the brain's thread, with what a handler wants beyond an answer. True says that the machine
            ends: the call is never answered, so its CPU does not go on, and nothing else is until :meth:`stop`.

    Attributes:
        answered: upcalls answered.
        wakes: times that it was woken.
        revivals: times that the guest had given it up and it was back.
        period: as given, and no more than 0.1; may be changed.
        late: numbers of the calls whose answers the guest has given up waiting for.
        failure: the first exception of a handler, or of ``chores``; None if there was none.
    """

    def __init__(  # noqa: PLR0913 - each is a thing of its own
        self,
        link: Link,
        handlers: Sequence[Handler | None],
        wake: int,
        *,
        verdict: Callable[[Verdict], object],
        chores: Callable[[], object] = lambda: None,
        hear: Callable[[bytes], object] = lambda _: None,
        period: float = _NAP,
        exits: Sequence[Handler | None] = (),
    ) -> None:
        self.answered = 0
        self.wakes = 0
        self.revivals = 0
        self.failure: Exception | None = None
        self._link = link
        self._handlers = tuple(handlers)
        self._exits = tuple(exits)
        self._wake = wake
        self._look = Spin()
        self._verdict = verdict
        self._chores = chores
        self._hear = hear
        self.period = min(period, _NAP)
        self._boxes = tuple((cpu, area(cpu) // 4) for cpu in range(link.cpus))
        self._work: deque[_Work] = deque()
        self._pipe = threading.Lock()
        self._cpu = self._number = -1
        self.late: set[int] = set()
        self._held: frozenset[int] = frozenset()
        self._fence = threading.Lock()
        self._ending = False
        self._over = threading.Event()
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="openvmi-brain", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._link.set_brain(BrainState.ALIVE)
        self._thread.start()

    def stop(self) -> None:
        """End; calls that come afterwards are done natively, and counted as lost. Harmless when repeated."""
        if self._link.brain == BrainState.LOST and self._cpu >= 0:
            self.late.add(self._number)
        self._ending = True
        self._over.set()
        self._link.set_brain(BrainState.GONE)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            os.write(self._stop_write, b"x")
            self._thread.join(timeout=2.0)
            self._link.set_brain(BrainState.GONE)  # it may have been about to say the opposite
        with self._pipe:
            if self._stop_read >= 0 and not self._thread.is_alive():
                os.close(self._stop_read)
                os.close(self._stop_write)
                self._stop_read = self._stop_write = -1
        while self._work:
            self._work.popleft().give_up()

    @property
    def handlers(self) -> Sequence[Handler | None]:
        """By call number, what answers it. To be set in the brain's thread alone (:meth:`run`)."""
        return self._handlers

    @handlers.setter
    def handlers(self, handlers: Sequence[Handler | None]) -> None:
        self._handlers = tuple(handlers)

    def revive(self) -> None:
        """Let the guest ask again, if it has given us up, or has written that nobody answers."""
        state = self._link.brain
        if state == BrainState.ALIVE or self._ending:
            return
        if state == BrainState.LOST:
            self.revivals += 1
            self.late.add(self._number)  # the last that was answered: since then nobody has asked
        else:
            self._link.note(f"the guest has made the brain's state {state:#x}, which is ours to write")
        self._link.set_brain(BrainState.ALIVE)

    @property
    def hanging(self) -> int | None:
        """The number of the call whose handler has not come back when the guest gave it up; None if there is none."""
        return self._number if self._cpu >= 0 and self._link.brain != BrainState.ALIVE else None

    def is_here(self) -> bool:
        """Say whether this is the brain's own thread."""
        return threading.current_thread() is self._thread

    def run(self, work: Callable[[], T], patience: float = PATIENCE) -> T:
        """Do ``work`` in the brain's thread, between two answers, and return what it returns.

        From that thread itself, or when there is none, it is done at once.

        Args:
            work: what to do; quick, since calls wait meanwhile.
            patience: seconds to wait for a handler that does not come back. The work stays to be done.

        Raises:
            HarnessError: a handler did not come back in time, or the machine ended.
            Exception: whatever ``work`` raises.
        """
        if self.is_here() or not self._thread.is_alive():
            return work()
        entry = _Work(work)
        self._work.append(entry)
        self._nudge()
        if self._ending:
            entry.give_up()
        if not entry.done.wait(patience):
            if not self._ending:
                raise HarnessError(f"a handler has not come back for {patience:g} s; the change waits for it")
            entry.give_up()
        if entry.error is not None:
            raise entry.error
        return entry.result  # type: ignore[return-value] # it is what `work` returned

    def settle(self, seconds: float) -> list[int]:
        """Answer until no CPU waits or is about to, in the brain's thread; return the CPUs that still are after a time.

        Not for the CPU whose call is being answered right now, when it is that call's handler that asks. One that asks
        again after an answer has gone on: it has read the modes of now.
        """
        until = time.monotonic() + seconds
        words, before, asked_by = self._link.words, self._held, self._cpu
        self._held = before | {asked_by}
        busy, gone_on = [-1], set[int]()
        while busy and time.monotonic() <= until:
            busy = []
            for cpu, box in self._boxes:
                state = words[box]
                if state & 1 and cpu not in self._held:
                    if cpu not in gone_on:
                        busy.append(cpu)
                    if state & WIRE_PHASE_MASK == Phase.REQUEST:
                        self._answer(cpu, box, state)
                        gone_on.add(cpu)
        self._held, self._cpu = before, asked_by
        return busy

    def _nudge(self) -> None:
        with self._pipe:
            if self._stop_write >= 0:
                os.write(self._stop_write, b"w")

    def _run(self) -> None:
        with contextlib.suppress(_EndedError):
            self._attend()

    def _attend(self) -> None:
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        poller.register(self._stop_read, select.POLLIN)
        due = time.monotonic() + self.period
        while not self._ending:
            self._spin(due)
            self._do_work()
            if time.monotonic() >= due:
                due = time.monotonic() + (0.0 if self._do_chores() else self.period)
            self._sleep(poller, due)

    def _do_work(self) -> None:
        while self._work and not self._ending:
            self._work.popleft().do()

    def _do_chores(self) -> bool:
        """Do the chores; say whether there is more. Whoever gave them is told of a failure by :attr:`failure`."""
        self.revive()
        self._link.settle()
        self._link.tally(time.monotonic())
        try:
            return self._chores() is True
        except BaseException as error:  # noqa: BLE001 - not ours; calls have to be answered all the same
            self._fail(error)
            self._chores = lambda: None
            return False

    def _spin(self, due: float) -> None:
        """Answer until nothing has come for a while (:mod:`~openvmi.hypervisor.spin`), or chores are due."""
        clock = time.perf_counter_ns
        until = clock() + self._look.ns
        limit = clock() + max(0, int((due - time.monotonic()) * 1e9))
        words, boxes = self._link.words, self._boxes
        while not self._ending:
            for _ in _LOOKS:
                for cpu, box in boxes:
                    state = words[box]
                    if state & WIRE_PHASE_MASK == _REQUEST:
                        self._answer(cpu, box, state)
                        until = 0
            now = clock()
            if until == 0:
                self._look.caught()
                until = now + LONG_NS
            if now > until or now > limit or self._work:
                return

    def _sleep(self, poller: select.poll, due: float) -> None:
        link = self._link
        link.set_asleep(True)
        with self._fence:  # a full fence: the flag is out before we look again
            pass
        if not self._answer_all() and not self._work:
            began = time.perf_counter_ns()
            for fd, _ in poller.poll(max(0.0, (due - time.monotonic()) * 1000)):
                if fd == self._wake:
                    self._answer_all()  # first of all: the guest waits
                    self.wakes += 1
                    self._look.woken(time.perf_counter_ns() - began)
                elif fd == self._stop_read:
                    os.read(fd, 4096)
        link.set_asleep(False)
        try:
            said = os.read(self._wake, 65536)
        except OSError:
            return  # nothing there, or the machine is gone
        self._hear(said)

    def _answer_all(self) -> bool:
        """Answer every request that waits; say whether there was one."""
        words, found = self._link.words, False
        for cpu, box in self._boxes:
            state = words[box]
            if state & WIRE_PHASE_MASK == _REQUEST:
                found = True
                self._answer(cpu, box, state)
        return found

    def _answer(self, cpu: int, box: int, state: int) -> None:
        words = self._link.words
        number = words[box + 2]
        self._cpu, self._number = cpu, number
        handler = self._handlers[number] if number < CALL_COUNT else self._exit(number)
        if handler is None:
            self._strange(cpu, number)
        else:
            try:
                verdict = handler(cpu)
            except Exception as error:  # noqa: BLE001 - user code; it must not take the brain with it
                self.failure = self.failure or error
                self._link.silence(number)
                verdict = Verdict("failed", error=error)
            if verdict is not None and self._carry_out(verdict):
                self.answered += 1
                self._cpu = -1
                self._over.wait()
                raise _EndedError("the machine has ended")
        self.answered += 1
        self._cpu = -1
        # whoever gave up meanwhile waits for another number than this
        words[box] = state + _ANSWER

    def _exit(self, number: int) -> Handler | None:
        index = number - RING_EXIT_FIRST
        return self._exits[index] if 0 <= index < len(self._exits) else None

    def _carry_out(self, verdict: Verdict) -> bool:
        """Do what a handler wants; say whether the machine ends by it."""
        try:
            return self._verdict(verdict) is True
        except BaseException as error:  # noqa: BLE001 - the machine may have gone; calls have to be answered all the same
            self._fail(error)
            return False

    def _fail(self, error: BaseException) -> None:
        """Remember the first failure; whoever leaves by an exception leaves this thread no more than others do."""
        plain = error if isinstance(error, Exception) else HarnessError(f"{type(error).__name__}: {error}")
        self.failure = self.failure or plain

    def _strange(self, cpu: int, number: int) -> None:
        if number >= CALL_COUNT:
            self._link.note(f"CPU {cpu} asks about a call {number:#x}, which does not exist")
        elif self._link.mode(Call(number)) is not Mode.UPCALL:
            return  # switched to native while it was on its way
        else:
            self._link.note(f"CPU {cpu} asks about {Call(number).name}, which nobody answers")


class _EndedError(HarnessError):
    """The machine has ended by a call, which is never answered."""


class _Work:
    """Something for the brain's thread to do, and what came of it."""

    __slots__ = ("_work", "done", "error", "result")

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.done = threading.Event()
        self.result: object = None
        self.error: Exception | None = None

    def do(self) -> None:
        try:
            self.result = self._work()
        except Exception as error:  # noqa: BLE001 - it is raised where the work comes from
            self.error = error
        self.done.set()

    def give_up(self) -> None:
        if not self.done.is_set():
            self.error = HarnessError("the machine has ended")
            self.done.set()
