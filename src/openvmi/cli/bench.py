# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi bench``: a guest's microbenchmarks under each hypervisor, as medians, spreads and ratios.

And single figures of what Python behind a guest costs: an upcall, a breakpoint in its place, a change of modes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..abi import Call
from ..bench.boots import COLUMNS, Account, is_own
from ..bench.measure import (
    BENCHMARKS,
    UNITS,
    check_names,
    differing,
    measure,
    refuse_uncountable,
    subjects,
    words,
)
from ..bench.statistics import columns
from ..boot import BUNDLED, DEFAULT_KERNEL, Request
from ..errors import ExitCode, UsageError
from ..hypervisor import HOSTED, offer
from ..text import printable
from ._complete import lists_of, lists_of_names_or_files
from ._output import Output, tell

if TYPE_CHECKING:
    from rich.table import Table

    from ..bench.findings import Finding
    from ..bench.measure import Subject

_ROUNDS = {"instructions": 2, "time": 5, "boot": 9, "userland": 9, "upcall": 5, "gdb": 3, "switch": 1}
_BASIC = "none,native"
_SINGLE = ("upcall", "gdb", "switch")
Rounds = Mapping[str, Sequence[Mapping[str, float]]]


@click.command("bench")
@click.option(
    "--hypervisors",
    help=f"From {', '.join(COLUMNS)}, FILE.py[:Class]; first is base.  [default: {_BASIC}]",
    shell_complete=lists_of(COLUMNS),
)
@click.option(
    "--guest",
    "guests",
    default=DEFAULT_KERNEL,
    show_default=True,
    help=f"Of {', '.join(BUNDLED)}, or files.",
    shell_complete=lists_of_names_or_files(BUNDLED),
)
@click.option("--initrd", type=click.Path(path_type=Path), help="Initial ramdisk; a Linux without one gets our /init.")
@click.option("--append", default="", help="Kernel command line, before the words for /init.")
@click.option(
    "--count", type=click.Choice(list(_ROUNDS)), default="instructions", show_default=True, help="What is counted."
)
@click.option(
    "--only", default="", help="Only these benchmarks, by name, with commas.", shell_complete=lists_of(BENCHMARKS)
)
@click.option("--rounds", type=click.IntRange(1, 1000), help="Boots of each.  [default: 2 counting, 5 timing]")
@click.option("--calls", help="gdb: the calls that are observed, with commas.  [default: SetPxE]")
@click.option("--events", type=click.IntRange(1, 1_000_000), help="gdb: stops in each boot.  [default: 2000]")
@click.option("--changes", type=click.IntRange(1, 100_000), help="switch: how many changes.  [default: 200]")
@click.option("--batches", type=click.IntRange(1, 10000), help="Measured batches in each boot.")
@click.option("--cpus", default=1, show_default=True)
@click.option("--memory", "memory_mib", default=128, show_default=True, metavar="MIB")
@click.option("--accel", default="auto", show_default=True, type=click.Choice(["auto", "tcg", "kvm"]))
@click.option("--timeout", default=120.0, show_default=True, metavar="S", help="Limit of each boot.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there; - for stdout.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    hypervisors: str | None,
    guests: str,
    initrd: Path | None,
    append: str,
    count: str,
    only: str,
    rounds: int | None,
    calls: str | None,
    events: int | None,
    changes: int | None,
    batches: int | None,
    cpus: int,
    memory_mib: int,
    accel: str,
    timeout: float,
    json_file: Path | None,
) -> int:
    """Measure a guest's operations under each hypervisor.

    `--count instructions` counts what the guest executes, and repeats exactly; `--count time` takes nanoseconds, with
    the rounds of all columns interleaved. `count`, `trace`, `pages` and `everything` have Python behind the guest that
    counts, records or is asked about calls, and does nothing with them.

    `--count boot` takes the time from QEMU's start to userland; `--count userland` compares the time from command to
    userland with QEMU's own command.

    `--count upcall` tells what one answer of Python's takes, `--count gdb` what it takes to see the same calls by
    breakpoints, `--count switch` how long a running guest waits when modes change.

    The exit code is 1 if anything was lost or did not repeat.
    """
    output = None if json_file is None else Output(json_file)
    base = Request(
        initrd=initrd,
        append=append,
        memory_mib=memory_mib,
        cpus=cpus,
        accel=accel,
        icount=count == "instructions",
        timeout=timeout,
    )
    names = _list(guests, "--guest")
    chosen = rounds or _ROUNDS[count]
    if count in _SINGLE:
        _refuse({"--hypervisors": hypervisors, "--only": only or None}, count)
        single = Single(base, names, chosen, batches, calls, events, changes)
        return single.measure(count, output)
    _refuse({"--calls": calls, "--events": events, "--changes": changes}, count)
    found = _list(_BASIC if hypervisors is None else hypervisors, "--hypervisors")
    if count == "userland":
        return _userland(names, found, base, chosen, output)
    wanted = _list(only, "--only") if only else []
    run = "stop" if count == "boot" else words(wanted, batches)
    base = replace(base, append=f"{append} -- {run}".strip())
    columns = subjects(names, found, base)
    check_names(wanted, columns)
    return _tabulate(columns, count, chosen, output)


def _tabulate(subjects: Sequence[Subject], count: str, rounds: int, output: Output | None) -> int:
    if count == "instructions":
        refuse_uncountable(subjects)
    accounts: dict[str, Account] = {}
    taken = measure(subjects, count=count, rounds=rounds, progress=_progress(), accounts=accounts)
    _show(taken, UNITS[count], output, accounts)
    code = _judge_repeats(taken) if count == "instructions" else ExitCode.OK
    return _judge_losses(accounts) or code


