# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that run while they are attached to, switched, traced and left again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openvmi import images
from openvmi.abi.wire import Mode
from openvmi.hypervisor.answers import Answer
from openvmi.hypervisor.base import Hypervisor
from openvmi.hypervisor.link import SWITCHABLE
from openvmi.hypervisor.session import Session
from openvmi.hypervisor.vcpu import Vcpu
from openvmi.machine import MachineConfig
from openvmi.trace import TraceMeta, TraceReader, TraceWriter
from openvmi.trace.live import LiveTrace
from openvmi.trace.reader import CpuTotals

OPENVMI = [sys.executable, "-m", "openvmi"]
POLICY = """
from openvmi.hypervisor.base import Hypervisor

class Watch(Hypervisor):
    def set_cr3(self, vcpu, value):
        return None

    def get_cr2(self, vcpu):
        return None
"""
RAISING = """
from openvmi.hypervisor.base import Hypervisor

class Raising(Hypervisor):
    def iret(self, vcpu, frame):
        raise ValueError(frame)
"""


def openvmi(*words: object, timeout: float = 40.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*OPENVMI, *map(str, words)], capture_output=True, text=True, timeout=timeout, check=False)


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


def all_gone(pids: list[int]) -> bool:
    return not any(map(is_running, pids))


@contextmanager
def running(*words: str, cpus: int = 1, init: str = "spin") -> Iterator[subprocess.Popen[bytes]]:
    """Run a guest that does nothing but system calls and interrupts, until its kernel is up."""
    command = [*OPENVMI, "run", "--hypervisor", "hosted", "--quiet", "--cpus", str(cpus), "--timeout", "60"]
    with subprocess.Popen([*command, "--append", f"-- {init}", *words], stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: '"active"' in openvmi("ps", "--json").stdout)
            yield process
        finally:
            process.terminate()
            process.wait(10)


def status() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openvmi("ps", "--json").stdout)[0]
    return found


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.py"
    file.write_text(POLICY)
    return file


