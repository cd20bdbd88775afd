# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's events, as far as the wait loop needs them: why the machine shut down.

Only listens. Commands go through the qemu.qmp library on a monitor of their own (module ``qmp``); loading it, and
asyncio with it, costs 40 ms that an ordinary run does not have, and one event's reason does not need it.
"""

from __future__ import annotations

_LIMIT = 1 << 16


class Events:
    """What the events monitor has told.

    Attributes:
        shutdown: reason of the first SHUTDOWN event (QEMU qapi/run-state.json, ShutdownCause), or None.
    """

    def __init__(self) -> None:
        self.shutdown: str | None = None
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take bytes from the monitor: one JSON object on each line."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LIMIT:]
        for line in lines:
            if b'"SHUTDOWN"' in line and self.shutdown is None:
                self.shutdown = _reason(line)


def _reason(line: bytes) -> str | None:
    import json  # noqa: PLC0415 - only at the machine's end

    try:
        event = json.loads(line)
        reason = event["data"]["reason"] if event["event"] == "SHUTDOWN" else None
    except (ValueError, KeyError, TypeError):
        return None
    return reason if isinstance(reason, str) else None
