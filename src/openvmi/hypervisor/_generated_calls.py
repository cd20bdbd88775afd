# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One method for each call of the interface, and where its arguments are.

Written by ``python -m openvmi.abi.generate`` from ``abi/tables``: change those, not this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from .answers import Answer
    from .vcpu import Vcpu

Places = tuple[tuple[str, int, tuple[str, ...]], ...]


class CallShape(NamedTuple):
    """How a call is made: its method; name, bits and places of arguments and results; whether it returns."""

    method: str
    takes: Places
    gives: Places
    returns: bool


SHAPES: Final[dict[int, CallShape]] = {
    0: CallShape(
        "cpuid",
        (("leaf", 32, ("eax",)), ("subleaf", 32, ("ecx",))),
        (("a", 32, ("eax",)), ("b", 32, ("ebx",)), ("c", 32, ("ecx",)), ("d", 32, ("edx",))),
        True,
    ),
    1: CallShape("wrmsr", (("index", 32, ("ecx",)), ("value", 64, ("eax", "edx"))), (), True),
    2: CallShape("rdmsr", (("index", 32, ("ecx",)),), (("value", 64, ("eax", "edx")),), True),
    3: CallShape("set_gdt", (("gdtr", 32, ("eax",)),), (), True),
    4: CallShape("set_ldt", (("selector", 16, ("eax",)),), (), True),
    5: CallShape("set_idt", (("idtr", 32, ("eax",)),), (), True),
    6: CallShape("set_tr", (("selector", 16, ("eax",)),), (), True),
    7: CallShape("get_gdt", (("gdtr", 32, ("eax",)),), (), True),
    8: CallShape("get_ldt", (), (("selector", 16, ("eax",)),), True),
    9: CallShape("get_idt", (("idtr", 32, ("eax",)),), (), True),
    10: CallShape("get_tr", (), (("selector", 16, ("eax",)),), True),
    11: CallShape(
        "write_gdt_entry",
        (("table", 32, ("eax",)), ("index", 32, ("edx",)), ("low", 32, ("ecx",)), ("high", 32, ("s1",))),
        (),
        True,
    ),
    12: CallShape(
        "write_ldt_entry",
        (("table", 32, ("eax",)), ("index", 32, ("edx",)), ("low", 32, ("ecx",)), ("high", 32, ("s1",))),
        (),
        True,
    ),
    13: CallShape(
        "write_idt_entry",
        (("table", 32, ("eax",)), ("index", 32, ("edx",)), ("low", 32, ("ecx",)), ("high", 32, ("s1",))),
        (),
        True,
    ),
    14: CallShape("update_kernel_stack", (("stack", 32, ("eax",)), ("esp0", 32, ("edx",))), (), True),
    15: CallShape("set_cr0", (("value", 32, ("eax",)),), (), True),
    16: CallShape("set_cr2", (("value", 32, ("eax",)),), (), True),
    17: CallShape("set_cr3", (("value", 32, ("eax",)),), (), True),
    18: CallShape("set_cr4", (("value", 32, ("eax",)),), (), True),
    19: CallShape("get_cr0", (), (("value", 32, ("eax",)),), True),
    20: CallShape("get_cr2", (), (("value", 32, ("eax",)),), True),
    21: CallShape("get_cr3", (), (("value", 32, ("eax",)),), True),
    22: CallShape("get_cr4", (), (("value", 32, ("eax",)),), True),
    23: CallShape("wbinvd", (), (), True),
    24: CallShape("set_dr", (("register", 32, ("eax",)), ("value", 32, ("edx",))), (), True),
    25: CallShape("get_dr", (("register", 32, ("eax",)),), (("value", 32, ("eax",)),), True),
    26: CallShape("rdpmc", (("counter", 32, ("ecx",)),), (("value", 64, ("eax", "edx")),), True),
    27: CallShape("rdtsc", (), (("value", 64, ("eax", "edx")),), True),
    28: CallShape("clts", (), (), True),
    29: CallShape("enable_interrupts", (), (), True),
    30: CallShape("disable_interrupts", (), (), True),
    31: CallShape("get_interrupt_mask", (), (("flags", 32, ("eax",)),), True),
    32: CallShape("set_interrupt_mask", (("flags", 32, ("eax",)),), (), True),
    33: CallShape("iret", (("frame", 288, ("frame",)),), (), False),
    34: CallShape("sysexit", (("eip", 32, ("edx",)), ("esp", 32, ("ecx",))), (), False),
    35: CallShape("halt", (), (), True),
    36: CallShape("reboot", (("how", 32, ("eax",)),), (), False),
    37: CallShape("shutdown", (), (), False),
    38: CallShape("set_pxe", (("value", 32, ("eax",)), ("entry", 32, ("edx",)), ("flags", 32, ("ecx",))), (), True),
    39: CallShape(
        "set_pxe_long", (("value", 64, ("eax", "edx")), ("entry", 32, ("ecx",)), ("flags", 32, ("s1",))), (), True
    ),
    40: CallShape("update_pxe", (("entry", 32, ("eax",)), ("flags", 32, ("edx",))), (), True),
    41: CallShape("update_pxe_long", (("entry", 32, ("eax",)), ("flags", 32, ("edx",))), (), True),
    42: CallShape("machine_to_physical", (("machine", 32, ("eax",)),), (("physical", 32, ("eax",)),), True),
    43: CallShape("physical_to_machine", (("physical", 32, ("eax",)),), (("machine", 32, ("eax",)),), True),
    44: CallShape(
        "allocate_page",
        (
            ("pfn", 32, ("eax",)),
            ("flags", 32, ("edx",)),
            ("source", 32, ("ecx",)),
            ("first", 32, ("s1",)),
            ("count", 32, ("s2",)),
        ),
        (),
        True,
    ),
    45: CallShape("release_page", (("pfn", 32, ("eax",)), ("flags", 32, ("edx",))), (), True),
    46: CallShape("inval_page", (("va", 32, ("eax",)),), (), True),
    47: CallShape("flush_tlb", (("flags", 32, ("eax",)),), (), True),
    48: CallShape(
        "set_linear_mapping",
        (("slot", 32, ("eax",)), ("va", 32, ("edx",)), ("pages", 32, ("ecx",)), ("pfn", 32, ("s1",))),
        (),
        True,
    ),
    49: CallShape("inl", (("port", 16, ("edx",)),), (("value", 32, ("eax",)),), True),
    50: CallShape("inb", (("port", 16, ("edx",)),), (("value", 8, ("eax",)),), True),
    51: CallShape("inw", (("port", 16, ("edx",)),), (("value", 16, ("eax",)),), True),
    52: CallShape(
        "insl",
        (("to", 32, ("edi",)), ("port", 16, ("edx",)), ("count", 32, ("ecx",))),
        (("to", 32, ("edi",)), ("count", 32, ("ecx",))),
        True,
    ),
    53: CallShape(
        "insb",
        (("to", 32, ("edi",)), ("port", 16, ("edx",)), ("count", 32, ("ecx",))),
        (("to", 32, ("edi",)), ("count", 32, ("ecx",))),
        True,
    ),
    54: CallShape(
        "insw",
        (("to", 32, ("edi",)), ("port", 16, ("edx",)), ("count", 32, ("ecx",))),
        (("to", 32, ("edi",)), ("count", 32, ("ecx",))),
        True,
    ),
    55: CallShape("outl", (("value", 32, ("eax",)), ("port", 16, ("edx",))), (), True),
    56: CallShape("outb", (("value", 8, ("eax",)), ("port", 16, ("edx",))), (), True),
    57: CallShape("outw", (("value", 16, ("eax",)), ("port", 16, ("edx",))), (), True),
    58: CallShape(
        "outsl",
        (("from_", 32, ("esi",)), ("port", 16, ("edx",)), ("count", 32, ("ecx",))),
        (("from_", 32, ("esi",)), ("count", 32, ("ecx",))),
        True,
    ),
    59: CallShape(
        "outsb",
        (("from_", 32, ("esi",)), ("port", 16, ("edx",)), ("count", 32, ("ecx",))),
        (("from_", 32, ("esi",)), ("count", 32, ("ecx",))),
        True,
    ),
    60: CallShape(
        "outsw",
        (("from_", 32, ("esi",)), ("port", 16, ("edx",)), ("count", 32, ("ecx",))),
        (("from_", 32, ("esi",)), ("count", 32, ("ecx",))),
        True,
    ),
    61: CallShape("set_iopl_mask", (("mask", 32, ("eax",)),), (), True),
    62: CallShape("set_initial_ap_state", (("state", 32, ("eax",)), ("apic_id", 32, ("edx",))), (), True),
    63: CallShape("apic_write", (("register", 32, ("eax",)), ("value", 32, ("edx",))), (), True),
    64: CallShape("apic_read", (("register", 32, ("eax",)),), (("value", 32, ("eax",)),), True),
    65: CallShape("io_delay", (), (), True),
    66: CallShape("get_cycle_frequency", (), (("frequency", 64, ("eax", "edx")),), True),
    67: CallShape("get_cycle_counter", (("counter", 32, ("eax",)),), (("cycles", 64, ("eax", "edx")),), True),
    68: CallShape(
        "set_alarm", (("flags", 32, ("eax",)), ("expiry", 64, ("edx", "ecx")), ("period", 64, ("s1", "s2"))), (), True
    ),
    69: CallShape("cancel_alarm", (("counter", 32, ("eax",)),), (("armed", 32, ("eax",)),), True),
    70: CallShape("get_wallclock_time", (), (("time", 64, ("eax", "edx")),), True),
    71: CallShape("wallclock_updated", (), (("updated", 32, ("eax",)),), True),
    72: CallShape("set_callbacks", (), (), True),
    73: CallShape("set_lazy_mode", (("mode", 32, ("eax",)),), (), True),
}


