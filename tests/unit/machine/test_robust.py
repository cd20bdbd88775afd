# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What must not hang, leak or touch what is not its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from openvmi.errors import HarnessError
from openvmi.machine import How, Machine, MachineConfig
from openvmi.machine.process import QemuProcess, spawn

from .fake import gone

Steps = Callable[..., MachineConfig]
OFF = "event=guest-shutdown"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_ctrl_c_ends_a_sink_that_nobody_reads(steps: Steps) -> None:
    read, write = os.pipe()

    def sink(data: bytes) -> None:
        os.write(write, data)

    with Machine(steps("flood=100000", "sleep=9", timeout=30.0), console_sink=sink) as vm:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            vm.wait()
    assert time.monotonic() - start < 5
    assert vm.outcome is not None
    assert vm.outcome.how is How.INTERRUPTED
    os.close(read)
    os.close(write)


def test_a_sink_can_ask_how_long_it_may_wait(steps: Steps) -> None:
    with Machine(steps("sleep=9", timeout=0.3)) as vm:
        assert 0 < vm.time_left <= 0.3
        assert vm.wait().how is How.TIMEOUT
        assert vm.time_left == 0


def test_a_closed_machine_touches_no_descriptors(steps: Steps, tmp_path: Path) -> None:
    with Machine(steps("console=text", OFF, share_memory=True)) as vm:
        vm.wait()
    victim = tmp_path / "victim"
    fds = [os.open(victim, os.O_RDWR | os.O_CREAT) for _ in range(20)]
    vm.console.send("typed")
    assert victim.read_bytes() == b""
    for ask in (
        lambda: vm.qmp,
        lambda: vm.ram,
        lambda: vm.wait_for(lambda: False, timeout=1),
        lambda: vm.add_input(fds[0], vm.console.feed),
    ):
        with pytest.raises(HarnessError, match="has been closed"):
            ask()
    assert vm.console.expect("text") == "text"
    with pytest.raises(HarnessError, match="has ended"):
        vm.console.expect("more")
    for fd in fds:
        os.close(fd)


def test_no_thread_for_the_watchdog(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def note(pid: int) -> int | None:
        started.append(pid)
        return None

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("openvmi.machine.process._open_pidfd", note)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    before = descriptors()
    vm = Machine(steps("sleep=30"))
    with pytest.raises(HarnessError, match="can't watch over the machine: can't start new thread"):
        vm.start()
    assert gone(started[0], 0.0)
    assert descriptors() == before


@pytest.mark.parametrize("limit", [1e7, 1e10, 1e300])
def test_very_long_limits(limit: float, steps: Steps) -> None:
    with Machine(steps("sleep=0.1", OFF, timeout=limit)) as vm:
        assert vm.wait().ok


# a program in place of QEMU that starts the true one as a child, and says its number
WRAPPERS = {
    "waits": "sleep 30 & echo $! > {note}; wait",
    "leaves": "sleep 30 & echo $! > {note}; exit 0",
}


@pytest.mark.parametrize("name", WRAPPERS)
@pytest.mark.parametrize("way", ["wait", "close", "watchdog"])
def test_a_wrapper_leaves_no_process(name: str, way: str, tmp_path: Path) -> None:
    note = tmp_path / "note"
    null = os.open(os.devnull, os.O_RDWR)
    process = QemuProcess(spawn(["/bin/sh", "-c", WRAPPERS[name].format(note=note)], [null] * 3))
    os.close(null)
    deadline = time.monotonic() + 5
    while (not note.exists() or not note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    child = int(note.read_text())
    if way == "wait":
        process.wait(0.3)
        process.end()
    elif way == "watchdog":
        assert process.kill_unreaped()
        assert gone(child)
    process.close()
    assert gone(child)
    assert not process.kill_unreaped()


def test_a_child_that_goes_on_writing_is_not_waited_for(steps: Steps, tmp_path: Path) -> None:
    # it has left the process group, so that nothing ends it but its lost channel
    qemu = tmp_path / "wrapper"
    qemu.write_text("#!/bin/sh\n[ $1 = --version ] && echo QEMU emulator version 7.2.0 && exit\nsetsid yes &\nexit 3\n")
    qemu.chmod(0o755)
    with Machine(replace(steps(), qemu=qemu)) as vm:
        assert vm.wait().how is How.QEMU_FAILED
