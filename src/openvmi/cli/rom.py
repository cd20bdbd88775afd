# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi rom``: build, explain and verify ROM images. The work is :mod:`openvmi.rom`'s; here are files and words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from stat import S_ISBLK, S_ISREG

import click

from .. import images
from ..errors import ExitCode, InputError
from ..rom import (
    MAX_FILE_BYTES,
    Authority,
    Finding,
    ImageInfo,
    RomFile,
    RomMetadata,
    RomMode,
    Section,
    accepted,
    check,
    explain,
    parse,
    rebuild,
    summary,
)
from ..text import printable
from ._output import Output

_MODE = click.Choice([mode.value for mode in RomMode])
BASE_IMAGE = "openvmi.rom"
_BASES = {"3": BASE_IMAGE, "13": images.ROM_13}
_FILE = click.argument("file", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")
_AUTHORITIES = {"guest": "guest", "text": "2.0 text", "bios": "BIOS"}
_GUESTS = {"D": "mainline guest", "B": "13.x guest"}


def _address(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Return the address that ``value`` writes: decimal, or hexadecimal with 0x."""
    try:
        return int(value, 0)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a number such as 0xfc000000", ctx, param) from error


@click.group()
def command() -> None:
    """Build, explain and verify ROM images."""


@command.command()
@_FILE
@_JSON
def info(file: Path, as_json: bool) -> None:
    """Explain every field of FILE, any PC option ROM."""
    data = read(file)
    rom, sections = _named(file, lambda: parse(data)), explain(data)
    if as_json:
        images = [{"offset": image.offset, "bytes": len(image.data)} for image in rom.images]
        content = {"file": str(file), "size": rom.size, "images": images, "sections": [s.as_dict() for s in sections]}
        click.echo(json.dumps(content, indent=2))
        return
    by_image: dict[int, list[Section]] = {}
    for section in sections:
        by_image.setdefault(section.image, []).append(section)
    for number, line in enumerate(summary(rom)):
        click.echo(printable(line))
        for section in by_image[number]:
            _show_section(section)


@command.command(short_help="Ask the rules of a guest, of the text and of a BIOS.")
@_FILE
@_JSON
def verify(file: Path, as_json: bool) -> None:
    """Apply the rules of a guest, of the 2.0 text and of a BIOS to FILE.

    The guest is one of the image's generation: mainline Linux for API 3, one of 2006 for API 13.

    Exit code: 0 all three take it, 1 one of them refuses it or it can't work, 2 not readable, or not an option ROM.
    """
    data = read(file)
    rom = _named(file, lambda: parse(data))
    findings = check(rom)
    verdicts = {authority.value: accepted(rom, authority, findings) for authority in Authority}
    if as_json:
        found = [finding.as_dict() for finding in findings]
        click.echo(json.dumps({"file": str(file), "accepted": verdicts, "findings": found}, indent=2))
    else:
        _show_findings(file, rom, findings, verdicts)
    if not all(verdicts.values()):
        click.get_current_context().exit(int(ExitCode.NOT_FINE))


@command.command(short_help="Build a ROM image; no compiler is needed.")
@click.option(
    "--mode",
    type=_MODE,
    default="decline",
    show_default=True,
    help="What the ROM answers.",
)
@click.option(
    "--virtual-top",
    callback=_address,
    default="0",
    help="Lowest address that the hypervisor uses; a multiple of 4 KiB. Default: nothing is reserved.",
)
@click.option(
    "--api",
    type=click.Choice(list(_BASES)),
    default="3",
    show_default=True,
    help="Major version of the interface: 3 is mainline Linux's, 13 that of 2006.",
)
@click.option("--manufacturer", default="openvmi", show_default=True, help="Printed by the guest.")
@click.option("--product", default="VMI ROM", show_default=True, help="Printed by the guest.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write.")
def build(  # noqa: PLR0913, PLR0917 - one parameter for each option
    mode: str, virtual_top: int, api: str, manufacturer: str, product: str, output: Path
) -> None:
    """Build a ROM image from the code that this package carries; no compiler is needed."""
    metadata = RomMetadata(RomMode(mode), virtual_top, manufacturer, product)
    image = rebuild(images.path(_BASES[api]).read_bytes(), metadata)
    target = Output(output)
    target.write(image)
    if not target.to_stdout:
        click.echo(printable(f"{output}: {len(image)} bytes, mode {mode}"))


def read(file: Path) -> bytes:
    """Return the content of ``file``, of which no more is read than an option ROM can have.

    Raises:
        InputError: it can't be read.
    """
    try:
        # without O_NONBLOCK a named pipe that nobody writes would be waited for
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:  # noqa: PTH123
            mode = os.fstat(stream.fileno()).st_mode
            if not (S_ISREG(mode) or S_ISBLK(mode)):
                raise InputError("can't be read: neither a file nor a disk", where=str(file))
            return stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read: {getattr(error, 'strerror', error)}", where=str(file)) from error


def _named(file: Path, parse: Callable[[], RomFile]) -> RomFile:
    """Run ``parse`` and add the file's name to its error."""
    try:
        return parse()
    except InputError as error:
        raise InputError(error.what, where=str(file), help=error.help) from error


def _show_section(section: Section) -> None:
    click.echo(f"  {section.title}")
    for entry in section.entries:
        line = f"    {entry.offset:#08x} {entry.size:>6}  {entry.name:<17} {entry.value:<23} {entry.meaning}"
        click.echo(printable(line))


def _show_findings(file: Path, rom: RomFile, findings: list[Finding], verdicts: dict[str, bool]) -> None:
    names = _AUTHORITIES | {"guest": _guest(rom.images)}
    for finding in findings:
        labels = names | {"guest": _guest(rom.images[finding.image : finding.image + 1])}
        who = ", ".join(labels[authority.value] for authority in finding.rule.authorities)
        where = f" (image {finding.image})" if len(rom.images) > 1 else ""
        click.echo(printable(f"{finding.rule.severity.value:<6} {finding.rule.id:<16} {finding}{where} [{who}]"))
        click.echo(f"{'':<23} {finding.rule.source}")
    for authority, fine in verdicts.items():
        click.echo(f"{printable(str(file))}: {names[authority]}: {'takes it' if fine else 'would not run it'}")


def _guest(found: Sequence[ImageInfo]) -> str:
    """Return what to call a guest of the images' generations; mainline is who is asked about others."""
    named = {_GUESTS[image.vmi.generation] for image in found if image.vmi and image.vmi.generation in _GUESTS}
    return " or ".join(sorted(named, reverse=True)) or _GUESTS["D"]
