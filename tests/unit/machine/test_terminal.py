# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal: keys, raw mode, and its way back, on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openvmi.machine import Machine, MachineConfig
from openvmi.machine.terminal import Keys, Terminal

Steps = Callable[..., MachineConfig]

CHILD = """\
import sys
from openvmi.machine import Machine, MachineConfig, Terminal

def show(data):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()

config = MachineConfig(kernel=sys.argv[1], qemu=sys.argv[2], append=sys.argv[3], timeout=10)
with Machine(config, console_sink=show) as vm, Terminal(vm):
    print("<", vm.wait().how, ">", flush=True)
"""


@pytest.mark.parametrize(
    ("typed", "sent", "quit_"),
    [
        ((b"abc\x03\x1a",), b"abc\x03\x1a", False),
        ((b"\x01a",), b"\x01", False),
        ((b"\x01\x01",), b"\x01", False),
        ((b"\x01b",), b"\x01b", False),
        ((b"x\x01", b"x", b"y"), b"x", True),
        ((b"\x01Xmore",), b"", True),
    ],
)
def test_keys(typed: tuple[bytes, ...], sent: bytes, quit_: bool) -> None:  # noqa: FBT001 - a column
    keys = Keys()
    assert b"".join(keys.feed(piece) for piece in typed if not keys.quit) == sent
    assert keys.quit is quit_


def test_nothing_happens_without_a_terminal(steps: Steps) -> None:
    off = steps("event=guest-shutdown")
    with Path("/dev/null").open() as null, Machine(off) as vm, Terminal(vm, null.fileno()) as terminal:
        assert not terminal.active
        assert vm.wait().ok


class Session:
    """A child with a controlling terminal of its own."""

    def __init__(self, script: str, words: list[str]) -> None:
        self.script = script
        self.seen = b""
        self._words = words
        self.pid = self.fd = -1

    def start(self) -> list[object]:
        """Start the child; return the terminal's mode before it does anything."""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            words = [sys.executable, "-c", self.script, *self._words]
            os.execv(words[0], words)
        return self.mode()

    def until(self, text: bytes) -> None:
        deadline = time.monotonic() + 10
        while text not in self.seen:
            ready = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]
            assert ready, self.seen
            try:
                piece = os.read(self.fd, 4096)
            except OSError:  # the child has ended
                piece = b""
            assert piece, self.seen
            self.seen += piece

    def mode(self) -> list[object]:
        return list(termios.tcgetattr(self.fd))

    def raw(self) -> bool:
        return not termios.tcgetattr(self.fd)[3] & termios.ICANON

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def session(fake_qemu: Path, kernel: Path) -> Iterator[Callable[[str], Session]]:
    made: list[Session] = []

    def start(steps: str) -> Session:
        script = "import sys, time\nsys.stdin.readline()\n" + CHILD + "sys.stdin.readline()\n"
        made.append(Session(script, [str(kernel), str(fake_qemu), steps]))
        return made[-1]

    yield start
    for each in made:
        os.close(each.fd)


def test_ctrl_a_x_ends_and_restores(session: Callable[[str], Session]) -> None:
    child = session("console=ready;echo=3;sleep=30")
    before = child.start()
    os.write(child.fd, b"\n")
    child.until(b"ready")
    while not child.raw():
        time.sleep(0.01)
    os.write(child.fd, b"\x03\x1a\r")
    child.until(b"\x03\x1a\r")
    os.write(child.fd, b"\x01x")
    child.until(b"< interrupted >")
    while child.raw():
        time.sleep(0.01)
    assert child.mode() == before
    os.write(child.fd, b"\n")
    assert child.wait() == 0


def test_leaving_without_a_way_out_restores(session: Callable[[str], Session]) -> None:
    child = session("console=ready;sleep=30")
    child.script = child.script.replace(", Terminal(vm):", ":\n    Terminal(vm).__enter__()")
    before = child.start()
    os.write(child.fd, b"\n")
    child.until(b"ready")
    os.write(child.fd, b"\x01x")
    child.until(b"< interrupted >")
    assert child.raw()
    os.write(child.fd, b"\r\n")
    assert child.wait() == 0
    assert child.mode() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_restore(number: int, session: Callable[[str], Session]) -> None:
    child = session("console=ready;sleep=30")
    before = child.start()
    os.write(child.fd, b"\n")
    child.until(b"ready")
    while not child.raw():
        time.sleep(0.01)
    os.kill(child.pid, number)
    status = child.wait()
    assert status == (-number if number == signal.SIGINT else 128 + number)
    assert child.mode() == before
