# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Conformance of ROM images, ours or anybody's: ``check_rom`` judges one file by the interface's tables.

Layout is judged by :mod:`openvmi.rom.rules`; everything else by executing the image in Unicorn, through its public
interface alone. Unicorn is imported when a check runs, and is not needed for anything else.
"""

from __future__ import annotations

from dataclasses import replace

from ...errors import UsageError
from ...rom import ImageInfo, RomFile, Severity, check, is_blank, parse
from .model import CallResult, CaseResult, Finding, ImageReport, Kind, Report, Status

__all__ = ["CallResult", "CaseResult", "Finding", "ImageReport", "Kind", "Report", "Status", "check_rom"]

MOST_IMAGES = 8
"""Images of one file that are executed."""


def check_rom(data: bytes) -> Report:
    """Return what is to be said of a ROM file.

    Raises:
        InputError: not an option ROM at all (see :func:`openvmi.rom.parse`).
        UsageError: Unicorn is not installed.
    """
    rom = parse(data)
    _need_unicorn()
    return Report(tuple(_image(rom, number, image) for number, image in enumerate(rom.images)))


def _need_unicorn() -> None:
    try:
        import unicorn  # noqa: F401, PLC0415 - 50 ms, and an extra
    except ImportError as error:
        raise UsageError("executing a ROM needs Unicorn", help="pip install 'openvmi[check]'") from error


def _image(rom: RomFile, number: int, image: ImageInfo) -> ImageReport:
    from .execute import executed  # noqa: PLC0415 - it imports Unicorn
    from .generation import generation_of  # noqa: PLC0415

    findings = tuple(_layout(rom, number))
    generation = generation_of(image.vmi) if image.vmi else None
    version = f"API {image.vmi.api[0]}.{image.vmi.api[1]}" if image.vmi else "not a VMI ROM"
    report = ImageReport(number, image.offset, "", version, findings=findings)
    if image.vmi is None or generation is None:
        return _not_executed(report, f"{version}: there are no tables here for such ROMs")
    query = generation.calls.contract
    report = ImageReport(
        number,
        image.offset,
        generation.tables.generation,
        version,
        findings=findings,
        points=(generation.init.name, *([query.name] if query else [])),
    )
    if any(finding.rule == "jump-points" for finding in findings):
        return _not_executed(report, "there is no code at the jump points")
    if is_blank(image.data[generation.init_entry :][: len(image.entry)]):
        return _not_executed(report, f"there is no code for {generation.init.name}")
    if number >= MOST_IMAGES:
        return _not_executed(report, f"it is not among the first {MOST_IMAGES} images")
    return executed(image, image.vmi, generation, report)


def _not_executed(report: ImageReport, reason: str) -> ImageReport:
    return replace(report, reason=reason)


def _layout(rom: RomFile, number: int) -> list[Finding]:
    return [
        Finding(
            rule=found.rule.id,
            severity="warn" if found.rule.severity is Severity.WARN else "fail",
            text=found.rule.text,
            call="",
            case="",
            expected="",
            seen=found.detail,
            where=f"file+{found.offset:#x}" if found.offset else "",
            source=found.rule.source,
            image=number,
        )
        for found in check(rom)
        if found.image == number
    ]
