# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi switch``: what is done with calls, one by one, in a machine that runs."""

from __future__ import annotations

import click

from ..errors import ExitCode, UsageError
from ._output import tell


@click.command("switch")
@click.argument("words", nargs=-1, required=True, metavar="[MACHINE] CALLS=MODE...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text: a line for each CALLS=MODE.")
def command(*, words: tuple[str, ...], as_json: bool) -> int:
    """Change what a running machine does with calls: SetPxE,SetCR3=count all=native.

    CALLS are names with commas, or `all`; MODE is native, count, trace, or python where a hypervisor is attached that
    answers the call. MACHINE may be left out when there is only one.
    """
    from ..hypervisor.control_client import ControlClient
    from ._control import show

    switches = [word.partition("=") for word in words if "=" in word]
    names = [word for word in words if "=" not in word]
    if len(names) > 1 or not switches:
        raise UsageError("one machine, and CALLS=MODE", where=" ".join(words), help="openvmi switch all=count")
    with ControlClient(*names) as client:
        for calls, _, mode in switches:
            show(client.ask(op="switch", mode=mode, calls=calls), as_json=as_json)
        if any(mode == "trace" for _, _, mode in switches) and not client.ask(op="status")["traced"]:
            tell("openvmi: warning: nobody takes the records: openvmi trace --attach does")
    return ExitCode.OK
