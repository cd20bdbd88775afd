# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi trace`` of a machine: one that is started for it, or one that runs already."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, cast

from ..abi import Call
from ..abi.wire import GuestState, Mode
from ..boot import Request, configure, hypervisor_of
from ..errors import ExitCode, HarnessError, InputError, UsageError
from ..hypervisor.control import ControlServer
from ..hypervisor.control_client import ControlClient
from ..hypervisor.guest import beside
from ..hypervisor.link import SWITCHABLE, Link
from ..hypervisor.session import Session
from ..text import printable
from ..trace import Filter, SymbolTable, TraceMeta, TraceWriter, load_symbols, parse_calls, parse_where
from ..trace.clock import ICOUNT_HZ, TscClock
from ..trace.event import JUMPS
from ..trace.live import LiveTrace
from ..trace.symbols import parse_map
from ..trace.top import Top
from ..trace.writer import Sink
from . import run as run_command
from ._output import tell
from ._signals import Ended
from ._views import Screen, Table
from .trace import LiveRequest, export_file

_PERIOD: Final = 0.002
_LOOK: Final = 0.05
_SHARE: Final = 0.25
_EVERYWHERE: Final = (0, 1 << 32)


def live(request: LiveRequest) -> int:
    """Trace a machine while it runs; return the exit code.

    Raises:
        UsageError: what is asked for can't be.
        HarnessError: the trace can't be written, or the machine does not answer.
    """
    if request.attach is not None and request.run:
        raise UsageError("--attach is for a machine that runs: nothing is started")
    clock = TscClock()
    with ExitStack() as stack:
        file = request.output
        if request.form is not None:
            spare = stack.enter_context(tempfile.TemporaryFile())
            file = Path(f"/proc/self/fd/{spare.fileno()}")
        recording = Recording(request, file, clock)
        try:
            status = _attached(recording) if request.attach is not None else _started(recording)
        except KeyboardInterrupt:
            if recording.began:  # the way to end it: what there is, is wanted
                export_file(file, request.form, request.output)
            raise
        export_file(file, request.form, request.output)
    return status


@dataclass(slots=True)
class Recording:
    """What both kinds of live trace do.

    Args:
        request: what was asked for.
        file: trace file to write; None: none.
        clock: runs since the start.
    """

    request: LiveRequest
    file: Path | None
    clock: TscClock
    began: float = 0.0
    offers: frozenset[Call] = frozenset()

    @property
    def calls(self) -> list[Call]:
        """The calls to trace, as far as they can be."""
        wanted = self.request.calls
        if not wanted:
            return [call for call in (*SWITCHABLE, *sorted(self.offers)) if not self.request.where or call not in JUMPS]
        chosen = [Call(number) for number in sorted(parse_calls(wanted, TraceMeta()))]
        for call in chosen:
            if call not in SWITCHABLE and call not in self.offers and self.request.attach is None:
                raise UsageError("this call can't be traced", where=call.name)
            if self.request.where and call in JUMPS:
                raise UsageError("this call is a jump: it comes from nowhere", where=f"--where and {call.name}")
        return chosen

    def symbols(self, kernel: Path) -> tuple[SymbolTable, bool]:
        """Return what is known of the kernel's symbols before it runs, and whether that is certain."""
        if self.request.symbols is not None:
            return load_symbols(self.request.symbols), True
        if (table := _quietly(kernel)) is not None:
            return table, True
        found = (_quietly(file) for file in beside(kernel))
        return next((table for table in found if table is not None), SymbolTable()), False

    def places(self, table: SymbolTable) -> tuple[tuple[int, int], Filter]:
        """Return one range for the payload, and what is left to look at here."""
        where, first = self.request.where, self.request.first
        if not where:
            return _EVERYWHERE, Filter(first=first)
        ranges = parse_where(where, table)
        hull = min(low for low, _ in ranges), max(high for _, high in ranges)
        return hull, Filter(None, ranges if len(ranges) > 1 else None, first)

    @contextmanager
    def open(self, meta: TraceMeta, table: SymbolTable, *, certain: bool) -> Iterator[tuple[list[Sink], Symbols]]:
        """Open the file and the view; give where records go, and how to name the kernel's symbols at the end."""
        with ExitStack() as stack:
            sinks: list[Sink] = []
            writer = None
            if self.file is not None:
                writer = stack.enter_context(TraceWriter(self.file, meta))
                sinks.append(writer)
            view: Table | None = None
            if sys.stdout.isatty():
                screen = Screen(Top(meta, table, share=_SHARE), self.request.rows)
                view = stack.enter_context(screen)
            elif self.file is None:
                view = Table(Top(meta, table, share=2 * _SHARE), self.request.rows)
            if view is not None:
                sinks.append(view)
            self.began = time.monotonic()
            if writer is not None and len(table):  # at once: whoever is killed has names
                writer.symbols(table, compared=certain)
            yield sinks, Symbols(writer, view, certain=certain)
        if view is not None and not isinstance(view, Screen):
            view.show()

    def meta(self, kernel: str, cpus: int, *, icount: bool, machine: str) -> TraceMeta:
        """Return the head of the trace; takes until the clock is measured."""
        hz = ICOUNT_HZ if icount else self.clock.hz()
        chosen = self.request.calls or "all calls"
        where = f" from {', '.join(self.request.where)}" if self.request.where else ""
        text = f"{machine}: {chosen}{where}"
        return TraceMeta(cpus=cpus, tsc_hz=hz, kernel=Path(kernel).name[:400], machine=text[:400], started=time.time())

    def sum_up(self, trace: LiveTrace) -> None:
        """Say on stderr what has been recorded.

        Raises:
            HarnessError: it could not be written.
        """
        seconds = time.monotonic() - self.began
        rate = trace.records / seconds if seconds > 0 else 0.0
        lost = f", {trace.lost:,} LOST" if trace.lost else ", none lost"
        place = f" -> {self.file}" if self.file is not None and self.request.form is None else ""
        tell(printable(f"openvmi: {trace.records:,} records in {seconds:.2f} s ({rate:,.0f}/s){lost}{place}"))
        if trace.error is not None:
            raise HarnessError(f"the trace is not complete: {trace.error}", where=str(self.request.output or ""))


