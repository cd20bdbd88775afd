# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The code of a kernel, looked at closely: where its instructions lead, and who points at them.

What is asked of a hostile file costs no more than of a kernel: flows are kept up to a size, whoever follows code spends
a budget, and searches for pointers end with an answer that claims nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from iced_x86 import Code, Decoder, FlowControl, Instruction, Mnemonic, OpKind, Register

from .budget import Budget
from .model import Kernel
from .sweep import Scan

NOT_CALLS = (".parainstructions", ".altinstructions", "__ex_table", "__bug_table", ".smp_locks", ".notes")
"""Sections that speak of code and lead nobody there; exception fixups are looked at apart."""

SOMEWHERE = 0
"""The place of a pointer that was not looked for, because the budget was spent; no kernel has anything there."""

_KALLSYMS = ("kallsyms_addresses", "kallsyms_num_syms")
_CHUNK = 1 << 18
_WORD = 0xFFFFFFFF
_FLOWS_KEPT = 1 << 18  # instructions, at some 250 bytes
_SEARCH_BYTES = 1 << 31
_POINTERS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Flow:
    """A stretch, instruction by instruction.

    Args:
        following: by address of an instruction, where it may go on within the stretch or right behind it.
        end: the address behind the last instruction.
        computed: where tables of code begin that are jumped into, and how far apart their entries are.
        calls: by address of a direct call, what it calls.
        padding: instructions that do nothing, such as fill the room between functions.
    """

    following: dict[int, tuple[int, ...]]
    end: int
    computed: dict[int, tuple[int, int]]
    calls: dict[int, int]
    padding: set[int]

    def reached(self, starts: Iterable[int]) -> set[int]:
        """Return every address that is reached from ``starts``; :attr:`end` is among them if it runs on."""
        seen: set[int] = set()
        todo = [start for start in starts if start in self.following]
        while todo:
            address = todo.pop()
            if address in seen:
                continue
            seen.add(address)
            todo += [next_ for next_ in self.following.get(address, ()) if next_ not in seen]
            if address in self.computed:
                todo += self._table(*self.computed[address])
        return seen

    def _table(self, first: int, step: int) -> list[int]:
        """Return the entries of a table of code: as far as each is an instruction."""
        return list(takewhile(self.following.__contains__, range(first, self.end, step)))


