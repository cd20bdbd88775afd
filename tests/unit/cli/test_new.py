# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi new`` and ``openvmi abi --output``: what they write, and what they leave alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openvmi import kit
from openvmi.abi import generate
from openvmi.cli import abi, new
from openvmi.errors import ExitCode, HarnessError, UsageError

ROOT = Path(__file__).resolve().parents[3]


def run(*words: str | Path) -> Result:
    result = CliRunner().invoke(new.command, [str(word) for word in words], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_guest_is_a_kernel_and_the_layer(tmp_path: Path) -> None:
    result = run("guest", tmp_path / "a" / "b")
    written = contents(tmp_path / "a" / "b")
    assert written == kit.template()
    assert {"Makefile", "kernel.c", "paravirt/patch.c", "paravirt/include/vmi_abi.h"} <= set(written)
    assert f"version {kit.layer_version(kit.layer())} of the paravirt layer" in result.output
    assert "openvmi run --kernel kernel.elf" in result.output


def test_what_to_type_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new, "find_spec", lambda name: None if name == "ziglang" else name)
    monkeypatch.setattr(new, "which", lambda name: f"/somewhere/else/{name}")
    output = run("guest", tmp_path).output
    assert "pip install 'openvmi[toolchain]'" in output
    assert "make PYTHON=/" in output


def test_a_guest_is_written_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(UsageError, match="there is something already") as caught:
            run("guest", folder)
        assert caught.value.exit_code == ExitCode.USAGE
    assert contents(tmp_path) == {"mine": b"precious"}


@pytest.mark.parametrize("name", ["x" * 300, "/proc/nowhere/x"])
@pytest.mark.parametrize("what", ["guest", "layer"])
def test_places_that_can_not_be_written(what: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run(what, tmp_path / name)


def test_a_layer_is_replaced_only_by_force(tmp_path: Path) -> None:
    run("layer", tmp_path)
    run("layer", tmp_path)  # the same again is no loss
    header = tmp_path / "include" / "paravirt.h"
    header.write_text(re.sub(r"(_VERSION|_REVISION) \d+", r"\1 77", header.read_text()))
    with pytest.raises(UsageError, match=r"include/paravirt\.h is another one, of version 77\.77; 1 files differ"):
        run("layer", tmp_path)
    assert "77" in header.read_text()
    run("layer", tmp_path, "--force")
    assert contents(tmp_path) == kit.layer()


def test_the_layer_is_the_bundled_kernels() -> None:
    """Every file of guest/paravirt, byte by byte, and every header that they include."""
    layer = kit.layer()
    for path in (ROOT / "guest" / "paravirt").iterdir():
        assert layer[path.name] == path.read_bytes()
    wanted = {
        name for text in layer.values() for name in re.findall(r'^#include "(\w+\.h)"', text.decode(), re.MULTILINE)
    }
    assert wanted - {Path(name).name for name in layer} == {"pv_config.h"}, "which the kernel brings, or not"
    assert "include/uapi.h" not in layer


def test_an_installation_without_the_layer_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "_PACKED", tmp_path / "none")
    monkeypatch.setattr(kit, "_TREE", tmp_path)
    with pytest.raises(HarnessError, match="not in this installation"):
        kit.layer()


def test_a_packed_layer_is_taken_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "paravirt.h").write_text("#define PARAVIRT_VERSION 9\n#define PARAVIRT_REVISION 8\n")
    monkeypatch.setattr(kit, "_PACKED", tmp_path)
    assert kit.layer_version(kit.layer()) == "9.8"
    shutil.rmtree(tmp_path / "include")
    assert kit.layer_version(kit.layer()) not in {"", "9.8"}


def test_the_headers_as_files(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        abi.command, ["--header", "--output", str(tmp_path / "include")], catch_exceptions=False
    )
    names = ("vmi_abi.h", "vmi_abi.inc")
    assert result.output.split() == [str(tmp_path / "include" / name) for name in names]
    for name in names:
        assert (tmp_path / "include" / name).read_bytes() == (ROOT / generate.INCLUDE / name).read_bytes()
    assert CliRunner().invoke(abi.command, ["--header"]).output == (tmp_path / "include" / "vmi_abi.h").read_text()


def test_the_headers_and_a_call_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        CliRunner().invoke(abi.command, ["SetPxE", "--output", str(tmp_path)], catch_exceptions=False)
    assert not list(tmp_path.iterdir())
