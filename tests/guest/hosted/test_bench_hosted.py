# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi bench`` with Python behind the guest: that it measures, and what it says of losses; no times."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openvmi", "bench", *words, "--json", "-"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def figures(*words: str) -> dict[str, Any]:
    done = bench(*words)
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    if "figures" in data:
        data |= {figure["name"]: figure["value"] for figure in data["figures"]}
    return data


@pytest.mark.parametrize("cpus", ["1", "2"])
def test_columns_of_time(cpus: str) -> None:
    short = ("--only", "page-fault,switch", "--rounds", "1", "--batches", "2", "--cpus", cpus)
    data = figures("--count", "time", "--hypervisors", "none,hosted,count,trace,pages,everything", *short)
    assert set(data["columns"]) == {"none", "hosted", "count", "trace", "pages", "everything"}
    for column in data["columns"].values():
        assert set(column["figures"]) == {"page-fault", "switch"}
    accounts = data["accounts"]
    assert accounts["trace"]["records"] > 1000
    assert 0 < accounts["pages"]["upcalls"] < accounts["everything"]["upcalls"]
    assert accounts["hosted"]["upcalls"] == accounts["count"]["upcalls"] == 0


def test_columns_of_instructions_repeat_exactly() -> None:
    done = bench("--hypervisors", "none,hosted,count,trace", "--only", "null-int80,protect", "--batches", "3")
    assert done.returncode == 0, done.stderr
    assert "identical digits" in done.stderr
    columns = json.loads(done.stdout)["columns"]
    medians = [columns[name]["figures"]["protect"]["median"] for name in ("none", "hosted", "count", "trace")]
    assert medians == sorted(medians)


def test_boots() -> None:
    data = figures("--count", "boot", "--hypervisors", "none,pages", "--rounds", "1")
    assert data["unit"] == "ms"
    assert set(data["columns"]["pages"]["figures"]) == {"time to userland"}


def test_upcalls() -> None:
    data = figures("--count", "upcall", "--rounds", "1", "--batches", "2")
    assert {"one upcall, spinning", "one upcall, asleep"} <= set(data)
    assert data["account"]["wakes"] > 0


@pytest.mark.parametrize("call", ["SetPxE", "SetCR3"])
def test_breakpoints(call: str) -> None:
    before = set(Path(tempfile.gettempdir()).glob("openvmi-gdb-*"))
    data = figures("--count", "gdb", "--calls", call, "--rounds", "1", "--events", "12")
    assert data["stops in a boot"] == 12
    assert data["account"]["records"] > 12
    assert set(Path(tempfile.gettempdir()).glob("openvmi-gdb-*")) <= before


@pytest.mark.parametrize("cpus", ["1", "2"])
def test_changes(cpus: str) -> None:
    data = figures("--count", "switch", "--changes", "12", "--cpus", cpus)
    assert data["changes"] == 12


def test_a_guest_that_never_asks_is_told() -> None:
    done = bench(
        "--guest", "plain", "--count", "time", "--hypervisors", "none,count", "--rounds", "1", "--batches", "1"
    )
    assert done.returncode == 1
    assert "count: the guest never asked" in done.stderr
