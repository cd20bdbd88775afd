/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every way into the kernel and out of it: exceptions, interrupts, int 0x80, SYSENTER; return, first return of a new
 * process, stack switch. The way out is PV_IRET or PV_STI_SYSEXIT, interrupts go off and on by PV_CLI and PV_STI:
 * the layer may replace them by calls into a ROM. Saved registers: struct regs (cpu.h). C side: traps.c, syscall.c,
 * sched.c.
 */
#include "layout.h"
#include "paravirt.h"

/* Pushes what struct regs holds below `vector` and loads the kernel's data segments: DS and ES the flat user segment,
 * which is good at every privilege level, FS this CPU's data. Clobbers EDX after saving it. */
.macro SAVE_REGS
	cld
	pushl %fs
	pushl %es
	pushl %ds
	pushl %eax
	pushl %ebp
	pushl %edi
	pushl %esi
	pushl %edx
	pushl %ecx
	pushl %ebx
	movl $USER_DS, %edx
	movl %edx, %ds
	movl %edx, %es
	movl $PERCPU_SELECTOR, %edx
	movl %edx, %fs
.endm

.macro RESTORE_GENERAL
	popl %ebx
	popl %ecx
	popl %edx
	popl %esi
	popl %edi
	popl %ebp
	popl %eax
.endm

/* Pops a segment register; a selector that has become invalid is replaced by the null one. */
.macro POP_SEGMENT reg
771:	popl \reg
	.pushsection .text.fixup, "ax", @progbits
772:	movl $0, (%esp)
	jmp 771b
	.popsection
	.pushsection .ex_table, "a", @progbits
	.balign 4
	.long 771b, 772b
	.popsection
.endm

	.text

/* Exceptions without and with a hardware error code.
 * In: hardware frame on the kernel stack (from ring 3) or the interrupted one. Out: struct regs, to common_trap.
 * Interrupts off (all gates are interrupt gates but the system call's). Kernel privilege. */
.macro EXCEPTION number, has_error=0
exception_\number:
	.if \has_error == 0
	pushl $0
	.endif
	pushl $\number
	jmp common_trap
.endm

	EXCEPTION 0
exception_1:
	/* A user's single step goes on into SYSENTER, and traps here on the tiny entry stack: end it, the frame has no room
	 * for a handler. Only flags in memory change. */
	cmpl $entry_sysenter, (%esp)
	jne 1f
	andl $~EFLAGS_TF, 8(%esp)
	PV_IRET
1:	pushl $0
	pushl $1
	jmp common_trap
	EXCEPTION 2
	EXCEPTION 3
	EXCEPTION 4
	EXCEPTION 5
	EXCEPTION 6
	EXCEPTION 7
	EXCEPTION 8, 1
	EXCEPTION 9
	EXCEPTION 10, 1
	EXCEPTION 11, 1
	EXCEPTION 12, 1
	EXCEPTION 13, 1
	EXCEPTION 14, 1
	EXCEPTION 15
	EXCEPTION 16
	EXCEPTION 17, 1
	EXCEPTION 18
	EXCEPTION 19
	.irp n, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	EXCEPTION \n
	.endr

	.balign 16
common_trap:
	SAVE_REGS
	movl %esp, %eax
	call handle_trap
	jmp return_from_trap

/* PIC interrupts. As above; the number is in `vector`. */
.macro IRQ number
irq_\number:
	pushl $0
	pushl $(VECTOR_IRQ0 + \number)
	jmp common_irq
.endm
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	IRQ \n
	.endr
common_irq:
	SAVE_REGS
	movl %esp, %eax
	call handle_irq
	jmp return_from_trap

/* Local APIC interrupts, each with its own C handler. */
.macro APIC_ENTRY name, vector, handler
	.globl \name
\name:
	pushl $0
	pushl $\vector
	SAVE_REGS
	movl %esp, %eax
	call \handler
	jmp return_from_trap
.endm
	APIC_ENTRY entry_timer, VECTOR_TIMER, handle_timer
	APIC_ENTRY entry_resched, VECTOR_RESCHED, handle_resched
	APIC_ENTRY entry_shootdown, VECTOR_SHOOTDOWN, handle_shootdown
	APIC_ENTRY entry_test, VECTOR_TEST, handle_test
	APIC_ENTRY entry_spurious, VECTOR_SPURIOUS, handle_spurious

/* entry_syscall: int 0x80. In: EAX number, EBX ECX EDX ESI EDI EBP arguments. Out: EAX result, all else kept.
 * A trap gate: interrupts stay on. Kernel stack of the process. */
	.balign 16
	.globl entry_syscall
entry_syscall:
	pushl %eax
	pushl $VECTOR_SYSCALL
	SAVE_REGS
	movl %esp, %eax
	call handle_syscall