class Calls:
    """A method for each call; a subclass with one of its own routes that call, and only it, to Python."""

    def cpuid(self, vcpu: Vcpu, leaf: int, subleaf: int) -> Answer:
        """Call 0, CPUID.

        As the instruction, with unsupported features masked.

        Args:
            vcpu: who calls, and from where.
            leaf: UINT32, 32 bits, in eax.
            subleaf: UINT32, 32 bits, in ecx.

        Returns:
            None to have it done natively, or Value(a (32 bits, eax), b (32 bits, ebx), c (32 bits, ecx), d (32
            bits, edx)).
        """
        del vcpu, leaf, subleaf
        return None

    def wrmsr(self, vcpu: Vcpu, index: int, value: int) -> Answer:
        """Call 1, WRMSR.

        As the instruction; a hypervisor may implement a subset.

        Args:
            vcpu: who calls, and from where.
            index: UINT32, 32 bits, in ecx.
            value: UINT64, 64 bits, in eax+edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, index, value
        return None

    def rdmsr(self, vcpu: Vcpu, index: int) -> Answer:
        """Call 2, RDMSR.

        As the instruction.

        Args:
            vcpu: who calls, and from where.
            index: UINT32, 32 bits, in ecx.

        Returns:
            None to have it done natively, or Value(value (64 bits, eax+edx)).
        """
        del vcpu, index
        return None

    def set_gdt(self, vcpu: Vcpu, gdtr: int) -> Answer:
        """Call 3, SetGDT.

        LGDT, and reload every segment register; may change DPL, RPL and limits in the table.

        Args:
            vcpu: who calls, and from where.
            gdtr: linear address of a DTR, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, gdtr
        return None

    def set_ldt(self, vcpu: Vcpu, selector: int) -> Answer:
        """Call 4, SetLDT.

        LLDT, and reload every segment register; may change the table.

        Args:
            vcpu: who calls, and from where.
            selector: SELECTOR, 16 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, selector
        return None

    def set_idt(self, vcpu: Vcpu, idtr: int) -> Answer:
        """Call 5, SetIDT.

        LIDT; may rewrite the table in place.

        Args:
            vcpu: who calls, and from where.
            idtr: linear address of a DTR, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, idtr
        return None

    def set_tr(self, vcpu: Vcpu, selector: int) -> Answer:
        """Call 6, SetTR.

        LTR.

        Args:
            vcpu: who calls, and from where.
            selector: SELECTOR, 16 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, selector
        return None

    def get_gdt(self, vcpu: Vcpu, gdtr: int) -> Answer:
        """Call 7, GetGDT.

        SGDT, of the table that the guest set.

        Args:
            vcpu: who calls, and from where.
            gdtr: linear address of a DTR, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, gdtr
        return None

    def get_ldt(self, vcpu: Vcpu) -> Answer:
        """Call 8, GetLDT.

        SLDT, of the guest's selector.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(selector (16 bits, eax)).
        """
        del vcpu
        return None

    def get_idt(self, vcpu: Vcpu, idtr: int) -> Answer:
        """Call 9, GetIDT.

        SIDT, of the table that the guest set.

        Args:
            vcpu: who calls, and from where.
            idtr: linear address of a DTR, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, idtr
        return None

    def get_tr(self, vcpu: Vcpu) -> Answer:
        """Call 10, GetTR.

        STR, of the guest's selector.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(selector (16 bits, eax)).
        """
        del vcpu
        return None

    def write_gdt_entry(self, vcpu: Vcpu, table: int, index: int, low: int, high: int) -> Answer:
        """Call 11, WriteGDTEntry.

        Store an 8-byte descriptor at table + 8 * index; what is stored may differ from what was given.

        Args:
            vcpu: who calls, and from where.
            table: VA, 32 bits, in eax.
            index: UINT32, 32 bits, in edx.
            low: UINT32, 32 bits, in ecx.
            high: UINT32, 32 bits, in s1.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, table, index, low, high
        return None

    def write_ldt_entry(self, vcpu: Vcpu, table: int, index: int, low: int, high: int) -> Answer:
        """Call 12, WriteLDTEntry.

        Store an 8-byte descriptor in the LDT at table + 8 * index.

        Args:
            vcpu: who calls, and from where.
            table: VA, 32 bits, in eax.
            index: UINT32, 32 bits, in edx.
            low: UINT32, 32 bits, in ecx.
            high: UINT32, 32 bits, in s1.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, table, index, low, high
        return None

    def write_idt_entry(self, vcpu: Vcpu, table: int, index: int, low: int, high: int) -> Answer:
        """Call 13, WriteIDTEntry.

        Store an 8-byte gate in the IDT at table + 8 * index; RPL 0 and the kernel's RPL are both right.

        Args:
            vcpu: who calls, and from where.
            table: VA, 32 bits, in eax.
            index: UINT32, 32 bits, in edx.
            low: UINT32, 32 bits, in ecx.
            high: UINT32, 32 bits, in s1.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, table, index, low, high
        return None

    def update_kernel_stack(self, vcpu: Vcpu, stack: int, esp0: int) -> Answer:
        """Call 14, UpdateKernelStack.

        The ring-0 stack in the TSS is now esp0; stack is a selector up to 0xFFFF, else the TSS's address (its ss0).

        Args:
            vcpu: who calls, and from where.
            stack: UINT32, 32 bits, in eax.
            esp0: VA, 32 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, stack, esp0
        return None

    def set_cr0(self, vcpu: Vcpu, value: int) -> Answer:
        """Call 15, SetCR0.

        Write CR0; features can be turned on, not off again; TS works on the FPU.

        Args:
            vcpu: who calls, and from where.
            value: UINT32, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, value
        return None

    def set_cr2(self, vcpu: Vcpu, value: int) -> Answer:
        """Call 16, SetCR2.

        Write CR2, the value only.

        Args:
            vcpu: who calls, and from where.
            value: UINT32, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, value
        return None

    def set_cr3(self, vcpu: Vcpu, value: int) -> Answer:
        """Call 17, SetCR3.

        Set the page-table root and flush the local non-global TLB.

        Args:
            vcpu: who calls, and from where.
            value: UINT32, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, value
        return None

    def set_cr4(self, vcpu: Vcpu, value: int) -> Answer:
        """Call 18, SetCR4.

        Write CR4; PGE, PSE, PAE ... can be turned on, not off again.

        Args:
            vcpu: who calls, and from where.
            value: UINT32, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, value
        return None

    def get_cr0(self, vcpu: Vcpu) -> Answer:
        """Call 19, GetCR0.

        Read CR0 as the guest set it.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(value (32 bits, eax)).
        """
        del vcpu
        return None

    def get_cr2(self, vcpu: Vcpu) -> Answer:
        """Call 20, GetCR2.

        Read the last page fault's address.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(value (32 bits, eax)).
        """
        del vcpu
        return None

    def get_cr3(self, vcpu: Vcpu) -> Answer:
        """Call 21, GetCR3.

        Read the page-table root as the guest set it.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(value (32 bits, eax)).
        """
        del vcpu
        return None

    def get_cr4(self, vcpu: Vcpu) -> Answer:
        """Call 22, GetCR4.

        Read CR4 as the guest set it.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(value (32 bits, eax)).
        """
        del vcpu
        return None

    def wbinvd(self, vcpu: Vcpu) -> Answer:
        """Call 23, WBINVD.

        Write back and invalidate the caches.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu
        return None

    def set_dr(self, vcpu: Vcpu, register: int, value: int) -> Answer:
        """Call 24, SetDR.

        Write a debug register; its number is a run-time value.

        Args:
            vcpu: who calls, and from where.
            register: UINT32, 32 bits, in eax.
            value: UINT32, 32 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, register, value
        return None

    def get_dr(self, vcpu: Vcpu, register: int) -> Answer:
        """Call 25, GetDR.

        Read a debug register; 0 if unsupported.

        Args:
            vcpu: who calls, and from where.
            register: UINT32, 32 bits, in eax.

        Returns:
            None to have it done natively, or Value(value (32 bits, eax)).
        """
        del vcpu, register
        return None

    def rdpmc(self, vcpu: Vcpu, counter: int) -> Answer:
        """Call 26, RDPMC.

        Read a performance counter; accuracy is the vendor's matter.

        Args:
            vcpu: who calls, and from where.
            counter: UINT32, 32 bits, in ecx.

        Returns:
            None to have it done natively, or Value(value (64 bits, eax+edx)).
        """
        del vcpu, counter
        return None

    def rdtsc(self, vcpu: Vcpu) -> Answer:
        """Call 27, RDTSC.

        Read the cycle counter.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(value (64 bits, eax+edx)).
        """
        del vcpu
        return None

    def clts(self, vcpu: Vcpu) -> Answer:
        """Call 28, CLTS.

        Clear CR0.TS.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu
        return None

    def enable_interrupts(self, vcpu: Vcpu) -> Answer:
        """Call 29, EnableInterrupts.

        Virtual IF := 1, and deliver what is pending.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu
        return None

    def disable_interrupts(self, vcpu: Vcpu) -> Answer:
        """Call 30, DisableInterrupts.

        Virtual IF := 0.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu
        return None

    def get_interrupt_mask(self, vcpu: Vcpu) -> Answer:
        """Call 31, GetInterruptMask.

        0x200 if interrupts are enabled, else 0.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(flags (32 bits, eax)).
        """
        del vcpu
        return None

    def set_interrupt_mask(self, vcpu: Vcpu, flags: int) -> Answer:
        """Call 32, SetInterruptMask.

        Virtual IF := bit 9, and deliver what is pending if it is set.

        Args:
            vcpu: who calls, and from where.
            flags: UINT32, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, flags
        return None

    def iret(self, vcpu: Vcpu, frame: int) -> Answer:
        """Call 33, IRET.

        IRET; entered by CALL (drops the return address first) or by JMP, as its relocation type says.

        Args:
            vcpu: who calls, and from where.
            frame: linear address of the frame on the guest's stack.

        Returns:
            None or a changed call: it does not come back to its caller.
        """
        del vcpu, frame
        return None

    def sysexit(self, vcpu: Vcpu, eip: int, esp: int) -> Answer:
        """Call 34, SYSEXIT.

        STI and SYSEXIT as one: enable interrupts and go to user mode.

        Args:
            vcpu: who calls, and from where.
            eip: VA, 32 bits, in edx.
            esp: VA, 32 bits, in ecx.

        Returns:
            None or a changed call: it does not come back to its caller.
        """
        del vcpu, eip, esp
        return None

    def halt(self, vcpu: Vcpu) -> Answer:
        """Call 35, Halt.

        Enable interrupts and wait for one; not a deep sleep.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu
        return None

    def reboot(self, vcpu: Vcpu, how: int) -> Answer:
        """Call 36, Reboot.

        Soft: as an INIT IPI, some APIC and CR state stays; hard: as a reset.

        Args:
            vcpu: who calls, and from where.
            how: RebootMode, 32 bits, in eax.

        Returns:
            None or a changed call: it does not come back to its caller.
        """
        del vcpu, how
        return None

    def shutdown(self, vcpu: Vcpu) -> Answer:
        """Call 37, Shutdown.

        Halt with interrupts off: power this CPU off.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None or a changed call: it does not come back to its caller.
        """
        del vcpu
        return None

    def set_pxe(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> Answer:
        """Call 38, SetPxE.

        Store a 4-byte entry and tell the hypervisor.

        Args:
            vcpu: who calls, and from where.
            value: PTE, 32 bits, in eax.
            entry: linear address of a PTE, 32 bits, in edx.
            flags: PxeFlag, 32 bits, in ecx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, value, entry, flags
        return None

    def set_pxe_long(self, vcpu: Vcpu, value: int, entry: int, flags: int) -> Answer:
        """Call 39, SetPxELong.

        Store an 8-byte entry and tell the hypervisor; never a present entry half written.

        Args:
            vcpu: who calls, and from where.
            value: LONG_PTE, 64 bits, in eax+edx.
            entry: linear address of a LONG_PTE, 32 bits, in ecx.
            flags: PxeFlag, 32 bits, in s1.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, value, entry, flags
        return None

    def update_pxe(self, vcpu: Vcpu, entry: int, flags: int) -> Answer:
        """Call 40, UpdatePxE.

        The guest has changed a 4-byte entry itself: look at it again.

        Args:
            vcpu: who calls, and from where.
            entry: linear address of a PTE, 32 bits, in eax.
            flags: PxeFlag, 32 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, entry, flags
        return None

    def update_pxe_long(self, vcpu: Vcpu, entry: int, flags: int) -> Answer:
        """Call 41, UpdatePxELong.

        The guest has changed an 8-byte entry itself: look at it again.

        Args:
            vcpu: who calls, and from where.
            entry: linear address of a LONG_PTE, 32 bits, in eax.
            flags: PxeFlag, 32 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, entry, flags
        return None

    def machine_to_physical(self, vcpu: Vcpu, machine: int) -> Answer:
        """Call 42, MachineToPhysical.

        Translate a machine address for operation without shadow tables; arguments were never published.

        Args:
            vcpu: who calls, and from where.
            machine: ADDRESS, 32 bits, in eax.

        Returns:
            None to have it done natively, or Value(physical (32 bits, eax)).
        """
        del vcpu, machine
        return None

    def physical_to_machine(self, vcpu: Vcpu, physical: int) -> Answer:
        """Call 43, PhysicalToMachine.

        Translate a physical address for operation without shadow tables; arguments were never published.

        Args:
            vcpu: who calls, and from where.
            physical: ADDRESS, 32 bits, in eax.

        Returns:
            None to have it done natively, or Value(machine (32 bits, eax)).
        """
        del vcpu, physical
        return None

    def allocate_page(self, vcpu: Vcpu, pfn: int, flags: int, source: int, first: int, count: int) -> Answer:  # noqa: PLR0913, PLR0917 - the interface's
        """Call 44, AllocatePage.

        The page becomes a paging structure; with CLONE its shadow starts from source's entries first, first + 1 .

        Args:
            vcpu: who calls, and from where.
            pfn: PFN, 32 bits, in eax.
            flags: PageFlag, 32 bits, in edx.
            source: PFN, 32 bits, in ecx.
            first: UINT32, 32 bits, in s1.
            count: UINT32, 32 bits, in s2.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, pfn, flags, source, first, count
        return None

    def release_page(self, vcpu: Vcpu, pfn: int, flags: int) -> Answer:
        """Call 45, ReleasePage.

        The page stops being a paging structure.

        Args:
            vcpu: who calls, and from where.
            pfn: PFN, 32 bits, in eax.
            flags: PageFlag, 32 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, pfn, flags
        return None

    def inval_page(self, vcpu: Vcpu, va: int) -> Answer:
        """Call 46, InvalPage.

        Invalidate one mapping, small or large.

        Args:
            vcpu: who calls, and from where.
            va: VA, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, va
        return None

    def flush_tlb(self, vcpu: Vcpu, flags: int) -> Answer:
        """Call 47, FlushTLB.

        Flush the local TLB.

        Args:
            vcpu: who calls, and from where.
            flags: FlushFlag, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, flags
        return None

    def set_linear_mapping(self, vcpu: Vcpu, slot: int, va: int, pages: int, pfn: int) -> Answer:
        """Call 48, SetLinearMapping.

        Page tables are reached through this linear range; per CPU, slot 0 is the low-memory direct map.

        Args:
            vcpu: who calls, and from where.
            slot: UINT32, 32 bits, in eax.
            va: VA, 32 bits, in edx.
            pages: UINT32, 32 bits, in ecx.
            pfn: PFN, 32 bits, in s1.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, slot, va, pages, pfn
        return None

    def inl(self, vcpu: Vcpu, port: int) -> Answer:
        """Call 49, INL.

        As the instruction.

        Args:
            vcpu: who calls, and from where.
            port: UINT16, 16 bits, in edx.

        Returns:
            None to have it done natively, or Value(value (32 bits, eax)).
        """
        del vcpu, port
        return None

    def inb(self, vcpu: Vcpu, port: int) -> Answer:
        """Call 50, INB.

        As the instruction.

        Args:
            vcpu: who calls, and from where.
            port: UINT16, 16 bits, in edx.

        Returns:
            None to have it done natively, or Value(value (8 bits, eax)).
        """
        del vcpu, port
        return None

    def inw(self, vcpu: Vcpu, port: int) -> Answer:
        """Call 51, INW.

        As the instruction.

        Args:
            vcpu: who calls, and from where.
            port: UINT16, 16 bits, in edx.

        Returns:
            None to have it done natively, or Value(value (16 bits, eax)).
        """
        del vcpu, port
        return None

    def insl(self, vcpu: Vcpu, to: int, port: int, count: int) -> Answer:
        """Call 52, INSL.

        As REP INSL.

        Args:
            vcpu: who calls, and from where.
            to: linear address of a UINT32, 32 bits, in edi.
            port: UINT16, 16 bits, in edx.
            count: UINT32, 32 bits, in ecx.

        Returns:
            None to have it done natively, or Value(to (32 bits, edi), count (32 bits, ecx)).
        """
        del vcpu, to, port, count
        return None

    def insb(self, vcpu: Vcpu, to: int, port: int, count: int) -> Answer:
        """Call 53, INSB.

        As REP INSB.

        Args:
            vcpu: who calls, and from where.
            to: linear address of a UINT8, 32 bits, in edi.
            port: UINT16, 16 bits, in edx.
            count: UINT32, 32 bits, in ecx.

        Returns:
            None to have it done natively, or Value(to (32 bits, edi), count (32 bits, ecx)).
        """
        del vcpu, to, port, count
        return None

    def insw(self, vcpu: Vcpu, to: int, port: int, count: int) -> Answer:
        """Call 54, INSW.

        As REP INSW.

        Args:
            vcpu: who calls, and from where.
            to: linear address of a UINT16, 32 bits, in edi.
            port: UINT16, 16 bits, in edx.
            count: UINT32, 32 bits, in ecx.

        Returns:
            None to have it done natively, or Value(to (32 bits, edi), count (32 bits, ecx)).
        """
        del vcpu, to, port, count
        return None

    def outl(self, vcpu: Vcpu, value: int, port: int) -> Answer:
        """Call 55, OUTL.

        As the instruction.

        Args:
            vcpu: who calls, and from where.
            value: UINT32, 32 bits, in eax.
            port: UINT16, 16 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, value, port
        return None

    def outb(self, vcpu: Vcpu, value: int, port: int) -> Answer:
        """Call 56, OUTB.

        As the instruction.

        Args:
            vcpu: who calls, and from where.
            value: UINT8, 8 bits, in eax.
            port: UINT16, 16 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, value, port
        return None

    def outw(self, vcpu: Vcpu, value: int, port: int) -> Answer:
        """Call 57, OUTW.

        As the instruction.

        Args:
            vcpu: who calls, and from where.
            value: UINT16, 16 bits, in eax.
            port: UINT16, 16 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, value, port
        return None

    def outsl(self, vcpu: Vcpu, from_: int, port: int, count: int) -> Answer:
        """Call 58, OUTSL.

        As REP OUTSL.

        Args:
            vcpu: who calls, and from where.
            from_: linear address of a UINT32, 32 bits, in esi.
            port: UINT16, 16 bits, in edx.
            count: UINT32, 32 bits, in ecx.

        Returns:
            None to have it done natively, or Value(from (32 bits, esi), count (32 bits, ecx)).
        """
        del vcpu, from_, port, count
        return None

    def outsb(self, vcpu: Vcpu, from_: int, port: int, count: int) -> Answer:
        """Call 59, OUTSB.

        As REP OUTSB.

        Args:
            vcpu: who calls, and from where.
            from_: linear address of a UINT8, 32 bits, in esi.
            port: UINT16, 16 bits, in edx.
            count: UINT32, 32 bits, in ecx.

        Returns:
            None to have it done natively, or Value(from (32 bits, esi), count (32 bits, ecx)).
        """
        del vcpu, from_, port, count
        return None

    def outsw(self, vcpu: Vcpu, from_: int, port: int, count: int) -> Answer:
        """Call 60, OUTSW.

        As REP OUTSW.

        Args:
            vcpu: who calls, and from where.
            from_: linear address of a UINT16, 32 bits, in esi.
            port: UINT16, 16 bits, in edx.
            count: UINT32, 32 bits, in ecx.

        Returns:
            None to have it done natively, or Value(from (32 bits, esi), count (32 bits, ecx)).
        """
        del vcpu, from_, port, count
        return None

    def set_iopl_mask(self, vcpu: Vcpu, mask: int) -> Answer:
        """Call 61, SetIOPLMask.

        Set user mode's virtual IOPL, given as IOPL << 12: ports only, never control of IF.

        Args:
            vcpu: who calls, and from where.
            mask: UINT32, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, mask
        return None

    def set_initial_ap_state(self, vcpu: Vcpu, state: int, apic_id: int) -> Answer:
        """Call 62, SetInitialAPState.

        The state in which a CPU will start; between its INIT and its STARTUP IPI.

        Args:
            vcpu: who calls, and from where.
            state: linear address of a AP_STATE, 32 bits, in eax.
            apic_id: APIC_ID, 32 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, state, apic_id
        return None

    def apic_write(self, vcpu: Vcpu, register: int, value: int) -> Answer:
        """Call 63, APICWrite.

        Write a local APIC register; of the address only the low 12 bits count.

        Args:
            vcpu: who calls, and from where.
            register: UINT32, 32 bits, in eax.
            value: UINT32, 32 bits, in edx.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, register, value
        return None

    def apic_read(self, vcpu: Vcpu, register: int) -> Answer:
        """Call 64, APICRead.

        Read a local APIC register; of the address only the low 12 bits count.

        Args:
            vcpu: who calls, and from where.
            register: UINT32, 32 bits, in eax.

        Returns:
            None to have it done natively, or Value(value (32 bits, eax)).
        """
        del vcpu, register
        return None

    def io_delay(self, vcpu: Vcpu) -> Answer:
        """Call 65, IODelay.

        Wait as long as a bus cycle; normally nothing.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu
        return None

    def get_cycle_frequency(self, vcpu: Vcpu) -> Answer:
        """Call 66, GetCycleFrequency.

        Cycles per second; whether it is NONE tells whether there is a VMI timer.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(frequency (64 bits, eax+edx)).
        """
        del vcpu
        return None

    def get_cycle_counter(self, vcpu: Vcpu, counter: int) -> Answer:
        """Call 67, GetCycleCounter.

        Read a clock; 0 for an unknown one.

        Args:
            vcpu: who calls, and from where.
            counter: Counter, 32 bits, in eax.

        Returns:
            None to have it done natively, or Value(cycles (64 bits, eax+edx)).
        """
        del vcpu, counter
        return None

    def set_alarm(self, vcpu: Vcpu, flags: int, expiry: int, period: int) -> Answer:
        """Call 68, SetAlarm.

        Arm this CPU's alarm of a counter: absolute expiry, relative period; period 0 means once.

        Args:
            vcpu: who calls, and from where.
            flags: AlarmFlag, 32 bits, in eax.
            expiry: CYCLES, 64 bits, in edx+ecx.
            period: CYCLES, 64 bits, in s1+s2.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, flags, expiry, period
        return None

    def cancel_alarm(self, vcpu: Vcpu, counter: int) -> Answer:
        """Call 69, CancelAlarm.

        Disarm this CPU's alarm of a counter; TRUE if it was armed.

        Args:
            vcpu: who calls, and from where.
            counter: Counter, 32 bits, in eax.

        Returns:
            None to have it done natively, or Value(armed (32 bits, eax)).
        """
        del vcpu, counter
        return None

    def get_wallclock_time(self, vcpu: Vcpu) -> Answer:
        """Call 70, GetWallclockTime.

        Nanoseconds since 1970-01-01 UTC.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(time (64 bits, eax+edx)).
        """
        del vcpu
        return None

    def wallclock_updated(self, vcpu: Vcpu) -> Answer:
        """Call 71, WallclockUpdated.

        TRUE if the wall clock has stepped against the real counter since the last poll.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or Value(updated (32 bits, eax)).
        """
        del vcpu
        return None

    def set_callbacks(self, vcpu: Vcpu) -> Answer:
        """Call 72, SetCallbacks.

        No meaning was ever published.

        Args:
            vcpu: who calls, and from where.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu
        return None

    def set_lazy_mode(self, vcpu: Vcpu, mode: int) -> Answer:
        """Call 73, SetLazyMode.

        Begin or end a stretch in which updates may be queued; NONE drains them.

        Args:
            vcpu: who calls, and from where.
            mode: LazyMode, 32 bits, in eax.

        Returns:
            None to have it done natively, or any other answer.
        """
        del vcpu, mode
        return None
