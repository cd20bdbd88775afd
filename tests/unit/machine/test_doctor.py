# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi doctor``: what it finds, and the lines that mend it."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from openvmi import images
from openvmi.cli import doctor
from openvmi.machine import KvmAnswer, accel


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with all images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in images.IMAGES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    monkeypatch.setattr(images, "FOLDER", folder)
    return folder


def examine(*arguments: str) -> tuple[int, str]:
    """Run the command as ``openvmi`` does; return its exit code and output."""
    result = CliRunner().invoke(doctor.command, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value, result.output


def findings(*, healthy: bool) -> dict[str, dict[str, object]]:
    code, output = examine("--json")
    data = json.loads(output)
    assert (code, data["healthy"]) == (0 if healthy else 1, healthy)
    return {finding["name"]: finding for finding in data["findings"]}


def test_all_is_well(built: Path, fake_qemu: Path) -> None:
    found = findings(healthy=True)
    assert found["QEMU"]["detail"] == f"7.2.9 ({fake_qemu})"
    assert str(built) in str(found["images"]["detail"])
    assert {"Python", "click", "qemu.qmp", "TCG", "KVM", "accelerator", "zig", "disk"} <= set(found)


def test_an_extra_that_is_missing_is_named_with_what_installs_it(
    built: Path, fake_qemu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del built, fake_qemu

    def version(name: str) -> str:
        if name == "unicorn":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = findings(healthy=True)
    assert (found["unicorn"]["fine"], found["unicorn"]["mend"]) == (None, "pip install 'openvmi[check]'")
    assert "openvmi check rom" in str(found["unicorn"]["detail"])
    assert found["perfetto"]["fine"] is True


def test_no_qemu_and_no_image(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (built / "guest.elf").unlink()
    found = findings(healthy=False)
    assert (found["QEMU"]["fine"], found["QEMU"]["mend"]) == (False, "apt-get install qemu-system-x86")
    assert found["images"]["detail"] == "not built: guest.elf"
    assert found["images"]["mend"]
    assert (found["setpriv"]["fine"], found["setpriv"]["mend"]) == (None, "apt-get install util-linux")


@pytest.mark.usefixtures("built", "fake_qemu")
@pytest.mark.parametrize(
    ("answer", "fine", "detail", "mend"),
    [
        (KvmAnswer(14.0, 15.0, ""), True, "natively (32-bit 14 ns, PAE 15 ns an instruction)", ""),
        (KvmAnswer(None, 15.0, ""), None, "does not run guests with 32-bit paging", ""),
        (KvmAnswer(None, None, "no permission for /dev/kvm"), None, "no permission", "usermod -aG kvm"),
    ],
)
def test_kvm(answer: KvmAnswer, fine: bool, detail: str, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - a column
    monkeypatch.setattr("openvmi.machine.probe_kvm", lambda: answer)
    monkeypatch.setattr(accel, "probe_kvm", lambda: answer)
    found = findings(healthy=True)["KVM"]
    assert found["fine"] is fine
    assert detail in str(found["detail"])
    assert mend in str(found["mend"])


@pytest.mark.usefixtures("built")
def test_text_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVMI_QEMU", "/nonexistent")
    code, output = examine()
    assert code == 1
    lines = output.splitlines()
    where = next(index for index, line in enumerate(lines) if line.startswith("missing QEMU"))
    assert lines[where + 1].strip().startswith("-> unset OPENVMI_QEMU; ")
    assert "\x1b" not in output
