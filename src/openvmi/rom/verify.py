# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Applies the rules of :mod:`openvmi.rom.rules` to an image: what is wrong, and who would refuse it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .model import RomFile
from .parser import parse
from .rules import RULES, Authority, Rule, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that an image breaks.

    Args:
        rule: which.
        image: number of the image in its file, from 0.
        offset: of that image in the file, in bytes.
        detail: how it is broken.
    """

    rule: Rule
    image: int
    offset: int
    detail: str

    def __str__(self) -> str:
        return f"{self.rule.text}: {self.detail}"

    def as_dict(self) -> dict[str, object]:
        """Return the finding as plain data, for ``--json``."""
        return {
            "rule": self.rule.id,
            "severity": self.rule.severity.value,
            "authorities": [authority.value for authority in self.rule.authorities],
            "source": self.rule.source,
            "text": self.rule.text,
            "image": self.image,
            "offset": self.offset,
            "detail": self.detail,
        }


def verify(data: bytes) -> list[Finding]:
    """Return every rule that a ROM file breaks, image by image in the order of :data:`RULES`.

    Raises:
        InputError: not an option ROM at all (see :func:`openvmi.rom.parse`).
    """
    return check(parse(data))


def check(rom: RomFile) -> list[Finding]:
    """Return every rule that ``rom`` breaks, as :func:`verify`."""
    return [
        Finding(rule, number, image.offset, detail)
        for number, image in enumerate(rom.images)
        for rule in RULES
        if (detail := rule.broken(rom, image)) is not None
    ]


def accepted(rom: RomFile, authority: Authority, findings: Iterable[Finding] | None = None) -> bool:
    """Tell whether ``authority`` finds an image in ``rom`` that it takes and that then works.

    Guests and BIOSes skip an image that they don't take and go on to the next. ``findings`` saves a second check.
    """
    findings = check(rom) if findings is None else findings
    refused = {finding.image for finding in findings if _fatal(finding, authority)}
    return len(refused) < len(rom.images)


def refusals(data: bytes, authority: Authority = Authority.GUEST) -> list[Finding]:
    """Return why ``authority`` takes no image of the file ``data``; empty if it takes one.

    Raises:
        InputError: not an option ROM at all.
    """
    rom = parse(data)
    findings = check(rom)
    if accepted(rom, authority, findings):
        return []
    return [finding for finding in findings if _fatal(finding, authority)]


def _fatal(finding: Finding, authority: Authority) -> bool:
    return authority in finding.rule.authorities and finding.rule.severity is not Severity.WARN
