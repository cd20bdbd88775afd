# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ROM with a timer, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .timer_rom.recipe import build_elf, build_rom


@pytest.fixture(scope="session")
def timer_rom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timer-rom")
    rom = folder / "timer.rom"
    rom.write_bytes(build_rom(build_elf(folder)))
    return rom
