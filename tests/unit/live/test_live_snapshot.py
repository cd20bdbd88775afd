# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's state into a file: what QEMU is told, and what becomes of the guest when QEMU refuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from openvmi.abi.wire import BrainState
from openvmi.errors import HarnessError
from openvmi.hypervisor.snapshot import save

from .wired import HEADER, Wired


class Monitor:
    """QEMU's monitor; ``ends`` is what query-migrate says at last."""

    def __init__(self, wired: Wired, *ends: dict[str, str], refuses: bool = False) -> None:
        self.told: list[tuple[str, int, int]] = []
        self.uri: object = ""
        self._words = wired.link.words
        self._ends = list(ends)
        self._refuses = refuses

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> object:
        self.told.append((command, self._words[HEADER["hold"]], self._words[HEADER["brain"]]))
        if command == "migrate":
            self.uri = (arguments or {})["uri"]
            if self._refuses:
                raise HarnessError("QEMU refused: not today", where="QMP migrate")
        return self._ends.pop(0) if command == "query-migrate" else {}


def test_in_the_file_nobody_answers_and_nobody_is_waited_for(wired: Wired, tmp_path: Path) -> None:
    file = str(tmp_path / "it's")
    monitor = Monitor(wired, {"status": "active"}, {"status": "completed"})
    with wired.link.hold:
        save(monitor, file, wired.link)
    alive, gone = (1, BrainState.ALIVE), (0, BrainState.GONE)
    query = ("query-migrate", *gone)
    assert monitor.told == [("stop", *alive), ("migrate", *gone), query, query, ("cont", *alive)]
    assert monitor.uri == f"exec:cat > '{tmp_path}/it'\"'\"'s'"


def test_what_fails_is_said_and_the_guest_goes_on(wired: Wired, tmp_path: Path) -> None:
    file = str(tmp_path / "state")
    full = Monitor(wired, {"status": "failed", "error-desc": "no space"})
    with wired.link.hold, pytest.raises(HarnessError, match="the snapshot has failed: no space"):
        save(full, file, wired.link)
    refused = Monitor(wired, refuses=True)
    with wired.link.hold, pytest.raises(HarnessError, match="not today"):
        save(refused, file, wired.link)
    assert full.told[-1] == refused.told[-1] == ("cont", 1, BrainState.ALIVE)


def test_a_folder_that_is_not_there_stops_nothing(wired: Wired, tmp_path: Path) -> None:
    monitor = Monitor(wired)
    with pytest.raises(HarnessError, match="no such folder"):
        save(monitor, str(tmp_path / "none" / "state"), wired.link)
    assert monitor.told == []
