/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where a further CPU begins on a plain PC: real mode at TRAMPOLINE_PHYS, to which smp.c copies this code. Goes to
 * the high half on page tables that also map low memory at 0, then to smp.c:ap_main. A hypervisor that starts CPUs
 * itself enters ap_entry directly. Before paging there is nothing to ask, so the privileged instructions stand here.
 */
#include "layout.h"

#define AT(symbol) (TRAMPOLINE_PHYS + symbol - trampoline_start)

	.section .rodata
	.balign 16
	.globl trampoline_start, trampoline_end, trampoline_root

/* In: CS:IP = TRAMPOLINE_PHYS/16:0, interrupts off. Out: ap_entry, paging on, own GDT. Clobbers all. No stack. CPL 0. */
	.code16
trampoline_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl AT(trampoline_gdt)
	movl %cr0, %eax
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $KERNEL_CS, $AT(1f)
	.code32
1:	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl APIC_PHYS + 0x20, %ebx	/* not by CPUID: no CPU before the Pentium 4 tells it there */
	shrl $24, %ebx			/* this CPU's APIC id */
	movl %cr4, %eax
	orl AT(trampoline_cr4), %eax
	movl %eax, %cr4
	movl AT(trampoline_root), %eax
	movl %eax, %cr3
	movl $(CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	movl %eax, %cr0
	movl %ebx, %eax
	movl $ap_entry, %ecx
	jmp *%ecx

	.balign 4
trampoline_root: /* both filled in by smp.c */
	.long 0
	.globl trampoline_cr4
trampoline_cr4: /* bits that the page tables need */
	.long 0
	.balign 8
2:	.long 0, 0
	.long 0x0000FFFF, DESC_CODE32
	.long 0x0000FFFF, DESC_DATA32
3:
trampoline_gdt:
	.word 3b - 2b - 1
	.long AT(2b)
trampoline_end:

	.text
/* ap_entry: first instruction in the high half, or the EIP in a hypervisor's AP state.
 * In: EAX this CPU's APIC id, paging on, flat segments, interrupts off. Out: ap_main, on the stack that ends at
 * `ap_stack`. If this CPU is not the one awaited, because smp.c gave it up: counts itself and halts. Clobbers all.
 * Kernel privilege: above ring 0 it may not halt, and a hypervisor's INIT ends the loop. */
	.globl ap_entry
ap_entry:
	movl $AP_NOBODY, %ecx
	lock cmpxchgl %ecx, ap_awaited
	jne 1f
	movl ap_stack, %esp
	xorl %ebp, %ebp
	call ap_main
1:	lock incl late_cpus
	movl %cs, %eax
2:	pause
	testb $3, %al
	jnz 2b
	hlt
	jmp 2b
