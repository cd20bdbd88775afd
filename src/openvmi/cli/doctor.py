# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi doctor``: what is here, what is missing, and the line that mends it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click

from ..errors import ExitCode, HarnessError

PACKAGES = ("click", "iced-x86", "pyelftools", "qemu.qmp", "rich")
_OLDEST_PYTHON = (3, 11)
# a noisy kernel's log, and the images that a build writes
_SPACE = 64 << 20
# What an extra's package is for, by the name under which it is imported.
_EXTRAS = {
    "unicorn": ("check", "openvmi check rom"),
    "perfetto": ("perfetto", "openvmi trace --export perfetto"),
}
_MARKS = {True: ("ok", "green"), False: ("missing", "red"), None: ("absent", "yellow")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: what.
        fine: True: as it should be. False: openvmi does not work without it. None: works without.
        detail: what was found.
        mend: the line to type, or empty.
    """

    name: str
    fine: bool | None
    detail: str
    mend: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(*, as_json: bool) -> int:
    """Say what is here, what is missing, and the line that mends it.

    Exits with 0 when everything that is needed is here, else with 1.
    """
    findings = [finding for look in LOOKS for finding in look()]
    healthy = all(finding.fine is not False for finding in findings)
    if as_json:
        import json

        click.echo(json.dumps({"healthy": healthy, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        _print(findings)
    return ExitCode.OK if healthy else ExitCode.NOT_FINE


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        word, colour = _MARKS[finding.fine]
        click.echo(f"{click.style(f'{word:8}', fg=colour)}{finding.name:{width}}  {finding.detail}")
        if finding.mend:
            click.echo(f"{'':8}{'':{width}}  -> {finding.mend}")


def look_at_python() -> Iterator[Finding]:
    """Python itself and the packages that we need."""
    from importlib.metadata import PackageNotFoundError, version

    found = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, _OLDEST_PYTHON))
    fine = sys.version_info >= _OLDEST_PYTHON
    yield Finding("Python", fine, found, "" if fine else f"apt-get install python{wanted}")
    for name in PACKAGES:
        try:
            yield Finding(name, fine=True, detail=version(name))
        except PackageNotFoundError:
            yield Finding(name, fine=False, detail="not installed", mend=f"pip install {name}")


def look_at_qemu() -> Iterator[Finding]:
    """QEMU, and what dies with us."""
    from ..machine import find_qemu

    try:
        qemu = find_qemu()
        yield Finding("QEMU", fine=True, detail=f"{qemu.version_text} ({qemu.path})")
    except HarnessError as error:
        yield Finding("QEMU", fine=False, detail=str(error), mend=error.help)
    from shutil import which

    setpriv = which("setpriv")
    yield Finding(
        "setpriv",
        fine=True if setpriv else None,
        detail=setpriv or "not found: each machine starts some 20 ms later",
        mend="" if setpriv else "apt-get install util-linux",
    )


def look_at_accelerators() -> Iterator[Finding]:
    """TCG, which every QEMU has, and KVM as far as it runs 32-bit guests."""
    from ..machine import choose_accelerator, probe_kvm

    yield Finding("TCG", fine=True, detail="software emulation, part of QEMU")
    answer = probe_kvm()
    refusals = {answer.refusal(mode) for mode in ("legacy", "pae")}
    speeds = [f"{name} {cost:.0f} ns" for name, cost in (("32-bit", answer.legacy), ("PAE", answer.pae)) if cost]
    detail = "; ".join(sorted(refusals - {""})) or f"runs 32-bit guests natively ({', '.join(speeds)} an instruction)"
    mend = 'sudo usermod -aG kvm "$USER", then log in again' if "permission" in answer.trouble else ""
    yield Finding("KVM", fine=None if any(refusals) else True, detail=detail, mend=mend)
    yield Finding("accelerator", fine=True, detail="auto means {0.name}: {0.reason}".format(choose_accelerator()))


def look_at_images() -> Iterator[Finding]:
    """The built firmware and guests, and what builds them."""
    from importlib.util import find_spec

    from ..images import FOLDER, IMAGES, path

    missing = []
    for name in IMAGES:
        try:
            path(name)
        except HarnessError:
            missing.append(name)
    toolchain = find_spec("ziglang") is not None
    mend = "python -m openvmi.toolchain" if toolchain else "pip install 'openvmi[toolchain]'"
    if missing:
        yield Finding("images", fine=False, detail=f"not built: {', '.join(missing)}", mend=mend)
    else:
        yield Finding("images", fine=True, detail=f"{len(IMAGES)} in {FOLDER}")
    yield Finding(
        "zig",
        fine=True if toolchain else None,
        detail="the pinned toolchain is here" if toolchain else "not installed: only needed to rebuild the images",
        mend="" if toolchain else "pip install 'openvmi[toolchain]'",
    )


def look_at_extras() -> Iterator[Finding]:
    """Packages that one command alone needs."""
    from importlib.metadata import PackageNotFoundError, version

    for name, (extra, command) in _EXTRAS.items():
        try:
            yield Finding(name, fine=True, detail=version(name))
        except PackageNotFoundError:
            detail = f"not installed: only needed for {command}"
            yield Finding(name, fine=None, detail=detail, mend=f"pip install 'openvmi[{extra}]'")


def look_at_disk() -> Iterator[Finding]:
    """Where consoles are logged."""
    import shutil
    import tempfile

    try:
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding("disk", fine=False, detail=str(error), mend="export TMPDIR=/a/directory/with/room")
        return
    fine = free >= _SPACE
    mend = "" if fine else "export TMPDIR=/a/directory/with/room"
    yield Finding("disk", fine=True if fine else None, detail=f"{free >> 20} MiB free in {folder}", mend=mend)


LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    look_at_python,
    look_at_qemu,
    look_at_accelerators,
    look_at_images,
    look_at_extras,
    look_at_disk,
)
