# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Generated files are fresh, the check notices one byte, and the output has no day or place in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from openvmi.abi import generate
from openvmi.errors import UsageError

PATHS = sorted(generate.outputs())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    generate.write(tmp_path, generate.outputs())
    return tmp_path


def test_the_committed_files_are_fresh() -> None:
    assert generate.stale(generate.ROOT, generate.outputs()) == []


def test_nothing_stale_says_nothing(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"], tree) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_one_changed_byte_is_found(tree: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray((tree / path).read_bytes())
    content[len(content) // 2] ^= 1
    (tree / path).write_bytes(content)
    assert generate.main(["--check"], tree) == 1
    assert capsys.readouterr().err == f"{path}: stale\n"


def test_a_missing_file_is_found_and_written(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / PATHS[0]).unlink()
    assert generate.main(["--check"], tree) == 1
    assert capsys.readouterr().err == f"{PATHS[0]}: missing\n"
    assert generate.main([], tree) == 0
    assert capsys.readouterr().out == f"{PATHS[0]}\n"
    assert generate.main(["--check"], tree) == 0


def test_carriage_returns_are_a_difference(tree: Path) -> None:
    path = tree / PATHS[0]
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert generate.main(["--check"], tree) == 1


@pytest.mark.parametrize("arguments", [["--chekc"], ["--check", "x"], ["x", "--check"]])
def test_unknown_arguments_are_refused(arguments: list[str], tree: Path) -> None:
    with pytest.raises(UsageError, match="unknown argument"):
        generate.main(arguments, tree)


def test_no_source_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a source tree"):
        generate.main([], tmp_path)


def test_output_is_the_same_in_another_process() -> None:
    """Hash randomisation must not show."""
    script = (
        "import hashlib; from openvmi.abi import generate\n"
        "print(hashlib.sha256(repr(sorted(generate.outputs().items())).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(generate.ROOT / "src")},
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_numbers_alone_cost_no_toml() -> None:
    """The enumerations are on the way to every guest's start: no parser, no dataclasses."""
    script = "import sys, openvmi.abi; print(sorted({'tomllib', 'dataclasses', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"
