# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi abi``: what a call of the interface is, for people and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..text import printable
from ._complete import calls

if TYPE_CHECKING:
    from ..abi.model import Interface

_FORMATS = ("c", "asm")


@click.command("abi")
@click.argument("call", required=False, shell_complete=calls)
@click.option("--generation", type=click.Choice(["D", "B"], case_sensitive=False), default="D", show_default=True)
@click.option("--list", "list_calls", is_flag=True, help="List every call (so does no CALL at all).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--header",
    type=click.Choice(_FORMATS),
    is_flag=False,
    flag_value="c",
    help="Print the interface as a C header (alone, or c) or as an assembler include.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="Write both, as files, into DIR.")
def command(  # noqa: PLR0913, PLR0917 - the options of a command
    call: str | None, generation: str, list_calls: bool, as_json: bool, header: str | None, output: Path | None
) -> None:
    """Explain CALL of the Virtual Machine Interface: a name (SetPxE) or a number (38).

    Generation D is mainline Linux 2.6.21-2.6.36 (header API 3.0), B the patches of March 2006 (13.x).
    """
    from ..abi import load

    if sum((call is not None, list_calls, header is not None or output is not None)) > 1:
        raise UsageError("CALL, --list and --header exclude each other")
    interface = load(generation.upper())
    if output is not None:
        _write_headers(interface, output)
    elif header is not None:
        _print_header(interface, header)
    elif call is None:
        _print_list(interface, as_json=as_json)
    else:
        _print_call(interface, call, as_json=as_json)


def _print_header(interface: Interface, form: str) -> None:
    from ..abi import emit_c

    click.echo(emit_c.header(interface) if form == "c" else emit_c.include(interface), nl=False)


def _write_headers(interface: Interface, folder: Path) -> None:
    from .. import kit

    files = kit.headers(interface.generation)
    kit.write(folder, files)
    for name in files:
        click.echo(printable(str(folder / name)))


def _print_json(data: object) -> None:
    import json

    click.echo(json.dumps(data, indent=2))


def _print_list(interface: Interface, *, as_json: bool) -> None:
    from ..abi.explain import as_dict

    if as_json:
        calls = [as_dict(call, interface) for call in interface.calls]
        points = [as_dict(point, interface) for point in interface.jump_points]
        head = {"generation": interface.generation, "title": interface.title}
        _print_json({**head, "calls": calls, "jump_points": points})
        return
    click.echo(f"{interface.title[:1].upper()}{interface.title[1:]}")
    width = max(len(call.name) for call in interface.calls)
    for call in interface.calls:
        click.echo(f"{call.number:4}  {call.name:{width}}  {call.does}")
    for point in interface.jump_points:
        click.echo(f"   -  {point.name:{width}}  {point.does}")


def _print_call(interface: Interface, which: str, *, as_json: bool) -> None:
    from ..abi.explain import as_dict, find, jump_rows, rows
    from ..abi.model import JumpPoint

    entry = find(interface, which)
    if as_json:
        _print_json(as_dict(entry, interface))
        return
    if isinstance(entry, JumpPoint):
        what, facts = "jump point", jump_rows(entry, interface)
    else:
        what, facts = f"call {entry.number}", rows(entry, interface)
    click.echo(f"{click.style(entry.name, bold=True)}: {what} of generation {interface.generation}")
    click.echo(f"  {entry.does}\n")
    for label, text in facts:
        click.echo(f"  {label:10}{text}")
