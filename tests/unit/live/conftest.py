# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A wire with a brain at one end and threads that play the guest's CPUs at the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from openvmi.hypervisor.control import ControlServer
from openvmi.hypervisor.session import Session

from .wired import FakeSession, Wired


@pytest.fixture
def wired() -> Iterator[Wired]:
    with Wired() as made:
        yield made


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sockets of tests lie apart from those of machines that run here."""
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def session(wired: Wired, tmp_path: Path) -> FakeSession:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"no kernel")
    return FakeSession(wired, kernel)


@pytest.fixture
def server(session: FakeSession) -> Iterator[ControlServer]:
    with ControlServer(cast("Session", session), "box") as made:
        yield made
