# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels that are built for these tests, once for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .hostile.recipe import build


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="session")
def hostile_pae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("hostile"), pae=True)


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Consoles of guests that end badly are kept with the test's other files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
