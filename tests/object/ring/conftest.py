# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The shadow page tables of both widths, compiled once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping

import pytest

from .harness import FULL, LEGACY, PAE, PAGE, ROOT, TABLES, Machine, Width, build, cr3
from .reference import Checker

WIDTHS: Mapping[str, Width] = {"legacy": LEGACY, "pae": PAE}


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ctypes.CDLL]:
    out = tmp_path_factory.mktemp("shadow")
    return {name: ctypes.CDLL(str(build(out, pae=width.pae))) for name, width in WIDTHS.items()}


@pytest.fixture(params=list(WIDTHS))
def width(request: pytest.FixtureRequest) -> Width:
    return WIDTHS[request.param]


@pytest.fixture
def machine(libraries: dict[str, ctypes.CDLL], width: Width) -> Machine:
    return Machine(libraries["pae" if width.pae else "legacy"], width)


@pytest.fixture
def guest(machine: Machine) -> Iterator[Machine]:
    """Yield a machine with one table at address 0 and its CR3 loaded; the invariants hold at the end."""
    machine.write(ROOT, 0, TABLES * PAGE | FULL)
    machine.set_root(0, cr3(machine))
    yield machine
    Checker(machine).check()


@pytest.fixture
def make(libraries: dict[str, ctypes.CDLL], width: Width) -> Callable[..., Machine]:
    """Return how a machine of other measures is made."""
    return lambda **measures: Machine(libraries["pae" if width.pae else "legacy"], width, **measures)
