# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi run`` with hypervisors in Python behind the bundled guest, as a user types it."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openvmi import images

ROOT = Path(__file__).resolve().parents[3]
OPENVMI = [sys.executable, "-m", "openvmi"]
HEAD = """
from openvmi.hypervisor import *
import sys, time
class Mine(Hypervisor):
    n = 0
"""


Mine = Callable[[str], str]


def openvmi(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*OPENVMI, *words],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def run(name: str, *words: str, append: str = "-- check", **environment: str) -> subprocess.CompletedProcess[str]:
    return openvmi("run", "--hypervisor", name, "--append", append, "--timeout", "40", *words, **environment)


@pytest.fixture
def mine(tmp_path: Path) -> Mine:
    def made(body: str) -> str:
        file = tmp_path / "mine.py"
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        file.write_text(HEAD + lines)
        return str(file)

    return made


COUNT = """def set_cr3(self, vcpu, value):
    self.n += 1
def stopped(self, outcome):
    print("switches:", self.n, self.guest.symbols_from)"""


@pytest.mark.parametrize("machine", [(), ("--cpus", "2"), ("--kernel", "guest-pae")], ids=["up", "smp", "pae"])
def test_every_call_that_is_routed_is_answered(mine: Mine, machine: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    done = run(mine(COUNT), *machine, "--json", str(file))
    data = json.loads(file.read_text())["hosted"]
    assert done.returncode == 0, done.stderr
    switches = int(re.findall(r"^switches: (\d+) .*/guest.*elf$", done.stdout, re.MULTILINE)[0])
    assert switches == data["upcalls"] == data["counts"]["SetCR3"] > 100
    assert (data["guest"], data["routed"], data["lost_upcalls"], data["fault"]) == ("active", ["SetCR3"], 0, "")
    assert f"{switches:,} upcalls answered\n" in done.stderr
    assert " checks passed, 0 failed" in done.stdout or machine


def test_hosted_alone_is_native_and_asks_nobody(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    done = run("hosted", "--json", str(file))
    data = json.loads(file.read_text())
    assert (done.returncode, data["hosted"]["upcalls"], data["rom"]["accepted"]) == (0, 0, True), done.stderr
    assert {call["name"]: call["type"] for call in data["calls"]}["SetCR3"] == "CALL_REL"


def test_hosted_counts_instructions_and_repeats() -> None:
    done = openvmi("bench", "--hypervisors", "none,hosted", "--only", "null-int80")
    assert done.returncode == 0, done.stderr
    assert "identical digits" in done.stderr
    assert "hosted" in done.stdout


def test_what_it_prints_stands_between_lines_of_the_console(mine: Mine) -> None:
    done = run(mine("def set_pxe(self, vcpu, value, entry, flags):\n    print(f'<{self.n}>'); self.n += 1"))
    lines = done.stdout.replace("\r", "").splitlines()
    numbers = [line for line in lines if "<" in line]
    assert numbers == [f"<{number}>" for number in range(len(numbers))]
    assert len(numbers) > 1000
    assert sum(line.startswith("init: checked ") for line in lines) >= 14


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ("def set_cr3(self, vcpu, value): return Stop('enough', status=42)", 42, "with status 42: enough"),
        ("def set_cr3(self, vcpu, value): return Stop(status=200)", 200, "with status 200"),
        ("def set_cr3(self, vcpu, value): sys.exit(7)", 7, "with status 7"),
        ("def set_cr3(self, vcpu, value): return {}[value]", 125, 'mine.py", line 6, in set_cr3'),
        ("def set_cr3(self, vcpu, value): return 5", 125, "set_cr3 answered 5, which is no answer"),
        ("def started(self, machine): 1 / 0", 125, "started() raised ZeroDivisionError"),
        ("def stopped(self, outcome): 1 / 0", 125, "ZeroDivisionError: division by zero"),
    ],
)
def test_how_a_hypervisor_ends_a_machine(mine: Mine, body: str, status: int, says: str) -> None:
    done = run(mine(body))
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "/openvmi/hypervisor/" not in done.stderr


def test_a_hypervisor_that_nothing_comes_to_is_told_so(mine: Mine) -> None:
    assert "warning: no method of Mine is named after a call" in run(mine("def set_cr33(self, vcpu): pass")).stderr
    assert "named after a call" not in run(mine("def started(self, machine): print(1)")).stderr


