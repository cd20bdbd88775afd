# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi ps``: which machines run."""

from __future__ import annotations

import json
from typing import Any, cast

import click

from ..errors import ExitCode, OpenVmiError
from ..text import printable
from ._output import tell


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of a table: with all modes, and losses.")
def command(*, as_json: bool) -> int:
    """List the machines that run with Python behind them: name, process, guest, and what is done with their calls."""
    from ..hypervisor.control_client import ControlClient, machines
    from ._control import table

    rows: list[dict[str, Any]] = []
    for name in machines():
        try:
            with ControlClient(name) as client:
                rows.append(cast("dict[str, Any]", client.ask(op="status")))
        except OpenVmiError as error:
            tell(printable(f"openvmi: {error}"))  # it has just ended, or does not answer
    if as_json:
        click.echo(json.dumps([{key: value for key, value in row.items() if key != "ok"} for row in rows], indent=2))
    elif rows:
        for line in table(rows):
            click.echo(printable(line))
    else:
        tell("openvmi: no machine is running")
    return ExitCode.OK
