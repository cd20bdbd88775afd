/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The wrong guest's assembler: entry, calls with every register chosen, ways out of ring 0 and back, and another CPU's start.
 */
#include "wrong.h"

	.section .multiboot, "a", @progbits
	.balign 4
	.long 0x1BADB002, 0, -0x1BADB002

	.text

/* boot_entry. In: EBX = boot information; 32-bit protected mode, flat, paging off. Out: kernel_main(EAX). No stack. CPL 0. */
	.globl boot_entry
boot_entry:
	cli
	cld
	movl $cpus + 3 * 4096, %esp
	movl %ebx, %eax
	call kernel_main
1:	hlt
	jmp 1b

/* vmi. In: EAX = number, EDX, ECX = first arguments, stack: third, and two words for the callee's stack.
 * Clobbers EAX, EDX, ECX, flags. Stack: 24 bytes. CPL 0. */
	.globl vmi
vmi:
	pushl %ebx
	pushl %ebp
	movl %esp, %ebp
	pushl 20(%ebp)
	pushl 16(%ebp)
	movl entry(, %eax, 4), %ebx
	movl %edx, %eax
	movl %ecx, %edx
	movl 12(%ebp), %ecx
	call *%ebx
	movl %ebp, %esp
	popl %ebp
	popl %ebx
	ret

/* vmi_with. In: EAX = number, EDX = first argument, ECX = DS, stack: SS, EFLAGS; all are as before afterwards.
 * Clobbers EAX, EDX, ECX, flags. Stack: 20 bytes. CPL 0. */
	.globl vmi_with
vmi_with:
	pushl %ebx
	pushl %esi
	pushl %edi
	movl entry(, %eax, 4), %ebx
	movl 16(%esp), %esi
	movl 20(%esp), %edi
	movl %edx, %eax
	movl %ss, %edx
	pushl %edx
	movl %esi, %ss
	pushl %edi
	popfl
	movl %ecx, %ds
	call *%ebx
	pushl $2
	popfl
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	popl %edx
	movl %edx, %ss
	popl %edi
	popl %esi
	popl %ebx
	ret

/* leave: IRET to `visitor` in another ring, which comes back by a system call.
 * In: EAX = CS, EDX = SS, ECX = EFLAGS. Out: returns, in ring 0. Clobbers EAX, EDX, ECX, flags. CPL 0. */
	.globl leave
leave:
	pushl %ebx
	pushl %esi
	pushl %edi
	pushl %ebp
	movl %esp, saved_stack
	pushl %edx
	pushl $visitor_stack
	pushl %ecx
	pushl %eax
	pushl $visitor
	jmp *entry + 4 * VMI_CALL_IRET
visitor:
	int $0x80
	.globl system_call
system_call:
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl saved_stack, %esp
	popl %ebp
	popl %edi
	popl %esi
	popl %ebx
	ret

/* trap_entry: no exception is expected. Does not return. */
	.globl trap_entry
trap_entry:
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl $99, %eax
	call finish

/* Where the other CPU begins, at TRAMPOLINE, in real mode; goes to ap_main with paging on. */
#define AT(symbol) (TRAMPOLINE + symbol - trampoline_start)
	.code16
	.globl trampoline_start, trampoline_end
trampoline_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl AT(ap_gdt)
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $KERNEL_CS, $AT(1f)
	.code32
1:	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl ap_root, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80010000, %eax
	movl %eax, %cr0
	movl ap_stack, %esp
	movl $ap_main, %eax
	call *%eax
2:	hlt
	jmp 2b
	.balign 8
3:	.long 0, 0, 0x0000FFFF, 0x00CF9A00, 0x0000FFFF, 0x00CF9200
4:
ap_gdt:
	.word 4b - 3b - 1
	.long AT(3b)
trampoline_end:

	.bss
saved_stack:
	.skip 4
	.skip 256
visitor_stack:
	.skip 4