def test_a_handler_that_hangs_loses_calls_and_says_so(mine: Mine) -> None:
    done = run(mine("def set_cr3(self, vcpu, value):\n    self.n += 1\n    if self.n == 100: time.sleep(3)"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"upcalls answered, [\d,]+ LOST \(done natively, set_cr3 did not come back in time", done.stderr)


def test_a_guest_that_is_quicker_than_its_hypervisor_waits(mine: Mine) -> None:
    body = "def started(self, machine): time.sleep(2.5)\ndef set_cr3(self, vcpu, value): ...\ndef cpuid(self, *x): ..."
    done = run(mine(body), append="-- stop")
    assert done.returncode == 0
    assert "LOST" not in done.stderr
    assert re.search(r"mine.py: [1-9]\d* upcalls answered", done.stderr)


def test_a_kernel_without_the_interface_is_told_of(mine: Mine) -> None:
    done = run(mine(COUNT), "--kernel", "plain")
    assert done.returncode == 0, done.stderr
    assert "never asked for the interface" in done.stderr


def test_a_rom_of_another_version_is_refused_and_the_guest_goes_on(mine: Mine, tmp_path: Path) -> None:
    from openvmi.abi.wire import WIRE_HASH

    known = WIRE_HASH.to_bytes(4, "little")
    image = bytearray(images.path("openvmi.rom").read_bytes().replace(known, known[::-1]))
    image[-1] = (image[-1] - sum(image)) % 256
    rom = tmp_path / "other.rom"
    rom.write_bytes(image)
    done = run(mine(COUNT), "--rom", str(rom))
    assert done.returncode == 0, done.stderr
    assert "the guest continues natively, nothing reaches Python: BAD_HASH" in done.stderr


def test_a_dry_run_starts_nothing(mine: Mine) -> None:
    done = run(mine(COUNT), "--dry-run")
    assert done.returncode == 0
    assert "ivshmem-plain" in done.stdout
    assert "no such file" in run("none/such.py", "--dry-run").stderr


def test_json_alone_is_on_stdout(mine: Mine) -> None:
    done = run(mine(COUNT), "--json", "-")
    assert json.loads(done.stdout)["hosted"]["upcalls"] > 100
    assert "switches:" in done.stderr


ENDS = [(signal.SIGINT, 130, b"interrupted"), (signal.SIGTERM, 143, b"SIGTERM"), (signal.SIGHUP, 129, b"SIGHUP")]


@pytest.mark.parametrize(("number", "status", "word"), ENDS)
def test_a_signal_ends_it_and_what_was_counted_is_told(mine: Mine, number: int, status: int, word: bytes) -> None:
    command = [*OPENVMI, "run", "--hypervisor", mine(COUNT), "--append", "-- spin", "--timeout", "40"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        while b"userland" not in process.stdout.readline():
            pass
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == status
    assert b"switches: " in out
    assert word in err
    assert openvmi("ps").stderr == "openvmi: no machine is running\n"
    assert b"Traceback" not in err


def test_a_debug_answer_opens_a_prompt_in_the_terminal(mine: Mine) -> None:
    body = "def set_cr3(self, vcpu, value):\n    self.n += 1\n    return Debug() if self.n == 150 else None"
    master, slave = pty.openpty()
    command = [*OPENVMI, "run", "--hypervisor", mine(body), "--append", "-- check", "--timeout", "40"]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        os.close(slave)
        seen = _until(master, b">>> ")
        os.write(master, b"print('task', vcpu.task, hypervisor.n)\n")
        seen += _until(master, b">>> ")
        os.write(master, b"\x04")
        seen += _until(master, b"upcalls answered")
        process.wait(20)
    os.close(master)
    assert process.returncode == 0
    assert b"SetCR3 from " in seen
    assert re.search(rb"task (None|process\[\d+\]) 150", seen)


def _until(fd: int, sign: bytes, seconds: float = 30) -> bytes:
    import select

    seen, limit = b"", time.monotonic() + seconds
    while sign not in seen:
        assert select.select([fd], [], [], max(0.0, limit - time.monotonic()))[0], seen[-500:]
        seen += os.read(fd, 4096)
    return seen


def test_example_count() -> None:
    done = run("examples/count.py", "--quiet")
    counts = {line.split()[0]: int(line.split()[1].replace(",", "")) for line in done.stdout.splitlines()}
    assert done.returncode == 0
    assert "0 upcalls answered" in done.stderr
    assert counts["all"] == sum(counts.values()) - counts["all"]
    assert counts["SetCR3"] > 100


def test_example_freeze() -> None:
    done = run("examples/freeze.py", FREEZE_AT="300")
    assert done.returncode == 0, done.stderr
    assert "SetCR3 number 300" in done.stderr or "loads CR3" in done.stdout
    assert "300 upcalls answered" in done.stderr
    assert re.search(r"CPU 0: (None|process\[\d+\]) loads CR3 = 0x[0-9a-f]+ in \w+\+0x", done.stdout)
    assert "space_load" in done.stdout
    assert "switching off" not in done.stdout


def test_example_cow() -> None:
    done = run("examples/cow.py", "--quiet")
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^process\[\d+\] fault_mend: page 0x\w+ is writable, was read-only at 0x", done.stdout, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--kernel", "guest-pae", "--cpu", "qemu32,+nx"), "wx: 0 refused"),
        (("--kernel", "guest-pae"), "nothing could be refused"),
        ((), "nothing could be refused"),
    ],
)
def test_example_wx_harms_nobody(words: tuple[str, ...], says: str) -> None:
    done = run("examples/wx.py", *words)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout


