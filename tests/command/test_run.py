# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi run`` with a QEMU that does as it is told: exit codes, JSON, and words for every failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openvmi.errors import ExitCode

from ..unit.machine.builders import multiboot
from .conftest import Openvmi

OFF, RESET = "event=guest-shutdown", "event=guest-reset"
HELLO = "result=hello 1"


@pytest.fixture
def kernel(tmp_path: Path) -> str:
    path = tmp_path / "kernel.elf"
    path.write_bytes(multiboot())
    return str(path)


def run(openvmi: Openvmi, kernel: str, *steps: str, **options: str) -> tuple[int, str, str]:
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    return openvmi("run", "--kernel", kernel, "--hypervisor", "none", "--append", ";".join(steps), *words)


@pytest.mark.parametrize(
    ("steps", "status", "words"),
    [
        ((HELLO, "result=exit 0", OFF), 0, ""),
        ((HELLO, "result=exit 7", OFF), 7, "status 7"),
        ((HELLO, "result=exit 1", OFF), 1, "status 1"),
        ((OFF,), 0, ""),
        ((HELLO, OFF), ExitCode.HARNESS, "without giving an exit status"),
        ((RESET,), ExitCode.PANIC, "a reboot or a triple fault"),
        (("result=panic no memory", OFF), ExitCode.PANIC, "no memory"),
        (("console=last words", "stderr=bad device", "status=1"), ExitCode.HARNESS, "bad device"),
        (("signal=9",), ExitCode.HARNESS, "killed by signal 9"),
    ],
    ids=lambda value: ";".join(value) if isinstance(value, tuple) else "",
)
def test_exit_codes(openvmi: Openvmi, kernel: str, steps: tuple[str, ...], status: int, words: str) -> None:
    code, _, err = run(openvmi, kernel, *steps)
    assert code == status
    assert words in err
    assert "Traceback" not in err


def test_a_guest_that_spins_is_ended(openvmi: Openvmi, kernel: str) -> None:
    code, _, err = run(openvmi, kernel, "console=here I am", "sleep=30", timeout="0.4")
    assert code == ExitCode.TIMEOUT
    assert "within 0.4 s" in err
    assert "here I am" in err
    assert "the whole console is in " in err


def test_the_console_is_shown_and_kept(openvmi: Openvmi, kernel: str, tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    code, out, _ = run(openvmi, kernel, "console=booting", HELLO, "result=exit 0", OFF, console=str(log))
    assert (code, out) == (0, "booting")
    assert log.read_text() == "booting"


def test_json_says_what_happened(openvmi: Openvmi, kernel: str, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    steps = (HELLO, "result=info rom found 0xc0000", "result=info vmi active cpl 0", "result=call 33 JUMP_REL c0001")
    code, _, _ = run(openvmi, kernel, *steps, "result=mark userland", "result=exit 3", OFF, json=str(file))
    data = json.loads(file.read_text())
    assert code == data["exit_code"] == data["status"] == 3
    assert data["how"] == "exited"
    assert data["rom"]["accepted"] is True
    assert data["calls"] == [{"number": 33, "name": "IRET", "type": "JUMP_REL", "eip": 0xC0001}]
    assert 0 < data["seconds"]["command_to_qemu"] < data["seconds"]["command_to_userland"]


def test_what_a_linux_prints_about_the_rom_is_understood(openvmi: Openvmi, kernel: str) -> None:
    found = "VMI: Found openvmi VMI ROM, API version 3.0, ROM version 1.0"
    code, out, _ = run(openvmi, kernel, f"console={found}\\nBooting paravirtualized kernel on vmi\\n", OFF, json="-")
    rom = json.loads(out[out.index("{") :])["rom"]
    assert code == 0
    assert (rom["source"], rom["accepted"], rom["version"]) == ("console", True, "3.0")
    _, out, _ = run(openvmi, kernel, f"console={found}\\nVMI ROM failed to initialize!\\n", OFF, json="-")
    rom = json.loads(out[out.index("{") :])["rom"]
    assert (rom["accepted"], rom["state"]) == (False, "VMI ROM failed to initialize!")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--kernel", "/no/such/kernel"), "no such kernel"),
        (("--kernel", __file__), "a text file"),
        (("--hypervisor", "magic"), "magic"),
        (("--memory", "1"), "memory in MiB must be"),
        (("--cpus", "0"), "number of CPUs must be"),
        (("--timeout", "-1"), "time limit"),
        (("--rom", __file__), "not an option ROM"),
        (("--rom", "/no/such/rom"), "/no/such/rom"),
        (("--initrd", "/no/such/initrd"), "/no/such/initrd"),
        (("--hypervisor", "none", "--rom", __file__), "has no ROM"),
        (("--json", "/no/such/folder/out.json"), "can't write there"),
        (("--console", "/no/such/folder/log"), "can't write"),
        (("--nonsense",), "--nonsense"),
        (("stray",), "stray"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_bad_input_gets_a_clear_answer(openvmi: Openvmi, kernel: str, arguments: tuple[str, ...], words: str) -> None:
    # no image that would have to be built: a kernel of the test's, and no ROM but the one that is asked for
    given = () if "--kernel" in arguments else ("--kernel", kernel)
    bare = () if {"--rom", "--hypervisor"} & set(arguments) else ("--hypervisor", "none")
    code, _, err = openvmi("run", *given, *bare, *arguments)
    assert code == ExitCode.USAGE
    assert words in err
    assert "Traceback" not in err


def test_dry_run_prints_the_command_and_starts_nothing(openvmi: Openvmi, kernel: str) -> None:
    code, out, _ = openvmi("run", "--kernel", kernel, "--dry-run", "--hypervisor", "none", "--memory", "64")
    assert code == 0
    assert f"-kernel {kernel}" in out
    assert "-m 64M" in out


def test_no_qemu_and_an_old_one(openvmi: Openvmi, kernel: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FAKE_VERSION", "2.0.0")
    code, _, err = run(openvmi, kernel, OFF)
    assert code == ExitCode.HARNESS
    assert "2.0.0" in err
    monkeypatch.setenv("OPENVMI_QEMU", str(tmp_path / "none"))
    code, _, err = run(openvmi, kernel, OFF)
    assert code == ExitCode.HARNESS
    assert "apt-get install" in err
