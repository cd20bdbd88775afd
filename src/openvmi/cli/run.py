# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi run``: boot a kernel, bare or under a ROM, and exit with what it says.

QEMU is started first; whatever else is needed is imported while the guest boots.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..boot import BUNDLED, DEFAULT_KERNEL, Request, configure
from ..errors import ExitCode, UsageError
from ..hypervisor import NAMES, STRICT, offer, split_name
from ..machine import Machine, make_plan
from ..text import printable
from ._complete import names_or_files
from ._output import Output, Shown, refuse_overwriting, tell

if TYPE_CHECKING:
    from ..machine import HeadStart, MachineConfig
    from ..machine.outcome import Outcome
    from ._hosted import Hosted

_SECONDS = 60.0
_SECONDS_AT_A_TERMINAL = 3600.0
_FAILS_SHOWN = 20
PATH = click.Path(path_type=Path)


@click.command("run")
@click.option(
    "--kernel",
    default=DEFAULT_KERNEL,
    show_default=True,
    help=f"A file, or one of {', '.join(BUNDLED)}.",
    shell_complete=names_or_files(BUNDLED),
)
@click.option("--initrd", type=PATH, help="Initial ramdisk; a Linux without one gets our own /init.")
@click.option("--append", default="", help="Kernel command line; words for the bundled guest's /init follow `--`.")
@click.option(
    "--hypervisor",
    default="native",
    show_default=True,
    metavar="NAME|FILE.py[:Class]",
    help=f"What the machine offers: {', '.join(NAMES)}, or a hypervisor of your own.",
)
@click.option(
    "--rom", "roms", type=PATH, multiple=True, help="Option ROM in place of the hypervisor's own; repeatable."
)
@click.option("--symbols", type=PATH, help="vmlinux or System.map, for FILE.py; found alone mostly.")
@click.option("--name", default="", help="Of the machine, for `openvmi attach`.  [default: the process's number]")
@click.option("--memory", "memory_mib", default=128, show_default=True, metavar="MIB", help="Guest RAM in MiB.")
@click.option("--cpus", default=1, show_default=True, help="Virtual CPUs.")
@click.option("--cpu", default="qemu32", show_default=True, help="QEMU's CPU model; qemu32,+nx has no-execute.")
@click.option("--accel", default="auto", show_default=True, type=click.Choice(["auto", "tcg", "kvm"]))
@click.option("--icount", is_flag=True, help="Count instructions: the guest's clocks repeat exactly.")
@click.option("--timeout", type=float, metavar="S", help="Wall-clock limit.  [default: 60, at a terminal 3600]")
@click.option("--json", "json_file", type=PATH, help="Write what happened there; - is stdout, without the console.")
@click.option("--console", type=PATH, help="Write the console to this file too.")
@click.option("--quiet", is_flag=True, help="Do not show the console.")
@click.option("--strict-fail", is_flag=True, help="With `strict`: exit with 1 if an error was found.")
@click.option("--stats", is_flag=True, help="With `ring`: exits by reason and place, shadows, where the time went.")
@click.option("--dry-run", is_flag=True, help="Print QEMU's command and start nothing.")
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter for each option
    head_start: HeadStart | None,
    *,
    kernel: str,
    initrd: Path | None,
    append: str,
    hypervisor: str,
    roms: tuple[Path, ...],
    symbols: Path | None,
    name: str,
    memory_mib: int,
    cpus: int,
    cpu: str,
    accel: str,
    icount: bool,
    timeout: float | None,
    json_file: Path | None,
    console: Path | None,
    quiet: bool,
    strict_fail: bool,
    stats: bool,
    dry_run: bool,
) -> int:
    """Boot a kernel, bare or under a ROM, and exit with its status.

    Alone, it boots the bundled guest under `native`: it checks itself and runs its benchmarks. At a terminal every key
    goes to the guest's console, and Ctrl-A x ends it; a stdin that is no terminal is not read.
    """
    began = _process_start()
    _refuse_unjudged(hypervisor if strict_fail else STRICT)
    request = Request(
        kernel=kernel,
        hypervisor=hypervisor,
        initrd=initrd,
        append=append,
        roms=roms,
        symbols=symbols,
        memory_mib=memory_mib,
        cpus=cpus,
        cpu_model=cpu,
        accel=accel,
        icount=icount,
        timeout=timeout if timeout is not None else default_limit(),
        console=console,
    )
    config = configure(request)
    if dry_run:
        click.echo(make_plan(config).shell_line())
        return ExitCode.OK
    output, hosted = _output(json_file, config, request), None
    sink = None if quiet or str(json_file) == "-" else Shown(config.timeout)
    if offer(hypervisor, roms).hosted:
        from ._hosted import Hosted

        told = {"strict_fail": strict_fail, "stats": stats}
        hosted = Hosted(request, config, sink, began, out=_voice(output), name=name, **told)
        machine = hosted.machine
    else:
        _refuse_statistics(hypervisor, stats)
        machine = Machine(config, console_sink=sink, command_start=began, head_start=None if json_file else head_start)
    outcome = _run(hosted or machine, machine)
    _tell(machine, request, outcome)
    if hosted is not None:
        hosted.tell()
    return int(outcome.exit_code) if output is None else _write(output, machine, request, outcome, hosted)


