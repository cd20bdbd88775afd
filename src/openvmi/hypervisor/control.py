# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Listens for what others want of a running machine: attach, detach, switch, trace, tell.

with Session(hypervisor, config) as session, ControlServer(session):
    outcome = session.wait()

Only processes of the same user are listened to. Whatever they send, the machine runs on.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ..abi import Call
from ..abi.wire import GuestState, Mode
from ..errors import ExitCode, HarnessError, InputError, OpenVmiError, UsageError
from . import control_wire as wire
from ._generated_calls import SHAPES
from .blame import place_of
from .control_wire import Lines, Message
from .fingerprint import Fingerprint, Range, find_text, take

if TYPE_CHECKING:
    from .base import Hypervisor
    from .session import Session
    from .switchboard import Change

_MOST: Final = 8
_IDLE: Final = 30.0
_PAUSE: Final = 0.05
_FOLLOW: Final = 0.5
_BY_NAME: Final = {call.name.lower(): call for call in Call}
_ADDRESSES: Final = 1 << 32


class ControlServer:
    """A machine's control socket, in a ``with`` statement around its life after the start.

    Args:
        session: the machine.
        name: of the socket; the process's number, if not given.
        guest: what runs, for people; the kernel's file, if not given.
        drained: somebody here empties the trace rings, so nobody else may trace.

    Attributes:
        name: the machine's name.
        warning: why there is no socket, when no name was given; empty otherwise.
    """

    def __init__(self, session: Session, name: str = "", *, guest: str = "", drained: bool = False) -> None:
        self.name = wire.check_name(name or str(os.getpid()))
        self.warning = ""
        self._named = bool(name)
        self._session = session
        self._kernel = Path(session.machine.config.kernel)
        self._guest = guest or self._kernel.name
        self._drained = drained
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._peers: set[_Peer] = set()
        self._tracer: _Peer | None = None
        self._text: Range | None = None
        self._native: Fingerprint | None = None
        self._looked = False
        self._ended = False
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            UsageError: a machine of that name is running.
            HarnessError: there is no place for a socket, and a name was given.
        """
        try:
            with wire.opened_folder(make=True) as fd:
                if fd is not None:
                    self._socket = wire.listen(fd, self.name)
        except HarnessError as error:
            if self._named:
                raise
            self.warning = str(error)
        if self._socket is not None:
            threading.Thread(target=self._accept, args=(self._socket,), name="openvmi-control", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is None:
            return
        self._ended = True
        with suppress(HarnessError), wire.opened_folder(make=False) as fd:
            if fd is not None:
                wire.remove(fd, self.name)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept()
        self._socket.close()
        for peer in tuple(self._peers):
            peer.hang_up()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                peer = _Peer(self, listening.accept()[0])
            except OSError:
                if self._ended:
                    return
                time.sleep(_PAUSE)  # no descriptor left, for one: there may be one later
                continue
            if len(self._peers) >= _MOST or not wire.same_user(peer.socket):
                peer.hang_up()
                continue
            self._peers.add(peer)
            try:
                peer.start()
            except RuntimeError:  # no thread left
                self.forget(peer)
            if self._ended:  # it came while all others were hung up on
                peer.hang_up()

    # -- what peers ask for, each in a thread of its own --

    def forget(self, peer: _Peer) -> None:
        """End what ``peer`` has begun; it has gone."""
        with self._lock:
            self._end_trace(peer)
        self._peers.discard(peer)
        peer.hang_up()

    def answer(self, peer: _Peer, request: Message) -> tuple[Message, list[int]]:
        """Do what a request asks for; return the answer, and descriptors that go with it.

        Raises:
            OpenVmiError: it can't be done.
        """
        what = request.get("op")
        if what == "status":
            return self._status(), []
        if what == "symbols":
            return {}, [self._symbols()]
        hypervisor = _load(request) if what == "attach" else None  # the user's code may take its time
        with self._lock:
            if hypervisor is not None:
                return self._attach(hypervisor), []
            if what == "trace":
                return self._trace(peer, request)
            if what == "end":
                return self._end_trace(peer), []
            if what == "switch":
                return self._switch(request), []
            if what == "detach":
                return self._detach(), []
        raise UsageError("a machine can't do that", where=str(what)[:40])

    def _status(self) -> Message:
        session, link = self._session, self._session.link
        losses = link.losses()
        hypervisor = session.hypervisor
        return {
            "name": self.name,
            "pid": os.getpid(),
            "guest": self._guest,
            "kernel": str(self._kernel.absolute()),
            "cpus": link.cpus,
            "icount": session.machine.config.icount,
            "uptime": round(time.monotonic() - self._began, 3),
            "state": link.guest_state.name.lower(),
            "hypervisor": type(hypervisor).__name__ if hypervisor.routed() else "",
            "modes": {call.name: link.mode(call).name.lower() for call in session.switchable},
            "answered": session.brain.answered if session.brain else 0,
            "lost_records": losses.records,
            "lost_upcalls": losses.upcalls,
            "failure": _said(session.failure),
            "hanging": _method(session.brain.hanging if session.brain else None),
            "fault": link.fault,
            "traced": self._tracer is not None or self._drained,
        }

    def _attach(self, hypervisor: Hypervisor) -> Message:
        _check_asked(hypervisor)
        self._look()
        return self._told(self._session.attach(hypervisor), type(hypervisor).__name__)

    def _detach(self) -> Message:
        session, gone = self._session, self._session.hypervisor
        before = self._native or Fingerprint("", "")
        before = replace(before, text=before.text or self._take().text)
        if self._tracer is not None:
            tracer = self._tracer
            self._end_trace(tracer)
            tracer.hang_up()
        told = self._told(session.detach(), type(gone).__name__ if gone.routed() else "")
        after, until = self._take(), time.monotonic() + _FOLLOW
        # the monitor of `ring` makes stubs native again when the guest's next interrupt comes
        while before.dispatch not in {"", after.dispatch} and time.monotonic() < until:
            time.sleep(_PAUSE)
            after = self._take()
        prints = {"text": [before.text, after.text], "dispatch": [before.dispatch, after.dispatch]}
        return {**told, "fingerprints": prints}

    def _switch(self, request: Message) -> Message:
        mode, calls = _mode(request), self._calls(request)
        self._look()
        return self._told(self._session.switch(mode, calls), "")

    def _trace(self, peer: _Peer, request: Message) -> tuple[Message, list[int]]:
        """Switch calls to tracing for as long as ``peer`` is there, and give it the memory with the rings."""
        if self._tracer is not None or self._drained:
            raise UsageError("somebody is tracing this machine", where=self.name)
        session, link = self._session, self._session.link
        chosen = self._calls(request)
        low, high = _number(request, "low", 0), _number(request, "high", _ADDRESSES)
        self._look()
        before = {call: link.mode(call) for call in chosen}
        asked = [call for call, mode in before.items() if mode is Mode.UPCALL]
        calls = [call for call in chosen if call not in asked]
        link.set_trace_range(low, high)
        link.flush()
        # records of other calls are for nobody
        others = [call for call in session.switchable if call not in calls and link.mode(call) is Mode.TRACE]
        peer.modes = {call: (before[call], Mode.TRACE) for call in calls}
        peer.modes |= dict.fromkeys(others, (Mode.TRACE, Mode.COUNT))
        self._tracer = peer
        # not Session.switch, which waits for call sites: nobody empties the rings yet
        link.set_mode(Mode.COUNT, others)
        link.set_mode(Mode.TRACE, calls)
        return {"asked": [call.name for call in asked]}, [os.dup(session.machine.shared_file)]

    def _symbols(self) -> int:
        """Return a file in memory with the kernel's symbols, in the form of System.map."""
        table = None if self._session.guest is None else self._session.guest.symbols
        fd = os.memfd_create("symbols")
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(b"" if table is None else table.as_text().encode())
        return fd

    def _end_trace(self, peer: _Peer) -> Message:
        """Do with calls what was done before ``peer`` traced them, unless somebody has changed it since."""
        if self._tracer is not peer:
            return {}
        self._tracer = None
        link = self._session.link
        modes = {call: before for call, (before, now) in peer.modes.items() if link.mode(call) is now}
        for mode in set(modes.values()):
            link.set_mode(mode, [call for call, was in modes.items() if was is mode])
        link.set_trace_range(0, _ADDRESSES)
        return {"calls": [call.name for call in modes]}

    def _calls(self, request: Message) -> list[Call]:
        wanted = _text(request, "calls")
        if wanted == "all":
            return list(self._session.switchable)
        found = []
        for word in wanted.split(","):
            call = _BY_NAME.get(word.strip().lower())
            if call is None:
                raise UsageError("no call is named so", where=word.strip()[:40], help="openvmi abi --list")
            found.append(call)
        return found

    def _told(self, change: Change, who: str) -> Message:
        return {
            "name": self.name,
            "hypervisor": who,
            "calls": {call.name: [mode.name.lower() for mode in both] for call, both in change.calls.items()},
            "took": change.took,
            "pause": change.pause,
            "outstanding": list(change.outstanding),
        }

    def _look(self) -> None:
        """Remember what a machine looks like in which all is native."""
        modes: Iterable[Mode] = map(self._session.link.mode, self._session.switchable)
        if self._native is None and all(mode is Mode.NATIVE for mode in modes):
            silent = self._session.link.guest_state is GuestState.SILENT  # it will still patch its code
            self._native = replace(self._take(), text="") if silent else self._take()

    def _take(self) -> Fingerprint:
        if not self._looked:
            self._looked, self._text = True, find_text(self._kernel)
        return take(self._session.link, self._session.machine.ram, self._text)


