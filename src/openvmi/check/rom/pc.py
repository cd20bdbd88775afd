# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A PC as a mainline Linux sees it when it calls a ROM, in Unicorn: paging on, CPL 0, the ROM in its window.

What Unicorn can't do is done by :mod:`.devices`, or ends the run with a reason. Every run is limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86
from unicorn.unicorn import Uc, UcError

from ...abi.model import REGISTERS
from . import board
from .decode import decode
from .devices import NATIVE_MSRS, SYSENTER_CS, Devices
from .seen import IF, INVALID_OPCODE, NO_VECTOR, PAGE_FAULT, End, Seen, Write

SEGMENTS: Final = ("cs", "ss", "ds", "es", "fs", "gs")
CONTROL: Final = ("cr0", "cr2", "cr3", "cr4", "dr0", "dr1", "dr2", "dr3", "dr6", "dr7")
TABLES: Final = ("gdtr", "idtr", "ldtr", "tr")
MSRS: Final = tuple(f"msr{index:x}" for index in NATIVE_MSRS)
SYSTEM: Final = (*CONTROL, *TABLES, *MSRS)
"""System state that calls leave alone unless they are for it."""
LIMIT: Final = 20_000
"""Instructions of one run."""
BUDGET: Final = 300_000
"""Instructions of all runs in one PC."""
MOST_EVENTS: Final = 10_000
"""Of what a run does, this many writes and port accesses are kept."""
_CODE_BUFFER: Final = 32 << 20
"""Bytes for translated code; Unicorn's own choice is a gigabyte, which not every container lends."""
_HALF: Final = 0xFFFFFFFF
_NEVER: Final = board.PROBE + 0x800
"""Where no run ends; mapped, as Unicorn looks there."""
_WINDOW_SIZE: Final = board.WINDOW_END - board.WINDOW


def _register(name: str) -> int:
    return int(getattr(x86, f"UC_X86_REG_{name.upper()}"))


_NUMBERS: Final = {name: _register(name) for name in (*REGISTERS, "esp", "eip", "eflags", *SEGMENTS, *CONTROL, *TABLES)}
_ALL: Final = {
    **_NUMBERS,
    **{name: (_register("msr"), index) for name, index in zip(MSRS, NATIVE_MSRS, strict=True)},
    "fs_base": _register("fs_base"),
}


def _number(name: str, value: Any) -> int:  # noqa: ANN401 - unicorn's
    if not isinstance(value, tuple):
        return int(value)
    selector, base, limit, _flags = value
    return int(selector if name in {"ldtr", "tr"} else base << 16 | limit)


