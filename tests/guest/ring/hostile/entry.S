/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Exceptions of the hostile kernel: from wherever they come, back to who called hostile_try().
 */
#include "layout.h"
#include "paravirt.h"
#include "vmi_wire.h"

	.text

/* hostile_try(EAX what, EDX argument): calls what(argument). Out: EAX = 0, or 1 if an exception ended it. Clobbers ECX, EDX,
 * flags. Any stack at the time of the exception; kernel privilege. */
	.globl hostile_try
hostile_try:
	pushl %ebx
	pushl %esi
	pushl %edi
	pushl %ebp
	movl %esp, escape_esp
	movl %eax, %ecx
	movl %edx, %eax
	call *%ecx
	xorl %eax, %eax
escaped:
	movl escape_esp, %esp
	popl %ebp
	popl %edi
	popl %esi
	popl %ebx
	ret

.macro CATCH number, has_error=0
	.if \has_error == 0
	pushl $0
	.endif
	pushl $\number
	jmp caught_common
.endm

	.balign 16
	.globl hostile_entries
hostile_entries:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	.balign 16
	.if \n == 8 || \n == 10 || \n == 11 || \n == 12 || \n == 13 || \n == 14 || \n == 17
	CATCH \n, 1
	.else
	CATCH \n
	.endif
	.endr
	.balign 16
	.globl hostile_call
hostile_call: /* int 0x80 of ring 3 */
	CATCH 0x80

/* In: number, error code, EIP, CS, EFLAGS on whatever stack. */
caught_common:
	cld
	movl $USER_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl $PERCPU_SELECTOR, %eax
	movl %eax, %fs
	xorl %eax, %eax
	movl %eax, %gs
	movl %esp, caught_esp
	popl caught_vector
	popl caught_error
	popl caught_eip
	popl caught_cs
	movl escape_ss, %eax
	movl %eax, %ss
	movl escape_esp, %esp
	movl $1, %eax
	jmp escaped

/* hostile_tick: IRQ 0's entry, that ends it. In: hardware's frame. Out: as hostile_step. */
	.globl hostile_tick
hostile_tick:
	pushl %eax
	movb $0x20, %al
	outb %al, $0x20
	popl %eax

/* hostile_step: #DB's entry, that goes on with what is stepped through. In: hardware's frame. Out: counted in hostile_steps, and in
 * hostile_lost if the stack is none of ours, in hostile_inside if it was the kernel. Clobbers flags. */
	.globl hostile_step
hostile_step:
	incl hostile_steps
	cmpl $VMI_WIRE_BASE, %esp
	jb 1f
	incl hostile_lost
1:	testb $2, 4(%esp)
	jnz 1f
	incl hostile_inside
1:	PV_IRET

/* second_again: an exception of the second CPU: it begins anew, on an empty stack. Kernel privilege. */
	.globl second_again
second_again:
	movl $second_stack + 0x1000 - 16, %esp
	jmp second

/* user_mode(EAX eip, EDX cs, ECX flags, stack: esp, ss): in: kernel privilege. Does not return. */
	.globl user_mode
user_mode:
	movl 4(%esp), %ebx
	movl 8(%esp), %esi
	pushl %esi
	pushl %ebx
	pushl %ecx
	pushl %edx
	pushl %eax
	PV_IRET

/* iret_frame(EAX eip, EDX cs, ECX flags): the same without a stack: what a return to ring 1 pops. */
	.globl iret_frame
iret_frame:
	pushl %ecx
	pushl %edx
	pushl %eax
	PV_IRET

/* native_iret(EAX eip, EDX cs, ECX flags): the instruction. */
	.globl native_iret
native_iret:
	pushl %ecx
	pushl %edx
	pushl %eax
	iret

/* on_stack(EAX esp, EDX instructions): goes there with that stack. */
	.globl on_stack
on_stack:
	movl %eax, %esp
	jmp *%edx

/* gate_call(EAX number): the monitor's gate, without a stub: EDX, ECX, EBX, ESI, EDI are numbers of no meaning. */
	.globl gate_call
gate_call:
	movl $0xDEAD0001, %edx
	movl $0xDEAD0002, %ecx
	movl $0xDEAD0003, %ebx
	pushl %eax
	lcall $MONITOR_GATE, $0
	addl $4, %esp
	ret

/* call_any(EAX function, EDX pointer to a, d, c, s1, s2): ESI and EDI are a, too. Out: EAX. Clobbers ECX, EDX, flags. */
	.globl call_any
call_any:
	pushl %ebx
	pushl %esi
	pushl %edi
	pushl %ebp
	movl %eax, %ebx
	pushl 16(%edx)
	pushl 12(%edx)
	movl 8(%edx), %ecx
	movl (%edx), %eax
	movl 4(%edx), %edx
	movl %eax, %esi
	movl %eax, %edi
	call *%ebx
	addl $8, %esp
	popl %ebp
	popl %edi
	popl %esi
	popl %ebx
	ret

	.section .bss
	.balign 4
	.globl caught_vector, caught_error, caught_eip, caught_cs, caught_esp, escape_ss, hostile_steps, hostile_lost, hostile_inside
escape_esp:
	.skip 4
escape_ss:
	.skip 4
caught_vector:
	.skip 4
caught_error:
	.skip 4
caught_eip:
	.skip 4
caught_cs:
	.skip 4
caught_esp:
	.skip 4
hostile_steps:
	.skip 4
hostile_lost:
	.skip 4
hostile_inside:
	.skip 4
