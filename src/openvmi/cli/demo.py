# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi demo``: the main job in one go. One kernel, bare and under each hypervisor, shown live and compared."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from ..bench.measure import measure, subjects, words
from ..bench.statistics import columns
from ..boot import DEFAULT_KERNEL, Request, configure, hypervisor_of
from ..errors import ExitCode, HarnessError
from ..hypervisor import offer
from ..machine import Machine
from ..machine.outcome import Outcome
from ..report import Report, parse_report
from ..text import printable
from ._output import Shown, tell

if TYPE_CHECKING:
    from ..hypervisor.session import Session
    from ..machine import MachineConfig

_HYPERVISORS = ("none", "native", "hosted", "ring")
_TITLES = {
    "none": "bare: no ROM in the machine",
    "native": "the same kernel under the ROM",
    "hosted": "the same, with Python behind the ROM",
    "ring": "the same, off ring 0: at CPL 1 above a monitor, and Python decides",
}


@dataclass(frozen=True, slots=True)
class _Boot:
    """One boot that was shown."""

    outcome: Outcome
    report: Report


@click.command("demo")
@click.option("--kernel", default=DEFAULT_KERNEL, show_default=True, help="As for `run`.")
@click.option("--cpus", default=1, show_default=True, help="Virtual CPUs.")
@click.option("--timeout", default=60.0, show_default=True, metavar="S", help="Limit of each boot.")
def command(*, kernel: str, cpus: int, timeout: float) -> int:
    """Boot the bundled guest bare, under the ROM, with Python behind it, and off ring 0; show all, and compare them."""
    base = Request(kernel=kernel, cpus=cpus, timeout=timeout)
    boots = {name: _show_boot(base, name) for name in _HYPERVISORS}
    click.echo()
    _print_boots(boots)
    counted = Request(kernel=kernel, append=f"-- {words([], None)}", icount=True, timeout=timeout)
    tell("counting instructions under each ...")
    taken = measure(subjects([kernel], _HYPERVISORS, counted), count="instructions", rounds=1, progress=lambda _: None)
    from rich.console import Console

    from ..bench.render import table

    Console(width=None if sys.stdout.isatty() else 100).print(table(columns(taken), "instructions"))
    return max(int(boot.outcome.exit_code) for boot in boots.values())


def _show_boot(base: Request, hypervisor: str) -> _Boot:
    """Boot once with the console on stdout.

    Raises:
        OpenVmiError: it can't be started, or the guest failed.
    """
    click.secho(f"\n--- {_TITLES[hypervisor]} ---", bold=True)
    request = replace(base, hypervisor=hypervisor, append="-- check")
    config = configure(request)
    with _machine(request, config) as machine:
        outcome = machine.wait()
    if outcome.exit_code not in {ExitCode.OK, ExitCode.NOT_FINE}:
        raise outcome.error() or HarnessError(
            outcome.reason,
            where=f"{base.kernel} under {hypervisor}",
            help="a kernel for the demo exits with 0 or 1; `openvmi run` takes any",
        )
    return _Boot(outcome, parse_report(outcome.report))


def _machine(request: Request, config: MachineConfig) -> Machine | Session:
    shown = Shown(config.timeout)
    if not offer(request.hypervisor).hosted:
        return Machine(config, console_sink=shown)
    from ..hypervisor.session import Session

    return Session(hypervisor_of(request), config, machine={"console_sink": shown})


def _print_boots(boots: dict[str, _Boot]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    result = Table(box=box.SIMPLE)
    result.add_column("one kernel binary")
    for name in boots:
        result.add_column(name, justify="right")
    for title, cell in _ROWS:
        result.add_row(title, *(Text(printable(cell(boot))) for boot in boots.values()))
    Console(width=None if sys.stdout.isatty() else 100).print(result)


def _userland(boot: _Boot) -> str:
    at = boot.outcome.times.marks.get("userland")
    return "-" if at is None else f"{at / 1e6:.0f} ms"


def _vmi(boot: _Boot) -> str:
    return boot.report.info.get("vmi", boot.report.info.get("rom", "-"))


def _calls(boot: _Boot) -> str:
    answers = boot.report.answers()
    return ", ".join(f"{count} {kind}" for kind, count in sorted(answers.items())) or "none asked"


def _patched(boot: _Boot) -> str:
    total = sum(count.sites for count in boot.report.sites.values())
    return f"{boot.report.patched()} of {total}" if total else "-"


def _checks(boot: _Boot) -> str:
    summary = boot.report.summary
    return "-" if summary is None else f"{summary.passed} passed, {summary.failed} failed"


_ROWS = (
    ("time to userland", _userland),
    ("VMI", _vmi),
    ("calls asked for, by answer", _calls),
    ("patch sites that lead to the ROM", _patched),
    ("self-checks", _checks),
)
