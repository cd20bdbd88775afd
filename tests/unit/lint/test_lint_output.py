# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi lint``: what it prints and writes, its baseline, its exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openvmi.check.lint import RULES, read_baseline, split, write_baseline
from openvmi.cli import main
from openvmi.errors import InputError

from .kernels import BASE, CLI, RET, Builder, Piece
from .test_lint_coverage import bundled

PUSHF = b"\x9c"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return a function that runs ``openvmi lint`` with its arguments: status, standard output, standard error."""

    def runs(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["openvmi", "lint", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        assert "Traceback" not in err
        return ended.value.code, out, err

    before = signal.getsignal(signal.SIGINT)
    yield runs
    signal.signal(signal.SIGINT, before)  # the command lets go of it at its end


def written(folder: Path, builder: Builder, name: str = "vmlinux") -> Path:
    file = folder / name
    file.write_bytes(builder.elf())
    return file


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """Return a kernel with two findings in f and one in g."""
    return written(tmp_path, Builder().text(Piece("f", CLI + PUSHF + RET), Piece("g", CLI + RET)))


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return written(tmp_path, bundled())


def test_what_is_printed(run: Run, kernel: Path) -> None:
    status, out, _ = run(kernel)
    assert status == 1
    assert ".text f\n  +0x0     c0100000  fa                      cli                          traps\n" in out
    assert "  +0x1     c0100001  9c                      pushf                        silent\n" in out
    assert ".text g\n" in out
    assert out.endswith("3 not covered\n")
    assert "cli                                2" in out


def test_a_clean_kernel(run: Run, clean: Path) -> None:
    status, out, _ = run(clean)
    assert status == 0
    assert out.endswith("0 not covered\n")
    assert "user" not in out
    status, out, _ = run(clean, "--all")
    assert status == 0
    assert "patch site: irq_disable" in out


def test_what_is_in_doubt_counts(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path, Builder().text(Piece("f", RET + CLI + RET)))
    status, out, _ = run(file)
    assert status == 1
    assert "not sure: nothing is seen to lead there" in out
    assert "c0100000-c0100003  f" in out


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF\x02"])
def test_what_is_no_kernel(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    status, out, err = run(file)
    assert (status, out) == (2, "")
    assert err.startswith(f"openvmi: {file}: ")


def test_json(run: Run, kernel: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert run(kernel, "--json", target)[0] == 1
    content = json.loads(target.read_text())
    assert [(f["function"], f["offset"], f["rule"], f["cover"], f["new"]) for f in content["findings"]] == [
        ("f", 0, "cli", "uncovered", True),
        ("f", 1, "pushf", "uncovered", True),
        ("g", 0, "cli", "uncovered", True),
    ]
    assert content["summary"]["effect"] == {"silent": {"uncovered": 1}, "traps": {"uncovered": 2}}
    status, out, _ = run(kernel, "--json", "-")
    assert status == 1
    assert json.loads(out) == content


def test_sarif(run: Run, kernel: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.sarif"
    run(kernel, "--sarif", target)
    log = json.loads(target.read_text())
    sarif_is_valid(log)
    results = log["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["cli", "pushf", "cli"]
    assert [result["level"] for result in results] == ["warning", "error", "warning"]
    where = results[1]["locations"][0]["physicalLocation"]["address"]
    assert where == {"absoluteAddress": BASE + 1, "length": 1, "fullyQualifiedName": "f+0x1"}


def sarif_is_valid(log: dict[str, Any]) -> None:
    """Check what SARIF 2.1.0 requires of a log: sections 3.13, 3.14, 3.18, 3.19, 3.27, 3.28, 3.32, 3.49."""
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    for run_ in log["runs"]:
        driver = run_["tool"]["driver"]
        assert driver["name"]
        rules = [rule["id"] for rule in driver["rules"]]
        assert len(set(rules)) == len(rules) == len(RULES)
        for rule in driver["rules"]:
            assert rule["shortDescription"]["text"]
            assert rule["defaultConfiguration"]["level"] in {"none", "note", "warning", "error"}
        for result in run_["results"]:
            assert rules[result["ruleIndex"]] == result["ruleId"]
            assert result["message"]["text"]
            assert result["level"] in {"none", "note", "warning", "error"}
            assert result.get("baselineState", "new") in {"new", "unchanged", "updated", "absent"}
            for location in result["locations"]:
                artifact = location["physicalLocation"]["artifactLocation"]
                assert run_["artifacts"][artifact["index"]]["location"]["uri"] == artifact["uri"]
                assert " " not in artifact["uri"]


def test_a_baseline(run: Run, kernel: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "known.json"
    status, out, _ = run(kernel, "--write-baseline", baseline)
    assert status == 0, "what is known from now on is no failure"
    status, out, _ = run(kernel, "--baseline", baseline)
    assert status == 0
    assert out.endswith("0 not covered and not in the baseline, 3 in the baseline\n")
    assert ".text f\n" not in out


def test_a_baseline_survives_a_move_and_sees_what_is_new(run: Run, kernel: Path, tmp_path: Path) -> None:
    baseline, sarif = tmp_path / "known.json", tmp_path / "out.sarif"
    run(kernel, "--write-baseline", baseline)
    pieces = (Piece("e", RET * 16), Piece("f", CLI + PUSHF + CLI + RET), Piece("g", RET))
    status, out, _ = run(written(tmp_path, Builder().text(*pieces), "moved"), "--baseline", baseline, "--sarif", sarif)
    assert status == 1
    assert "1 not covered and not in the baseline, 2 in the baseline, 1 of the baseline gone\n" in out
    assert "  +0x2     c0100012" in out
    log = json.loads(sarif.read_text())
    sarif_is_valid(log)
    assert [result["baselineState"] for result in log["runs"][0]["results"]] == ["unchanged", "unchanged", "new"]


def test_a_finding_that_becomes_doubtful_is_new() -> None:
    certain = Builder().text(Piece("f", CLI + RET)).lint().findings
    doubtful = Builder().text(Piece("f", RET + CLI + RET)).lint().findings
    known = read_baseline(json.dumps(write_baseline(certain)).encode())
    new, old, gone = split(doubtful, known)
    assert (len(new), len(old), gone) == (1, 0, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version": 2, "findings": []}',
        b'{"version": 1, "findings": [{}]}',
        b'{"version": 1, "findings": [{"function": "f", "rule": "cli", "count": "many"}]}',
        b"[" * 100000,
    ],
)
def test_what_is_no_baseline(content: bytes) -> None:
    with pytest.raises(InputError, match="baseline"):
        read_baseline(content)


def test_a_baseline_that_is_not_there(run: Run, kernel: Path, tmp_path: Path) -> None:
    status, _, err = run(kernel, "--baseline", tmp_path / "none")
    assert status == 2
    assert "can't be read" in err


def test_a_kernel_is_not_written_over(run: Run, kernel: Path) -> None:
    before = kernel.read_bytes()
    assert run(kernel, "--json", kernel)[0] == 2
    assert run(kernel, "--json", kernel.parent / "x", "--sarif", kernel.parent / "x")[0] == 2
    assert kernel.read_bytes() == before


def test_other_commands_do_not_load_the_decoder() -> None:
    code = "import sys, openvmi.cli.group, openvmi.cli.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert not {"iced_x86", "openvmi.check"} & set(done.stdout.split())
