# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The debugger's end of a connection, against a stub that is a script."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openvmi.bench.breakpoints import Debugger
from openvmi.bench.rsp import RspClient
from openvmi.errors import HarnessError

STUB, ESP, CALLER = 0xFE000400, 0xC0009000, 0xC0101234


def packet(text: str) -> bytes:
    return f"${text}#{sum(text.encode()) % 256:02x}".encode()


def registers(eip: int, width: int = 4, total: int = 308) -> str:
    esp_at, eip_at = (4, 8) if width == 4 else (7, 16)
    data = bytearray(total)
    data[width * esp_at : width * esp_at + 4] = ESP.to_bytes(4, "little")
    data[width * eip_at : width * eip_at + 4] = eip.to_bytes(4, "little")
    return data.hex()


class Stub:
    """Answers as QEMU does; remembers what it was asked, and how many acknowledgements it got."""

    def __init__(self, stops: int, answer: Callable[[str], str | None] = lambda _: None) -> None:
        self.asked: list[str] = []
        self.acknowledged = 0
        self.stops = stops
        self._answer = answer

    def serve(self, connection: socket.socket) -> None:
        connection.sendall(packet("T02thread:01;"))  # connecting stops it
        data = b""
        while piece := connection.recv(4096):
            data += piece
            self.acknowledged += data.count(b"+")
            data = data.replace(b"+", b"")
            while b"#" in data and len(data) >= data.index(b"#") + 3:
                end = data.index(b"#")
                command, data = data[1:end].decode(), data[end + 3 :]
                self.asked.append(command)
                given = self._answer(command)
                answer = self.answer(command) if given is None else given
                if answer is None:
                    return
                connection.sendall(b"+" + packet(answer))

    def answer(self, command: str) -> str | None:
        if command == "c":
            self.stops -= 1
            return "T05thread:01;" if self.stops >= 0 else None
        if command == "g":
            return registers(STUB)
        if command.startswith("m"):
            return CALLER.to_bytes(4, "little").hex()
        return {"s": "T05", "QStartNoAckMode": ""}.get(command, "OK")


@contextmanager
def served(stub: Stub) -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()

    def run() -> None:
        with theirs:
            stub.serve(theirs)

    thread = threading.Thread(target=run)
    with ours:
        ours.settimeout(5)
        thread.start()
        yield ours
    thread.join(5)


def test_each_stop_is_seen_as_a_debugger_sees_it() -> None:
    stub = Stub(stops=100)
    debugger = Debugger(Path(), [STUB, STUB + 64], events=2)
    with served(stub) as connection:
        debugger.observe(RspClient(connection))
    put, away = f"Z0,{STUB:x},1", f"z0,{STUB:x},1"
    look = ["c", "g", f"m{ESP:x},4", away]
    others = [f"Z0,{STUB + 64:x},1"], [f"z0,{STUB + 64:x},1"]
    assert stub.asked == [
        *("QStartNoAckMode", put, *others[0]),
        *(*look, "s", put, *look, "s", put),
        *(*look, *others[1], "D"),
    ]
    assert len(debugger.times) == 3
    assert debugger.callers == {CALLER}
    assert stub.acknowledged >= len(stub.asked)


def test_a_guest_that_ends_first_is_no_error() -> None:
    debugger = Debugger(Path(), [STUB], events=50)
    with served(Stub(stops=3)) as connection:
        debugger.observe(RspClient(connection))
    assert len(debugger.times) == 3


def test_no_acknowledgements_where_the_stub_can_do_without() -> None:
    stub = Stub(stops=0, answer=lambda command: "OK" if command == "QStartNoAckMode" else None)
    with served(stub) as connection:
        client = RspClient(connection)
        assert client.registers()["esp"] == ESP
        before = stub.acknowledged  # all that was sent before the last question has arrived
        assert client.word(ESP) == CALLER
    assert stub.acknowledged == before


def test_registers_of_a_wider_machine() -> None:
    stub = Stub(stops=0, answer=lambda command: registers(STUB, 8, 600) if command == "g" else None)
    with served(stub) as connection:
        assert RspClient(connection).registers() == {"eax": 0, "ecx": 0, "edx": 0, "esp": ESP, "eip": STUB}


@pytest.mark.parametrize(
    ("command", "answer"), [("g", "zz"), ("g", "00"), (f"m{ESP:x},4", "E14"), ("Z0,1,1", "E22"), ("s", "OK")]
)
def test_nonsense_is_told(command: str, answer: str) -> None:
    stub = Stub(stops=0, answer=lambda asked: answer if asked == command else None)
    with served(stub) as connection:
        client = RspClient(connection)
        doing: dict[str, Callable[[], object]] = {
            "g": client.registers,
            "m": lambda: client.word(ESP),
            "Z": lambda: client.insert(1),
            "s": client.step,
        }
        with pytest.raises(HarnessError):
            doing[command[0]]()


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"$OK#00", "checksum"), (b"", "closed"), (b"$" + b"x" * (3 << 20), "without an end")],
    ids=["checksum", "end", "flood"],
)
def test_a_peer_that_speaks_something_else(data: bytes, said: str) -> None:
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs:
            theirs.settimeout(5)
            theirs.recv(100)
            with contextlib.suppress(OSError):
                theirs.sendall(data)

    thread = threading.Thread(target=send)
    with ours:
        ours.settimeout(5)
        thread.start()
        with pytest.raises(HarnessError, match=said):
            RspClient(ours)
    thread.join(5)


def test_a_stub_that_says_nothing() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.05)
        with pytest.raises(HarnessError, match="does not answer"):
            RspClient(ours)
