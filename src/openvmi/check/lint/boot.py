# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the code that runs before VMI can be on: what is on the way from the image's entry to the first unknown turn.

Only what nothing else leads to counts. Calls of short functions are followed, because start-up code makes some; a call
of anything longer ends the way, as C code may turn VMI on.
"""

from __future__ import annotations

from collections.abc import Sequence

from iced_x86 import Code, Decoder, FlowControl

from .certainty import flow_of, pointed_to, pointers_to, stretch_at
from .model import Kernel
from .sweep import Scan

_WAY_MAX = 2000
_CALLEE_MAX = 64


class _Way:
    """Follows code from an address.

    Args:
        kernel: the kernel.
        scans: every stretch of it, by address.
    """

    def __init__(self, kernel: Kernel, scans: list[Scan]) -> None:
        self._kernel = kernel
        self._scans = scans
        self._calls: dict[int, int] = {}
        self._jumps: dict[int, tuple[int, ...]] = {}
        self._known: set[int] = set()
        self._unknown: set[int] = set()

    def follow(self, start: int, limit: int, *, calls: bool) -> dict[int, tuple[int, ...]] | None:
        """Return where each instruction on the way leads, by address.

        Args:
            start: the first instruction.
            limit: the most instructions.
            calls: whether calls are followed; a callee must make none, and no indirect jump.

        Returns:
            None if there are more than ``limit``, or a callee is not as it must be.
        """
        seen: dict[int, tuple[int, ...]] = {}
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
        scan = stretch_at(self._scans, address)
        if scan is None or scan.flaw:
            return False
        if scan.stretch.start not in self._known:
            self._known.add(scan.stretch.start)
            self._decode(scan)
        return address in self._jumps

    def _decode(self, scan: Scan) -> None:
        flow = flow_of(scan)
        self._jumps.update(flow.following)
        self._calls.update(flow.calls)
        for instruction in Decoder(32, scan.stretch.data, ip=scan.stretch.start):
            if instruction.code == Code.JMP_PTR1632:
                target = instruction.far_branch32
                low = target < self._kernel.sections[0].address
                self._jumps[instruction.ip32] = (target + self._kernel.offset if low else target,)
            elif instruction.flow_control in {FlowControl.INDIRECT_CALL, FlowControl.INDIRECT_BRANCH}:
                self._jumps[instruction.ip32] = ()
                self._unknown.add(instruction.ip32)


def boot_code(kernel: Kernel, scans: list[Scan]) -> set[int]:
    """Return the addresses of the instructions that run before VMI can be on."""
    if kernel.entry is None:
        return set()
    way = _Way(kernel, scans).follow(kernel.entry, _WAY_MAX, calls=True)
    if way is None:
        return set()
    outside = _entered(kernel, scans, way)
    later: set[int] = set()
    while outside:
        address = outside.pop()
        if address not in later:
            later.add(address)
            outside += [to for to in way[address] if to in way]
    return way.keys() - later


def _entered(kernel: Kernel, scans: Sequence[Scan], way: dict[int, tuple[int, ...]]) -> list[int]:
    """Return the instructions on the way to which code elsewhere, or a pointer, leads as well."""
    found = {target for scan in scans for target in _turns(scan, way)}
    inner = way.keys() - {kernel.entry}
    # other CPUs may be sent to a symbol's physical address
    symbols = {symbol.address - kernel.offset: symbol.address for symbol in kernel.symbols if symbol.address in inner}
    for spelled in pointed_to(kernel, inner | symbols.keys()):
        if any(not _belongs(kernel, scans, pointer, way) for pointer in pointers_to(kernel, spelled, scans)):
            found.add(spelled if spelled in inner else symbols[spelled])
    return list(found)


def _belongs(kernel: Kernel, scans: Sequence[Scan], pointer: int, way: dict[int, tuple[int, ...]]) -> bool:
    """Tell whether a pointer is part of the way, or of a table that only the way reads."""
    if _inside(scans, pointer, way):
        return True
    table = next((s.address for s in reversed(kernel.symbols) if s.address <= pointer), 0)
    spellings = {table, table - kernel.offset} if table else ()
    readers = [reader for spelled in spellings for reader in pointers_to(kernel, spelled, scans)]
    return bool(readers) and all(_inside(scans, reader, way) for reader in readers)


def _inside(scans: Sequence[Scan], pointer: int, way: dict[int, tuple[int, ...]]) -> bool:
    """Tell whether the bytes at ``pointer`` are part of an instruction on the way."""
    scan = stretch_at(scans, pointer)
    return scan is not None and any(address in way for address in range(pointer - 6, pointer))


def _turns(scan: Scan, way: dict[int, tuple[int, ...]]) -> set[int]:
    """Return where instructions of a stretch that are not on the way themselves lead on it."""
    near = any(target in way for target in scan.targets) or any(
        at in way for at in (scan.stretch.start, scan.stretch.end)
    )
    if not near and not any(address in way for address in range(scan.stretch.start, scan.stretch.end)):
        return set()
    flow = flow_of(scan)
    found = {to for address, to in flow.calls.items() if address not in way and to in way}
    for address, following in flow.following.items():
        if address not in way and address not in flow.padding:
            found |= {to for to in following if to in way}
    return found
