# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest, ROM, CPUs: every cell of matrix.toml boots, checks itself, and found of the ROM what it had to."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openvmi import images
from openvmi.bench.measure import boot
from openvmi.boot import Request

MATRIX = tomllib.loads((Path(__file__).parent / "matrix.toml").read_text())


@dataclass(frozen=True, slots=True)
class Cell:
    guest: str
    rom: str
    cpus: int

    def __str__(self) -> str:
        return f"{self.guest}-{self.rom}-{self.cpus}"


def cells() -> Iterator[Cell]:
    axes = MATRIX["axes"]
    for guest, rom, cpus in itertools.product(axes["guest"], axes["rom"], axes["cpus"]):
        yield Cell(guest, rom, cpus)


def reason_to_leave_out(cell: Cell) -> str | None:
    return next((rule["reason"] for rule in MATRIX["left_out"] if fits(rule, cell)), None)


def fits(rule: dict[str, Any], cell: Cell) -> bool:
    return all(getattr(cell, axis) in rule[axis] for axis in ("guest", "rom", "cpus") if axis in rule)


RUN = [cell for cell in cells() if reason_to_leave_out(cell) is None]


@pytest.mark.parametrize("cell", RUN, ids=str)
def test_cell(cell: Cell, request: pytest.FixtureRequest) -> None:
    stubs: tuple[Path, ...] = ()
    if cell.rom == "stubs":
        stubs = (images.path("openvmi-stubs.rom"),)
    elif cell.rom == "timer":  # built here: the other cells need no compiler
        stubs = (request.getfixturevalue("timer_rom"),)
    report = boot(
        Request(
            kernel=cell.guest,
            hypervisor="native" if stubs else cell.rom,
            roms=stubs,
            cpus=cell.cpus,
            append="-- check",
            accel="tcg",
            timeout=60,
        )
    )
    assert report.summary is not None
    assert report.summary.passed > 1000
    assert (report.summary.failed, report.fails, report.odd) == (0, [], [])
    assert report.info["cpus"] == str(cell.cpus)
    assert report.info["paging"] == ("pae" if cell.guest.endswith("pae") else "legacy")
    assert report.info["timer"] == MATRIX["timer"][cell.rom]
    older = "-13" in cell.guest
    expected = "" if cell.guest.startswith("plain") else MATRIX["expect"][cell.rom]
    assert report.info.get("vmi", "") == expected
    if expected.startswith("active"):
        assert len(report.calls) > 40
        assert {call.number: call.type for call in report.calls}[39 if older else 33] != "NONE"
        assert report.info["rom-version"] == ("13.3" if older else "3.0")
    patched = MATRIX["patched13" if older else "patched"]
    low, high = patched.get(cell.rom, (0, 0)) if expected.startswith("active") else (0, 0)
    assert low <= report.patched() <= high


def test_every_cell_is_run_or_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    left_out = {str(cell): reason for cell in cells() if (reason := reason_to_leave_out(cell))}
    with capsys.disabled():
        for name, reason in left_out.items():
            print(f"\n  not run: {name}: {reason}", end="")  # noqa: T201 - the reasons are to be seen
        print()  # noqa: T201
    assert len(RUN) == 52  # a rule that takes away more than its author meant shows here
    for rule in MATRIX["left_out"]:
        assert rule["reason"]
        assert any(fits(rule, cell) for cell in cells()), rule
        assert set(rule) - {"reason"} <= set(MATRIX["axes"])
