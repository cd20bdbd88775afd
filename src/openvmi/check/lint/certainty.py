# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Says of a stretch whether it was decoded with certainty, and if not, why.

Bytes that decode are not code for that: tables, strings and 16-bit code decode, too. A stretch is certain where all of
it decodes, no branch leads into the middle of an instruction, and each instruction that matters is reached: from the
start of a function, a branch, an exception fixup, a pointer somewhere in the image, or the stretch before it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from .code import Flow, Text
from .model import Kernel
from .sweep import Scan

_CHAIN = 16


def _linear(kernel: Kernel, targets: Iterable[int]) -> list[int]:
    """Return the linear addresses of those targets that are physical ones of the kernel."""
    below = kernel.sections[0].address
    return [target + kernel.offset for target in targets if kernel.offset and target < below]


class Judge:
    """Says why stretches are not certain.

    Args:
        text: the code of a kernel.
        entries: addresses where code begins for a reason that the image tells: its entry, exception fixups.
    """

    def __init__(self, text: Text, entries: Iterable[int]) -> None:
        self.text = text
        self._kernel, self._scans = text.kernel, text.scans
        scans = text.scans
        self._starts = [scan.stretch.start for scan in scans]
        # what is no code has no say in where code begins
        targets = {target for scan in scans if not scan.flaw for target in scan.targets}
        self._targets = sorted({*entries, *targets, *_linear(text.kernel, targets)})
        self._pointed: set[int] = set()
        self._arrives: dict[int, bool] = {}

    def doubts(self) -> dict[int, str]:
        """Return why hits are in doubt, by their address; one that is missing is certain."""
        open_ = {hit.address: "" for scan in self._scans for hit in scan.hits}
        self._pointed = set()
        missing = [index for index, scan in enumerate(self._scans) if scan.hits and not scan.flaw and self._lost(index)]
        self._pointed = self.text.pointed_to(self._candidates(missing))
        self._arrives.clear()
        for index, scan in enumerate(self._scans):
            if scan.hits:
                open_.update(self._judge(index, scan))
        return {address: reason for address, reason in open_.items() if reason}

    def runs_into(self, address: int) -> bool:
        """Tell whether the stretch that begins at ``address`` is entered from the one before it."""
        index = bisect_left(self._starts, address)
        if not 0 < index < len(self._scans) or self._starts[index] != address or not self._runs_on(index - 1):
            return False
        flow = self._flow(index - 1)
        reached = self._reached(index - 1)
        return any(flow.end in flow.following[at] for at in reached if at in flow.following)

    def _judge(self, index: int, scan: Scan) -> dict[int, str]:
        reason = scan.flaw or self._inconsistent(index)
        if not reason and scan.stretch.symbol is None and not self._has_symbols(scan):
            reason = "no symbol tells where code begins"
        if reason:
            return dict.fromkeys((hit.address for hit in scan.hits), reason)
        if scan.stretch.section.mixed and not self._known_start(index):
            return dict.fromkeys((hit.address for hit in scan.hits), "a label among data")
        if self._is_data(index):
            return dict.fromkeys((hit.address for hit in scan.hits), "its address is that of a memory operand")
        lost = set(self._lost(index))
        return {hit.address: "nothing is seen to lead there" for hit in scan.hits if hit.address in lost}

    def _is_data(self, index: int) -> bool:
        """Tell whether the start of a stretch that only pointers lead to is read or written."""
        stretch = self._scans[index].stretch
        if stretch.start not in self._pointed or self._known_start(index) or stretch.start in self._inside(index):
            return False
        inside = (self.text.at(pointer) for pointer in self.text.pointers_to(stretch.start))
        return any(stretch.start in self.text.operands(scan) for scan in inside if scan is not None)

    def _has_symbols(self, scan: Scan) -> bool:
        section, symbols = scan.stretch.section, self._kernel.symbols
        index = bisect_left(symbols, section.address, key=lambda symbol: symbol.address)
        return index < len(symbols) and symbols[index].address < section.end

    def _flow(self, index: int) -> Flow:
        return self.text.flow(self._scans[index])

    def _inside(self, index: int) -> list[int]:
        """Return the branch targets in a stretch."""
        stretch = self._scans[index].stretch
        return self._targets[bisect_left(self._targets, stretch.start) : bisect_left(self._targets, stretch.end)]

    def _inconsistent(self, index: int) -> str:
        boundaries = self._flow(index).following
        wrong = [target for target in self._inside(index) if target not in boundaries]
        return f"a branch leads into the middle of an instruction, to {wrong[0]:#010x}" if wrong else ""

    def _lost(self, index: int) -> list[int]:
        """Return the addresses of the hits of a stretch that nothing leads to, as far as is known."""
        hits = self._scans[index].hits
        reached = self._reached(index)
        return [hit.address for hit in hits if hit.address not in reached]

    def _reached(self, index: int) -> set[int]:
        """Return what is reached in a stretch, looking back over stretches that run on into it."""
        first = index
        while first not in self._arrives and first > self._first(index):
            first -= 1
        arrives = self._arrives.get(first, False)
        reached: set[int] = set()
        for number in range(first, index + 1):
            self._arrives[number] = arrives
            flow, start = self._flow(number), self._scans[number].stretch.start
            reached = flow.reached([*self._sources(number), *([start] if arrives else [])])
            self.text.budget.spend(len(reached))
            arrives = any(flow.end in flow.following[address] for address in reached if address in flow.following)
        return reached

    def _first(self, index: int) -> int:
        """Return the first of the stretches from which a stretch may be run on into."""
        first = index
        while first > max(0, index - _CHAIN) and not self._known_start(first) and self._runs_on(first - 1):
            first -= 1
        return first

    def _known_start(self, index: int) -> bool:
        symbol = self._scans[index].stretch.symbol
        return symbol is not None and symbol.kind == "func"

    def _runs_on(self, index: int) -> bool:
        """Tell whether a stretch may run on into the next: both touch, and it is sound."""
        scan, following = self._scans[index], self._scans[index + 1]
        return not scan.flaw and scan.stretch.end == following.stretch.start

    def _sources(self, index: int) -> list[int]:
        stretch = self._scans[index].stretch
        start = [stretch.start] if self._known_start(index) else []
        return [*start, *self._inside(index), *(self._pointed & self._flow(index).following.keys())]

    def _candidates(self, indices: Iterable[int]) -> set[int]:
        """Return the addresses that a pointer would have to hold to lead into these stretches, or those before them."""
        wanted: set[int] = set()
        numbers = {number for index in indices for number in range(self._first(index), index + 1)}
        for number in sorted(numbers):
            following = self._flow(number).following
            self.text.budget.spend(len(following))
            wanted.update(following)
        return wanted
