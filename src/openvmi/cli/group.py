# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The group of commands: finds the sub-command's module, and turns errors into exit codes.

Sub-commands are imported when they are asked for: the time from command to guest is one of the project's figures.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from importlib import import_module

import click

from .. import __version__
from ..errors import ExitCode, OpenVmiError
from ..machine.early import HeadStart
from ..text import printable
from ._output import tell

COMMANDS = {
    "run": "boot a kernel, bare or under a ROM",
    "demo": "one kernel, bare and under the ROM, shown live and compared",
    "bench": "measure a guest under each hypervisor",
    "ps": "list the machines that run with Python behind them",
    "attach": "let Python decide in a machine that runs, or count or trace its calls",
    "switch": "change what a running machine does with calls, one by one",
    "detach": "all calls native again, and a proof that what runs is what ran before",
    "trace": "record which calls a kernel makes, from where, how often; read traces as tables, plots, other formats",
    "diff": "compare two traces or counts; exit code 1 when they differ",
    "replay": "feed a trace to a hypervisor written in Python, with no kernel",
    "rom": "build, explain and verify ROM images",
    "check": "hold a ROM image, or a recorded guest, to the interface",
    "lint": "list what in a kernel traps or misbehaves below CPL 0",
    "abi": "explain the interface, call by call",
    "new": "begin a kernel, or bring the paravirt layer into one",
    "doctor": "what is here, what is missing, and the line that mends it",
    "completion": "print the line that completes commands in your shell",
}
_LINES = "\n"  # what QEMU said may be several


class _LazyGroup(click.Group):
    """A group whose commands live in modules of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"{__package__}.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="openvmi")
def cli() -> None:
    """One kernel binary, bare or under any hypervisor: the Virtual Machine Interface."""


def report(error: OpenVmiError) -> None:
    """Print ``error`` on stderr: one line for what, one for the mend."""
    place = f"{printable(error.where)}: " if error.where else ""
    tell(f"openvmi: {place}{printable(error.what, keep=_LINES)}")
    if error.help:
        tell(f"  help: {printable(error.help, keep=_LINES)}")


def execute(head_start: HeadStart) -> int:
    """Run the command that sys.argv asks for; return its exit code (:class:`openvmi.errors.ExitCode`)."""
    # the shell sets these when it asks for completions; without them click fails with a traceback
    os.environ.setdefault("COMP_WORDS", "openvmi")
    os.environ.setdefault("COMP_CWORD", "0")
    try:
        status = cli.main(standalone_mode=False, obj=head_start)
        sys.stdout.flush()
    except OpenVmiError as error:
        report(error)
        status = int(error.exit_code)
    except click.ClickException as error:
        status = int(ExitCode.USAGE)
        with contextlib.suppress(OSError):
            error.show()
    except OSError as error:
        status = _lost(error)
    except click.Abort as error:
        why = error.__cause__  # which signal it was
        raise (why if isinstance(why, KeyboardInterrupt) else KeyboardInterrupt()) from None
    return status if isinstance(status, int) else int(ExitCode.OK)


def _lost(error: OSError) -> int:
    """Say that output went nowhere; a reader that has left knows."""
    if error.errno != errno.EPIPE:
        what = str(error) if error.filename else f"stdout can't be written: {error.strerror or error}"
        tell(f"openvmi: {printable(what, keep=_LINES)}")
    return int(ExitCode.HARNESS)
