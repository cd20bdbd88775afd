/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between hot sites and the ROM: a site expects every register but the result to survive, a ROM and the wrappers of
 * vmi_wrappers.c destroy EAX, EDX, ECX. Each entry is pv_vmi_X for operation X: saves, calls, restores. The service table
 * (vmi_services.c) puts them into the operation words.
 *
 * All: in: as the operation's site (pv_sites.h); out: its result; clobber flags only; stack: 24 bytes and the callee's;
 * flat segments; the kernel's privilege, whatever it is.
 */
#include "paravirt.h"

	.text

.macro ENTRY name
	.globl pv_vmi_\name
	.type pv_vmi_\name, @function
pv_vmi_\name:
.endm

.macro NO_RESULT name, target:vararg
ENTRY \name
	pushl %eax
	pushl %edx
	pushl %ecx
	call \target
	popl %ecx
	popl %edx
	popl %eax
	ret
.endm

.macro RESULT name, target:vararg
ENTRY \name
	pushl %edx
	pushl %ecx
	call \target
	popl %ecx
	popl %edx
	ret
.endm

.macro RESULT64 name, target:vararg
ENTRY \name
	pushl %ecx
	call \target
	popl %ecx
	ret
.endm

/* The fourth argument goes from EBX to the stack, right above the return address. */
.macro FOUR_ARGUMENTS name, target:vararg
ENTRY \name
	pushl %eax
	pushl %edx
	pushl %ecx
	pushl %ebx
	call \target
	leal 4(%esp), %esp
	popl %ecx
	popl %edx
	popl %eax
	ret
.endm

/* Straight into the ROM. */
#define ROM(call) *vmi_entry + 4 * VMI_CALL_##call
RESULT read_cr2, ROM(GetCR2)
RESULT read_cr3, ROM(GetCR3)
NO_RESULT write_cr3, ROM(SetCR3)
NO_RESULT clts, ROM(CLTS)
RESULT64 read_tsc, ROM(RDTSC)
FOUR_ARGUMENTS write_gdt_entry, ROM(WriteGDTEntry)
FOUR_ARGUMENTS write_ldt_entry, ROM(WriteLDTEntry)
FOUR_ARGUMENTS write_idt_entry, ROM(WriteIDTEntry)
NO_RESULT invlpg, ROM(InvalPage)
RESULT apic_read, ROM(APICRead)
NO_RESULT apic_write, ROM(APICWrite)

/* Through C. */
NO_RESULT update_kernel_stack, vmi_update_kernel_stack
NO_RESULT lazy_mode_none, vmi_lazy_mode_none
NO_RESULT lazy_mode_mmu, vmi_lazy_mode_mmu
NO_RESULT lazy_mode_cpu, vmi_lazy_mode_cpu
NO_RESULT set_pte, vmi_set_pte
NO_RESULT set_pde, vmi_set_pde
NO_RESULT set_pdpte, vmi_set_pdpte
NO_RESULT pte_clear, vmi_pte_clear
NO_RESULT pte_update, vmi_pte_update
NO_RESULT pte_update_defer, vmi_pte_update_defer
NO_RESULT pte_update_other, vmi_pte_update_other
NO_RESULT paging_alloc_pt, vmi_paging_alloc_pt
NO_RESULT paging_alloc_pd, vmi_paging_alloc_pd
FOUR_ARGUMENTS paging_alloc_root, vmi_paging_alloc_root
NO_RESULT paging_release_pt, vmi_paging_release_pt
NO_RESULT paging_release_pd, vmi_paging_release_pd
FOUR_ARGUMENTS linear_mapping, vmi_linear_mapping
NO_RESULT flush_tlb, vmi_flush_tlb
NO_RESULT flush_tlb_global, vmi_flush_tlb_global
RESULT64 clock_cycles, vmi_clock_cycles
RESULT clock_khz, vmi_clock_khz
RESULT64 wallclock_ns, ROM(GetWallclockTime)
#if CONFIG_PAE
FOUR_ARGUMENTS set_pte_at, vmi_set_pte_at
#else
NO_RESULT set_pte_at, vmi_set_pte_at
#endif

/* What stands in the words of IRET and SYSEXIT under VMI: these can only be patched in, because a ROM may want them entered
 * by CALL or by JUMP. Reached if the ROM offers no way. In: anything. No return. */
	.globl pv_vmi_no_iret, pv_vmi_no_sysexit
pv_vmi_no_iret:
	movl $no_iret_text, %eax
	jmp pv_panic
pv_vmi_no_sysexit:
	movl $no_sysexit_text, %eax
	jmp pv_panic

	.section .rodata
no_iret_text:
	.asciz "paravirt: the ROM is active but has no IRET (call 33 must be CALL_REL or JUMP_REL)"
no_sysexit_text:
	.asciz "paravirt: the ROM is active but has no SYSEXIT (call 34 must be CALL_REL or JUMP_REL)"
