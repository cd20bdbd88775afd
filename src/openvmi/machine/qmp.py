# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's monitor through its own library, for code that is not asynchronous.

The library runs in a thread with an event loop of its own, started with the first use.
"""

from __future__ import annotations

import asyncio
import os
import queue
import socket
import threading
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from qemu.qmp import ExecInterruptedError, ExecuteError, QMPClient, QMPError

from ..errors import HarnessError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QmpEvent:
    """An event.

    Args:
        name: for example ``RESUME``.
        data: its data, by name.
    """

    name: str
    data: Mapping[str, object]


class Qmp:
    """A conversation with QEMU.

    Args:
        fd: connected socket of the command monitor; used as a copy, so it stays the caller's.

    Raises:
        HarnessError: QEMU does not answer.
    """

    def __init__(self, fd: int) -> None:
        self._client = QMPClient("openvmi")
        self._events: queue.SimpleQueue[QmpEvent] = queue.SimpleQueue()
        self._reader: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openvmi-qmp", daemon=True)
        self._thread.start()
        try:
            self._call(self._connect(socket.socket(fileno=os.dup(fd))), 10.0)
        except BaseException:
            self.close()
            raise

    def execute(self, command: str, arguments: Mapping[str, object] | None = None, *, timeout: float = 10.0) -> Any:  # noqa: ANN401 - JSON
        """Execute a QMP command and return its result, as JSON has it.

        Args:
            command: for example ``query-status``.
            arguments: by name.
            timeout: seconds.

        Raises:
            HarnessError: QEMU refused it, has ended, or does not answer.
        """
        return self._call(self._client.execute(command, arguments), timeout, command)

    def events(self) -> list[QmpEvent]:
        """Return the events since the last call."""
        found = []
        while not self._events.empty():
            found.append(self._events.get())
        return found

    def wait_event(self, name: str, *, timeout: float = 10.0) -> QmpEvent:
        """Return the next event called ``name``; those before it are dropped.

        Raises:
            HarnessError: it did not come within ``timeout`` seconds.
        """
        try:
            while True:
                event = self._events.get(timeout=timeout)
                if event.name == name:
                    return event
        except queue.Empty:
            raise HarnessError(f"QEMU did not tell {name} within {timeout:g} s", where="QMP") from None

    def close(self) -> None:
        """End the conversation; QEMU goes on. Harmless when repeated."""
        if self._loop.is_closed():
            return
        with suppress(HarnessError):  # it had ended already
            self._call(self._disconnect(), 5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _connect(self, end: socket.socket) -> None:
        await self._client.connect(end)
        self._reader = asyncio.create_task(self._listen())

    async def _disconnect(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._client.disconnect()

    async def _listen(self) -> None:
        async for message in self._client.events:
            data = message.get("data")
            self._events.put(QmpEvent(str(message["event"]), data if isinstance(data, dict) else {}))

    def _call(self, work: Coroutine[object, object, T], timeout: float, what: str = "connect") -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise HarnessError(f"QEMU did not answer within {timeout:g} s", where=f"QMP {what}") from None
        except ExecuteError as error:
            raise HarnessError(f"QEMU refused: {error}", where=f"QMP {what}") from error
        except (QMPError, ExecInterruptedError, EOFError, OSError) as error:
            raise HarnessError(f"the conversation with QEMU broke: {error}", where=f"QMP {what}") from error
