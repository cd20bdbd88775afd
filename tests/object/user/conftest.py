# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ring-3 programs, compiled once."""

from __future__ import annotations

from pathlib import Path

import pytest

from openvmi.images import USER_PROGRAMS
from openvmi.toolchain import link
from openvmi.toolchain.recipes import user_program

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("user")
    for name in USER_PROGRAMS:
        link(user_program(ROOT, name), ROOT, folder / name)
    return {name: folder / name for name in USER_PROGRAMS}