class Pc:
    """One PC with one image in its ROM window.

    Args:
        image: the image's bytes, at most as long as the window.
        place: its physical address.
        virtual_top: lowest address of the hypervisor's hole, 0 for none.
    """

    def __init__(self, image: bytes, place: int, virtual_top: int) -> None:
        self.image = image
        self.base = board.DIRECT + place
        self._hole = virtual_top or 1 << 32
        self.uc: Any = Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_32)  # type: ignore[no-untyped-call]
        self.devices = Devices(self.uc, self._raise)
        self.budget = BUDGET
        self._left = 0
        self._seen = Seen()
        self._wakes = 0
        self._quiet = False
        self._ends: Mapping[int, End] = {}
        self._names: dict[int, tuple[str, int]] = {}
        self._fill(place)
        self._start()
        self._hooks()
        self.save()

    def _fill(self, place: int) -> None:
        self.uc.ctl_set_tcg_buffer_size(_CODE_BUFFER)
        self.uc.mem_map(board.WINDOW, _WINDOW_SIZE)
        self.uc.mem_map(board.RAM, board.RAM_SIZE)
        self.uc.mem_map(board.LOCAL_APIC, board.PAGE)
        self.uc.mem_write(board.WINDOW, b"\xff" * _WINDOW_SIZE)
        self.uc.mem_write(place, self.image)
        for address, data in board.contents().items():
            self.write(address, data)

    def _start(self) -> None:
        self.set(cr3=board.physical(board.ROOT), cr4=board.CR4, cr0=board.CR0)
        self.uc.reg_write(x86.UC_X86_REG_GDTR, (0, board.GDT, board.GDT_LIMIT, 0))
        self.uc.reg_write(x86.UC_X86_REG_IDTR, (0, board.IDT, board.IDT_LIMIT, 0))
        self.set(cs=board.KERNEL_CS, ss=board.KERNEL_DS)
        self.segments(poisoned=False, data=True)
        self.uc.reg_write(x86.UC_X86_REG_LDTR, (board.LDT_SELECTOR, board.LDT, 0x0F, 0x8200))
        self.uc.reg_write(x86.UC_X86_REG_TR, (board.TSS_SELECTOR, board.TSS, 0x67, 0x8B00))
        self.uc.msr_write(SYSENTER_CS, board.KERNEL_CS)

    def _hooks(self) -> None:
        self.uc.hook_add(uc_const.UC_HOOK_CODE, self._on_code)
        self.uc.hook_add(uc_const.UC_HOOK_MEM_WRITE, self._on_write)
        self.uc.hook_add(uc_const.UC_HOOK_INTR, self._on_interrupt)
        port_in, port_out = self._on_in, self._on_out
        self.uc.hook_add(uc_const.UC_HOOK_INSN, port_in, None, 1, 0, x86.UC_X86_INS_IN)
        self.uc.hook_add(uc_const.UC_HOOK_INSN, port_out, None, 1, 0, x86.UC_X86_INS_OUT)

    # ---- state ----------------------------------------------------------------------------------------------------

    def set(self, **registers: int) -> None:
        """Load registers by name."""
        for name, value in registers.items():
            self.uc.reg_write(_NUMBERS[name], value & _HALF)

    def get(self, name: str) -> int:
        """Return a register, selector or table register; of GDTR and IDTR base << 16 | limit."""
        return _number(name, self.uc.reg_read(_NUMBERS[name]))

    def state(self) -> dict[str, int]:
        """Return everything that a call might change, memory aside."""
        values = zip(_ALL, self.uc.reg_read_batch(list(_ALL.values())), strict=True)
        return {name: _number(name, value) for name, value in values}

    def read(self, address: int, size: int) -> bytes:
        """Return memory at a directly mapped linear address."""
        return bytes(self.uc.mem_read(board.physical(address), size))

    def write(self, address: int, data: bytes) -> None:
        """Store at a directly mapped linear address."""
        self.uc.mem_write(board.physical(address), data)

    def segments(self, *, poisoned: bool, data: bool) -> bool:
        """Load DS, ES, FS and GS; ``poisoned`` ones lead nowhere, DS and ES among them unless they are promised flat.

        Returns:
            Whether the table that is loaded has them.
        """
        bad, good = board.POISON_DS, board.KERNEL_DS
        chosen = bad if poisoned else good
        user = bad if poisoned and not data else good
        try:
            self.set(ds=user, es=user, fs=chosen, gs=chosen)
        except UcError:
            return False
        return True

    def save(self) -> None:
        """Remember the state that :meth:`restore` goes back to."""
        self._context = self.uc.context_save()
        self._saved = self._memory()
        self._apic = bytes(self.uc.mem_read(board.LOCAL_APIC, board.PAGE))

    def restore(self) -> None:
        """Go back to the state of :meth:`save`."""
        self.uc.context_restore(self._context)
        self.set(cr3=self.get("cr3"))  # Unicorn flushes its TLB at this, and not at the line above
        self.devices.restart()
        self.uc.mem_write(board.LOCAL_APIC, self._apic)
        for start, (old, new) in self._differing(self._saved, self._memory()):
            del new
            self.uc.mem_write(start, old)
            if start < board.WINDOW_END or start >= board.physical(board.COPY):
                self.uc.ctl_remove_cache(board.DIRECT + start, board.DIRECT + start + board.PAGE)
                self._names.clear()

    def _memory(self) -> tuple[bytes, bytes]:
        window = bytes(self.uc.mem_read(board.WINDOW, _WINDOW_SIZE))
        return window, bytes(self.uc.mem_read(board.RAM, board.RAM_SIZE))

    @staticmethod
    def _differing(
        before: tuple[bytes, bytes], after: tuple[bytes, bytes]
    ) -> Iterable[tuple[int, tuple[bytes, bytes]]]:
        """Yield the physical pages that differ."""
        for start, old, new in zip((board.WINDOW, board.RAM), before, after, strict=True):
            if old == new:
                continue
            for at in range(0, len(old), board.PAGE):
                pages = old[at : at + board.PAGE], new[at : at + board.PAGE]
                if pages[0] != pages[1]:
                    yield start + at, pages

    # ---- running --------------------------------------------------------------------------------------------------

    def run(self, target: int, ends: Mapping[int, End], *, wakes: int = 0) -> Seen:
        """Run from ``target`` with the registers and the stack as they are, until an address of ``ends``.

        Args:
            target: linear address.
            ends: by linear address, what it means to arrive there.
            wakes: how many times something wakes a CPU that halts with interrupts off.
        """
        self._seen = seen = Seen(before=self.state())
        self._left = min(LIMIT, self.budget)
        given, self._ends, self._wakes, self._quiet = self._left, ends, wakes, False
        self.devices.ports, self.devices.reset = seen.ports, False
        memory = self._memory()
        self._emulate(target)
        self.budget -= given - max(0, self._left)
        seen.after = self.state()
        seen.changed = self._changes(memory)
        return seen

    def _emulate(self, target: int) -> None:
        try:
            self.uc.emu_start(target, _NEVER)
        except UcError as error:
            if self._seen.end is not End.ENDLESS or self._left < 0:
                return  # a hook has ended the run already, and knows better
            self._seen.eip = self.get("eip")
            if error.errno in {uc_const.UC_ERR_INSN_INVALID, uc_const.UC_ERR_EXCEPTION}:
                self._raise(INVALID_OPCODE)
            else:
                self._stray(f"an access that the PC has no memory for: {error}")

    def probe(self, address: int) -> bytes | None:
        """Return four bytes at a linear address as the CPU now sees them, through its TLB; None for a fault."""
        self._seen, self._left, self._ends, self._quiet = Seen(), LIMIT, {}, True
        self.set(eax=address, eflags=2)
        self._emulate(board.PROBE)
        return None if self._seen.end is End.FAULT else self.get("eax").to_bytes(4, "little")

    def _changes(self, before: tuple[bytes, bytes]) -> dict[int, tuple[int, int]]:
        changed: dict[int, tuple[int, int]] = {}
        for start, (old, new) in self._differing(before, self._memory()):
            address = board.DIRECT + start
            changed |= {address + at: pair for at, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]}
        return changed

    def _end(self, end: End, reason: str = "") -> None:
        self._seen.end, self._seen.reason = end, reason
        self.uc.emu_stop()

    def _stray(self, reason: str) -> None:
        self._seen.vector = NO_VECTOR
        self._end(End.FAULT, reason)

    def _raise(self, vector: int) -> None:
        self._seen.vector = vector
        self._end(End.FAULT)

    # ---- hooks ----------------------------------------------------------------------------------------------------

    def _on_code(self, uc: Any, address: int, size: int, _data: object) -> None:  # noqa: ANN401 - unicorn's
        self._left -= 1
        if self._left < 0:
            uc.emu_stop()
        if self._quiet or self._left < 0:
            return
        seen = self._seen
        seen.eip = address
        end = self._ends.get(address)
        if end is not None:
            self._end(end)
            return
        if not seen.before["eflags"] & IF and self.get("eflags") & IF:
            seen.open_instructions += 1
        name, length = self._named(address, size)
        if name:
            self._special(name, address + length)

    def _named(self, address: int, size: int) -> tuple[str, int]:
        found = self._names.get(address)
        if found is None:
            where = address - board.DIRECT
            size = min(size, 15)
            try:
                code = bytes(self.uc.mem_read(where, size)) if where >= 0 else b""
            except UcError:
                code = b""
            found = self._names[address] = decode(code), size
        return found

    def _special(self, name: str, after: int) -> None:
        seen = self._seen
        if len(seen.events) < MOST_EVENTS:
            seen.events.append(name)
        if name == "hypercall":
            self._end(End.OUTSIDE, "it executes a hypercall, and no hypervisor is here")
        elif name == "hlt":
            self._halt(after)
        elif name == "mov-to-cr":
            seen.events[-1] = f"cr4={self.get('cr4'):#x}"
        elif name in self.devices.instructions and self.devices.instructions[name]():
            self.set(eip=after)

    def _halt(self, after: int) -> None:
        enabled = bool(self.get("eflags") & IF)
        self._seen.events[-1] = "hlt-on" if enabled else "hlt-off"
        self._seen.open_at_halt = self._seen.open_at_halt or self._seen.open_instructions
        if board.LANDING <= after <= board.LANDING + board.PAGE or board.USER_CODE <= after <= board.USER_STACK:
            self._stray(f"an arrival at {after - 1:#010x}, where nothing sent it")
        elif enabled or self._wakes > 0:
            self._wakes -= not enabled
            self.set(eip=after)
        else:
            self._end(End.OFF)

    def _on_write(self, _uc: object, _kind: int, address: int, size: int, value: int, _data: object) -> None:
        if not self._quiet and len(self._seen.writes) < MOST_EVENTS:
            self._seen.writes.append(Write(address + board.DIRECT, size, value & (1 << 8 * size) - 1))
        if board.WINDOW <= address < board.WINDOW_END or address >= board.physical(board.COPY):
            self._names.clear()

    def _on_interrupt(self, _uc: object, vector: int, _data: object) -> None:
        self._seen.vector = vector
        self._seen.eip = self.get("eip")
        if vector in {PAGE_FAULT, 8}:
            self._seen.address = address = self.get("cr2")
            if address >= self._hole:
                self._end(End.OUTSIDE, f"it uses {address:#010x} in the hole, which its hypervisor would map")
                return
        elif "int" in self._seen.events[-1:]:
            self._end(End.OUTSIDE, f"it executes INT {vector:#04x}, and no hypervisor is here")
            return
        self._end(End.FAULT)

    def _on_in(self, _uc: object, port: int, size: int, _data: object) -> int:
        full = len(self.devices.ports) >= MOST_EVENTS
        return 0 if full else self.devices.port_in(port, size)

    def _on_out(self, _uc: object, port: int, size: int, value: int, _data: object) -> None:
        if len(self.devices.ports) < MOST_EVENTS:
            self.devices.port_out(port, size, value)
        if self.devices.reset:
            self._end(End.RESET)
