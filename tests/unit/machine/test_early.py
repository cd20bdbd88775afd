# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A head start: taken over when it is the same machine, gone without a trace in every other case."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from openvmi.errors import UsageError
from openvmi.machine import Drive, HeadStart, Machine, MachineConfig, Nic, Outcome, early
from openvmi.machine._cache import folder

Steps = Callable[..., MachineConfig]
WORDS = ["run", "--append", "", "a\nb"]
SCRIPT = ("console=booting", "result=hello 1", "result=mark kernel", "result=exit 3", "event=guest-shutdown")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchdogs of earlier tests may still be ending."""
    monkeypatch.setattr(early, "_one_thread", lambda: True)


@pytest.fixture(autouse=True)
def no_trace() -> Iterator[None]:
    before = descriptors()
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert descriptors() <= before  # threads of earlier tests may close theirs only now


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def begun(words: list[str] = WORDS) -> HeadStart:
    head_start = HeadStart(words)
    head_start.begin()
    return head_start


def runs(head_start: HeadStart) -> bool:
    return head_start._started is not None


def ended(config: MachineConfig, head_start: HeadStart | None = None) -> tuple[Outcome, str]:
    with Machine(config, head_start=head_start) as vm:
        outcome = vm.wait()
        return outcome, vm.console.text


def note() -> Path:
    (path,) = Path(folder("starts")).iterdir()
    return path


def remember(config: MachineConfig, words: list[str] = WORDS) -> None:
    first = begun(words)
    assert not runs(first)
    ended(config, first)


def starts_nothing(words: list[str] = WORDS) -> bool:
    head_start = begun(words)
    found = runs(head_start)
    head_start.discard()
    return not found


def test_the_same_machine_is_taken_over(steps: Steps) -> None:
    config = steps(*SCRIPT)
    expected, console = ended(config)
    remember(config)
    head_start = begun()
    started = head_start._started
    assert started is not None
    before = time.monotonic_ns()
    time.sleep(0.2)  # all is said before anybody listens
    with Machine(config, head_start=head_start, command_start=before) as vm:
        assert vm.pid == started.pid
        assert not runs(head_start)
        outcome = vm.wait()
        assert vm.console.text == console == "booting"
    assert [(line.verb, line.text) for line in outcome.report] == [(line.verb, line.text) for line in expected.report]
    assert replace(outcome, times=expected.times, report=expected.report, log=expected.log) == expected
    # it did start before
    assert -1_000_000_000 < outcome.times.to_start < 0
    assert outcome.times.duration >= 200_000_000


def test_the_time_limit_counts_from_the_early_start(steps: Steps) -> None:
    config = steps("sleep=30", timeout=1.4)
    remember(config)
    head_start = begun()
    time.sleep(1.2)
    before = time.monotonic()
    outcome, _ = ended(config, head_start)
    assert outcome.how == "timeout"
    assert time.monotonic() - before < 1.2


def test_another_command_is_not_taken_over(steps: Steps) -> None:
    remember(steps(*SCRIPT))
    head_start = begun()
    assert runs(head_start)
    outcome, text = ended(steps("console=other", "event=guest-shutdown"), head_start)
    assert (text, outcome.how) == ("other", "powered-off")
    # and from now on that is what is known
    again = begun()
    assert "console=other;event=guest-shutdown" in again._argv
    again.discard()


@pytest.mark.parametrize("name", ["kernel.elf", "initrd", "qemu-system-i386", "rom.bin", "cache/openvmi/probes/kvm"])
def test_a_file_that_changes(name: str, steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "initrd").write_bytes(b"0707")
    rom = bytearray(512)
    rom[:3] = 0x55, 0xAA, 1
    rom[3] = -sum(rom) % 256
    (tmp_path / "rom.bin").write_bytes(rom)
    config = steps(*SCRIPT, initrd=tmp_path / "initrd", option_roms=(tmp_path / "rom.bin",))
    remember(config)
    for change in (True, False):
        head_start = begun()
        started = head_start._started
        assert started is not None
        if change:
            file, new = tmp_path / name, tmp_path / "new"
            new.write_bytes(file.read_bytes() if file.exists() else b"")  # the same again, and yet another file
            new.chmod(0o755)
            new.replace(file)
            assert starts_nothing()
        with Machine(config, head_start=head_start) as vm:
            assert (vm.pid == started.pid) is not change
            assert vm.wait().exit_code == 3


def test_an_error_before_the_start(steps: Steps) -> None:
    config = steps(*SCRIPT)
    remember(config)
    head_start = begun()
    assert runs(head_start)
    with pytest.raises(UsageError):
        Machine(replace(config, icount=True, accel="kvm"), head_start=head_start).start()
    head_start.discard()
    head_start.discard()


def test_what_is_never_noted(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(512))
    for changes in (
        {"share_memory": True},
        {"console_log": tmp_path / "log"},
        {"drives": (Drive(path=tmp_path / "disk"),)},
        {"nics": (Nic(),)},
        {"extra_args": ("-S",)},
    ):
        ended(steps(*SCRIPT, **changes), begun())
        assert not Path(folder("starts")).exists()


@pytest.mark.parametrize("name", ["PATH", "HOME", "OPENVMI_QEMU"])
def test_other_surroundings(name: str, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(steps(*SCRIPT))
    assert not starts_nothing()
    monkeypatch.setenv(name, os.environ.get(name, "") + ":/nowhere")
    assert starts_nothing()


def test_other_words_and_another_directory(steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(steps(*SCRIPT))
    for words in (WORDS[:-1], [*WORDS, ""], ["run", "--append", "", "a", "b"], []):
        assert starts_nothing(words)
    monkeypatch.chdir(tmp_path)
    assert starts_nothing()


def test_the_variable_turns_it_off(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVMI_NO_SPECULATION", "1")
    remember(steps(*SCRIPT))
    assert not Path(folder("starts")).exists()
    monkeypatch.delenv("OPENVMI_NO_SPECULATION")
    remember(steps(*SCRIPT))
    assert not starts_nothing()
    monkeypatch.setenv("OPENVMI_NO_SPECULATION", "1")
    assert starts_nothing()


def test_not_beside_other_threads(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(steps(*SCRIPT))
    monkeypatch.undo()
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    assert not early._one_thread()
    leave.set()
    thread.join()


def test_a_note_that_others_could_have_written(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(steps(*SCRIPT))
    path = note()
    assert not starts_nothing()
    for victim in (path, path.parent):
        mode = victim.stat().st_mode
        for bits in (0o020, 0o002):
            victim.chmod(mode | bits)
            assert starts_nothing()
        victim.chmod(mode)
    assert not starts_nothing()
    real = path.rename(path.with_name("real"))
    path.symlink_to(real)
    assert starts_nothing()
    path.unlink()
    os.mkfifo(path)
    assert starts_nothing()
    path.unlink()
    real.rename(path)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert starts_nothing()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2000), cut=st.integers(0, 40), put=st.binary(max_size=40))
@example(at=0, cut=2000, put=b"")
@example(at=0, cut=2000, put=b"0\n")
@example(at=0, cut=0, put=b"\xff" * (1 << 17))
def test_a_damaged_note(at: int, cut: int, put: bytes, steps: Steps) -> None:
    files = list(Path(folder("starts")).iterdir()) if Path(folder("starts")).exists() else []
    if not files:
        remember(steps(*SCRIPT))
    path = note()
    whole = path.read_bytes()
    damaged = whole[:at] + put + whole[at + cut :]
    try:
        path.write_bytes(damaged)
        assert starts_nothing() is (damaged != whole)
    finally:
        path.write_bytes(whole)


def test_a_cache_that_cant_be_written(steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flat").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "flat"))
    remember(steps(*SCRIPT))
    assert starts_nothing()


def test_notes_take_little_room(steps: Steps) -> None:
    head_start = begun()
    argv, files = ["qemu"], [str(steps().kernel)]
    for number in range(200):
        other = begun([str(number)])
        assert not runs(other)
        other.remember(argv, files)
    head_start.discard()
    assert 10 < len(list(Path(folder("starts")).iterdir())) <= 61


def test_ctrl_c_between_start_and_knowing_of_it(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(steps("sleep=30", timeout=0.2))
    real = os.posix_spawnp

    def spawn_and_interrupt(*words: object, **changes: object) -> int:
        pid = real(*words, **changes)  # type: ignore[arg-type] # passed through
        signal.raise_signal(signal.SIGINT)
        return pid

    monkeypatch.setattr(os, "posix_spawnp", spawn_and_interrupt)
    head_start = HeadStart(WORDS)
    with pytest.raises(KeyboardInterrupt):
        head_start.begin()
    assert runs(head_start)
    head_start.discard()


def test_a_program_that_cant_be_started(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(steps(*SCRIPT))
    monkeypatch.setattr(os, "posix_spawnp", lambda *_, **__: os.readlink("/nonexistent"))  # noqa: PTH115
    assert starts_nothing()
