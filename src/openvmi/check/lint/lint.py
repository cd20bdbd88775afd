# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lint: a kernel in, a report out. Sweep, certainty, coverage, in that order."""

from __future__ import annotations

from bisect import bisect_right

from ...errors import InputError
from .budget import BRANCHES, INSTRUCTIONS
from .certainty import Judge
from .code import Text
from .coverage import Coverage
from .model import Cover, Doubt, Finding, Hit, Kernel, Places, Report
from .paravirt import Paravirt, find_paravirt
from .records import Records, read_records
from .sweep import HITS_MAX, Scan, Sweeper, cut


def lint(kernel: Kernel) -> Report:
    """Return every instruction of ``kernel`` that matters when it runs deprivileged, and what covers it.

    Raises:
        InputError: there are more than any kernel has, or following its code takes more steps than any kernel's.
    """
    records = read_records(kernel)
    scans = _sweep(kernel, records)
    places = Places(kernel)
    text = Text(kernel, scans)
    paravirt = find_paravirt(text, places, records.sites)
    entries = records.entries | ({kernel.entry} if kernel.entry is not None else set())
    judge = Judge(text, entries)
    doubts = judge.doubts()
    coverage = Coverage(judge, records, paravirt, places)
    copies = _Copies(records, places)
    findings = []
    for scan in scans:
        for hit in scan.hits:
            doubt = doubts.get(hit.address, "")
            cover, note = (Cover.NONE, "") if doubt else coverage.of(hit)
            findings.append(_finding(scan, hit, places, cover, doubt, "; ".join(filter(None, (note, copies.of(hit))))))
    return Report(
        findings=tuple(findings),
        doubts=tuple(_doubts(scans, findings, places)),
        notes=tuple(_notes(kernel, records, paravirt)),
        instructions=sum(scan.count for scan in scans),
        code_bytes=sum(scan.stretch.end - scan.stretch.start for scan in scans),
    )


def _sweep(kernel: Kernel, records: Records) -> list[Scan]:
    sweeper, scans = Sweeper(), []
    limits = {"sensitive instructions": HITS_MAX, "branches": BRANCHES, "instructions": INSTRUCTIONS}
    counts = dict.fromkeys(limits, 0)
    for stretch in cut(kernel, records.entries):
        scan = sweeper.scan(stretch)
        scans.append(scan)
        for what, count in zip(limits, (len(scan.hits), len(scan.targets), scan.count), strict=True):
            counts[what] += count
            if counts[what] > limits[what]:
                raise InputError(f"more than {limits[what]} {what}: this is no kernel's code")
    return scans


class _Copies:
    """What the records say of an instruction besides covering it."""

    def __init__(self, records: Records, places: Places) -> None:
        self._fixups = records.fixups
        self._alternatives = sorted((a for a in records.alternatives if a.length), key=lambda a: a.start)
        self._places = places

    def of(self, hit: Hit) -> str:
        """Return what is known of ``hit``; may be empty."""
        index = bisect_right(self._alternatives, hit.address, key=lambda a: a.start) - 1
        found = self._alternatives[index] if index >= 0 else None
        if found is not None and hit.address < found.start + found.length:
            return f"copied to {self._places.text(found.site)} on CPUs with feature {found.feature}"
        return "has an exception fixup" if hit.address in self._fixups else ""


def _finding(  # noqa: PLR0913, PLR0917 - the parts of a record
    scan: Scan, hit: Hit, places: Places, cover: Cover, doubt: str, note: str
) -> Finding:
    symbol, section = places.symbol(hit.address), scan.stretch.section
    base = symbol.address if symbol else section.address
    return Finding(hit, section.name, symbol.name if symbol else "", hit.address - base, cover, doubt, note)


def _doubts(scans: list[Scan], findings: list[Finding], places: Places) -> list[Doubt]:
    reasons = {finding.hit.address: finding.doubt for finding in findings if finding.doubt}
    made = []
    for scan in scans:
        reason = scan.flaw or next((reasons[hit.address] for hit in scan.hits if hit.address in reasons), "")
        if reason:
            made.append(Doubt(scan.stretch.start, scan.stretch.end, places.text(scan.stretch.start), reason))
    return made


def _notes(kernel: Kernel, records: Records, paravirt: Paravirt) -> list[str]:
    notes = [kernel.origin]
    if not kernel.symbols:
        notes.append("no symbols: where functions begin is not known, so nothing is certain")
    if records.sites or records.inline:
        notes.append(f"{len(records.sites)} patch sites that call, {len(records.inline)} with native code inline")
    if records.annotations:
        notes.append(f"{len(records.annotations)} VMI annotations of the 2006 generation")
    if paravirt.words:
        replaced = sum(word.replaced for word in paravirt.words.values())
        who = f"VMI code replaces {replaced}" if replaced else "no VMI code replaces any"
        notes.append(f"{len(paravirt.words)} paravirt operations; {who}")
    else:
        notes.append("no paravirt tables: nothing is covered by one")
    notes += [f"{count} damaged records in {name}, which cover nothing" for name, count in records.damaged.items()]
    return notes
