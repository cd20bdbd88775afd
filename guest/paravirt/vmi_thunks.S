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

/* Four arguments of a call site: the fourth goes from EBX to the stack, right above the return address. */
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

/* `count` arguments of an inline site, on the stack, the first on top; popped here. No result. */
.macro STACKED count, name, target:vararg
ENTRY \name
	pushl %eax
	pushl %edx
	pushl %ecx
	movl 16(%esp), %eax
	.if \count > 1
	movl 20(%esp), %edx
	.endif
	.if \count > 2
	movl 24(%esp), %ecx
	.endif
	.if \count > 3
	pushl 28(%esp)
	.endif
	call \target
	.if \count > 3
	leal 4(%esp), %esp
	.endif
	popl %ecx
	popl %edx
	popl %eax
	ret $(4 * \count)
.endm

/* Straight into the ROM. */
#define ROM(call) *vmi_entry + 4 * VMI_CALL_##call
RESULT read_cr2, ROM(GetCR2)
RESULT read_cr3, ROM(GetCR3)
STACKED 1, write_cr3, ROM(SetCR3)
NO_RESULT clts, ROM(CLTS)
RESULT64 read_tsc, ROM(RDTSC)
STACKED 4, write_gdt_entry, ROM(WriteGDTEntry)
STACKED 4, write_ldt_entry, ROM(WriteLDTEntry)
STACKED 4, write_idt_entry, ROM(WriteIDTEntry)
STACKED 1, invlpg, ROM(InvalPage)
RESULT64 wallclock_ns, ROM(GetWallclockTime)

/* Through C. */
#if VMI_API_MAJOR == 13
STACKED 2, update_kernel_stack, vmi_update_kernel_stack
STACKED 2, finish_switch, vmi_finish_switch
#else
STACKED 1, update_kernel_stack, vmi_update_kernel_stack
STACKED 1, finish_switch, vmi_finish_switch
NO_RESULT start_switch, vmi_lazy_mode_cpu
NO_RESULT lazy_mode_mmu, vmi_lazy_mode_mmu
NO_RESULT lazy_mode_cpu, vmi_lazy_mode_cpu
#endif
NO_RESULT lazy_mode_none, vmi_lazy_mode_none
#if CONFIG_PAE
STACKED 3, set_pte, vmi_set_pte
STACKED 4, set_pte_at, vmi_set_pte_at
STACKED 3, set_pde, vmi_set_pde
STACKED 3, set_pdpte, vmi_set_pdpte
#else
STACKED 2, set_pte, vmi_set_pte
STACKED 3, set_pte_at, vmi_set_pte_at
STACKED 2, set_pde, vmi_set_pde
STACKED 2, set_pdpte, vmi_set_pdpte
#endif
STACKED 2, pte_clear, vmi_pte_clear
STACKED 2, pte_update, vmi_pte_update
STACKED 2, pte_update_defer, vmi_pte_update_defer
STACKED 1, pte_update_other, vmi_pte_update_other
STACKED 1, paging_alloc_pt, vmi_paging_alloc_pt
STACKED 1, paging_alloc_pd, vmi_paging_alloc_pd
FOUR_ARGUMENTS paging_alloc_root, vmi_paging_alloc_root
STACKED 1, paging_release_pt, vmi_paging_release_pt
STACKED 1, paging_release_pd, vmi_paging_release_pd
STACKED 1, paging_release_root, vmi_paging_release_root
FOUR_ARGUMENTS linear_mapping, vmi_linear_mapping
NO_RESULT flush_tlb, vmi_flush_tlb
NO_RESULT flush_tlb_global, vmi_flush_tlb_global
RESULT64 clock_cycles, vmi_clock_cycles
RESULT clock_khz, vmi_clock_khz

/* API 13 takes the linear address of a register of the local APIC. In: EAX = its offset. Else as the ROM. */
#if VMI_API_MAJOR == 13
#define APIC(call) vmi_##call
vmi_APICRead:
	addl lapic_base, %eax
	jmp ROM(APICRead)
vmi_APICWrite:
	addl lapic_base, %eax
	jmp ROM(APICWrite)
#else
#define APIC(call) ROM(call)
#endif

/* One argument on the stack and a result. */
ENTRY apic_read
	pushl %edx
	pushl %ecx
	movl 12(%esp), %eax
	call APIC(APICRead)
	popl %ecx
	popl %edx
	ret $4
STACKED 2, apic_write, APIC(APICWrite)

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
	.asciz "paravirt: the ROM is active but has no IRET (it must be CALL_REL or JUMP_REL)"
no_sysexit_text:
	.asciz "paravirt: the ROM is active but has no SYSEXIT (it must be CALL_REL or JUMP_REL)"