class _Peer(threading.Thread):
    """One connection."""

    def __init__(self, server: ControlServer, connection: socket.socket) -> None:
        super().__init__(name="openvmi-control-peer", daemon=True)
        self.socket = connection
        self.modes: dict[Call, tuple[Mode, Mode]] = {}  # of calls while it traces: before, and now
        self._server = server
        connection.settimeout(_IDLE)

    def run(self) -> None:
        try:
            self._serve()
        except (OSError, OpenVmiError):
            pass  # it has gone, or makes no sense: that is its own loss
        finally:
            self._server.forget(self)

    def hang_up(self) -> None:
        """End the connection; whoever waits for it is woken."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _serve(self) -> None:
        lines = Lines(self.socket)
        while (line := lines.read()) is not None:
            for fd in lines.descriptors:
                os.close(fd)
            lines.descriptors.clear()
            answer, descriptors = self._answer(line)
            self.socket.settimeout(None if self.modes else _IDLE)
            try:
                socket.send_fds(self.socket, [wire.encode(answer)], descriptors)
            finally:
                for fd in descriptors:
                    os.close(fd)

    def _answer(self, line: bytes) -> tuple[Message, list[int]]:
        try:
            answer, descriptors = self._server.answer(self, wire.decode(line))
        except OpenVmiError as error:
            return {"ok": False, **error.as_dict()}, []
        except BaseException as error:  # noqa: BLE001 - the user's own code may raise anything
            what = f"{type(error).__name__}: {error}"[:400]
            return {"ok": False, "what": what, "where": "", "help": "", "exit_code": int(ExitCode.HARNESS)}, []
        return {"ok": True, **answer}, descriptors


def _load(request: Message) -> Hypervisor:
    from .load import load_hypervisor  # noqa: PLC0415 - when somebody wants it

    return load_hypervisor(_text(request, "hypervisor"))


def _check_asked(hypervisor: Hypervisor) -> None:
    """Refuse who has methods for exits and none for calls: exits are asked of who was there at the start."""
    from .load import own_exits  # noqa: PLC0415 - when somebody wants it

    exits = own_exits(type(hypervisor))
    if exits and not hypervisor.routed() and not hypervisor.modes:
        who = type(hypervisor).__name__
        what = f"{who} answers no call, and exits like {exits[0]} are asked only of whom the machine began with"
        raise UsageError(what, help="openvmi run --hypervisor FILE.py")


def _said(error: Exception | None) -> str:
    if error is None:
        return ""
    where = place_of(error)
    return f"{type(error).__name__}{f' at {where}' if where else ''}: {error}"[:400]


def _method(number: int | None) -> str:
    return SHAPES[number].method if number in SHAPES else ""


def _text(request: Message, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise InputError(f"{key} is not a text")
    return value


def _number(request: Message, key: str, default: int) -> int:
    value = request.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _ADDRESSES:
        raise InputError(f"{key} is not an address")
    return value


def _mode(request: Message) -> Mode:
    word = _text(request, "mode")
    try:
        return Mode.UPCALL if word == "python" else Mode[word.upper()]
    except KeyError:
        raise UsageError("no such mode", where=word[:40], help="native, count, trace or python") from None
