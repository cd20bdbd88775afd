/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Generation B: the slot of each call, at 32 times its number in the image (vmi-abi.md 1.4, 3.2), and the table from which
 * the query of 13.3 (get_reloc of firmware/rom/init.S) is answered: the code itself, without the slot's jump. Compiled with
 * firmware/include13; what the two generations share is firmware/rom, the rest of the code is paging.S and others.S.
 */
#include "rom.inc"

#define ENTRY(call, function)                                               \
    .section .slots, "ax", @progbits                                      ; \
    .org rom_slots + VMI_SLOT_SIZE * (VMI_CALL_##call - VMI_SLOT_FIRST), 0xcc ; \
    jmp function                                                          ; \
    .section .rodata, "a", @progbits                                      ; \
    .org rom_stub_table + 2 * VMI_CALL_##call                             ; \
    .short function

    .section .rodata, "a", @progbits
    .balign 4
    .globl rom_stub_table
rom_stub_table:
    .section .slots, "ax", @progbits
rom_slots:
    ENTRY(Init, rom_vmi_init)
    ENTRY(CPUID, rom_cpuid)
    ENTRY(WRMSR, rom_wrmsr)
    ENTRY(RDMSR, rom_rdmsr)
    ENTRY(SetGDT, rom_set_gdt)
    ENTRY(SetLDT, rom_set_ldt)
    ENTRY(SetIDT, rom_set_idt)
    ENTRY(SetTR, rom_set_tr)
    ENTRY(GetGDT, rom_get_gdt)
    ENTRY(GetLDT, rom_get_ldt)
    ENTRY(GetIDT, rom_get_idt)
    ENTRY(GetTR, rom_get_tr)
    ENTRY(WriteGDTEntry, rom_write_descriptor)
    ENTRY(WriteLDTEntry, rom_write_descriptor)
    ENTRY(WriteIDTEntry, rom_write_descriptor)
    ENTRY(UpdateKernelStack, rom_nothing)   /* the guest has stored it in its TSS, where the CPU looks */
    ENTRY(SetCR0, rom_set_cr0)
    ENTRY(SetCR2, rom_set_cr2)
    ENTRY(SetCR3, rom_set_cr3)
    ENTRY(SetCR4, rom_set_cr4)
    ENTRY(GetCR0, rom_get_cr0)
    ENTRY(GetCR2, rom_get_cr2)
    ENTRY(GetCR3, rom_get_cr3)
    ENTRY(GetCR4, rom_get_cr4)
    ENTRY(INVD, rom_wbinvd)                 /* without the write-back, what this machine's firmware wrote could be lost */
    ENTRY(WBINVD, rom_wbinvd)
    ENTRY(SetDR, rom_set_dr)
    ENTRY(GetDR, rom_get_dr)
    ENTRY(RDPMC, rom_rdpmc)
    ENTRY(RDTSC, rom_rdtsc)
    ENTRY(CLTS, rom_clts)
    ENTRY(EnableInterrupts, rom_enable_interrupts)
    ENTRY(DisableInterrupts, rom_disable_interrupts)
    ENTRY(GetInterruptMask, rom_get_interrupt_mask)
    ENTRY(SetInterruptMask, rom_set_interrupt_mask)
    ENTRY(IRET, rom_iret_call)              /* 13.x enters it by CALL (vmi-abi.md 9.14) */
    ENTRY(SYSEXIT, rom_sysexit)
    ENTRY(Pause, rom_pause)
    ENTRY(Halt, rom_halt)
    ENTRY(Reboot, rom_reboot)
    ENTRY(Shutdown, rom_shutdown)
    ENTRY(SetPxE0, rom_set_pxe0)
    ENTRY(GetPxE, rom_nothing)              /* the CPU's terms are the guest's */
    ENTRY(SwapPxE, rom_swap_pxe)
    ENTRY(SetPxELong0, rom_set_pxe_long)
    ENTRY(GetPxELong, rom_nothing)
    ENTRY(SwapPxELongAtomic, rom_set_pxe_long)
    ENTRY(TestAndSetPxEBit, rom_test_and_set)
    ENTRY(TestAndClearPxEBit, rom_test_and_clear)
    ENTRY(AllocatePage, rom_nothing)
    ENTRY(ReleasePage, rom_nothing)
    ENTRY(InvalPage, rom_inval_page)
    ENTRY(FlushTLB, rom_flush_tlb)
    ENTRY(FlushDeferredCalls, rom_zero)     /* nothing is ever deferred */
    ENTRY(SetLinearMapping, rom_nothing)
    ENTRY(IN, rom_inl)
    ENTRY(INB, rom_inb)
    ENTRY(INW, rom_inw)
    ENTRY(INS, rom_insl)
    ENTRY(INSB, rom_insb)
    ENTRY(INSW, rom_insw)
    ENTRY(OUT, rom_outl)
    ENTRY(OUTB, rom_outb)
    ENTRY(OUTW, rom_outw)
    ENTRY(OUTS, rom_outsl)
    ENTRY(OUTSB, rom_outsb)
    ENTRY(OUTSW, rom_outsw)
    ENTRY(SetIOPLMask, rom_set_iopl_mask)
    ENTRY(DeactivatePxELongAtomic, rom_deactivate)
    ENTRY(TestAndSetPxELongBit, rom_test_and_set_long)
    ENTRY(TestAndClearPxELongBit, rom_test_and_clear_long)
    ENTRY(SetInitialAPState, rom_nothing)   /* STARTUP's vector counts, as on any PC: this ROM starts nobody */
    ENTRY(APICWrite, rom_apic_write)
    ENTRY(APICRead, rom_apic_read)
    ENTRY(IODelay, rom_nothing)
    ENTRY(GetCycleFrequency, rom_zero)      /* 0: there is no VMI timer (vmi-abi.md 9.20) */
    ENTRY(GetCycleCounter, rom_zero)
    ENTRY(SetAlarm, rom_nothing)
    ENTRY(CancelAlarm, rom_zero)
    ENTRY(GetWallclockTime, rom_zero)
    ENTRY(WallclockUpdated, rom_zero)
    ENTRY(GetRelocationInfo, rom_get_reloc)
    ENTRY(SetPxE, rom_set_pxe)
    ENTRY(SetPxELong, rom_set_pxe_long)
    .org rom_stub_table + 2 * VMI_CALL_COUNT
    .size rom_stub_table, . - rom_stub_table

    /* Nobody knows a call there; whoever makes one comes back. */
    .section .slots, "ax", @progbits
    .rept VMI_SLOT_LAST + 1 - VMI_CALL_COUNT
    .balign VMI_SLOT_SIZE, 0xcc
    ret
    .endr
    .balign VMI_SLOT_SIZE, 0xcc
