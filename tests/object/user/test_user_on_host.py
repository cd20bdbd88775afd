# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ring-3 programs on the host's own kernel, where it runs i386 programs: what they say and how they end."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from openvmi.machine.channel import ResultLine
from openvmi.report import Report, parse_report

LIMIT = 30
# Groups that a Linux of any age and any CPU passes; the others look at what a modern host may do differently.
PORTABLE = {"paging": 193, "protection": 530, "fork": 58, "exec": 5, "status": 21}


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=LIMIT, env={})
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        pytest.skip("ia32: this host's kernel does not run i386 programs")


def report(done: subprocess.CompletedProcess[str]) -> Report:
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    return parse_report([ResultLine(verb, text, 0) for verb, _, text in lines])


def test_the_checks_pass_and_are_counted(programs: dict[str, Path]) -> None:
    done = run(programs["init"], "check")
    found = report(done)
    assert done.stdout.startswith("hello 1\nmark userland\n")
    assert {name: (found.checks[name].passed, found.checks[name].failed) for name in PORTABLE} == {
        name: (count, 0) for name, count in PORTABLE.items()
    }
    assert found.summary is not None
    assert found.summary.passed == sum(group.passed for group in found.checks.values())
    assert found.summary.failed == sum(group.failed for group in found.checks.values())
    assert done.stdout.endswith(f"exit {done.returncode}\n")
    assert done.returncode == (1 if found.summary.failed else 0)
    assert not found.benches
    assert not found.odd


@pytest.mark.parametrize("word", ["frobnicate", "exit=", "exit=1x", "bench=copy-4k,none-such", "bench=", "checks"])
def test_a_word_that_means_nothing_is_named_and_nothing_is_done(programs: dict[str, Path], word: str) -> None:
    done = run(programs["init"], "check", word, "batches=none")
    assert done.returncode == 2
    assert done.stdout.endswith(f"\nfail init unknown word or value: {word}\nexit 2\n")
    assert report(done).summary is None


def test_chosen_benchmarks_are_measured(programs: dict[str, Path]) -> None:
    done = run(programs["init"], "bench=copy-4k,null-int80,page-fault", "batches=5")
    found = report(done)
    assert done.returncode == 0
    assert {name: len(bench.ticks) for name, bench in found.benches.items()} == {
        "null-int80": 5,
        "page-fault": 5,
        "copy-4k": 5,
    }
    assert all(ticks > 0 for bench in found.benches.values() for ticks in bench.ticks)
    assert int(found.info["tsc-khz"]) > 100_000
    assert not found.checks


def test_a_name_is_not_taken_for_its_beginning(programs: dict[str, Path]) -> None:
    assert not report(run(programs["init"], "bench=fork,copy,x-compute,compute-x", "batches=1")).benches


def test_the_clock_rate_does_not_depend_on_how_long_it_took(programs: dict[str, Path]) -> None:
    short = report(run(programs["init"], "bench=compute", "batches=1"))
    long = report(run(programs["init"], "bench=compute,fork-exec,map-touch-unmap", "batches=20"))
    assert int(short.info["tsc-khz"]) == pytest.approx(int(long.info["tsc-khz"]), rel=0.03)


def test_what_can_not_be_measured_is_said(programs: dict[str, Path]) -> None:
    done = run(programs["init"], "bench=interrupt", "batches=1")
    assert "info bench-skipped interrupt not-the-bundled-kernel\n" in done.stdout
    assert done.returncode == 0


def test_lines_fit_the_channel(programs: dict[str, Path]) -> None:
    done = run(programs["init"], "bench=map-touch-unmap", "batches=9999")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("bench ")]
    assert len(line.split()) == 3 + 64
    assert len(line) < 1000


@pytest.mark.parametrize(
    ("words", "status", "last"),
    [
        (("stop",), 0, "exit 0"),
        (("exit=7",), 7, "exit 7"),
        (("stop", "exit=300"), 44, "exit 44"),
        (("silent",), 0, "mark userland"),
        (("reboot",), 1, "mark userland"),
        (("panic",), 1, "mark userland"),
        (("crash",), 1, "mark userland"),
        (("segv",), -11, "mark userland"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_ways_to_end(programs: dict[str, Path], words: tuple[str, ...], status: int, last: str) -> None:
    done = run(programs["init"], *words)
    assert done.returncode == status
    assert [line for line in done.stdout.splitlines() if not line.startswith("info ")][-1] == last


def test_spinning_does_not_end(programs: dict[str, Path]) -> None:
    run(programs["true"])  # skips where nothing can be run
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([programs["init"], "spin"], capture_output=True, check=False, timeout=0.5)


def test_true_does_nothing_well(programs: dict[str, Path]) -> None:
    done = run(programs["true"], "any", "word")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "status"),
    [((), 2), (("other",), 2), (("check",), 10), (("check", "a", "", "last"), 11), (("memory",), 0), (("fault",), -11)],
)
def test_args_says_what_is_wrong(programs: dict[str, Path], words: tuple[str, ...], status: int) -> None:
    assert run(programs["args"], *words).returncode == status
