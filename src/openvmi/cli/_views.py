# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``openvmi trace`` shows of a machine that runs: tables at the end, or on a terminal while it runs."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Self

from ..trace.top import Top, render

if TYPE_CHECKING:
    from rich.console import RenderableType


class Table:
    """Counts records, and prints tables of them at the end.

    Args:
        top: counts.
        rows: lines of each table.
    """

    def __init__(self, top: Top, rows: int) -> None:
        self.top = top
        self._rows = rows
        self._lock = threading.Lock()

    def append(self, cpu: int, records: bytes) -> None:
        """Count ``records``."""
        with self._lock:
            self.top.append(cpu, records)

    def lost(self, cpu: int, count: int) -> None:
        """Take note of ``count`` lost records."""
        with self._lock:
            self.top.lost(cpu, count)

    def picture(self, rows: int | None = None) -> RenderableType:
        """Return the tables, of ``rows`` lines each."""
        with self._lock:
            view = self.top.snapshot()
        return render(view, rows=self._rows if rows is None else rows)

    def show(self) -> None:
        """Print the tables."""
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 120).print(self.picture())


class Screen(Table):
    """Counts records, and shows tables of them on a terminal while they come."""

    _ended = False

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live

        self._console = Console()
        self._live = Live(get_renderable=self._fitting, console=self._console, refresh_per_second=2)
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = True
        self._live.__exit__(None, None, None)

    def _fitting(self) -> RenderableType:
        if self._ended:
            self.top.rewind()  # this picture stays: rates of the whole trace, not of its last moment
        return self.picture(min(self._rows, max((self._console.height - 8) // 2, 3)))
