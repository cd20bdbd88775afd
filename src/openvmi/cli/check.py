# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi check``: a ROM image held to the interface. The work is :mod:`openvmi.check`'s; here are files."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import click

from ..errors import ExitCode, InputError, UsageError
from ._output import Output, refuse_overwriting
from .rom import read


@click.group()
def command() -> None:
    """Hold a ROM image, or a recorded guest, to the interface."""


@command.command(short_help="Judge the calls that a guest made, by a trace of them.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--symbols", type=click.Path(path_type=Path), help="vmlinux, System.map, or a copy of /proc/kallsyms.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write findings as JSON.")
def guest(trace: Path, symbols: Path | None, json_file: Path | None) -> None:
    """Judge the calls in TRACE by the rules of `openvmi run --hypervisor strict`.

    A trace does not hold memory, segments and stacks, so rules that need them are silent: a live guest is judged by
    more.

    Exit code: 0 no error found, 1 a rule is broken, 2 not readable.
    """
    from ..hypervisor.strict.findings import as_text, report, summary
    from ..hypervisor.strict.offline import judge_records
    from ..text import printable
    from .trace import open_source, tell

    output = None if json_file is None else Output(json_file)
    with open_source(trace, "", (), None, symbols) as source:
        calls = count()
        findings = judge_records(each for each, _ in zip(source.events(), calls, strict=False)).findings
        tell(source)
        if output is not None:
            output.write((json.dumps(report(findings, source.symbols), indent=2) + "\n").encode())
        if output is None or not output.to_stdout:
            click.echo(printable(as_text(findings, source.symbols), keep="\n"), nl=False)
            click.echo(summary(findings) if next(calls) else "no call in it: nothing was judged")
    if findings.errors:
        click.get_current_context().exit(int(ExitCode.NOT_FINE))


@command.command(short_help="Judge a ROM image: layout, answers, and every call, executed.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the report as JSON.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write the report as JUnit XML.")
@click.option("--tap", is_flag=True, help="Write TAP instead of text.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each call, too.")
def rom(file: Path, json_file: Path | None, junit: Path | None, tap: bool, verbose: bool) -> None:
    """Judge FILE, a VMI ROM image, by the interface's tables.

    Its layout is read, its two jump points are called, and every call that it serves is executed in an emulated CPU
    against the call's contract.

    Exit code: 0 it conforms, 1 it breaks a rule, 2 not readable, or not an option ROM.
    """
    from ..check.rom import check_rom, formats

    if [str(json_file), str(junit)].count("-") + tap > 1:
        raise UsageError("one report alone can go to stdout", where="--tap, --json -, --junit -")
    data = read(file)
    refuse_overwriting({"--json": json_file, "--junit": junit}, [file])
    outputs = [None if path is None else Output(path) for path in (json_file, junit)]
    try:
        report = check_rom(data)
    except InputError as error:
        raise InputError(error.what, where=str(file), help=error.help) from error
    content = json.dumps({"file": str(file), **report.as_dict()}, indent=2) + "\n"
    for output, written in zip(outputs, (content, formats.junit(report, str(file))), strict=True):
        if output is not None:
            output.write(written.encode(errors="replace"))
    if tap:
        click.echo(formats.tap(report), nl=False)
    elif not any(output is not None and output.to_stdout for output in outputs):
        click.echo(formats.text(report, str(file), every_call=verbose), nl=False)
    if not report.passed:
        click.get_current_context().exit(int(ExitCode.NOT_FINE))
