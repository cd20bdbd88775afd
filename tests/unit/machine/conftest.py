# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A fake QEMU and a kernel for it; everything that a machine keeps goes into the test's own directory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi.machine import MachineConfig

from .builders import multiboot
from .fake import write_fake


@pytest.fixture(autouse=True)
def own_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let caches and temporary logs go below ``tmp_path``; return the directory of the logs."""
    logs = tmp_path / "tmp"
    logs.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(logs))
    monkeypatch.delenv("OPENVMI_QEMU", raising=False)
    return logs


@pytest.fixture
def fake_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_fake(tmp_path)
    monkeypatch.setenv("OPENVMI_QEMU", str(path))
    return path


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "kernel.elf"
    path.write_bytes(multiboot())
    return path


@pytest.fixture
def steps(fake_qemu: Path, kernel: Path) -> Callable[..., MachineConfig]:
    """Return a function that gives the configuration of a machine that does these steps."""

    def configure(*words: str, **changes: object) -> MachineConfig:
        settings: dict[str, object] = {"accel": "tcg", "timeout": 10.0, "exit_grace": 0.1, **changes}
        return MachineConfig(kernel=kernel, qemu=fake_qemu, append=";".join(words), **settings)  # type: ignore[arg-type] # checked by each test's use

    return configure
