# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding QEMU and choosing an accelerator, with and without what they look for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openvmi.errors import ExitCode, HarnessError, UsageError
from openvmi.machine import Choice, KvmAnswer, accel, choose_accelerator, find_qemu, probe_kvm, qemu
from openvmi.machine._cache import cached, folder

from .fake import gone, write_fake

NATIVE = KvmAnswer(15.0, 16.0, "")


def test_the_variable_comes_before_the_path(fake_qemu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_qemu().path == str(fake_qemu)
    monkeypatch.setenv("OPENVMI_QEMU", "other-qemu")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_qemu(write_fake(tmp_path, "other-qemu")).version == (7, 2, 9)
    assert find_qemu().path == f"{tmp_path}/other-qemu"


def test_i386_comes_before_x86_64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    write_fake(tmp_path, "qemu-system-x86_64")
    assert find_qemu().path.endswith("x86_64")
    write_fake(tmp_path)
    assert find_qemu().path.endswith("i386")
    assert find_qemu().version_text == "7.2.9"


def test_no_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessError, match="no QEMU") as caught:
        find_qemu()
    assert caught.value.help == "apt-get install qemu-system-x86"
    assert caught.value.exit_code == ExitCode.HARNESS
    with pytest.raises(HarnessError, match="not a program"):
        find_qemu(tmp_path)


def test_the_variable_is_named_when_it_is_to_blame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVMI_QEMU", str(tmp_path))
    with pytest.raises(HarnessError, match="not a program") as caught:
        find_qemu()
    assert caught.value.where == f"OPENVMI_QEMU={tmp_path}"
    assert caught.value.help.startswith("unset OPENVMI_QEMU; ")
    assert "apt-get install" in caught.value.help
    with pytest.raises(HarnessError, match="not a program") as caught:
        find_qemu("/nonexistent")
    assert "OPENVMI_QEMU" not in str(caught.value) + caught.value.help