def _refuse_unjudged(hypervisor: str) -> None:
    if hypervisor != STRICT:
        raise UsageError("nothing judges the guest", where="--strict-fail", help="--hypervisor strict")


def _output(json_file: Path | None, config: MachineConfig, request: Request) -> Output | None:
    """Return where the report goes, if anywhere; nothing that is read is written to."""
    named = (split_name(request.hypervisor) or ())[:1]
    inputs = [config.kernel, config.initrd, *config.option_roms, request.symbols, *named]
    refuse_overwriting({"--json": json_file, "--console": request.console}, [Path(path) for path in inputs if path])
    return None if json_file is None else Output(json_file)


def _voice(output: Output | None) -> int:
    """Return the descriptor for what a hypervisor prints: not where the JSON goes."""
    return 2 if output is not None and output.to_stdout else 1


def _refuse_statistics(hypervisor: str, wanted: bool) -> None:
    if wanted:
        raise UsageError("only `ring` has statistics", where=hypervisor, help="--hypervisor ring")


def _run(run: Machine | Hosted, machine: Machine) -> Outcome:
    with run:
        if not sys.stdin.isatty():
            _announce(machine)
            return run.wait()
        from ..machine.terminal import Terminal

        with Terminal(machine) as terminal:
            if not isinstance(run, Machine):
                run.terminal = terminal
            _announce(machine, "; every key goes to the guest, Ctrl-A x ends it" if terminal.active else "")
            return run.wait()


def default_limit() -> float:
    """Return the wall-clock limit of a machine for which none was given."""
    return _SECONDS_AT_A_TERMINAL if sys.stdin.isatty() else _SECONDS


def _process_start() -> int:
    """Return when this process began, as time.monotonic_ns() has it: the interpreter's start is part of our time."""
    try:
        ticks = int(Path("/proc/self/stat").read_text("ascii").rpartition(") ")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return time.monotonic_ns()
    since_boot = ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return time.monotonic_ns() - (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - since_boot)


def _announce(machine: Machine, keys: str = "") -> None:
    if machine.plan is not None:
        choice = machine.plan.accel
        tell(f"openvmi: running on {choice.name}: {choice.reason}{keys}")


def _write(output: Output, machine: Machine, request: Request, outcome: Outcome, hosted: Hosted | None) -> int:
    """Write what happened; return the exit code: the guest's, unless that is 0 and the writing failed."""
    from ..account import account
    from ..report import parse_report

    status = int(outcome.exit_code)
    if machine.plan is None:
        return status
    more = None if hosted is None else hosted.as_dict()
    report = parse_report(outcome.report)
    try:
        output.write_json(account(machine.plan, request, outcome, report, console=machine.console.text, hosted=more))
    except UsageError as error:
        tell(f"openvmi: {printable(str(error))}")
        return status or int(ExitCode.HARNESS)
    return status


def _tell(machine: Machine, request: Request, outcome: Outcome) -> None:
    from ..account import summary_line
    from ..report import parse_report

    report = parse_report(outcome.report)
    _warn_of_roms(request.roms)
    for warning in outcome.warnings:
        tell(f"openvmi: warning: {printable(warning)}")
    if outcome.ok and not sys.stderr.isatty():
        return
    if not outcome.ok and machine.config.expect_report is False and outcome.status is None:
        _last_lines(outcome)
    tell(f"openvmi: {summary_line(outcome, report)}")
    for fail in report.fails[:_FAILS_SHOWN]:
        tell(f"openvmi: failed check: {printable(fail)}")
    if len(report.fails) > _FAILS_SHOWN:
        tell(f"openvmi: ... and {len(report.fails) - _FAILS_SHOWN} more failed checks")
    if outcome.log is not None and not outcome.ok:
        tell(f"  help: the whole console is in {printable(str(outcome.log))}")


def _warn_of_roms(roms: tuple[Path, ...]) -> None:
    """Say of ROMs that the user brought why a guest passes them over: it says so only in part itself."""
    if not roms:
        return
    from ..rom import Authority, refusals

    for path in roms:
        try:
            image = path.read_bytes()
        except OSError:
            continue  # it was there when the machine started
        for finding in refusals(image, Authority.GUEST):
            tell(printable(f"openvmi: {path}: a guest refuses this ROM: {finding}"))


def _last_lines(outcome: Outcome) -> None:
    for line in outcome.console_tail:
        tell(f"  | {line}")