/* Return to user mode through IRET, after any pending work. In: struct regs at ESP; interrupts on or off. */
return_to_user:
	PV_CLI /* no work may appear between the test and the return */
	movl %fs:CPU_CURRENT, %ecx
	cmpl $0, PROCESS_WORK(%ecx)
	jne work_pending
restore_and_return:
	RESTORE_GENERAL
	POP_SEGMENT %ds
	POP_SEGMENT %es
	POP_SEGMENT %fs
	addl $8, %esp
	PV_IRET

work_pending:
	PV_STI
	movl %esp, %eax
	call do_pending_work
	jmp return_to_user

/* Return from an exception or interrupt: kernel code goes on at once, it is never preempted. */
return_from_trap:
	movl REGS_CS(%esp), %eax
	andl $3, %eax
	cmpl $3, %eax
	je return_to_user
	PV_CLI
	jmp restore_and_return

/* entry_sysenter: the fast system call, from the page that vsyscall.S describes.
 * In: EAX number, EBX ECX(saved) EDX(saved) ESI EDI arguments, EBP user stack, on which EBP, EDX, ECX are saved; ESP the
 * end of this CPU's entry stack; interrupts off, other flags and DS, ES, FS the user's; CS, SS flat. Out: as entry_syscall,
 * but of the flags only those that user mode always has. */
	.balign 16
	.globl entry_sysenter
entry_sysenter:
	movl ENTRY_STACK_TO_ESP0(%esp), %esp
	pushl $USER_DS
	pushl %ebp
	pushl $(EFLAGS_IF | EFLAGS_FIXED) /* what the caller goes on with if it leaves by IRET: user mode always has interrupts on */
	pushl $USER_CS
	pushl $(VSYSCALL_VA + VSYSCALL_RETURN)
	pushl %eax
	pushl $VECTOR_SYSCALL
	SAVE_REGS
	/* SYSENTER, unlike a gate, keeps the caller's other flags. NT would make an IRET switch tasks, and AC and ID would go to
	 * whatever process SYSEXIT returns to next. What the kernel owns, IF and IOPL, stays as it is: POPF must not set it. */
	pushfl
	andl $(EFLAGS_IF | EFLAGS_IOPL), (%esp)
	popfl
	PV_STI
	/* The caller's EBP, sixth argument and part of the state to restore, is on its stack: an address like any other.
	 * The three words must be the user's; a range test keeps a bad EBP out of the kernel's part. */
	movl $-14, %eax
	cmpl $(USER_TOP - 12), %ebp
	jae sysenter_bad_stack
773:	movl (%ebp), %ebp
	movl %ebp, REGS_EBP(%esp)
	movl %esp, %eax
	call handle_syscall
	PV_CLI
	movl %fs:CPU_CURRENT, %ecx
	cmpl $0, PROCESS_WORK(%ecx)
	jne work_pending
	/* A signal return or exec may have changed where to go: then only IRET restores everything. */
	cmpl $(VSYSCALL_VA + VSYSCALL_RETURN), REGS_EIP(%esp)
	jne restore_and_return
	movl REGS_EIP(%esp), %edx
	movl REGS_ESP(%esp), %ecx
	movl REGS_EBX(%esp), %ebx
	movl REGS_EBX + 12(%esp), %esi
	movl REGS_EBX + 16(%esp), %edi
	movl REGS_EBP(%esp), %ebp
	movl REGS_EAX(%esp), %eax
	addl $REGS_DS, %esp
	POP_SEGMENT %ds
	POP_SEGMENT %es
	POP_SEGMENT %fs
	PV_STI_SYSEXIT
sysenter_bad_stack:
	movl %eax, REGS_EAX(%esp)
	jmp return_to_user
	.pushsection .text.fixup, "ax", @progbits
774:	movl $-14, %eax
	jmp sysenter_bad_stack
	.popsection
	.pushsection .ex_table, "a", @progbits
	.balign 4
	.long 773b, 774b
	.popsection

/* switch_stacks(from EAX, to EDX): saves the callee-saved registers and ESP of one process, goes on as the other.
 * Returns, later, in the context of whoever switches back. Interrupts off, scheduler lock held.
 * A gate, unlike entry_sysenter, keeps AC and ID; SYSEXIT would hand them to the process that is switched to, unless what
 * restores the interrupt mask happened to be POPF. */
	.balign 16
	.globl switch_stacks
switch_stacks:
	pushfl
	andl $(EFLAGS_IF | EFLAGS_IOPL), (%esp)
	popfl
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl %esp, PROCESS_KERNEL_ESP(%eax)
	movl PROCESS_KERNEL_ESP(%edx), %esp
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

/* ret_from_fork: where a new process's first switch_stacks() returns to. In: struct regs at ESP; scheduler lock held. */
	.globl ret_from_fork
ret_from_fork:
	call finish_first_switch
	jmp return_to_user

	.section .rodata
	.balign 4
	.globl exception_entries, irq_entries
exception_entries:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	.long exception_\n
	.endr
irq_entries:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.long irq_\n
	.endr
