# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines with the real QEMU; without one, these tests are skipped with the reason."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi.errors import HarnessError
from openvmi.machine import MachineConfig, find_qemu

from .kernels import kernel


@pytest.fixture(scope="session")
def qemu() -> str:
    try:
        return find_qemu().path
    except HarnessError as error:
        pytest.skip(f"qemu: {error}")


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def guest(qemu: str, logs: Path, tmp_path: Path) -> Callable[..., MachineConfig]:
    """Return a function that gives the configuration of a machine that runs some code."""
    del logs

    def configure(*code: bytes, **changes: object) -> MachineConfig:
        path = tmp_path / "kernel.elf"
        path.write_bytes(kernel(*code))
        settings: dict[str, object] = {"memory_mib": 16, "timeout": 20.0, **changes}
        return MachineConfig(kernel=path, qemu=qemu, **settings)  # type: ignore[arg-type] # checked by each test's use

    return configure
