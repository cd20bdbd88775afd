/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The stub of each call, by number: what get_reloc (init.S) hands out in the stubs modes. A zero is a call that has no
 * native meaning, or that the guest's own code does better, or an OTHER that nobody has defined: its answer is NONE.
 */
#include "rom.inc"

#define STUB(call, function)                       \
    .org rom_stub_table + 2 * VMI_CALL_##call    ; \
    .short function

/* A call for which this ROM has no code; whoever links code for it (tests/guest/timer_rom) names it so. */
#define OTHER(call, function)                      \
    .weak function                               ; \
    STUB(call, function)

    .section .rodata, "a", @progbits
    .balign 4
    .globl rom_stub_table
rom_stub_table:
    STUB(CPUID, rom_cpuid)
    STUB(WRMSR, rom_wrmsr)
    STUB(RDMSR, rom_rdmsr)
    STUB(SetGDT, rom_set_gdt)
    STUB(SetLDT, rom_set_ldt)
    STUB(SetIDT, rom_set_idt)
    STUB(SetTR, rom_set_tr)
    STUB(GetGDT, rom_get_gdt)
    STUB(GetLDT, rom_get_ldt)
    STUB(GetIDT, rom_get_idt)
    STUB(GetTR, rom_get_tr)
    STUB(WriteGDTEntry, rom_write_descriptor)
    STUB(WriteLDTEntry, rom_write_descriptor)
    STUB(WriteIDTEntry, rom_write_descriptor)
    STUB(UpdateKernelStack, rom_nothing)    /* the guest has stored it in its TSS, where the CPU looks */
    STUB(SetCR0, rom_set_cr0)
    STUB(SetCR2, rom_set_cr2)
    STUB(SetCR3, rom_set_cr3)
    STUB(SetCR4, rom_set_cr4)
    STUB(GetCR0, rom_get_cr0)
    STUB(GetCR2, rom_get_cr2)
    STUB(GetCR3, rom_get_cr3)
    STUB(GetCR4, rom_get_cr4)
    STUB(WBINVD, rom_wbinvd)
    STUB(SetDR, rom_set_dr)
    STUB(GetDR, rom_get_dr)
    STUB(RDPMC, rom_rdpmc)
    STUB(RDTSC, rom_rdtsc)
    STUB(CLTS, rom_clts)
    STUB(EnableInterrupts, rom_enable_interrupts)
    STUB(DisableInterrupts, rom_disable_interrupts)
    STUB(GetInterruptMask, rom_get_interrupt_mask)
    STUB(SetInterruptMask, rom_set_interrupt_mask)
    STUB(IRET, rom_iret_call)
    STUB(SYSEXIT, rom_sysexit)
    STUB(Halt, rom_halt)
    STUB(Reboot, rom_reboot)
    STUB(Shutdown, rom_shutdown)
    STUB(SetPxE, rom_set_pxe)
    STUB(SetPxELong, rom_set_pxe_long)
    STUB(UpdatePxE, rom_nothing)            /* the CPU walks the guest's own tables: nobody else to tell */
    STUB(UpdatePxELong, rom_nothing)
    /* 42 MachineToPhysical, 43 PhysicalToMachine: no public arguments (vmi-abi.md 9.13) */
    STUB(AllocatePage, rom_nothing)
    STUB(ReleasePage, rom_nothing)
    STUB(InvalPage, rom_inval_page)
    STUB(FlushTLB, rom_flush_tlb)
    STUB(SetLinearMapping, rom_nothing)
    STUB(INL, rom_inl)
    STUB(INB, rom_inb)
    STUB(INW, rom_inw)
    STUB(INSL, rom_insl)
    STUB(INSB, rom_insb)
    STUB(INSW, rom_insw)
    STUB(OUTL, rom_outl)
    STUB(OUTB, rom_outb)
    STUB(OUTW, rom_outw)
    STUB(OUTSL, rom_outsl)
    STUB(OUTSB, rom_outsb)
    STUB(OUTSW, rom_outsw)
    STUB(SetIOPLMask, rom_set_iopl_mask)
    OTHER(SetInitialAPState, rom_set_initial_ap_state)  /* only the guest's own trampoline starts a native CPU */
    OTHER(APICWrite, rom_apic_write)        /* the ROM doesn't know where the guest has mapped the local APIC */
    OTHER(APICRead, rom_apic_read)
    STUB(IODelay, rom_nothing)
    /* The timer group: all or none (vmi-abi.md 3.5). A guest with a local APIC has its alarms moved there: out of reach. */
    OTHER(GetCycleFrequency, rom_get_cycle_frequency)
    OTHER(GetCycleCounter, rom_get_cycle_counter)
    OTHER(SetAlarm, rom_set_alarm)
    OTHER(CancelAlarm, rom_cancel_alarm)
    OTHER(GetWallclockTime, rom_get_wallclock_time)
    OTHER(WallclockUpdated, rom_wallclock_updated)
    /* 72 SetCallbacks: no public semantics */
    STUB(SetLazyMode, rom_nothing)          /* nothing is ever deferred */
    .org rom_stub_table + 2 * VMI_CALL_COUNT
    .size rom_stub_table, . - rom_stub_table
