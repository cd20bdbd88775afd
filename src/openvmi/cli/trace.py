# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi trace``: the calls of a kernel, one by one. The work is :mod:`openvmi.trace`'s; here are files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from ..errors import ExitCode, UsageError
from ..trace import Filter, Source, SymbolTable, TraceReader, load_symbols, parse_calls, parse_where
from ..trace.export import FORMATS, exporter

_FILE = click.Path(path_type=Path)
_BINARY = frozenset(("perfetto",))


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What a live trace is asked for.

    Args:
        calls: names of calls, with commas; empty: all.
        where: functions or ranges of the kernel; empty: anywhere.
        first: stop after so many; None: never.
        symbols: vmlinux or System.map; None: wherever there are some.
        form: format to export to; None: none.
        output: trace file to write, or what is exported; None: the live view alone, or stdout.
        rows: lines of each table.
        attach: name of a running machine, empty for the only one; None: start one.
        run: arguments of ``openvmi run`` for the machine to start.
    """

    calls: str
    where: tuple[str, ...]
    first: int | None
    symbols: Path | None
    form: str | None
    output: Path | None
    rows: int
    attach: str | None
    run: tuple[str, ...]


class _Command(click.Command):
    """Tells options of ``openvmi run`` where they belong."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from .run import command as run

            if not any(error.option_name in parameter.opts for parameter in run.params):
                raise
            help_ = f"behind --: openvmi trace -- {error.option_name} ..."
            raise UsageError("an option of openvmi run", where=error.option_name, help=help_) from None


@click.command("trace", cls=_Command, context_settings={"ignore_unknown_options": False})
@click.option("--read", "file", type=_FILE, help="A trace file to read.")
@click.option("--calls", default="", help="Only these, by name, with commas: SetPxE,SetCR3.")
@click.option(
    "--where", multiple=True, help="Only from there: sys_fork, *_pte*, 0xc1000000-0xc1010000. May be repeated."
)
@click.option("--first", type=click.IntRange(1), help="Only the first so many.")
@click.option("--symbols", type=_FILE, help="vmlinux, System.map, or a copy of /proc/kallsyms.")
@click.option("--export", "form", type=click.Choice(list(FORMATS)), help="Write it for another tool.")
@click.option("-o", "--output", type=_FILE, help="File to write; of --export the default is stdout.")
@click.option("--rows", default=15, show_default=True, type=click.IntRange(1), help="Lines of each table.")
@click.option("--attach", is_flag=False, flag_value="", metavar="[MACHINE]", help="Trace a running machine.")
@click.argument("run", nargs=-1, type=click.UNPROCESSED, metavar="[-- RUN...]")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    file: Path | None,
    calls: str,
    where: tuple[str, ...],
    first: int | None,
    symbols: Path | None,
    form: str | None,
    output: Path | None,
    rows: int,
    attach: str | None,
    run: tuple[str, ...],
) -> int:
    """Show which calls a kernel makes, from where, and how often.

    Alone, it boots the bundled guest; what follows -- is for `openvmi run`. With --attach, a machine that runs. On a
    terminal the figures move; -o writes a trace file. With --read from a file: tables, or with --export json (lines),
    folded (stacks), flame (graph, SVG), perfetto (ui.perfetto.dev), html (a report with plots), counts (for openvmi
    diff). Exit code of a live trace: the guest's.
    """
    if run and not run[0].startswith("-"):
        help_ = "--read FILE for a trace file, --attach MACHINE for one that runs, -- --kernel FILE to start one"
        raise UsageError("what stands alone is no option of openvmi run", where=run[0], help=help_)
    if file is None:
        from ._live import live

        return live(LiveRequest(calls, where, first, symbols, form, output, rows, attach, run))
    if attach is not None or run:
        raise UsageError("--read is for a file: nothing is started or attached to")
    if output is not None and form is None:
        raise UsageError("-o needs --export", help=f"--export {'|'.join(FORMATS)}")
    with open_source(file, calls, where, first, symbols) as source:
        if form is None:
            _show(source, rows)
        else:
            export(source, form, output)
    return ExitCode.OK


@contextmanager
def open_source(
    file: Path, calls: str = "", where: tuple[str, ...] = (), first: int | None = None, symbols: Path | None = None
) -> Iterator[Source]:
    """Open a trace file with a filter, and with the symbols that were given or that it carries.

    Raises:
        InputError: a file is not what it has to be.
        UsageError: a call or place is unknown.
    """
    with TraceReader(file) as reader:
        table = load_symbols(symbols) if symbols is not None else _carried(reader)
        chosen = Filter(
            parse_calls(calls, reader.meta) if calls else None, parse_where(where, table) if where else None, first
        )
        yield Source(reader, chosen, table)


def _carried(reader: TraceReader) -> SymbolTable:
    return reader.symbols()


def _show(source: Source, rows: int) -> None:
    from rich.console import Console

    from ..trace.top import render, summarize

    view = summarize(source.tally(), source.meta, source.symbols)
    if source.meta.kernel:
        click.echo(source.meta.kernel)
    Console(width=None if sys.stdout.isatty() else 120).print(render(view, rows=rows, rates=bool(view.seconds)))
    tell(source)


def tell(source: Source) -> None:
    """Say on stderr what makes the figures weaker than they look."""
    for note in source.notes():
        click.echo(f"openvmi: {source.reader.path}: {note}", err=True)


def export(source: Source, form: str, output: Path | None) -> None:
    """Write a trace in another format, to stdout without ``output``.

    Raises:
        UsageError: it can't be written, or is not for a terminal.
    """
    write = exporter(form)
    if output is None or str(output) == "-":
        if form in _BINARY and sys.stdout.isatty():
            raise UsageError(f"{form} is not for a terminal", help="-o FILE")
        try:
            write(source, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # whoever read it has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    _write(output, lambda out: write(source, out))
    tell(source)


def export_file(file: Path | None, form: str | None, output: Path | None) -> None:
    """Export the trace file ``file``; nothing to do when it is None, or no format is wanted.

    Raises:
        InputError: the file contradicts itself.
        UsageError: it can't be written, or is not for a terminal.
    """
    if file is not None and form is not None:
        with open_source(file) as source:
            export(source, form, output)


def _write(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    target = path if path.exists() and not path.is_file() else draft  # a device or a pipe: nothing to replace
    try:
        with target.open("wb") as out:
            write(out)
        if target is draft:
            draft.replace(path)
    except OSError as error:
        raise UsageError(f"can't be written: {error.strerror}", where=str(path)) from error
    finally:
        draft.unlink(missing_ok=True)
