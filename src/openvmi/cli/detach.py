# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi detach``: all calls native again, in a machine that runs."""

from __future__ import annotations

import click


@click.command("detach")
@click.argument("machine", default="")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")
def command(*, machine: str, as_json: bool) -> int:
    """Have a running machine's calls done natively, and show that what runs is what ran before.

    MACHINE may be left out when there is only one. Hashes are compared: of the kernel's code in guest memory, and
    of all that decides what becomes of a call. Exit code: 0 they are the same, 1 they are not.
    """
    from ..hypervisor.control_client import ControlClient
    from ._control import show

    with ControlClient(machine) as client:
        return show(client.ask(op="detach"), as_json=as_json)
