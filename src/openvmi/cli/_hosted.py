# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi run`` with Python behind the machine: what the other hypervisors don't need, and don't import."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..abi.wire import GuestState
from ..boot import Request, hypervisor_of
from ..errors import ExitCode, HarnessError, OpenVmiError, UsageError
from ..hypervisor import STRICT
from ..hypervisor._generated_calls import SHAPES
from ..hypervisor.base import Hypervisor
from ..hypervisor.blame import place_of, user_traceback
from ..hypervisor.control import ControlServer
from ..hypervisor.session import Session
from ..machine.outcome import How
from ..text import printable
from ._output import tell
from ._stage import Stage, Voice

if TYPE_CHECKING:
    from ..hypervisor.ring import Ring
    from ..hypervisor.ring.stats import Watch
    from ..hypervisor.strict.brain import Strict
    from ..hypervisor.vcpu import Vcpu
    from ..machine import Machine, MachineConfig
    from ..machine.outcome import Outcome
    from ..machine.terminal import Terminal

_LINES = "\n\t"


def watch_of(hypervisor: Hypervisor, name: str) -> Watch:
    """Return what counts for ``hypervisor``, called ``name``.

    Raises:
        UsageError: it is none that takes a kernel off ring 0.
    """
    ring = _ring(hypervisor)
    if ring is None:
        raise UsageError(
            "only `ring` has statistics", where=name, help="--hypervisor ring, or a class derived from Ring"
        )
    from ..hypervisor.ring.stats import Watch

    ring.watch = Watch()
    return ring.watch


