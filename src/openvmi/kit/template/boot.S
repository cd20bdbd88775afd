/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the boot loader to C: multiboot header, flat segments, a stack. Goes on in kernel.c:kernel_main.
 */
	.section .multiboot, "a", @progbits
	.balign 4
	.long 0x1BADB002, 0, -0x1BADB002

	.text

/* _start: the multiboot entry. In: 32-bit protected mode, paging off, IF 0. Out: kernel_main(), which does not return.
 * Clobbers: everything. Stack: none yet. CPL 0. */
	.globl _start
	.type _start, @function
_start:
	lgdt gdt_register
	ljmp $8, $1f
1:	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $stack_end, %esp
	xorl %ebp, %ebp
	pushl $0
	popfl
	call kernel_main
	.size _start, . - _start

	.section .rodata
	.balign 8
gdt:
	.long 0, 0
	.long 0x0000FFFF, 0x00CF9A00 /* 8: code */
	.long 0x0000FFFF, 0x00CF9200 /* 16: data */
gdt_register:
	.word gdt_register - gdt - 1
	.long gdt

	.bss
	.balign 16
	.skip 8192
stack_end:
