# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Says of an instruction why it does not matter to a deprivileged kernel, or that it does.

Whatever is not seen to be covered is not covered. A function is reached through paravirt tables only where no other
pointer, no branch and no stretch before it leads to it, or only such functions do.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from .boot import boot_code
from .certainty import Judge
from .model import Cover, Hit, Places, Symbol
from .paravirt import Paravirt
from .records import Records, Site
from .sweep import Scan

_DEPTH = 8
_FIXUP_MAX = 32
_VERDICTS = {".pv_inline": Cover.SITE, ".parainstructions": Cover.SITE, ".vmi.annotation": Cover.ANNOTATION}


class Coverage:
    """Knows what covers the instructions of one kernel.

    Args:
        judge: knows which stretches run on into the next.
        records: what the kernel says of its own code.
        paravirt: its paravirt layer.
        places: names addresses.
    """

    def __init__(self, judge: Judge, records: Records, paravirt: Paravirt, places: Places) -> None:
        self._judge, self._text = judge, judge.text
        kernel, scans = self._text.kernel, self._text.scans
        self._records, self._paravirt, self._places = records, paravirt, places
        self._boot = boot_code(self._text)
        sites = (*records.sites, *records.inline, *records.annotations)
        self._sites = sorted(sites, key=lambda site: site.start)
        self._natives: dict[int, list[int]] = {}
        for word in paravirt.words.values():
            self._natives.setdefault(word.target, []).append(word.address)
        self._functions = [s for s in kernel.symbols if s.kind == "func" and s.size]
        self._sources: dict[int, list[Scan]] = {}
        for scan in scans:
            for target in scan.targets:
                self._sources.setdefault(target, []).append(scan)
        self._targets = sorted(self._sources)
        self._verdicts: dict[int, str] = {}
        self._templates = sorted(paravirt.templates, key=lambda template: template.start)
        self._begins = {template.stop: template.start for template in self._templates}
        self._faults = sorted(records.fixups)

    def of(self, hit: Hit) -> tuple[Cover, str]:
        """Return what covers ``hit``, and a note that may be empty. ``hit`` must be an instruction for certain."""
        site = self._site(hit)
        if site is not None:
            return self._in_site(site)
        if hit.address in self._boot:
            return Cover.BOOT, ""
        template = self._template(hit.address)
        if template is not None and self._is_template(template):
            return Cover.TEMPLATE, ""
        function = self._function(hit.address)
        if function is None:
            return Cover.NONE, ""
        reason = self._reached_otherwise(function, 0)
        names = self._words(function)
        if not reason:
            return Cover.TABLE, names
        return Cover.NONE, reason if names or reason.startswith("through") else ""

    def _site(self, hit: Hit) -> Site | None:
        index = bisect_right(self._sites, hit.address, key=lambda site: site.start) - 1
        site = self._sites[index] if index >= 0 else None
        return site if site is not None and hit.end <= site.end else None

    def _in_site(self, site: Site) -> tuple[Cover, str]:
        scan = self._text.at(site.start)
        flow = self._text.flow(scan) if scan else None
        if (
            flow is None
            or site.start not in flow.following
            or (site.end != flow.end and site.end not in flow.following)
        ):
            return Cover.NONE, f"the record of {site.record} cuts an instruction in two"
        word = self._paravirt.by_type(site.type)
        if site.record == ".vmi.annotation":
            return Cover.ANNOTATION, f"call {site.type}"
        if word is None or not word.replaced:
            return Cover.NONE, f"in a site of operation {site.type}, which VMI is not seen to take"
        return _VERDICTS[site.record], word.name

    def _template(self, address: int) -> range | None:
        """Return the template that holds ``address``."""
        index = bisect_right(self._templates, address, key=lambda template: template.start) - 1
        return self._templates[index] if index >= 0 and address in self._templates[index] else None

    def _is_template(self, around: range) -> bool:
        """Tell whether nothing leads into the template ``around`` but what reads it."""
        if self._between(around):
            return False
        first = around.start
        while first in self._begins:  # templates run on into each other, where nobody begins
            self._text.budget.spend(1)
            first = self._begins[first]
        return not self._judge.runs_into(first) and all(
            "patch" in self._places.text(pointer) for pointer in self._text.pointers_to(around.start)
        )

    def _function(self, address: int) -> range | None:
        """Return the extent of the function that holds ``address``."""
        index = bisect_right(self._functions, address, key=lambda symbol: symbol.address) - 1
        for symbol in reversed(self._functions[max(0, index - 3) : index + 1]):
            if symbol.address <= address < symbol.address + symbol.size:
                return range(symbol.address, symbol.address + symbol.size)
        return self._label(self._places.symbol(address))

    def _label(self, symbol: Symbol | None) -> range | None:
        scan = self._text.at(symbol.address) if symbol else None
        return range(scan.stretch.start, scan.stretch.end) if scan else None

    def _words(self, function: range) -> str:
        words = [self._paravirt.words[at] for at in self._natives.get(function.start, ())]
        return ", ".join(word.name for word in words)

    def _reached_otherwise(self, function: range, depth: int) -> str:
        """Return how ``function`` is reached past the VMI back end; empty if it is not."""
        if function.start not in self._verdicts:
            # while it is being judged, a call from itself by way of others says nothing for it
            self._verdicts[function.start] = "nothing is seen to lead there"
            self._verdicts[function.start] = self._judge_function(function, depth)
        return self._verdicts[function.start]

    def _judge_function(self, function: range, depth: int) -> str:
        words = [self._paravirt.words[at] for at in self._natives.get(function.start, ())]
        kept = [word.name for word in words if not word.replaced]
        if kept:
            return f"through {', '.join(kept)}, which the VMI back end leaves native"
        callers, why = self._callers(function)
        if why:
            return why
        if not words and not callers:
            return "nothing is seen to lead there"
        if depth >= _DEPTH:
            return "reached in too many steps"
        for caller in callers:
            reason = self._reached_otherwise(caller, depth + 1)
            if reason:
                place = self._places.text(caller.start)
                return reason if reason.startswith("through") else f"also reached from {place}"
        return self._other_pointers(function)

    def _callers(self, function: range) -> tuple[list[range], str]:
        """Return the functions that branch to ``function``; or why that is not all that leads there."""
        callers: dict[int, range] = {}
        for target in self._between(function):
            for scan in self._sources[target]:
                start = scan.stretch.start
                if start in function:
                    continue
                caller = self._function(start)
                if target != function.start:
                    if not self._only_fixups(scan, target, function):
                        return [], f"also entered at {self._places.text(target)}"
                elif caller is None:
                    return [], f"also reached from {self._places.text(start)}"
                else:
                    callers[caller.start] = caller
        if self._judge.runs_into(function.start):
            return [], "also reached from the code before it"
        return list(callers.values()), ""

    def _between(self, function: range) -> Sequence[int]:
        return self._targets[
            bisect_right(self._targets, function.start - 1) : bisect_right(self._targets, function[-1])
        ]

    def _only_fixups(self, scan: Scan, target: int, function: range) -> bool:
        """Tell whether every branch of ``scan`` to ``target`` is in the fixup of an exception in ``function``."""
        faults = self._faults[bisect_left(self._faults, function.start) : bisect_left(self._faults, function.stop)]
        fixups = [self._records.fixups[at] for at in faults]
        following = self._text.flow(scan).following
        self._text.budget.spend(len(following))
        sources = [at for at, to in following.items() if target in to]
        self._text.budget.spend(len(sources) * len(fixups))
        return all(any(to <= source < to + _FIXUP_MAX for to in fixups) for source in sources)

    def _other_pointers(self, function: range) -> str:
        for pointer in self._text.pointers_to(function.start):
            known = pointer in self._paravirt.words or any(pointer in reader for reader in self._paravirt.readers)
            if not known:
                return f"its address is also at {self._places.text(pointer)}"
        return ""
