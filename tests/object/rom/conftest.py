# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The firmware, compiled once."""

from __future__ import annotations

from pathlib import Path

import pytest

from openvmi.rom import RomMetadata, RomMode, build_image
from openvmi.toolchain import link
from openvmi.toolchain.recipes import firmware

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def elf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = tmp_path_factory.mktemp("rom") / "rom.elf"
    link(firmware(ROOT), ROOT, output)
    return output.read_bytes()


@pytest.fixture(scope="session")
def roms(elf: bytes) -> dict[RomMode, bytes]:
    return {mode: build_image(elf, RomMetadata(mode=mode)) for mode in RomMode}