@dataclass(frozen=True, slots=True)
class Single:
    """Measurements that end in single figures, and the options for them."""

    base: Request
    guests: Sequence[str]
    rounds: int
    batches: int | None
    calls: str | None
    events: int | None
    changes: int | None

    def measure(self, count: str, output: Output | None) -> int:
        """Measure, show, and return the exit code."""
        if len(self.guests) != 1:
            raise UsageError(f"--count {count} measures one guest", where="--guest")
        base = replace(self.base, kernel=self.guests[0], hypervisor=HOSTED)
        measured = {"upcall": self._upcall, "gdb": self._gdb, "switch": self._switch}
        findings, account = measured[count](base)
        _show_findings(findings, account, count, output)
        return _judge_losses({count: account})

    def _upcall(self, base: Request) -> tuple[list[Finding], Account]:
        from ..bench.latency import latency

        _refuse({"--calls": self.calls, "--events": self.events, "--changes": self.changes}, "upcall")
        return latency(base, rounds=self.rounds, batches=self.batches, progress=_progress())

    def _gdb(self, base: Request) -> tuple[list[Finding], Account]:
        from ..bench.breakpoints import compare

        _refuse({"--batches": self.batches, "--changes": self.changes}, "gdb")
        calls = [_call(name) for name in _list(self.calls or "SetPxE", "--calls")]
        return compare(base, calls, events=self.events or 2000, rounds=self.rounds, progress=_progress())

    def _switch(self, base: Request) -> tuple[list[Finding], Account]:
        from ..bench.changes import change

        _refuse({"--calls": self.calls, "--events": self.events, "--batches": self.batches}, "switch")
        return change(base, changes=self.changes or 200, rounds=self.rounds, progress=_progress())


def _userland(
    guests: Sequence[str], hypervisors: Sequence[str], base: Request, rounds: int, output: Output | None
) -> int:
    from ..bench.userland import commands, compare

    own = next((name for name in hypervisors if is_own(name)), None)
    if own is not None:
        raise UsageError("no command of ours boots a guest under this one", where=own, help="--count boot")
    behind = next((name for name in hypervisors if offer(name).hosted), None)
    if behind is not None:
        raise UsageError("QEMU's own command has no Python behind the ROM", where=behind, help="--count boot")
    taken: dict[str, list[dict[str, float]]] = {}
    for subject in subjects(guests, hypervisors, base):
        for label, times in compare(commands(subject.request), rounds=rounds, progress=_progress()).items():
            rows = taken.setdefault(label, [{} for _ in times])
            for row, time in zip(rows, times, strict=True):
                row.update({f"{subject.label}: {name}": value for name, value in time.items()})
    _show(taken, "ms", output)
    return ExitCode.OK


def _refuse(options: Mapping[str, object], count: str) -> None:
    for option, value in options.items():
        if value is not None:
            raise UsageError(f"this means nothing to --count {count}", where=option)


def _call(name: str) -> Call:
    try:
        return Call[name]
    except KeyError as error:
        raise UsageError(f"no call is named {name!r}", where="--calls", help="openvmi abi lists them") from error


def _list(text: str, option: str) -> list[str]:
    found = [word for word in text.split(",") if word]
    if not found:
        raise UsageError("an empty list", where=option)
    return found


def _progress() -> Callable[[str], None]:
    """Return what shows a line of progress: on a terminal only, where it is overwritten."""
    if not sys.stderr.isatty():
        return lambda text: None  # noqa: ARG005 - the shape of a progress function
    return lambda text: tell(f"\r\x1b[K{text} ...", newline=False)


def _show(taken: Rounds, unit: str, output: Output | None, accounts: Mapping[str, Account] | None = None) -> None:
    from ..bench.render import as_dict, table

    figures = columns(taken)
    _print(table(figures, unit), output)
    if output is not None:
        data = as_dict(figures, unit)
        output.write_json(data | {"accounts": {label: asdict(one) for label, one in (accounts or {}).items()}})
    for label, account in (accounts or {}).items():
        if account.said():
            tell(printable(f"{label}: {account.said()}"))


def _show_findings(findings: Sequence[Finding], account: Account, count: str, output: Output | None) -> None:
    from ..bench.findings import table

    _print(table(findings), output)
    if output is not None:
        figures = [finding.as_dict() for finding in findings]
        output.write_json({"count": count, "figures": figures, "account": asdict(account)})
    if account.said():
        tell(printable(f"{count}: {account.said()}"))


def _print(table: Table, output: Output | None) -> None:
    from rich.console import Console

    if sys.stderr.isatty():
        tell("\r\x1b[K", newline=False)
    if output is None or not output.to_stdout:
        Console(width=None if sys.stdout.isatty() else max(140, 13 * len(table.columns) + 30)).print(table)


def _judge_losses(accounts: Mapping[str, Account]) -> int:
    """Say what makes figures not mean what they say; the exit code is about that."""
    wrong = [f"openvmi: {label}: {text}" for label, account in accounts.items() for text in account.wrong()]
    for line in wrong:
        tell(printable(line))
    return ExitCode.NOT_FINE if wrong else ExitCode.OK


def _judge_repeats(taken: Rounds) -> int:
    """Say whether all rounds gave the same digits; they have to."""
    odd = {label: differing(rounds) for label, rounds in taken.items()}
    if any(odd.values()):
        for label, names in odd.items():
            if names:
                tell(printable(f"openvmi: {label}: these did not repeat exactly: {', '.join(names)}"))
        return ExitCode.NOT_FINE
    rounds = len(next(iter(taken.values())))
    if rounds > 1:
        tell(f"{rounds} rounds, identical digits")
    return ExitCode.OK