@dataclass(slots=True)
class Symbols:
    """Where the kernel's symbols go when they are known for certain."""

    writer: TraceWriter | None
    view: Table | None
    certain: bool

    def name(self, find: Callable[[], SymbolTable]) -> None:
        """Take what ``find`` finds, unless they have been known all the time."""
        if self.certain:
            return
        self.certain = True
        table = find()
        if len(table):
            if self.writer is not None:
                self.writer.symbols(table)
            if self.view is not None:
                self.view.top.rename(table)


# -- a machine of our own --


def _started(recording: Recording) -> int:
    request, name = _run_request(recording.request.run)
    config = configure(request)
    hypervisor = hypervisor_of(request)
    recording.offers = hypervisor.offers
    table, certain = recording.symbols(Path(config.kernel))
    span, wanted = recording.places(table)
    routed = hypervisor.routed()
    traced = [call for call in recording.calls if call not in routed]
    _say_asked([call.name for call in recording.calls if call in routed])
    others = {call: Mode.COUNT if mode is Mode.TRACE else mode for call, mode in hypervisor.modes.items()}
    hypervisor.modes = {**others, **dict.fromkeys(traced, Mode.TRACE)}
    pump: list[LiveTrace] = []
    session = Session(
        hypervisor,
        config,
        chores=lambda: bool(pump) and pump[0].pump(),
        period=_PERIOD,
        symbols=recording.request.symbols or request.symbols,
        warn=lambda text: tell(printable(f"openvmi: warning: {text}", keep="\n\t")),
    )
    with ExitStack() as stack:
        stack.enter_context(session)
        session.link.set_trace_range(*span)
        meta = recording.meta(request.kernel, request.cpus, icount=request.icount, machine="started by openvmi trace")
        sinks, symbols = stack.enter_context(recording.open(meta, table, certain=certain))
        trace = LiveTrace(session.link, sinks, wanted, lambda: session.switch(Mode.NATIVE, traced))
        pump.append(trace)
        server = stack.enter_context(ControlServer(session, name, guest=request.kernel, drained=True))
        if server.warning:
            tell(printable(f"openvmi: warning: {server.warning}"))
        try:
            outcome = session.wait()
        finally:
            trace.finish()
            symbols.name(lambda: SymbolTable() if session.guest is None else session.guest.symbols)
            if isinstance(sys.exc_info()[1], KeyboardInterrupt):
                recording.sum_up(trace)
    _warn(session)
    if not outcome.ok:
        tell(printable(f"openvmi: {outcome.reason}"))
    recording.sum_up(trace)
    return int(outcome.exit_code) if session.stop is None else session.stop.status


