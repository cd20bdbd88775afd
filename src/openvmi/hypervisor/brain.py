# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The thread that answers upcalls: awake and spinning while calls come, asleep when they stop.

The order of things when it falls asleep: set the flag, fence, look again, block. The guest publishes its request, which
is a fence, and then reads the flag; so one of the two sees the other. A blocked brain looks again every 0.1 s anyway.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from ..abi import CALL_COUNT, Call
from ..abi.wire import WIRE_PHASE_MASK, BrainState, Mode, Phase
from .handlers import Handler, Verdict
from .link import Link, area

SPIN_NS: Final = 50_000
_LOOK_EVERY: Final = 64
_NAP: Final = 0.1
_ANSWER: Final = Phase.ANSWER - Phase.REQUEST


class Brain:
    """Answers one machine's upcalls and empties its rings.

    Args:
        link: the shared memory.
        handlers: by call number, what answers it; None for calls that are not routed.
        wake: descriptor that becomes readable when the guest wakes us; not blocking.
        chores: called between calls, at least every ``period`` seconds: draining, live views.
        period: seconds.
        verdict: called, in the brain's thread, with what a handler wants beyond an answer.

    Attributes:
        answered: upcalls answered.
        wakes: times that it was woken.
        failure: the first exception of a handler; None if there was none.
    """

    def __init__(  # noqa: PLR0913 - each is a thing of its own
        self,
        link: Link,
        handlers: Sequence[Handler | None],
        wake: int,
        *,
        verdict: Callable[[Verdict], None],
        chores: Callable[[], object] = lambda: None,
        period: float = _NAP,
    ) -> None:
        self.answered = 0
        self.wakes = 0
        self.failure: Exception | None = None
        self._link = link
        self._handlers = tuple(handlers)
        self._wake = wake
        self._verdict = verdict
        self._chores = chores
        self._period = min(period, _NAP)
        self._boxes = tuple((cpu, area(cpu) // 4) for cpu in range(link.cpus))
        self._fence = threading.Lock()
        self._ending = False
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="openvmi-brain", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._link.set_brain(BrainState.ALIVE)
        self._thread.start()

    def stop(self) -> None:
        """End; calls that come afterwards are done natively, and counted as lost. Harmless when repeated."""
        self._ending = True
        self._link.set_brain(BrainState.GONE)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            os.write(self._stop_write, b"x")
            self._thread.join(timeout=2.0)
        if self._stop_read >= 0 and not self._thread.is_alive():
            os.close(self._stop_read)
            os.close(self._stop_write)
            self._stop_read = self._stop_write = -1

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        poller.register(self._stop_read, select.POLLIN)
        due = time.monotonic() + self._period
        while not self._ending:
            self._spin(due)
            if time.monotonic() >= due:
                self._chores()
                due = time.monotonic() + self._period
            self._sleep(poller, due)

    def _spin(self, due: float) -> None:
        """Answer until nothing has come for :data:`SPIN_NS`, or chores are due."""
        clock = time.perf_counter_ns
        until = clock() + SPIN_NS
        limit = clock() + max(0, int((due - time.monotonic()) * 1e9))
        while not self._ending:
            for _ in range(_LOOK_EVERY):
                if self._answer_all():
                    until = 0
            now = clock()
            if until == 0:
                until = now + SPIN_NS
            if now > until or now > limit:
                return

    def _sleep(self, poller: select.poll, due: float) -> None:
        link = self._link
        link.set_asleep(True)
        with self._fence:  # a full fence: the flag is out before we look again
            pass
        if not self._answer_all() and poller.poll(max(0.0, (due - time.monotonic()) * 1000)):
            self.wakes += 1
        link.set_asleep(False)
        try:
            os.read(self._wake, 65536)
        except OSError:
            return  # nothing there, or the machine is gone

    def _answer_all(self) -> bool:
        """Answer every request that waits; say whether there was one."""
        words, found = self._link.words, False
        for cpu, box in self._boxes:
            state = words[box]
            if state & WIRE_PHASE_MASK == Phase.REQUEST:
                found = True
                self._answer(cpu, box, state)
        return found

    def _answer(self, cpu: int, box: int, state: int) -> None:
        words = self._link.words
        number = words[box + 2]
        handler = self._handlers[number] if number < CALL_COUNT else None
        if handler is None:
            self._strange(cpu, number)
        else:
            try:
                verdict = handler(cpu)
            except Exception as error:  # noqa: BLE001 - user code; it must not take the brain with it
                self.failure = self.failure or error
                self._link.set_mode(Mode.NATIVE, [Call(number)])
                verdict = Verdict("failed", error=error)
            if verdict is not None:
                self._verdict(verdict)
        self.answered += 1
        # whoever gave up meanwhile waits for another number than this
        words[box] = state + _ANSWER

    def _strange(self, cpu: int, number: int) -> None:
        if number >= CALL_COUNT:
            self._link.note(f"CPU {cpu} asks about a call {number:#x}, which does not exist")
        elif self._link.mode(Call(number)) is not Mode.UPCALL:
            return  # switched to native while it was on its way
        else:
            self._link.note(f"CPU {cpu} asks about {Call(number).name}, which nobody answers")
