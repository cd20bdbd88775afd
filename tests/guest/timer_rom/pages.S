/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The test ROM's memory, and where a further CPU begins: the trampoline takes it from real mode into the state that the
 * guest has given (vmi-abi.md 4.11). apic.c copies it to the first of the pages and completes its facts. Symbols are
 * offsets in the image. See timer_rom.h.
 */
#include "vmi_abi.h"

#define STATE(field) VMI_AP_STATE_##field##_OFFSET
#define AT(symbol) (symbol - timer_rom_trampoline)
#define MSR_EFER 0xC0000080

	.text
	.balign 8
	.globl timer_rom_state
timer_rom_state: /* struct state */
	.skip 1536

	.globl timer_rom_pages
timer_rom_pages: /* three pages and 32 bytes from the next page boundary on, wherever the BIOS has put the image */
	.skip 4 * 4096 + 32

	.balign 8
	.globl timer_rom_trampoline, timer_rom_trampoline_end, timer_rom_trampoline_facts
/* In: CS:IP = its page:0, real mode, interrupts off. Out: the given state, at its EIP. Writes 18 bytes below its ESP. */
	.code16
timer_rom_trampoline:
	cli
	movw %cs, %ax
	movw %ax, %ds
	lgdtl AT(.Lgdt_limit)
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	xorl %ebp, %ebp
	movw %ds, %bp
	shll $4, %ebp			/* EBP = the page */
	ljmpl *AT(.Lflat_address)
	.code32
.Lflat:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	imull $VMI_AP_STATE_SIZE, %ebx, %esi
	addl AT(timer_rom_trampoline_facts) + 4(%ebp), %esi /* ESI -> the state */
	movl STATE(cr4)(%esi), %eax
	movl %eax, %cr4
	movl STATE(efer)(%esi), %eax
	movl STATE(efer) + 4(%esi), %edx
	movl %eax, %ecx
	orl %edx, %ecx
	jz 1f				/* 0 is what it is; a CPU may have no EFER */
	movl $MSR_EFER, %ecx
	wrmsr
1:	movl AT(timer_rom_trampoline_facts)(%ebp), %eax
	movl %eax, %cr3
	movl STATE(cr0)(%esi), %eax
	movl %eax, %cr0
	jmp *AT(.Lhigh_address)(%ebp)
.Lhigh:
	addl $0xC0000000, %esi		/* both at their addresses in the direct map now */
	movl STATE(cr3)(%esi), %eax
	movl %eax, %cr3
	movl STATE(cr2)(%esi), %eax
	movl %eax, %cr2
	lgdtl STATE(gdtr_limit)(%esi)
	movw STATE(ss)(%esi), %ss
	movl STATE(esp)(%esi), %esp
	pushl STATE(idtr_base)(%esi)
	pushw STATE(idtr_limit)(%esi)
	lidtl (%esp)
	leal 6(%esp), %esp
	cmpw $0, STATE(ldtr)(%esi)	/* the LDT may be prepared later, by the CPU itself */
	je 1f
	lldtw STATE(ldtr)(%esi)
1:	pushl STATE(eflags)(%esi)
	pushl $0
	movw STATE(cs)(%esi), %ax
	movw %ax, (%esp)
	pushl STATE(eip)(%esi)
	movw STATE(es)(%esi), %es
	movw STATE(fs)(%esi), %fs
	movw STATE(gs)(%esi), %gs
	movl STATE(eax)(%esi), %eax
	movl STATE(ebx)(%esi), %ebx
	movl STATE(ecx)(%esi), %ecx
	movl STATE(edx)(%esi), %edx
	movl STATE(edi)(%esi), %edi
	movl STATE(ebp)(%esi), %ebp
	pushl STATE(esi)(%esi)
	movw STATE(ds)(%esi), %ds
	popl %esi
	iretl

	/* What apic.c fills in, or adds the page's address to: struct facts there. */
	.balign 8
timer_rom_trampoline_facts:
	.long 0				/* root of the tables that have low memory at 0, too */
	.long 0				/* physical address of the states, by APIC id */
.Lhigh_address:
	.long AT(.Lhigh)
.Lflat_address:
	.long AT(.Lflat)
	.word 8, 0
	.word 0
.Lgdt_limit:
	.word 8 * 3 - 1
	.long AT(.Lgdt)
.Lgdt:
	.long 0, 0
	.long 0x0000FFFF, 0x00CF9B00
	.long 0x0000FFFF, 0x00CF9300
timer_rom_trampoline_end:
