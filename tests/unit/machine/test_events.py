# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The reason of a shutdown, out of the events monitor's lines."""

from __future__ import annotations

import json

import pytest

from openvmi.machine.events import Events

GREETING = b'{"QMP": {"version": {}, "capabilities": ["oob"]}}\n{"return": {}}\n'


def line(name: str, **data: object) -> bytes:
    return json.dumps({"event": name, "data": data}).encode() + b"\n"


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_first_shutdown_counts(step: int) -> None:
    text = GREETING + line("RESET", reason="x") + line("SHUTDOWN", reason="guest-reset") + line("SHUTDOWN", reason="y")
    events = Events()
    for start in range(0, len(text), step):
        events.feed(text[start : start + step])
    assert events.shutdown == "guest-reset"


@pytest.mark.parametrize(
    "text",
    [
        line("OTHER", reason="guest-reset", word="SHUTDOWN"),
        b'{"event": "SHUTDOWN"}\n',
        b'{"event": "SHUTDOWN", "data": {"reason": 3}}\n',
        b'"SHUTDOWN"\n',
        b'{"SHUTDOWN"\n',
        line("SHUTDOWN", reason="no end")[:-1],
    ],
)
def test_what_is_none(text: bytes) -> None:
    events = Events()
    events.feed(text)
    assert events.shutdown is None
