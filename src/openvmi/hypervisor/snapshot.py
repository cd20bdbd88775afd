# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Saves a machine's whole state into a file, in QEMU's migration format, while a handler's call waits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..abi.wire import BrainState
from ..errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .link import Link

_LOOK: Final = 0.01
_OVER: Final = frozenset(("completed", "failed", "cancelled"))


class Monitor(Protocol):
    """What of :class:`openvmi.machine.qmp.Qmp` is used here."""

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Execute a command."""


def save(monitor: Monitor, file: str, link: Link) -> None:
    """Have QEMU write the machine's state into ``file``; the CPUs stand still meanwhile, and go on in any case.

    Args:
        monitor: QEMU's.
        file: from the folder in which QEMU was started.
        link: the shared memory, in which a call waits with :attr:`~openvmi.hypervisor.link.Link.hold`.

    Raises:
        HarnessError: QEMU refuses, or could not write it.
    """
    if not Path(file).absolute().parent.is_dir():
        raise HarnessError("no such folder", where=file)
    monitor.execute("stop")
    try:
        with _left_alone(link):
            # ``exec:`` goes through a shell, so the name must not be one's program
            monitor.execute("migrate", {"uri": f"exec:cat > {quote(file)}"})
            told = monitor.execute("query-migrate")
            while told.get("status") not in _OVER:
                time.sleep(_LOOK)
                told = monitor.execute("query-migrate")
    finally:
        monitor.execute("cont")
    if told["status"] != "completed":
        why = told.get("error-desc") or "QEMU could not write it"
        raise HarnessError(f"the snapshot has {told['status']}: {why}", where=file)


@contextmanager
def _left_alone(link: Link) -> Iterator[None]:
    """Have the memory say that nobody answers: in a machine that the file is loaded into, nobody does."""
    with link.hold.let_go():
        link.set_brain(BrainState.GONE)
        try:
            yield
        finally:
            link.set_brain(BrainState.ALIVE)
