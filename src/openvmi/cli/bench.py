# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi bench``: a guest's microbenchmarks under each hypervisor, as medians, spreads and ratios."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from ..bench.measure import BENCHMARKS, COUNTS, UNITS, check_names, differing, measure, subjects, words
from ..bench.statistics import columns
from ..boot import BUNDLED, DEFAULT_KERNEL, Request
from ..errors import ExitCode, UsageError
from ..hypervisor import NAMES
from ..text import printable
from ._complete import lists_of, lists_of_names_or_files
from ._output import Output, tell

_ROUNDS = {"instructions": 2, "time": 5, "userland": 9}
Rounds = Mapping[str, Sequence[Mapping[str, float]]]


@click.command("bench")
@click.option(
    "--hypervisors",
    default="none,native",
    show_default=True,
    help=f"From {', '.join(NAMES)}; first is base.",
    shell_complete=lists_of(NAMES),
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
@click.option("--count", type=click.Choice(COUNTS), default="instructions", show_default=True, help="What is counted.")
@click.option(
    "--only", default="", help="Only these benchmarks, by name, with commas.", shell_complete=lists_of(BENCHMARKS)
)
@click.option("--rounds", type=click.IntRange(1, 1000), help="Boots of each.  [default: 2 counting, 5 timing]")
@click.option("--batches", type=click.IntRange(1, 10000), help="Measured batches in each boot.")
@click.option("--cpus", default=1, show_default=True)
@click.option("--memory", "memory_mib", default=128, show_default=True, metavar="MIB")
@click.option("--accel", default="auto", show_default=True, type=click.Choice(["auto", "tcg", "kvm"]))
@click.option("--timeout", default=120.0, show_default=True, metavar="S", help="Limit of each boot.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there; - for stdout.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    hypervisors: str,
    guests: str,
    initrd: Path | None,
    append: str,
    count: str,
    only: str,
    rounds: int | None,
    batches: int | None,
    cpus: int,
    memory_mib: int,
    accel: str,
    timeout: float,
    json_file: Path | None,
) -> int:
    """Measure a guest's operations under each hypervisor.

    `--count instructions` counts what the guest executes, and repeats exactly; `--count time` takes nanoseconds, with
    the rounds of all columns interleaved; `--count userland` compares the time from command to userland with QEMU's own
    command.
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
    if count == "userland":
        return _userland(names, _list(hypervisors, "--hypervisors"), base, chosen, output)
    wanted = _list(only, "--only") if only else []
    base = replace(base, append=f"{append} -- {words(wanted, batches)}".strip())
    found = subjects(names, _list(hypervisors, "--hypervisors"), base)
    check_names(wanted, found)
    taken = measure(found, count=count, rounds=chosen, progress=_progress())
    _show(taken, UNITS[count], output)
    return _judge_repeats(taken) if count == "instructions" else ExitCode.OK


def _userland(
    guests: Sequence[str], hypervisors: Sequence[str], base: Request, rounds: int, output: Output | None
) -> int:
    from ..bench.userland import commands, compare

    taken: dict[str, list[dict[str, float]]] = {}
    for subject in subjects(guests, hypervisors, base):
        for label, times in compare(commands(subject.request), rounds=rounds, progress=_progress()).items():
            rows = taken.setdefault(label, [{} for _ in times])
            for row, time in zip(rows, times, strict=True):
                row.update({f"{subject.label}: {name}": value for name, value in time.items()})
    _show(taken, "ms", output)
    return ExitCode.OK


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


def _show(taken: Rounds, unit: str, output: Output | None) -> None:
    from rich.console import Console

    from ..bench.render import as_dict, table

    if sys.stderr.isatty():
        tell("\r\x1b[K", newline=False)
    figures = columns(taken)
    if output is None or not output.to_stdout:
        Console(width=None if sys.stdout.isatty() else 140).print(table(figures, unit))
    if output is not None:
        output.write_json(as_dict(figures, unit))


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
