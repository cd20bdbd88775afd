# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi new``: a kernel to begin from, and the paravirt layer for one that is there. The files are the kit's."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import click

from .. import kit
from ..errors import UsageError
from ..text import printable

_FOLDER = click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")


@click.group()
def command() -> None:
    """Begin a kernel, or bring the paravirt layer into one."""


@command.command(short_help="Write a small kernel that runs bare and under any hypervisor.")
@_FOLDER
def guest(folder: Path) -> None:
    """Write a small kernel into DIR, which must be empty or not there yet.

    It boots by multiboot, has page tables and one interrupt, and makes its privileged operations through the paravirt
    layer, which is written beside it: bare it runs natively, and under a VMI ROM through that. `make` in DIR builds it.
    """
    if not kit.is_free(folder):
        raise UsageError("there is something already", where=str(folder), help="name a folder that is empty, or new")
    files = kit.template()
    kit.write(folder, files)
    own = [name for name in files if "/" not in name]
    click.echo(printable(f"{folder}: a kernel ({', '.join(own)}); in paravirt/ {_layer(kit.layer())}"))
    _next(folder)


@command.command(short_help="Write the paravirt layer, as a library for a kernel.")
@_FOLDER
@click.option("--force", is_flag=True, help="Replace files that are another version, or were changed.")
def layer(folder: Path, *, force: bool) -> None:
    """Write the paravirt layer and the interface's headers into DIR, for a kernel that has its own sources.

    What the kernel has to provide is said in include/paravirt.h; docs/port-your-kernel.md goes through it.
    """
    files = kit.layer()
    there = kit.read(folder, files)
    changed = [name for name, content in there.items() if content != files[name]]
    if changed and not force:
        was = kit.layer_version(there)
        raise UsageError(
            f"{changed[0]} is another one{f', of version {was}' if was else ''}; {len(changed)} files differ",
            where=str(folder),
            help="--force replaces them",
        )
    kit.write(folder, files)
    click.echo(printable(f"{folder}: {_layer(files)}"))


def _layer(files: dict[str, bytes]) -> str:
    return f"version {kit.layer_version(files)} of the paravirt layer"


def _next(folder: Path) -> None:
    """Say what to type now."""
    python = which("python3")
    other = python is None or Path(python).parent != Path(sys.executable).parent
    make = f"make PYTHON={shlex.quote(sys.executable)}" if other else "make"
    if find_spec("ziglang") is None:
        click.echo("  pip install 'openvmi[toolchain]'    # the compiler")
    click.echo(printable(f"  cd {shlex.quote(str(folder))} && {make} && openvmi run --kernel kernel.elf"))
