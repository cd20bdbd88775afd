# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi attach``: a hypervisor, or another mode, for a machine that runs."""

from __future__ import annotations

import click

from ..errors import UsageError


@click.command("attach")
@click.argument("machine", default="")
@click.option("--hypervisor", metavar="FILE.py[:Class]", help="Who decides from now on.")
@click.option("--mode", type=click.Choice(["native", "count", "trace"]), help="What is done with --calls from now on.")
@click.option("--calls", default="all", show_default=True, help="Names, with commas; for --mode.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")
def command(*, machine: str, hypervisor: str | None, mode: str | None, calls: str, as_json: bool) -> int:
    """Let Python decide in a machine that runs, or have its calls counted or traced; `openvmi ps` lists machines.

    MACHINE may be left out when there is only one. A hypervisor that is attached already is replaced; one that raises
    is detached, and the machine goes on.
    """
    from ..hypervisor.control_client import ControlClient
    from ._control import absolute, show

    if (hypervisor is None) == (mode is None):
        raise UsageError("either --hypervisor or --mode", help="openvmi attach --hypervisor FILE.py")
    with ControlClient(machine) as client:
        if hypervisor is not None:
            return show(client.ask(op="attach", hypervisor=absolute(hypervisor)), as_json=as_json)
        return show(client.ask(op="switch", mode=mode, calls=calls), as_json=as_json)
