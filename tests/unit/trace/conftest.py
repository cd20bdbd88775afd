# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that a test opened are closed after it; commands run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from openvmi.cli import main

from .builders import OPEN

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    """Close what :func:`builders.source` opened."""
    yield
    while OPEN:
        OPEN.pop().close()


@pytest.fixture
def openvmi(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs ``openvmi`` with its arguments: status, standard output, standard error."""

    def runs(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["openvmi", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return runs
