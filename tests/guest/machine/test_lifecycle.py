# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing is left behind: not by kill -9, not by Ctrl-C at any moment, not by threads, not by forgetting to wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi.machine import How, Machine, MachineConfig, launcher

from .kernels import COM1, HALT, POWER_OFF, SPIN, say, wait_for

Guest = Callable[..., MachineConfig]

SCRIPT = """\
import sys, tempfile
print("begin", flush=True)
from openvmi.machine import Machine, MachineConfig
tempfile.tempdir = sys.argv[3]
with Machine(MachineConfig(kernel=sys.argv[1], qemu=sys.argv[2], memory_mib=16, timeout=20)) as vm:
    print(vm.pid, flush=True)
    vm.wait()
"""


def runs(kernel: object) -> list[int]:
    """Return the processes that have ``kernel`` on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(str(kernel)) in words and b"-nodefaults" in words:
                found.append(int(entry.name))
    return found


def gone(kernel: object, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while runs(kernel) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not runs(kernel)


@pytest.fixture
def start(guest: Guest, logs: Path) -> Callable[[], tuple[subprocess.Popen[str], str]]:
    """Return a function that starts a process with a machine in it, whose console floods its log."""
    config = guest(say(COM1, b"text"), SPIN)

    def run() -> tuple[subprocess.Popen[str], str]:
        words = [sys.executable, "-c", SCRIPT, str(config.kernel), str(config.qemu), str(logs)]
        # a group of its own: a signal for it must not reach pytest
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0)
        return child, str(config.kernel)

    return run


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_qemu_dies_with_its_parent(
    number: int, start: Callable[[], tuple[subprocess.Popen[str], str]], logs: Path
) -> None:
    child, kernel = start()
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begin\n"
        pid = int(child.stdout.readline())
        time.sleep(0.3)
        assert runs(kernel) == [pid]
        child.send_signal(number)
        assert child.wait(10) == -number
    assert gone(kernel)
    assert not list(logs.iterdir())


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupt", "kill"])
def test_end_at_any_moment(
    number: int, delay: float, start: Callable[[], tuple[subprocess.Popen[str], str]], logs: Path
) -> None:
    child, kernel = start()
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay)
        stderr = press_until_it_ends(child, number)
    assert child.returncode == -number
    assert gone(kernel)
    assert not list(logs.iterdir())
    assert number == signal.SIGKILL or stderr.rstrip().endswith("KeyboardInterrupt")


def press_until_it_ends(child: subprocess.Popen[str], number: int) -> str:
    """Send the signal, again if need be: Python loses a Ctrl-C that comes while its import system runs a callback."""
    for _ in range(5):
        child.send_signal(number)
        try:
            return child.communicate(timeout=3)[1]
        except subprocess.TimeoutExpired:
            continue
    child.kill()
    return "it did not end"


def test_ctrl_c_passes_through_and_the_outcome_is_there(guest: Guest) -> None:
    with Machine(guest(SPIN)) as vm:
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            vm.wait()
        assert vm.outcome is not None
        assert vm.outcome.how is How.INTERRUPTED
        assert gone(vm.config.kernel, 0.0)


def test_machine_outlives_the_thread_that_started_it(guest: Guest) -> None:
    vm = Machine(guest(say(COM1, b"here"), wait_for(0x200000, 1), POWER_OFF, share_memory=True))
    thread = threading.Thread(target=vm.start)
    thread.start()
    thread.join()
    time.sleep(0.2)
    with vm_closed(vm):
        vm.console.expect("here")
        vm.ram.write_u32(0x200000, 1)
        assert vm.wait().ok


class vm_closed:  # noqa: N801 - reads like contextlib.closing
    def __init__(self, vm: Machine) -> None:
        self._vm = vm

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        self._vm.close()


def test_without_setpriv(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    words = launcher._launcher()
    assert words[0].endswith("setpriv")
    monkeypatch.setattr(os, "get_exec_path", lambda: ["/nonexistent"])
    assert launcher._launcher()[0] == sys.executable
    with Machine(guest(POWER_OFF, timeout=5.0)) as vm:
        assert vm.wait().ok


def test_watchdog_ends_a_machine_that_nobody_waits_for(guest: Guest) -> None:
    with Machine(guest(SPIN, timeout=0.3)) as vm:
        time.sleep(1.8)
        assert not any(state_of(pid) != "Z" for pid in runs(vm.config.kernel))
        assert vm.wait().how is How.TIMEOUT


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]


def test_descriptors_are_given_back(guest: Guest) -> None:
    config = guest(HALT, share_memory=True)  # one that ends by itself may do so before it is asked
    counts = []
    for _ in range(3):
        with Machine(config) as vm:
            vm.ram.read(0, 16)
            vm.qmp.execute("query-status")
            vm.qmp.execute("quit")
            vm.wait()
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert len(set(counts)) == 1


def test_without_stdio(guest: Guest, logs: Path) -> None:
    del logs
    config = guest(say(COM1, b"text"), POWER_OFF)
    # the first descriptor that is made becomes number 0, where QEMU's stdin will be
    script = (
        "import sys\n"
        "from openvmi.machine import Machine, MachineConfig\n"
        "config = MachineConfig(kernel=sys.argv[1], qemu=sys.argv[2], memory_mib=16, timeout=20, share_memory=True)\n"
        "with Machine(config) as vm:\n"
        "    fine = vm.wait().ok and vm.console.text == 'text' and vm.ram.read_u32(0x100000) == 0x1BADB002\n"
        "sys.exit(0 if fine else 9)\n"
    )
    words = [sys.executable, "-c", script, str(config.kernel), str(config.qemu)]
    done = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *words], check=False, timeout=20)
    assert done.returncode == 0


def test_ctrl_c_between_start_and_knowing_of_it(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    spawned: list[int] = []

    def spawn_and_interrupt(*words: object, **changes: object) -> int:
        spawned.append(real(*words, **changes))  # type: ignore[arg-type] # passed through
        signal.raise_signal(signal.SIGINT)
        return spawned[-1]

    real = os.posix_spawnp
    monkeypatch.setattr(os, "posix_spawnp", spawn_and_interrupt)
    vm = Machine(guest(SPIN))
    with pytest.raises(KeyboardInterrupt):
        vm.start()
    assert len(spawned) == 1
    assert gone(vm.config.kernel, 0.0)
    assert vm.outcome is not None
    assert vm.outcome.how is How.INTERRUPTED
