# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tests.fuzz [TARGET...] [--seconds N]``: the coverage-guided fuzzer, one target after the other.

Each runs under atheris in a process of its own, which may take targets.MEGABYTES of memory and targets.SECONDS for one
input. What it learns is kept in build/fuzz, and so is an input that shows a defect. Exit code: 0 none was found, 1 one
was, 125 the fuzzer does not run, or sees nothing of the code.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from .targets import MEGABYTES, SECONDS, TARGETS

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "fuzz"
_COVERED = re.compile(r"^#\d+\s+(INITED|DONE)\s+cov: (\d+)", re.MULTILINE)
_NUMBERS = re.compile(r"^stat::(\w+):\s+(\d+)", re.MULTILINE)
_GRACE = 120  # beyond the time limit: imports are instrumented first, and the corpus is run through once
_SHOWN = 25
_ALIVE = 10  # places and inputs, of hundreds; without instrumentation it is none


def main() -> int:
    """Fuzz what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)}; all if none is named"
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    options = parser.parse_args()
    if options.seconds < 1:
        parser.error(f"--seconds {options.seconds}: at least 1")
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {unknown.pop()!r}; there are {', '.join(TARGETS)}")
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: pip install atheris", file=sys.stderr)
        return 125
    return max([fuzz(name, options.seconds) for name in options.targets or TARGETS])


def fuzz(name: str, seconds: int) -> int:
    """Fuzz one target for so many seconds; print a line, and what was found; return the exit code."""
    corpus, found = WORK / name, WORK / f"{name}-found-"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[name].seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    limits = {
        "max_total_time": seconds,
        "timeout": SECONDS,
        "rss_limit_mb": MEGABYTES,
        "max_len": TARGETS[name].largest,
        "artifact_prefix": found,
        "print_final_stats": 1,
        "len_control": 0,
    }
    options = [f"-{option}={value}" for option, value in limits.items()]
    command = [sys.executable, "-m", f"{__package__}.engine", name, *options, str(corpus)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False, timeout=seconds + _GRACE
    )
    return tell(name, done.returncode, done.stdout + done.stderr)


def tell(name: str, status: int, said: str) -> int:
    """Print what the fuzzer did of one target; return the exit code."""
    covered = {when: int(count) for when, count in _COVERED.findall(said)}
    numbers = {key: int(value) for key, value in _NUMBERS.findall(said)}
    alive = covered.get("INITED", 0) > _ALIVE and numbers.get("number_of_executed_units", 0) > _ALIVE
    print(
        f"{name:8} {numbers.get('number_of_executed_units', 0):>8} inputs, "
        f"{covered.get('INITED', 0)} -> {covered.get('DONE', 0)} places covered, "
        f"slowest {numbers.get('slowest_unit_time_sec', 0)} s, {numbers.get('peak_rss_mb', 0)} MB",
        flush=True,
    )
    if status != 0:
        at = said.find("Uncaught Python exception")
        print(said[at:] if at >= 0 else "\n".join(said.splitlines()[-_SHOWN:]))
        return 1
    if not alive:
        print(f"the fuzzer sees nothing of the code, or runs nothing:\n{said[-2000:]}")
        return 125
    return 0


if __name__ == "__main__":
    sys.exit(main())
