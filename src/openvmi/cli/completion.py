# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi completion``: the line that completes commands in a shell."""

from __future__ import annotations

import click

LINES = {
    "bash": 'eval "$(_OPENVMI_COMPLETE=bash_source openvmi)"',
    "zsh": 'eval "$(_OPENVMI_COMPLETE=zsh_source openvmi)"',
    "fish": "_OPENVMI_COMPLETE=fish_source openvmi | source",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(sorted(LINES)))
def command(shell: str) -> None:
    """Print the line to put into your SHELL's start-up file, to complete openvmi's commands and options."""
    click.echo(LINES[shell])