class Hosted:
    """A session, its hypervisor's output on a stage with the console's, and its end in words.

    Args:
        request: what was asked for.
        config: what was made of it.
        console: shows the console; None to show nothing.
        began: time.monotonic_ns() at the start of the command.
        out: descriptor for what the hypervisor prints.
        name: of the machine, for ``openvmi attach``; its process's number, if not given.
        strict_fail: an error that ``strict`` finds, or nothing to judge, makes a guest's exit code 0 a 1.
        stats: tell at the end what the guest of a ``ring`` left its ring for.

    Attributes:
        machine: the machine.
        terminal: the terminal that the machine has, while it has one; for a prompt.
    """

    def __init__(  # noqa: PLR0913 - each is a thing of its own
        self,
        request: Request,
        config: MachineConfig,
        console: Callable[[bytes], object] | None,
        began: int,
        *,
        out: int = 1,
        name: str = "",
        strict_fail: bool = False,
        stats: bool = False,
    ) -> None:
        self._strict_fail = strict_fail
        self.hypervisor = hypervisor_of(request)
        self._watch = watch_of(self.hypervisor, request.hypervisor) if stats else None
        self._stage = Stage(console)
        self._out = out
        self._name = request.hypervisor
        self._session = Session(
            self.hypervisor,
            config,
            chores=self._stage.nudge,
            symbols=request.symbols,
            machine={"console_sink": self._stage.show, "command_start": began},
            warn=_warn,
        )
        self.machine: Machine = self._session.machine
        self._control = ControlServer(self._session, name, guest=request.kernel)
        self.terminal: Terminal | None = None
        self.hypervisor.debugger = self._debug
        self._error: BaseException | None = None
        self._statistics: list[str] = []
        self._debugged: tuple[Vcpu | None, threading.Event] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if _does_nothing(self.hypervisor):
            name = type(self.hypervisor).__name__
            what = "a call" if _ring(self.hypervisor) is None else "a call or an exit"
            tell(printable(f"openvmi: warning: no method of {name} is named after {what}: nothing comes to it"))
        self._stack.callback(self._session.close)
        self._stack.callback(self._stage.close)
        voices = self._voices()
        self._stack.enter_context(voices)
        try:
            self._session.start()
            self.machine.add_input(self._stage.doorbell, self._answer)
            if self._watch is not None:
                self._watch.start(lambda: self.machine.qmp, self._session.link)
                self._stack.callback(self._watch.stop)
        except BaseException as error:
            self._stack.close()
            if isinstance(error, Exception) and place_of(error) and self.machine.plan is not None:
                tell(printable(user_traceback(error), keep=_LINES), newline=False)
                name = type(error).__name__
                raise HarnessError(f"started() raised {name}: {error}", where=self._name) from error
            raise
        try:
            self._stack.enter_context(self._control)
        except BaseException:  # a name that is taken, for one
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if isinstance(error, KeyboardInterrupt):
            self.tell()

    def wait(self) -> Outcome:
        """Carry on until the machine ends, or the hypervisor ends it; return how."""
        try:
            outcome = self._session.wait()
        except Exception as error:
            if self.machine.outcome is None:
                raise
            # what the hypervisor's stopped() raised
            self._error, outcome = error, self.machine.outcome
        except KeyboardInterrupt:
            self._release()
            raise
        self._release()
        self._statistics = list(self._count())  # while there is memory to find symbols in
        return self._judge(outcome)

    def tell(self) -> None:
        """Say in a line what was asked of Python, and what is wrong, if anything."""
        session = self._session
        if session.machine.plan is None:
            return
        error = self._error or self._failure()
        if error is not None and (place_of(error) or not isinstance(error, OpenVmiError)):
            tell(printable(user_traceback(error), keep=_LINES), newline=False)
        for warning in self._warnings():
            tell(f"openvmi: warning: {printable(warning)}")
        strict = self._strict()
        if strict is not None:
            tell(printable(strict.text(), keep=_LINES), newline=False)
        tell(f"openvmi: {printable(self._name)}: {self._sum()}{'' if strict is None else strict.summary()}")
        for line in self._statistics:
            tell(printable(line))

    def _count(self) -> Iterator[str]:
        if self._watch is not None and (ring := _ring(self.hypervisor)) is not None:
            from ..hypervisor.ring.stats import report

            guest = self._session.guest
            place = hex if guest is None else guest.symbols.place
            yield from report(ring.exit_counts(), self._watch, self._session.link, place)

    def as_dict(self) -> dict[str, object]:
        """Return the same as plain data, for ``--json``."""
        session = self._session
        losses, brain, stop = session.link.losses(), session.brain, session.stop
        error = self._error or self._failure()
        return {
            "guest": session.link.guest_state.name.lower(),
            "routed": [call.name for call in self.hypervisor.routed()],
            "upcalls": 0 if brain is None else brain.answered,
            "lost_upcalls": losses.upcalls,
            "lost_records": losses.records,
            "lost_lines": self._stage.dropped,
            "counts": {call.name: count for call, count in session.link.counts().items()},
            "fault": session.link.fault,
            "refusal": session.link.refusal(),
            "stop": None if stop is None else {"reason": stop.reason, "status": stop.status},
            "traceback": None if error is None else user_traceback(error),
            **({} if (strict := self._strict()) is None else {"strict": strict.as_dict()}),
        }

    def _strict(self) -> Strict | None:
        """Return the hypervisor if it is the one that judges the guest."""
        if self._name != STRICT:
            return None
        from ..hypervisor.strict.brain import Strict

        return self.hypervisor if isinstance(self.hypervisor, Strict) else None

    def _judge(self, outcome: Outcome) -> Outcome:
        """Let the hypervisor's word, or its failure, come before the guest's."""
        stop, error = self._session.stop, self._error or self._failure()
        if error is not None:
            where = place_of(error)
            reason = f"the hypervisor raised {type(error).__name__}{f' at {where}' if where else ''}: {error}"
            return replace(outcome, how=How.STOPPED, exit_code=int(ExitCode.HARNESS), reason=reason)
        if stop is not None:
            said = f": {stop.reason}" if stop.reason else ""
            reason = f"the hypervisor stopped the machine with status {stop.status}{said}"
            return replace(outcome, how=How.STOPPED, exit_code=stop.status, reason=reason)
        fault = self._fault() if self._strict_fail and outcome.ok else ""
        if fault:
            return replace(outcome, exit_code=int(ExitCode.NOT_FINE), reason=f"{outcome.reason}, {fault}")
        return outcome

    def _fault(self) -> str:
        """Return what a strict judge has against a guest that ended well; empty for nothing."""
        strict, brain = self._strict(), self._session.brain
        if strict is not None and strict.judge.findings.errors:
            return "and broke the interface's rules"
        # a check that did not take place must not look like one that was passed
        return "" if brain is not None and brain.answered else "and made no call that could be judged"

    def _failure(self) -> BaseException | None:
        brain = self._session.brain
        return None if brain is None else brain.failure

    def _sum(self) -> str:
        session = self._session
        losses, brain = session.link.losses(), session.brain
        answered = 0 if brain is None else brain.answered
        parts = [f"{answered:,} upcall{'' if answered == 1 else 's'} answered"]
        if losses.upcalls:
            late = sorted({*brain.late, *((brain.hanging,) if brain.hanging is not None else ())}) if brain else []
            who = ", ".join(SHAPES[number].method for number in late if number in SHAPES)
            why = f"{who} did not come back in time" if who else "no answer came in time"
            parts.append(f"{losses.upcalls:,} LOST (done natively, {why})")
        if losses.records:
            parts.append(f"{losses.records:,} trace records LOST")
        return ", ".join(parts)

    def _warnings(self) -> Iterator[str]:
        link, stop = self._session.link, self._session.stop
        if link.refusal():
            yield f"the guest continues natively, nothing reaches Python: {link.refusal()}"
        elif link.guest_state is GuestState.SILENT and stop is None:
            yield "the guest never asked for the interface: nothing reaches Python (a VMI kernel of API 3.0?)"
        if self._control.warning:
            yield f"nobody could attach: {self._control.warning}"
        if (ring := _ring(self.hypervisor)) is not None and (why := ring.refusal()):
            yield f"the kernel stays at ring 0, natively: {why}"
        if link.fault:
            yield f"the guest wrote nonsense into the shared memory: {link.fault}"
        if self._stage.failed:
            yield f"{self._stage.failed:,} lines that the hypervisor printed could not be written: {self._stage.why}"
        if self._stage.dropped:
            yield f"{self._stage.dropped:,} lines that the hypervisor printed were dropped: nobody took them"

    @contextlib.contextmanager
    def _voices(self) -> Iterator[None]:
        """Put what Python prints on the stage."""
        out, err = self._stage.voice(self._out), self._stage.voice(2)
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = out, err
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
            for voice in (out, err):
                voice.finish()

    def _release(self) -> None:
        """Write what still waits: the machine no longer hears the doorbell."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Voice):
                stream.finish()
        self._stage.flush()

    def _answer(self, data: bytes) -> None:
        self._stage.answer(data)
        if self._debugged is not None:
            vcpu, done = self._debugged
            self._debugged = None
            self._prompt(vcpu)
            done.set()

    def _debug(self, vcpu: Vcpu | None) -> None:
        """Have the waiting thread open a prompt, since it has the terminal; wait until it is left."""
        if not sys.__stdin__ or not sys.__stdin__.isatty():
            tell("openvmi: warning: a Debug answer wants a terminal, and stdin is none; the guest goes on")
            return
        done = threading.Event()
        self._debugged = (vcpu, done)
        self._stage.ring()
        done.wait()

    def _prompt(self, vcpu: Vcpu | None) -> None:
        from ..hypervisor.prompt import interact

        self._release()
        with ExitStack() as stack:
            if self.terminal is not None:
                stack.enter_context(self.terminal.lent())
            stack.enter_context(contextlib.redirect_stdout(sys.__stdout__))
            stack.enter_context(contextlib.redirect_stderr(sys.__stderr__))
            interact(self.hypervisor, vcpu)


def _ring(hypervisor: Hypervisor) -> Ring | None:
    """Return the hypervisor if it takes a kernel off ring 0: its package takes 50 ms to import, which others spare."""
    if not hypervisor.deprivileges:
        return None
    from ..hypervisor.ring import Ring

    return hypervisor if isinstance(hypervisor, Ring) else None


def _warn(text: str) -> None:
    tell(printable(f"openvmi: warning: {text}", keep=_LINES))


def _does_nothing(hypervisor: Hypervisor) -> bool:
    """Say whether a hypervisor of the user's never hears of anything: a slip in a method's name, most likely."""
    kind = type(hypervisor)
    if kind is Hypervisor or hypervisor.routed() or hypervisor.modes:
        return False
    if (ring := _ring(hypervisor)) is not None:
        from ..hypervisor.load import own_exits
        from ..hypervisor.ring import Ring

        if kind is Ring or ring.masters or own_exits(kind):
            return False
    return all(getattr(kind, name) is getattr(Hypervisor, name) for name in ("started", "stopped", "idle"))