def _run_request(arguments: Sequence[str]) -> tuple[Request, str]:
    """Return what ``openvmi run`` would make of its arguments, hosted; and the machine's name."""
    with run_command.command.make_context("openvmi run", list(arguments)) as context:
        given = dict(context.params)
    for option in ("json_file", "dry_run"):
        if given[option]:
            raise UsageError("that option of run is none of a trace's", where=f"--{option.split('_')[0]}")
    if given["hypervisor"] in {"none", "declining"}:
        raise UsageError("nothing can be traced there", where=f"--hypervisor {given['hypervisor']}")
    if given["hypervisor"] in {None, "native"}:
        given["hypervisor"] = "hosted"
    if given["timeout"] is None:
        given["timeout"] = run_command.default_limit()
    names = {field.name for field in fields(Request)}
    return Request(**{key: value for key, value in given.items() if key in names}), given["name"]


def _warn(session: Session) -> None:
    link = session.link
    if link.refusal():
        tell(printable(f"openvmi: warning: nothing to trace: {link.refusal()}"))
    elif link.guest_state is GuestState.SILENT:
        tell("openvmi: warning: the guest never asked for the interface: nothing to trace (a VMI kernel of API 3.0?)")
    if link.fault:
        tell(printable(f"openvmi: warning: the guest wrote nonsense into the shared memory: {link.fault}"))


# -- somebody else's machine --


def _attached(recording: Recording) -> int:
    with ExitStack() as stack:
        client = stack.enter_context(ControlClient(recording.request.attach or ""))
        machine = client.ask(op="status")
        if machine["traced"]:  # said before a file is emptied that there may be
            raise UsageError("somebody is tracing this machine", where=client.name)
        table, certain = recording.symbols(Path(str(machine["kernel"])))
        span, wanted = recording.places(table)
        guest, cpus, icount = (
            str(machine["guest"]),
            int(cast("int", machine["cpus"])),
            bool(machine["icount"]),
        )
        meta = recording.meta(guest, cpus, icount=icount, machine=f"machine {client.name}")
        sinks, symbols = stack.enter_context(recording.open(meta, table, certain=certain))
        # all that takes time is done: the rings fill from now on
        names = ",".join(call.name for call in recording.calls)
        told = client.ask(op="trace", calls=names, low=span[0], high=span[1])
        trace = LiveTrace(_map(client, cpus), sinks, wanted)
        _say_asked(cast("list[str]", told["asked"]))
        signalled = False
        try:
            _follow(client, trace)
        except Ended:
            signalled = True
            raise
        except KeyboardInterrupt:
            pass  # the way to end it
        finally:
            _leave(client, trace)
            symbols.name(lambda: _ask_symbols(client) or table)  # who has been hung up on can't ask
            if signalled:
                recording.sum_up(trace)
    recording.sum_up(trace)
    return ExitCode.OK


def _map(client: ControlClient, cpus: int) -> Link:
    """Map the memory that a machine has given us."""
    descriptors = client.descriptors()
    try:
        memory = mmap.mmap(descriptors[0], 0)
    except (IndexError, OSError, ValueError) as error:
        raise HarnessError("the machine did not give its memory", where=client.name) from error
    finally:
        for fd in descriptors:
            os.close(fd)
    return Link(memory, cpus, None)


def _follow(client: ControlClient, trace: LiveTrace) -> None:
    """Take records until there are enough, or the machine has gone."""
    due = 0.0
    while not trace.full:
        if not trace.pump():
            time.sleep(_PERIOD)
        now = time.monotonic()
        if now >= due:
            if client.gone():
                return
            due = now + _LOOK


def _leave(client: ControlClient, trace: LiveTrace) -> None:
    """Have the machine trace no more, and take what was on its way."""
    try:
        client.ask(op="end")
        time.sleep(_PERIOD)
    except (HarnessError, InputError):
        pass  # it has ended
    trace.finish()


def _ask_symbols(client: ControlClient) -> SymbolTable:
    try:
        client.ask(op="symbols")
        with os.fdopen(client.descriptors()[0], "rb") as file:
            file.seek(0)
            return parse_map(file.read())
    except (HarnessError, InputError, UsageError, IndexError):
        return SymbolTable()


def _say_asked(names: Sequence[str]) -> None:
    if names:
        tell(f"openvmi: not traced, since Python answers: {', '.join(names)}")


def _quietly(file: Path) -> SymbolTable | None:
    try:
        return load_symbols(file)
    except InputError:
        return None