class Passing(Hypervisor):
    """Has seven calls go through Python, and lets them."""

    asked = 0

    def set_cr3(self, vcpu: Vcpu, value: int) -> Answer:
        del vcpu, value
        self.asked += 1
        return None

    def set_pxe(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> Answer:
        return self.set_cr3(vcpu, value + entry + flags)

    def flush_tlb(self, vcpu: Vcpu, flags: int) -> Answer:
        return self.set_cr3(vcpu, flags)

    def disable_interrupts(self, vcpu: Vcpu) -> Answer:
        return self.set_cr3(vcpu, 0)

    def iret(self, vcpu: Vcpu, frame: int) -> Answer:
        return self.set_cr3(vcpu, frame)

    def sysexit(self, vcpu: Vcpu, eip: int, esp: int) -> Answer:
        return self.set_cr3(vcpu, eip + esp)

    def set_lazy_mode(self, vcpu: Vcpu, mode: int) -> Answer:
        return self.set_cr3(vcpu, mode)


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_guest_that_is_changed_all_the_time_passes_its_own_checks(cpus: int) -> None:
    config = MachineConfig(
        kernel=images.path("guest.elf"),
        cpus=cpus,
        append="-- check bench batches=3",
        accel="tcg",
        timeout=100,
        expect_report=True,
    )
    random_ = random.Random(cpus)  # noqa: S311 - a test
    changes, asked = 0, 0
    errors: list[Exception] = []
    with Session(Hypervisor(), config) as session:

        def change() -> None:
            nonlocal changes, asked
            while not session.machine.outcome and not ended.is_set():
                try:
                    what = random_.randrange(5)
                    if what == 0:
                        hypervisor = Passing()
                        session.attach(hypervisor)
                        ended.wait(0.01)
                        asked += hypervisor.asked
                    elif what == 1:
                        assert not session.detach().outstanding
                    else:
                        session.switch(random_.choice([Mode.NATIVE, Mode.COUNT, Mode.TRACE]))
                    changes += 1
                except Exception as error:  # noqa: BLE001 - looked at below
                    errors.append(error)
                ended.wait(random_.random() * 0.004)

        ended = threading.Event()
        thread = threading.Thread(target=change)
        thread.start()
        outcome = session.wait()
        ended.set()
        thread.join(10)
        assert outcome.ok, outcome.reason
        assert session.machine.result.status == 0
        assert session.link.losses().upcalls == 0
        assert not session.link.fault
        assert session.failure is None
    assert not [error for error in errors if "ended" not in str(error) and "not running" not in str(error)]
    assert changes > 10
    assert asked > 10


@pytest.mark.parametrize("cpus", [1, 2])
def test_attach_switch_and_detach_show_what_they_do(cpus: int, policy: Path) -> None:
    with running("--name", "box", cpus=cpus):
        assert "box" in openvmi("ps").stdout
        done = openvmi("attach", "--hypervisor", policy)
        assert (done.returncode, done.stderr) == (0, "")
        assert "GetCR2, SetCR3" in done.stdout or "SetCR3, GetCR2" in done.stdout
        assert status()["hypervisor"] == "Watch"
        done = openvmi("switch", "box", "SetPxE=count", "all=trace", "SetCR3=python", "--json")
        assert done.stderr == "openvmi: warning: nobody takes the records: openvmi trace --attach does\n"
        assert done.returncode == 0
        assert status()["modes"]["SetCR3"] == "upcall"
        done = openvmi("detach", "box")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("the same as before") == 2, done.stdout
        assert set(status()["modes"].values()) == {"native"}


def test_a_hypervisor_that_raises_is_detached_and_the_guest_goes_on(tmp_path: Path, policy: Path) -> None:
    (tmp_path / "raising.py").write_text(RAISING)
    with running() as process:
        assert openvmi("attach", "--hypervisor", tmp_path / "raising.py").returncode == 0
        until(lambda: status()["failure"])
        now = status()
        assert f"ValueError at {tmp_path}/raising.py:6: " in now["failure"]
        assert (now["lost_upcalls"], now["hypervisor"], now["modes"]["IRET"]) == (0, "", "native")
        assert process.poll() is None
        assert openvmi("attach", "--hypervisor", policy).returncode == 0
        assert status()["failure"] == ""


def totals(path: Path) -> tuple[dict[int, CpuTotals], bool]:
    with TraceReader(path) as reader:
        return reader.totals(), reader.complete


def records(path: Path) -> bytes:
    with TraceReader(path) as reader:
        return b"".join(batch.records for batch in reader.batches())


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_boot_is_traced_whole(cpus: int, tmp_path: Path) -> None:
    file = tmp_path / "boot.vmitrace"
    done = openvmi("trace", "-o", file, "--", "--cpus", cpus, "--append", "-- check")
    assert done.returncode == 0, done.stderr
    assert "none lost" in done.stderr
    found, complete = totals(file)
    assert complete
    assert set(found) == set(range(cpus))
    assert all((each.lost, each.missing) == (0, 0) for each in found.values())
    assert sum(each.records for each in found.values()) > 50_000
    with TraceReader(file) as reader:
        assert 1e8 < reader.meta.tsc_hz < 1e11
        assert reader.meta.kernel == "guest"
        assert len(reader.symbols()) > 100


def test_what_is_traced_is_what_the_payload_counts(tmp_path: Path) -> None:
    hypervisor = Hypervisor()
    config = MachineConfig(
        kernel=images.path("guest.elf"), append="-- check", accel="tcg", timeout=60, expect_report=True
    )
    pump: list[LiveTrace] = []
    session = Session(hypervisor, config, chores=lambda: bool(pump) and pump[0].pump(), period=0.002)
    hypervisor.modes = dict.fromkeys(SWITCHABLE, Mode.TRACE)
    with TraceWriter(tmp_path / "t", TraceMeta()) as writer, session:
        pump.append(LiveTrace(session.link, [writer]))
        assert session.wait().ok
        pump[0].finish()
        assert pump[0].records == sum(session.link.counts().values()) > 50_000
    assert totals(tmp_path / "t")[0][0].records == pump[0].records


@pytest.mark.parametrize(("late", "waits"), [(0.12, 1), (0.7, 0)])
def test_a_guest_waits_for_whoever_takes_records_out(
    late: float, waits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not waits:
        monkeypatch.setattr("openvmi.trace.live.ROOM_CYCLES", 0)
    hypervisor = Hypervisor()
    hypervisor.modes = dict.fromkeys(SWITCHABLE, Mode.TRACE)
    config = MachineConfig(
        kernel=images.path("guest.elf"), append="-- bench", accel="tcg", timeout=60, expect_report=True
    )
    pump: list[LiveTrace] = []

    def chores() -> None:
        time.sleep(late)  # for longer than a ring has room
        while pump and pump[0].pump():
            pass

    session = Session(hypervisor, config, chores=chores, period=0.002)
    with TraceWriter(tmp_path / "t", TraceMeta()) as writer, session:
        pump.append(LiveTrace(session.link, [writer]))
        assert session.wait().ok
        pump[0].finish()
        assert pump[0].records + pump[0].lost == sum(session.link.counts().values())
    assert (pump[0].lost == 0) == bool(waits)


def test_only_the_first_so_many_of_some_calls_from_some_place(tmp_path: Path) -> None:
    file = tmp_path / "t"
    words = ["--calls", "SetPxE,SetCR3", "--where", "vmi_*", "--first", 500]
    done = openvmi("trace", *words, "-o", file, "--", "--append", "-- check")
    assert done.returncode == 0, done.stderr
    with TraceReader(file) as reader:
        names = {reader.meta.name(event.call) for event in reader.events()}
        places = {reader.symbols().function(event.caller) for event in reader.events()}
        assert sum(each.records for each in reader.totals().values()) == 500
        assert all((each.lost, each.missing) == (0, 0) for each in reader.totals().values())
    assert names <= {"SetPxE", "SetCR3"}
    assert all(place.startswith("vmi_") for place in places)


def test_a_report_is_made_of_what_there_is_when_it_is_interrupted(tmp_path: Path) -> None:
    page = tmp_path / "t.html"
    command = [*OPENVMI, "trace", "--export", "html", "-o", str(page), "--", "--append", "-- bench batches=2000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: openvmi("ps").stdout)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert "DisableInterrupts" in page.read_text()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_trace_that_a_signal_ends_is_whole(tmp_path: Path, number: int, status: int) -> None:
    own, attached = tmp_path / "own", tmp_path / "attached"
    traced = ["trace", "-o", str(own), "--", "--name", "box", "--append", "-- bench batches=2000"]
    tracing = ["trace", "--attach", "box", "-o", str(attached)]
    for words, file in ((traced, own), (tracing, attached)):
        with ExitStack() as stack:
            if words is tracing:
                stack.enter_context(running("--name", "box", init="bench batches=2000"))
            null = subprocess.DEVNULL
            process = stack.enter_context(subprocess.Popen([*OPENVMI, *words], stdout=null, stderr=null))
            stack.callback(process.kill)
            until(lambda: file.exists() and file.stat().st_size > 1_000_000)  # noqa: B023 - waited for here
            process.send_signal(number)
            assert process.wait(20) == status
        found, complete = totals(file)
        assert complete
        assert sum(each.records for each in found.values()) > 10_000
        with TraceReader(file) as reader:
            assert len(reader.symbols()) > 100
    assert openvmi("ps").stdout == ""


def test_a_name_that_is_taken_is_an_error_of_usage() -> None:
    with running("--name", "box"):
        done = openvmi("run", "--hypervisor", "hosted", "--name", "box", "--quiet")
    assert done.returncode == 2
    assert "box: a machine of that name is running" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_trace_leaves_no_qemu_and_a_file_that_reads(tmp_path: Path) -> None:
    file = tmp_path / "killed.vmitrace"
    command = [*OPENVMI, "trace", "-o", str(file), "--", "--append", "-- bench batches=2000", "--timeout", "60"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: file.exists() and file.stat().st_size > 10_000_000)
        qemus = children(process.pid)
        assert qemus
        process.send_signal(signal.SIGKILL)
        process.wait(5)
    until(lambda: not any(map(is_running, qemus)), 5)
    found, complete = totals(file)
    assert not complete
    assert found[0].records > 100_000
    assert (found[0].lost, found[0].missing) == (0, 0)
    done = openvmi("trace", "--read", file, "--rows", 3)
    assert done.returncode == 0
    assert "the last records may not be in it" in done.stderr or "stops within" in done.stderr
    assert openvmi("ps").stdout == ""


KILLED_WHILE = {
    "attached": ["attach", "--hypervisor"],
    "detaching": ["detach"],
    "switching": ["switch", "all=trace"],
}


@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("doing", KILLED_WHILE)
def test_a_machine_that_is_killed_at_any_moment_leaves_no_qemu(doing: str, cpus: int, tmp_path: Path) -> None:
    moments = random.Random(f"{doing}{cpus}")  # noqa: S311 - a test
    policy = tmp_path / "policy.py"
    policy.write_text(POLICY)
    for _ in range(3):
        with running(cpus=cpus, init="loop=60") as machine:
            assert openvmi("attach", "--hypervisor", policy).returncode == 0
            qemus = children(machine.pid)
            assert qemus
            words = [*KILLED_WHILE[doing], *([str(policy)] if doing == "attached" else [])]
            with subprocess.Popen([*OPENVMI, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as other:
                time.sleep(moments.uniform(0.05, 0.3))  # it may be before, within or after
                machine.kill()
                machine.wait(5)
                _, said = other.communicate(timeout=10)
            assert b"Traceback" not in said
            until(partial(all_gone, qemus), 5)
        assert openvmi("ps").stdout == ""


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_trace_that_is_killed_at_any_moment_reads(cpus: int, tmp_path: Path) -> None:
    moments = random.Random(cpus)  # noqa: S311 - a test
    file = tmp_path / "killed.vmitrace"
    command = [*OPENVMI, "trace", "-o", str(file), "--", "--cpus", str(cpus), "--append", "-- loop=60"]
    for _ in range(4):
        file.unlink(missing_ok=True)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            until(file.exists)
            qemus = children(process.pid)
            time.sleep(moments.uniform(0.0, 0.7))
            process.kill()
            process.wait(5)
        until(partial(all_gone, qemus), 5)
        if file.stat().st_size > 100_000:
            found, complete = totals(file)
            assert not complete
            assert sum(each.missing for each in found.values()) == 0
        else:  # not even its head need be there
            assert openvmi("trace", "--read", file).returncode in {0, 2}


def test_a_killed_tracer_leaves_the_machine_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "t"
    with running():
        command = [*OPENVMI, "trace", "--attach", "-o", str(file)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tracer:
            until(lambda: file.exists() and file.stat().st_size > 20_000)
            assert set(status()["modes"].values()) == {"trace"}
            again = openvmi("trace", "--attach")
            assert again.returncode == 2
            assert "somebody is tracing" in again.stderr
            tracer.kill()
            tracer.wait(5)
        until(lambda: set(status()["modes"].values()) == {"native"})
        assert totals(file)[0][0].missing == 0
        done = openvmi("trace", "--attach", "--first", 50, "-o", file)
        assert done.returncode == 0, done.stderr
        assert "50 records" in done.stderr
        assert "none lost" in done.stderr
        done = openvmi("detach")
        assert done.stdout.count("the same as before") == 2, done.stdout


def test_a_machine_that_ends_ends_its_trace(tmp_path: Path) -> None:
    file = tmp_path / "t"
    command = [*OPENVMI, "trace", "--attach", "-o", str(file)]
    with running() as process, subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:
        until(lambda: file.exists() and file.stat().st_size > 20_000)
        process.terminate()
        assert tracer.wait(10) == 0
    assert totals(file)[1]


def test_a_disk_that_is_full_ends_the_trace_and_not_the_guest() -> None:
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("full: there is no /dev/full")
    done = openvmi("trace", "-o", "/dev/full", "--", "--append", "-- check")
    assert done.returncode == 2  # not even the head of the file
    assert "No space left" in done.stderr


def test_two_boots_compare_and_one_replays(tmp_path: Path, policy: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        assert openvmi("trace", "-o", file, "--", "--icount", "--append", "-- check").returncode == 0
    done = openvmi("diff", *files, "--threshold", 0)
    assert done.returncode == 0, done.stdout
    assert records(files[0]) == records(files[1])  # time stamps and all
    few = tmp_path / "few"
    assert openvmi("trace", "-o", few, "--", "--append", "-- stop").returncode == 0
    assert openvmi("diff", files[0], few).returncode == 1
    done = openvmi("replay", files[0], "--hypervisor", policy)
    assert done.returncode == 0, done.stderr
    assert "SetCR3" in done.stdout
    exported = openvmi("trace", "--first", 100, "--export", "json", "--", "--append", "-- stop")
    assert len(exported.stdout.splitlines()) == 100