@pytest.mark.parametrize("version", ["7.1.0", "2.12.1", "7.1"])
def test_qemu_too_old(version: str, fake_qemu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VERSION", version)
    with pytest.raises(HarnessError, match=r"too old: 7\.2 or newer is needed") as caught:
        find_qemu(fake_qemu)
    assert "apt-get" in caught.value.help


@pytest.mark.parametrize(
    ("name", "value"), [("FAKE_VERSION", "x"), ("FAKE_VERSION", "9" * 5000 + ".1.1"), ("FAKE_STATUS", "1")]
)
def test_qemu_that_does_not_work(name: str, value: str, fake_qemu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(HarnessError, match="not a QEMU that works"):
        find_qemu(fake_qemu)
    fake_qemu.write_text("#!/nonexistent\n")
    with pytest.raises(HarnessError, match="does not run"):
        find_qemu(fake_qemu)


def test_version_is_asked_once(fake_qemu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_qemu().version == (7, 2, 9)
    monkeypatch.setenv("FAKE_VERSION", "9.0.1")
    assert find_qemu().version == (7, 2, 9)
    fake_qemu.write_text(fake_qemu.read_text() + "\n")
    assert find_qemu().version == (9, 0, 1)


def test_cache_that_cant_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flat").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "flat"))
    assert cached("name", "key", lambda: "answer") == "answer"
    assert cached("name", "key", lambda: "again") == "again"


def test_cache_that_is_damaged() -> None:
    path = Path(folder()) / "name"
    assert cached("name", "key", lambda: "one") == "one"
    for text in ("", "key\n", "key\ntw", "\xff\xfe"):
        path.write_text(text, encoding="latin-1")
        assert cached("name", "key", lambda: "fresh") == "fresh"
    assert [file.name for file in path.parent.iterdir()] == ["name"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    assert find_qemu(write_fake(folder)).version == find_qemu(write_fake(folder)).version == (7, 2, 9)


def test_kept_version_that_is_damaged(fake_qemu: Path) -> None:
    assert find_qemu(fake_qemu).version == (7, 2, 9)
    (kept,) = Path(folder()).iterdir()
    key = kept.read_text().splitlines()[0]
    for text in ("x", "7", "1" * 5000 + ".2.3", "7.2.9.1"):
        kept.write_text(f"{key}\n{text}\n")
        assert find_qemu(fake_qemu).version == (7, 2, 9)


@pytest.mark.parametrize("script", ["sleep 30 & echo $! > {note}; wait", "sleep 30 & echo $! > {note}", "yes"])
def test_version_that_does_not_come(
    script: str, tmp_path: Path, fake_qemu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "_VERSION_LIMIT", 0.5)
    note = tmp_path / "note"
    fake_qemu.write_text("#!/bin/sh\n" + script.format(note=note))
    with pytest.raises(HarnessError, match=r"--version did not end within 0\.5 s"):
        find_qemu(fake_qemu)
    if note.exists():
        assert gone(int(note.read_text()))


@pytest.mark.parametrize("home", ["", "here"])
def test_no_home_is_no_cache(home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path.replace("~", home or "~"))
    before = sorted(tmp_path.iterdir())
    assert cached("name", "key", lambda: "answer") == "answer"
    assert sorted(tmp_path.iterdir()) == before


def test_relative_cache_directory_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", "/home/nobody")
    assert folder() == "/home/nobody/.cache/openvmi/probes"


@pytest.mark.parametrize(
    ("answer", "paging", "words"),
    [
        (NATIVE, "any", ""),
        (KvmAnswer(None, 16.0, ""), "pae", ""),
        (KvmAnswer(None, 16.0, ""), "any", "does not run guests with 32-bit paging"),
        (KvmAnswer(15.0, None, ""), "legacy", ""),
        (KvmAnswer(15.0, None, ""), "any", "does not run guests with PAE paging"),
        (KvmAnswer(1300.0, 16.0, ""), "any", "emulates 32-bit guests (1300 ns an instruction)"),
        (KvmAnswer(None, None, "there is no /dev/kvm"), "any", "there is no /dev/kvm"),
    ],
)
def test_choice(answer: KvmAnswer, paging: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "probe_kvm", lambda: answer)
    choice = choose_accelerator(paging=paging)
    assert choice.name == ("tcg" if words else "kvm")
    assert words in choice.reason
    if words:
        with pytest.raises(HarnessError) as caught:
            choose_accelerator("kvm", paging=paging)
        assert words in str(caught.value)
    else:
        assert choose_accelerator("kvm", paging=paging).name == "kvm"


def test_what_needs_no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(accel, "probe_kvm")
    assert choose_accelerator("tcg") == Choice("tcg", "TCG was asked for")
    assert choose_accelerator(icount=True).name == "tcg"
    with pytest.raises(UsageError, match="can't count instructions"):
        choose_accelerator("kvm", icount=True)


def test_probe_without_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "DEVICE", str(tmp_path / "kvm"))
    assert probe_kvm().trouble.startswith("there is no ")


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("print('15.1 - ')", KvmAnswer(15.1, None, "")),
        ("print('- - KVM is odd')", KvmAnswer(None, None, "KVM is odd")),
        ("print('x y')", KvmAnswer(None, None, "KVM's probe gave no answer")),
        ("", KvmAnswer(None, None, "KVM's probe gave no answer")),
        ("import os; os.kill(os.getpid(), 9)", KvmAnswer(None, None, "KVM's probe ended with status -9")),
        ("import time; time.sleep(9)", KvmAnswer(None, None, "KVM's probe did not end within 0 s")),
    ],
)
def test_probe_answers(program: str, answer: KvmAnswer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, script = tmp_path / "kvm", tmp_path / "probe.py"
    device.touch()
    script.write_text(program)
    monkeypatch.setattr(accel, "DEVICE", str(device))
    monkeypatch.setattr(accel, "_PROBE_SCRIPT", str(script))
    monkeypatch.setattr(accel, "_PROBE_LIMIT", 0.3)
    assert probe_kvm() == answer


def test_the_real_probe_always_answers() -> None:
    script = Path(accel.__file__).with_name("_kvm_probe.py")
    done = subprocess.run([sys.executable, "-I", "-S", script], capture_output=True, text=True, check=True, timeout=20)
    words = done.stdout.rstrip("\n").split(" ", 2)
    assert len(words) == 3
    assert all(word == "-" or float(word) > 0 for word in words[:2])
