# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The test kernels, built once: with the layer and without, both paging modes."""

from __future__ import annotations

from pathlib import Path

import pytest

from .harness import build


@pytest.fixture(scope="session", params=[False, True], ids=["legacy", "pae"])
def pae(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="session")
def probe(pae: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: FBT001 - a fixture
    return build(tmp_path_factory.mktemp("probe"), paravirt=True, pae=pae)


@pytest.fixture(scope="session")
def plain(pae: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: FBT001 - a fixture
    return build(tmp_path_factory.mktemp("plain"), paravirt=False, pae=pae)