SLOW = """
import sys
sys.path.insert(0, "examples")
import slowtime
class Told(slowtime.SlowTime):
    def rdtsc(self, vcpu):
        answer = super().rdtsc(vcpu)
        self.last = answer.value
        return answer
    def stopped(self, outcome):
        import json
        from openvmi.hypervisor.guest import _object_of
        def number(name, size=8):
            place = _object_of(self.kernel, name)[0] - 0xC0000000
            return int.from_bytes(self.guest.physical(place, size), "little")
        guest_ns, boot, khz = number("latest_ns"), number("boot_cycles"), number("tsc_khz", 4)
        print(json.dumps({"guest": guest_ns, "said": (self.last - boot) * 1e6 / khz, "khz": khz,
            "slow": self.last - self.slow_since, "true": self.ticks() - self.slow_since}))
    def started(self, machine):
        from pathlib import Path
        self.kernel = Path(machine.config.kernel)
"""


def test_example_slowtime_is_the_clock_that_the_guest_goes_by(tmp_path: Path) -> None:
    file = tmp_path / "told.py"
    file.write_text(SLOW)
    done = run(f"{file}:Told", "--quiet")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["khz"] == pytest.approx(1_000_000, rel=0.05), "the kernel measured our clock while it booted"
    assert told["guest"] == pytest.approx(told["said"], rel=0.05), "its clock is what we say"
    assert told["slow"] < 0.55 * told["true"], "and that is half"


SAVE = """def set_cr3(self, vcpu, value):
    self.n += 1
    if self.n == 100:
        return Snapshot({file!r})"""


@pytest.mark.parametrize("cpus", ["1", "2"])
def test_a_snapshot_is_taken_and_goes_on_where_it_was(mine: Mine, tmp_path: Path, cpus: str) -> None:
    file = tmp_path / "state"
    name = mine(SAVE.format(file=str(file)))
    done = run(name, "--cpus", cpus)
    assert (done.returncode, file.read_bytes()[:4]) == (0, b"QEVM"), done.stderr
    assert "warning" not in done.stderr
    line = openvmi("run", "--dry-run", "--hypervisor", name, "--append", "-- check", "--cpus", cpus).stdout
    words = [*shlex.split(line.replace("\\\n", "")), "-incoming", f"exec:cat {file}"]
    loaded = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=40)
    last = done.stdout.splitlines()[-1]
    assert " checks passed, 0 failed" in last
    assert loaded.stdout.splitlines()[-1].partition(" checks")[2] == last.partition(" checks")[2]
    assert "exit 0" in loaded.stderr


def test_a_snapshot_that_fails_is_said_and_the_guest_goes_on(mine: Mine, tmp_path: Path) -> None:
    done = run(mine(SAVE.format(file="/dev/full")))
    assert done.returncode == 0, done.stderr
    assert "openvmi: warning: no snapshot: /dev/full: the snapshot has failed: " in done.stderr
    done = run(mine(SAVE.format(file=str(tmp_path / "none" / "state"))))
    assert done.returncode == 0, done.stderr
    assert "no snapshot: " in done.stderr
    assert "/none/state: no such folder\n" in done.stderr


def test_a_full_disk_behind_stdout_is_told_of(mine: Mine) -> None:
    command = [*OPENVMI, "run", "--quiet", "--hypervisor", mine(COUNT), "--append", "-- check", "--timeout", "40"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 0
    assert b"1 lines that the hypervisor printed could not be written: No space left" in done.stderr
