# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the code that runs before VMI can be on: what is on the way from the image's entry to the first unknown turn.

Only what nothing else leads to counts. Calls of short functions are followed, because start-up code makes some; a call
of anything longer ends the way, as C code may turn VMI on.
"""

from __future__ import annotations

from bisect import bisect_right

from iced_x86 import Code, Decoder, FlowControl

from .code import Text
from .sweep import Scan

_Steps = dict[int, tuple[int, ...]]
_WAY_MAX = 2000
_CALLEE_MAX = 64


class _Way:
    """Follows code from an address.

    Args:
        text: the code of a kernel.
    """

    def __init__(self, text: Text) -> None:
        self._text = text
        self._calls: dict[int, int] = {}
        self._jumps: _Steps = {}
        self._known: set[int] = set()
        self._unknown: set[int] = set()

    def follow(self, start: int, limit: int, *, calls: bool) -> _Steps | None:
        """Return where each instruction on the way leads, by address.

        Args:
            start: the first instruction.
            limit: the most instructions.
            calls: whether calls are followed; a callee must make none, and no indirect jump.

        Returns:
            None if there are more than ``limit``, or a callee is not as it must be.
        """
        seen: _Steps = {}
        todo = [start]
        while todo:
            address = todo.pop()
            if address in seen:
                continue
            if not self._decoded(address):
                if not calls:
                    return None
                continue
            if len(seen) >= limit or (address in self._unknown and not calls):
                return None
            to = self._jumps[address]
            if address in self._calls:
                if not calls:
                    return None
                callee = self.follow(self._calls[address], _CALLEE_MAX, calls=False)
                to = (*to, self._calls[address]) if callee is not None else ()
                seen.update(callee or {})
            seen[address] = to
            todo += to
        return seen

    def _decoded(self, address: int) -> bool:
        scan = self._text.at(address)
        if scan is None or scan.flaw:
            return False
        if scan.stretch.start not in self._known:
            self._known.add(scan.stretch.start)
            self._decode(scan)
        return address in self._jumps

    def _decode(self, scan: Scan) -> None:
        flow = self._text.flow(scan)
        self._text.budget.spend(scan.count)
        self._jumps.update(flow.following)
        self._calls.update(flow.calls)
        for instruction in Decoder(32, scan.stretch.data, ip=scan.stretch.start):
            if instruction.code == Code.JMP_PTR1632:
                target = instruction.far_branch32
                low = target < self._text.kernel.sections[0].address
                self._jumps[instruction.ip32] = (target + self._text.kernel.offset if low else target,)
            elif instruction.flow_control in {FlowControl.INDIRECT_CALL, FlowControl.INDIRECT_BRANCH}:
                self._jumps[instruction.ip32] = ()
                self._unknown.add(instruction.ip32)


def boot_code(text: Text) -> set[int]:
    """Return the addresses of the instructions that run before VMI can be on."""
    entry = text.kernel.entry
    way = _Way(text).follow(entry, _WAY_MAX, calls=True) if entry is not None else None
    if way is None:
        return set()
    outside = _entered(text, way)
    later: set[int] = set()
    while outside:
        address = outside.pop()
        if address not in later:
            later.add(address)
            outside += [to for to in way[address] if to in way]
    return way.keys() - later


def _entered(text: Text, way: _Steps) -> list[int]:
    """Return the instructions on the way to which code elsewhere, or a pointer, leads as well."""
    kernel = text.kernel
    targets = {target for scan in text.scans if not scan.flaw for target in scan.targets}
    held = {text.index_at(address) for address in way}
    found: set[int] = set()
    for index, scan in enumerate(text.scans):
        if index in held or scan.stretch.end in way or any(target in way for target in scan.targets):
            found |= _turns(text, scan, way, targets)
    inner = way.keys() - {kernel.entry}
    # other CPUs may be sent to a symbol's physical address
    symbols = {symbol.address - kernel.offset: symbol.address for symbol in kernel.symbols if symbol.address in inner}
    for spelled in text.pointed_to(inner | symbols.keys()):
        if any(not _belongs(text, pointer, way) for pointer in text.pointers_to(spelled)):
            found.add(spelled if spelled in inner else symbols[spelled])
    return list(found)


def _belongs(text: Text, pointer: int, way: _Steps) -> bool:
    """Tell whether a pointer is part of the way, or of a table that only the way reads."""
    if _inside(text, pointer, way):
        return True
    symbols, offset = text.kernel.symbols, text.kernel.offset
    index = bisect_right(symbols, pointer, key=lambda symbol: symbol.address) - 1
    if index < 0:
        return False
    table = symbols[index].address
    readers = [reader for spelled in {table, table - offset} for reader in text.pointers_to(spelled)]
    return bool(readers) and all(_inside(text, reader, way) for reader in readers)


def _inside(text: Text, pointer: int, way: _Steps) -> bool:
    """Tell whether the bytes at ``pointer`` are part of an instruction on the way."""
    return text.at(pointer) is not None and any(address in way for address in range(pointer - 6, pointer))


def _turns(text: Text, scan: Scan, way: _Steps, targets: set[int]) -> set[int]:
    """Return where instructions of a stretch that are not on the way themselves lead on it.

    Padding that nothing runs into leads nowhere. What was not decoded with certainty leads everywhere it seems to.
    """
    flow = text.flow(scan)
    found = {to for address, to in flow.calls.items() if address not in way and to in way}
    fed: set[int] = set()
    for address, following in flow.following.items():
        if address not in flow.padding or address in fed or address in targets:
            fed.update(following)
            if address not in way:
                found |= {to for to in following if to in way}
    return found
