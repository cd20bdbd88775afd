# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces in other people's formats."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import BinaryIO, Final, cast

from ..source import Source

FORMATS: Final = {
    "json": "jsonl",
    "folded": "folded",
    "flame": "flame",
    "perfetto": "perfetto",
    "html": "html",
    "counts": "countfile",
}


def exporter(name: str) -> Callable[[Source, BinaryIO], None]:
    """Return the function that writes a source in the format called ``name``, one of :data:`FORMATS`.

    Raises:
        KeyError: there is no such format.
    """
    return cast("Callable[[Source, BinaryIO], None]", import_module(f"{__name__}.{FORMATS[name]}").write)