class Text:
    """The code of a kernel.

    Args:
        kernel: the kernel.
        scans: every stretch of it, by address.
    """

    def __init__(self, kernel: Kernel, scans: Sequence[Scan]) -> None:
        self.kernel = kernel
        self.scans = scans
        self._starts = [scan.stretch.start for scan in scans]
        self._flows: dict[int, Flow] = {}
        self._kept = 0
        self._left = _SEARCH_BYTES
        self.budget = Budget()

    def index_at(self, address: int) -> int | None:
        """Return the number of the stretch that holds ``address``, or None."""
        index = bisect_right(self._starts, address) - 1
        return index if index >= 0 and address < self.scans[index].stretch.end else None

    def at(self, address: int) -> Scan | None:
        """Return the scan of the stretch that holds ``address``, or None."""
        index = self.index_at(address)
        return None if index is None else self.scans[index]

    def flow(self, scan: Scan) -> Flow:
        """Return where each instruction of a stretch leads."""
        start = scan.stretch.start
        if start not in self._flows:
            self.budget.spend(scan.count)
            self._kept += scan.count
            if self._kept > _FLOWS_KEPT:
                self._flows.clear()
                self._kept = scan.count
            self._flows[start] = _flow_of(scan)
        return self._flows[start]

    def operands(self, scan: Scan) -> set[int]:
        """Return the addresses that instructions of a stretch read or write."""
        self.budget.spend(scan.count)
        return _operands(scan)

    def pointed_to(self, wanted: Iterable[int]) -> set[int]:
        """Return those of the addresses ``wanted`` that four bytes of the image spell, at any alignment."""
        found: set[int] = set()
        left = set(wanted)
        for data in self._pointer_bytes() if left else ():
            for shift in range(4):
                part = data[shift : shift + (len(data) - shift) // 4 * 4]
                for at in range(0, len(part), _CHUNK):
                    found |= left.intersection(array("I", part[at : at + _CHUNK]))
        return found

    def pointers_to(self, target: int) -> list[int]:
        """Return every address at which four bytes of the image spell ``target``; in code, those that are an operand.

        If there are too many, or too much was searched already, it is :data:`SOMEWHERE`.
        """
        pattern = (target & _WORD).to_bytes(4, "little")
        found: list[int] = []
        for section in self.kernel.sections:
            if self._left <= 0:
                return [SOMEWHERE]
            at = -1 if section.name in NOT_CALLS else section.data.find(pattern)
            while at >= 0:
                if len(found) == _POINTERS_MAX:
                    return [SOMEWHERE]
                found.append(section.address + at)
                at = section.data.find(pattern, at + 1)
            self._left -= len(section.data)
        self._left -= len(found) << 10
        first, last = self._kallsyms()
        return [address for address in found if not first <= address < last and self._is_operand(address)]

    def _is_operand(self, address: int) -> bool:
        """Tell whether an operand of an instruction begins at ``address``; true where that is not known.

        What has a label only may be data, or 16-bit code such as the start of another CPU.
        """
        scan = self.at(address)
        if scan is None or scan.flaw or (scan.stretch.symbol and scan.stretch.symbol.kind == "label"):
            return True
        self.budget.spend(scan.count)
        return _begins_operand(scan, address)

    def _kallsyms(self) -> tuple[int, int]:
        """Return the range of the table that has every symbol's address for printing."""
        first, last = (self.kernel.named.get(name) for name in _KALLSYMS)
        return (first.address, last.address) if first and last else (0, 0)

    def _pointer_bytes(self) -> Iterator[bytes]:
        first, last = self._kallsyms()
        for section in self.kernel.sections:
            if section.name in NOT_CALLS:
                continue
            if section.address <= first < last <= section.end:
                yield section.data[: first - section.address]
                yield section.data[last - section.address :]
            else:
                yield section.data


def _begins_operand(scan: Scan, address: int) -> bool:
    decoder = Decoder(32, scan.stretch.data, ip=scan.stretch.start)
    for instruction in decoder:
        if instruction.ip32 <= address < instruction.next_ip32:
            offsets = decoder.get_constant_offsets(instruction)
            return address - instruction.ip32 in {offsets.displacement_offset, offsets.immediate_offset}
    return True


def _flow_of(scan: Scan) -> Flow:
    """Decode the stretch of ``scan`` again, this time with where each instruction leads."""
    stops = {FlowControl.UNCONDITIONAL_BRANCH, FlowControl.INDIRECT_BRANCH, FlowControl.RETURN, FlowControl.EXCEPTION}
    branches = {FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH}
    fill = {Mnemonic.NOP, Mnemonic.INT3}
    following: dict[int, tuple[int, ...]] = {}
    computed: dict[int, tuple[int, int]] = {}
    calls: dict[int, int] = {}
    padding: set[int] = set()
    address = scan.stretch.start
    for instruction in Decoder(32, scan.stretch.data, ip=address):
        if instruction.mnemonic in fill or _does_nothing(instruction):
            padding.add(instruction.ip32)
        kind = instruction.flow_control
        address = instruction.next_ip32
        to = () if kind in stops else (address,)
        if kind in branches and not instruction.is_jmp_far:
            to = (*to, instruction.near_branch_target)
        following[instruction.ip32] = to
        if kind == FlowControl.CALL:
            calls[instruction.ip32] = instruction.near_branch_target
        elif instruction.code == Code.LEA_R32_M and instruction.memory_base == Register.NONE:
            computed[instruction.ip32] = (instruction.memory_displacement & _WORD, instruction.memory_index_scale)
    return Flow(following, address, computed, calls, padding)


def _does_nothing(instruction: Instruction) -> bool:
    """Tell whether ``instruction`` moves a register to itself, or its address with nothing added."""
    register = instruction.op0_register
    if instruction.code in {Code.MOV_R32_RM32, Code.MOV_RM32_R32, Code.XCHG_RM32_R32}:
        return register == instruction.op1_register
    plain = instruction.memory_base == register and instruction.memory_index == Register.NONE
    return instruction.code == Code.LEA_R32_M and plain and instruction.memory_displacement == 0


def _operands(scan: Scan) -> set[int]:
    return {
        instruction.memory_displacement
        for instruction in Decoder(32, scan.stretch.data, ip=scan.stretch.start)
        if instruction.memory_base == instruction.memory_index == Register.NONE
        and OpKind.MEMORY in {instruction.op0_kind, instruction.op1_kind}
        and instruction.code != Code.LEA_R32_M
        and not instruction.is_jmp_near_indirect
        and not instruction.is_call_near_indirect
    }
