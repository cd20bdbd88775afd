# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi diff``: what one run did more than another."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ..errors import ExitCode, UsageError

_FILE = click.Path(path_type=Path)


@click.command("diff")
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@click.option("--threshold", default=5.0, show_default=True, metavar="PCT", type=click.FloatRange(0))
@click.option("--min", "least", default=0.0, metavar="N", help="Calls rarer than that in both don't count.")
@click.option("--rates", is_flag=True, help="Compare calls per second.")
@click.option("--symbols", type=_FILE, help="vmlinux or System.map for traces that carry none.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of a table.")
def command(  # noqa: PLR0913 - one parameter for each option
    *, a: Path, b: Path, threshold: float, least: float, rates: bool, symbols: Path | None, as_json: bool
) -> int:
    """Compare two traces or count files: which calls came more, which fewer, and from where.

    Exit code: 0 no call changed by more than the threshold, 1 one did, 2 a file is not readable.
    """
    from ..trace import load_symbols
    from ..trace.counts import load_counts
    from ..trace.diff import compare, render

    table = load_symbols(symbols) if symbols is not None else None
    try:
        found = compare(load_counts(a, table), load_counts(b, table), threshold=threshold, least=least, rates=rates)
    except ValueError as error:
        raise UsageError(f"{error}", where="--rates") from error
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
    else:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 120).print(render(found))
        for note in found.notes:
            click.echo(f"openvmi: {note}", err=True)
        beyond = len([change for change in found.calls if change in found.beyond()])
        click.echo(f"{beyond} of {len(found.calls)} calls changed by more than {threshold:g} %")
    return ExitCode.NOT_FINE if found.beyond() else ExitCode.OK
