# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Says of a stretch whether it was decoded with certainty, and if not, why.

Bytes that decode are not code for that: tables, strings and 16-bit code decode, too. A stretch is certain where all of
it decodes, no branch leads into the middle of an instruction, and each instruction that matters is reached: from the
start of a function, a branch, an exception fixup, a pointer somewhere in the image, or the stretch before it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from iced_x86 import Code, Decoder, FlowControl, Instruction, Mnemonic, OpKind, Register

from .model import Kernel
from .sweep import Scan

NOT_CALLS = (".parainstructions", ".altinstructions", "__ex_table", "__bug_table", ".smp_locks", ".notes")
"""Sections that speak of code and lead nobody there; exception fixups are looked at apart."""

_KALLSYMS = ("kallsyms_addresses", "kallsyms_num_syms")
_CHUNK = 1 << 18
_CHAIN = 16
_WORD = 0xFFFFFFFF


def pointed_to(kernel: Kernel, wanted: Iterable[int]) -> set[int]:
    """Return those of the addresses ``wanted`` that some four bytes of the image spell, whatever their alignment."""
    found: set[int] = set()
    left = set(wanted)
    for data in _pointer_bytes(kernel):
        for shift in range(4):
            part = data[shift : shift + (len(data) - shift) // 4 * 4]
            for at in range(0, len(part), _CHUNK):
                words = array("I", part[at : at + _CHUNK])
                found |= left.intersection(words)
    return found


def pointers_to(kernel: Kernel, target: int, scans: Sequence[Scan] = ()) -> list[int]:
    """Return every address at which four bytes of the image spell ``target``.

    Args:
        kernel: the kernel.
        target: an address.
        scans: every stretch, by address; where given, bytes in code count if they are all of an operand.
    """
    pattern = (target & _WORD).to_bytes(4, "little")
    found = []
    for section in kernel.sections:
        at = -1 if section.name in NOT_CALLS else section.data.find(pattern)
        while at >= 0:
            found.append(section.address + at)
            at = section.data.find(pattern, at + 1)
    first, last = _kallsyms(kernel)
    found = [address for address in found if not first <= address < last]
    return [address for address in found if not scans or _is_operand(stretch_at(scans, address), address)]


def _is_operand(scan: Scan | None, address: int) -> bool:
    """Tell whether an operand of an instruction begins at ``address``; true where that is not known.

    What has a label only may be data, or 16-bit code such as the start of another CPU.
    """
    if scan is None or scan.flaw or (scan.stretch.symbol and scan.stretch.symbol.kind == "label"):
        return True
    decoder = Decoder(32, scan.stretch.data, ip=scan.stretch.start)
    for instruction in decoder:
        if instruction.ip32 <= address < instruction.next_ip32:
            offsets = decoder.get_constant_offsets(instruction)
            places = (offsets.displacement_offset, offsets.immediate_offset)
            return address - instruction.ip32 in places
    return True


def _kallsyms(kernel: Kernel) -> tuple[int, int]:
    """Return the range of the table that has every symbol's address for printing."""
    first, last = (kernel.named.get(name) for name in _KALLSYMS)
    return (first.address, last.address) if first and last else (0, 0)


def _pointer_bytes(kernel: Kernel) -> Iterable[bytes]:
    first, last = _kallsyms(kernel)
    for section in kernel.sections:
        if section.name in NOT_CALLS:
            continue
        if section.address <= first < last <= section.end:
            yield section.data[: first - section.address]
            yield section.data[last - section.address :]
        else:
            yield section.data


@dataclass(frozen=True, slots=True)
class _Flow:
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


def flow_of(scan: Scan) -> _Flow:
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
    return _Flow(following, address, computed, calls, padding)


def _operands(scan: Scan) -> set[int]:
    """Return the addresses that instructions of a stretch read or write."""
    return {
        instruction.memory_displacement
        for instruction in Decoder(32, scan.stretch.data, ip=scan.stretch.start)
        if instruction.memory_base == instruction.memory_index == Register.NONE
        and OpKind.MEMORY in {instruction.op0_kind, instruction.op1_kind}
        and instruction.code != Code.LEA_R32_M
        and not instruction.is_jmp_near_indirect
        and not instruction.is_call_near_indirect
    }


def _linear(kernel: Kernel, targets: Iterable[int]) -> list[int]:
    """Return the linear addresses of those targets that are physical ones of the kernel."""
    below = kernel.sections[0].address
    return [target + kernel.offset for target in targets if kernel.offset and target < below]


def _does_nothing(instruction: Instruction) -> bool:
    """Tell whether ``instruction`` moves a register to itself, or its address with nothing added."""
    register = instruction.op0_register
    if instruction.code in {Code.MOV_R32_RM32, Code.MOV_RM32_R32, Code.XCHG_RM32_R32}:
        return register == instruction.op1_register
    plain = instruction.memory_base == register and instruction.memory_index == Register.NONE
    return instruction.code == Code.LEA_R32_M and plain and instruction.memory_displacement == 0


class Judge:
    """Says why stretches are not certain.

    Args:
        kernel: the kernel.
        scans: every stretch of it, by address.
        entries: addresses where code begins for a reason that the image tells: its entry, exception fixups.
    """

    def __init__(self, kernel: Kernel, scans: Sequence[Scan], entries: Iterable[int]) -> None:
        self._kernel = kernel
        self._scans = scans
        self._starts = [scan.stretch.start for scan in scans]
        # what is no code has no say in where code begins
        targets = {target for scan in scans if not scan.flaw for target in scan.targets}
        self._targets = sorted({*entries, *targets, *_linear(kernel, targets)})
        self._pointed: set[int] = set()
        self._flows: dict[int, _Flow] = {}

    def doubts(self) -> dict[int, str]:
        """Return why hits are in doubt, by their address; one that is missing is certain."""
        open_ = {hit.address: "" for scan in self._scans for hit in scan.hits}
        self._pointed = set()
        missing = [index for index, scan in enumerate(self._scans) if scan.hits and not scan.flaw and self._lost(index)]
        self._pointed = pointed_to(self._kernel, self._candidates(missing))
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
        inside = (stretch_at(self._scans, pointer) for pointer in pointers_to(self._kernel, stretch.start, self._scans))
        return any(stretch.start in _operands(scan) for scan in inside if scan is not None)

    def _has_symbols(self, scan: Scan) -> bool:
        section = scan.stretch.section
        return any(section.address <= symbol.address < section.end for symbol in self._kernel.symbols)

    def _flow(self, index: int) -> _Flow:
        if index not in self._flows:
            self._flows[index] = flow_of(self._scans[index])
        return self._flows[index]

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
        while first > max(0, index - _CHAIN) and not self._known_start(first) and self._runs_on(first - 1):
            first -= 1
        arrives = False
        reached: set[int] = set()
        for number in range(first, index + 1):
            flow, start = self._flow(number), self._scans[number].stretch.start
            reached = flow.reached([*self._sources(number), *([start] if arrives else [])])
            arrives = any(flow.end in flow.following[address] for address in reached if address in flow.following)
        return reached

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
        for index in indices:
            for number in range(max(0, index - _CHAIN), index + 1):
                if number in self._flows:
                    wanted |= self._flows[number].following.keys()
        return wanted


def stretch_at(scans: Sequence[Scan], address: int) -> Scan | None:
    """Return the scan, of ``scans`` by address, whose stretch holds ``address``."""
    index = bisect_right(scans, address, key=lambda scan: scan.stretch.start) - 1
    if index < 0 or address >= scans[index].stretch.end:
        return None
    return scans[index]
