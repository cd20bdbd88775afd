# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi replay``: a hypervisor in Python against the calls of a recorded boot."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode, UsageError
from ..hypervisor.blame import place_of, user_traceback
from ..hypervisor.replay import Replay, ReplayError
from ..text import printable
from ._output import tell as say
from .trace import open_source, tell

if TYPE_CHECKING:
    from ..hypervisor.replay import ReplaySummary
    from ..trace import TraceMeta

_FILE = click.Path(path_type=Path)


@click.command("replay")
@click.argument("trace", type=_FILE)
@click.option("--hypervisor", "name", required=True, metavar="FILE.py[:Class]", help="The hypervisor to feed.")
@click.option("--calls", default="", help="Only these, by name, with commas.")
@click.option("--where", multiple=True, help="Only from there: sys_fork, *_pte*, 0xc1000000-0xc1010000.")
@click.option("--first", type=click.IntRange(1), help="Only the first so many.")
@click.option("--symbols", type=_FILE, help="vmlinux, System.map, or a copy of /proc/kallsyms.")
@click.option(
    "--show", default=10, show_default=True, type=click.IntRange(0), help="Decisions other than None to print."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    trace: Path,
    name: str,
    calls: str,
    where: tuple[str, ...],
    first: int | None,
    symbols: Path | None,
    show: int,
    as_json: bool,
) -> int:
    """Feed the calls of TRACE to a hypervisor, with no kernel, and say what it decides.

    Arguments on the stack are not in a trace, and are 0. Exit code: 0 it took all, 1 it raised an exception.
    """
    from ..hypervisor.load import load_hypervisor

    hypervisor = load_hypervisor(name)
    with open_source(trace, calls, where, first, symbols) as source:
        replay = Replay(hypervisor, source.meta, source.symbols)
        decisions = (decision for decision in replay.run(source.events()) if decision.kind != "native")
        failed = None
        try:
            for decision in islice(decisions, 0 if as_json else show):
                event, where_from = decision.event, source.symbols.place(decision.event.origin)
                told = f"{source.meta.name(event.call)} from {where_from}: {decision.answer!r}"
                click.echo(f"CPU {event.cpu} #{event.sequence} {told}")
            for _ in decisions:
                pass
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            failed = error
        _sum_up(replay.summary, source.meta, as_json=as_json)
        if not replay.summary.fed and failed is None:
            _say_why_nothing(replay, source.meta)
        tell(source)
    if failed is not None:
        _complain(failed)
        return ExitCode.NOT_FINE
    return ExitCode.OK


def _sum_up(summary: ReplaySummary, meta: TraceMeta, *, as_json: bool) -> None:
    if as_json:
        decided: dict[str, dict[str, int]] = {}
        for (call, kind), count in summary.decisions.items():
            decided.setdefault(meta.name(call), {})[kind] = count
        passed = {meta.name(call): count for call, count in summary.passed.items()}
        click.echo(json.dumps({"fed": summary.fed.total(), "decisions": decided, "passed": passed}, indent=2))
        return
    for call, count in summary.fed.most_common():
        kinds = {kind: n for (which, kind), n in summary.decisions.items() if which == call}
        said = ", ".join(f"{kind} {n:,}" for kind, n in sorted(kinds.items()))
        click.echo(f"{meta.name(call):<22} {count:>12,}  {said}")
    click.echo(f"{summary.fed.total():,} calls fed, {summary.passed.total():,} not routed")


def _complain(error: Exception) -> None:
    """Say what the user's own code raised: in a line what a replay can't do, otherwise with its traceback."""
    where = place_of(error)
    if isinstance(error, ReplayError | UsageError):
        notes = "; ".join(getattr(error, "__notes__", []))
        help_ = f" ({error.help})" if error.help else ""
        place = f"{where}: " if where else ""
        say(printable(f"openvmi: {place}{error.what}{help_}; {notes}"))
        return
    say(printable(user_traceback(error), keep="\n\t"), newline=False)
    say(printable(f"openvmi: the hypervisor raised {type(error).__name__} at {where}"))


def _say_why_nothing(replay: Replay, meta: TraceMeta) -> None:
    """Say why no call was fed."""
    names = ", ".join(sorted(meta.name(call) for call in replay.routed))
    why = (
        f"it has methods for {names}, which this trace has none of" if names else "it has no method named after a call"
    )
    say(printable(f"openvmi: nothing was fed to the hypervisor: {why}"))
