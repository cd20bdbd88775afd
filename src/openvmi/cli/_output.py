# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What several commands write: the console as it comes, and JSON into a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..errors import UsageError


def show_console(data: bytes) -> None:
    """Write what a guest prints to stdout, at once."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def check_writable(file: Path | None) -> None:
    """Refuse a file that can't be written before the work is done, not after.

    Raises:
        UsageError: it can't be.
    """
    if file is None or str(file) == "-":
        return
    try:
        file.open("a").close()
    except OSError as error:
        raise UsageError(f"can't write there: {error.strerror}", where=str(file)) from error


def write_json(file: Path, data: dict[str, object]) -> None:
    """Write ``data`` into ``file``; ``-`` is stdout.

    Raises:
        UsageError: it can't be written.
    """
    import json

    text = json.dumps(data, indent=2)
    if str(file) == "-":
        click.echo(text)
        return
    try:
        file.write_text(text + "\n")
    except OSError as error:
        raise UsageError(f"can't write there: {error.strerror}", where=str(file)) from error
