# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi lint``: what in a kernel traps or misbehaves below CPL 0. The work is :mod:`openvmi.check.lint`'s."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from ..errors import ExitCode, InputError
from ..text import printable
from ._output import Output, refuse_overwriting

_PATH = click.Path(path_type=Path)


@click.command(short_help="List what in a kernel traps or misbehaves below CPL 0.")
@click.argument("vmlinux", type=_PATH)
@click.option("--json", "json_file", type=_PATH, help="Write everything as JSON; - is stdout.")
@click.option("--sarif", "sarif_file", type=_PATH, help="Write what is not covered as SARIF 2.1.0; - is stdout.")
@click.option("--baseline", type=_PATH, help="Known findings: only others count.")
@click.option("--write-baseline", "new_baseline", type=_PATH, help="Write what is not covered as known findings.")
@click.option("--all", "everything", is_flag=True, help="List what is covered, too.")
def command(  # noqa: PLR0913, PLR0917 - the options of a command
    vmlinux: Path,
    json_file: Path | None,
    sarif_file: Path | None,
    baseline: Path | None,
    new_baseline: Path | None,
    everything: bool,
) -> None:
    """List the sensitive and privileged instructions of the kernel VMLINUX, an ELF file or a bzImage.

    Each is said to be covered by what the kernel records of itself (patch sites, paravirt tables, VMI annotations), or
    to trap or misbehave when the kernel runs at CPL 1 or 2, or to be not certain to be an instruction at all.

    Exit code: 0 nothing uncovered but what the baseline knows, 1 there is, 2 not readable.
    """
    from ..check.lint import as_json, as_sarif, lint, read_kernel, split, write_baseline

    written = {"--json": json_file, "--sarif": sarif_file, "--write-baseline": new_baseline}
    refuse_overwriting(written, [path for path in (vmlinux, baseline) if path is not None])
    outputs = {option: Output(path) for option, path in written.items() if path is not None}
    known = _known(baseline)
    report = lint(read_kernel(vmlinux))
    new, _, gone = split(report.findings, known)
    if "--json" in outputs:
        outputs["--json"].write_json(as_json(str(vmlinux), report, new, gone))
    if "--sarif" in outputs:
        outputs["--sarif"].write_json(as_sarif(str(vmlinux), report.findings, None if baseline is None else new))
    if "--write-baseline" in outputs:
        outputs["--write-baseline"].write_json(write_baseline(report.findings))
    if not any(output.to_stdout for output in outputs.values()):
        from ..check.lint import lines

        for line in lines(str(vmlinux), report, report.findings if everything else new):
            click.echo(printable(line))
        click.echo(_verdict(len(new), sum(known.values()) - gone, gone))
    if new and new_baseline is None:
        click.get_current_context().exit(int(ExitCode.NOT_FINE))


def _verdict(new: int, old: int, gone: int) -> str:
    words = [f"{new} not covered"]
    if old or gone:
        words = [f"{new} not covered and not in the baseline", f"{old} in the baseline"]
    if gone:
        words.append(f"{gone} of the baseline gone")
    return ", ".join(words)


def _known(file: Path | None) -> Counter[tuple[str, str]]:
    """Return the findings that the baseline ``file`` knows.

    Raises:
        InputError: it can't be read, or is no baseline.
    """
    from ..check.lint import read_baseline
    from ..check.lint.baseline import MAX_FILE

    if file is None:
        return Counter()
    try:
        with file.open("rb") as stream:
            return read_baseline(stream.read(MAX_FILE))
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read: {getattr(error, 'strerror', None) or error}", where=str(file)) from error
    except InputError as error:
        raise InputError(error.what, where=str(file), help=error.help) from error
