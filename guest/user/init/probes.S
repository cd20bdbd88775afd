/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What C can't say: all registers at once around an entry into the kernel, and instructions that ring 3 must not use.
 * All run at CPL 3 with arguments on the stack. Used by check_entry.c, check_process.c and check_signal.c.
 */
#include "flags.h"
#include "uapi.h"

	.text

/* void registers_X(const struct registers *in, struct registers *out). Clobbers EAX, ECX, EDX, flags. */
.macro registers_around name, enter
	.globl \name
\name:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl 20(%esp), %eax
	pushl 28(%eax)
	movl 4(%eax), %ebx
	movl 8(%eax), %ecx
	movl 12(%eax), %edx
	movl 16(%eax), %esi
	movl 20(%eax), %edi
	movl 24(%eax), %ebp
	movl 0(%eax), %eax
	popfl
	\enter
	pushfl				/* from here the stack becomes a struct registers, last member first */
	pushl %ebp
	pushl %edi
	pushl %esi
	pushl %edx
	pushl %ecx
	pushl %ebx
	pushl %eax
	pushl $2			/* no flag that was tried out bothers the rest of the program */
	popfl
	movl %esp, %esi
	movl 32 + 24(%esp), %edi
	movl $8, %ecx
	rep movsl
	addl $32, %esp
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret
.endm

	registers_around registers_int80, "int $0x80"
	registers_around registers_sysenter, "call *sysinfo_entry"

/* void sysenter_bad_stack(void *address): SYSENTER, with NT set, where EBP is `address` and not a stack. It can't come
 * back: what it returns to pops from there. */
	.globl sysenter_bad_stack
sysenter_bad_stack:
	movl 4(%esp), %ebp
	pushl $(FLAG_NESTED | 2)
	popfl
	movl $SYS_getppid, %eax
	sysenter
	ud2

/* u32 hold_X(u32 seed, u32 rounds). Registers are seed + 1 ... seed + 7; expectations lie on the stack, below them the
 * counts: 0(%esp) rounds left, 4 bad rounds, 8 + 4n the expected value of register n. EAX takes part in hold_spinning
 * only, where no system call changes it. Out: EAX = bad rounds. Clobbers ECX, EDX, flags. */
.macro hold name, step
	.globl \name
\name:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl 20(%esp), %eax
	movl 24(%esp), %ecx
	subl $36, %esp
	movl %ecx, 0(%esp)
	movl $0, 4(%esp)
	leal 1(%eax), %ebx
	leal 2(%eax), %ecx
	leal 3(%eax), %edx
	leal 4(%eax), %esi
	leal 5(%eax), %edi
	leal 6(%eax), %ebp
	leal 7(%eax), %eax
	movl %ebx, 8(%esp)
	movl %ecx, 12(%esp)
	movl %edx, 16(%esp)
	movl %esi, 20(%esp)
	movl %edi, 24(%esp)
	movl %ebp, 28(%esp)
	movl %eax, 32(%esp)
1:	\step
	cmpl %ebx, 8(%esp)
	jne 2f
	cmpl %ecx, 12(%esp)
	jne 2f
	cmpl %edx, 16(%esp)
	jne 2f
	cmpl %esi, 20(%esp)
	jne 2f
	cmpl %edi, 24(%esp)
	jne 2f
	cmpl %ebp, 28(%esp)
	jne 2f
	cmpl %eax, 32(%esp)
	je 3f
2:	incl 4(%esp)
3:	decl 0(%esp)
	jnz 1b
	movl 4(%esp), %eax
	addl $36, %esp
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret
.endm

	.set yield_number, SYS_sched_yield /* the preprocessor does not look into strings */
	hold hold_yielding, "movl $yield_number, %eax; int $0x80; movl 32(%esp), %eax"
	hold hold_spinning, "nop"

/* Privileged instructions, each a function void f(void *unused) that never comes back, because it faults. The table is
 * of (name, function, signal) and ends in zeros. EAX is 0 where it is an operand: harmless if it did go through. */
.macro privileged text, signal, instruction
	.pushsection .rodata
91:	.asciz "\text"
	.popsection
92:	xorl %eax, %eax
	xorl %edx, %edx
	\instruction
	ret
	.pushsection .rodata.table, "a"
	.long 91b, 92b, \signal
	.popsection
.endm

	.section .rodata.table, "a"
	.balign 4
	.globl privileged_table
privileged_table:
	.text

	privileged "cli", SIGSEGV, "cli"
	privileged "sti", SIGSEGV, "sti"
	privileged "hlt", SIGSEGV, "hlt"
	privileged "in from the PIC", SIGSEGV, "inb $0x21, %al"
	privileged "out to the delay port", SIGSEGV, "outb %al, $0x80"
	privileged "in through dx", SIGSEGV, "movw $0x3FD, %dx; inb %dx, %al"
	privileged "outl to PCI", SIGSEGV, "movw $0xCF8, %dx; outl %eax, %dx"
	privileged "ins", SIGSEGV, "movw $0x3FD, %dx; movl $privileged_scratch, %edi; insb"
	privileged "outs", SIGSEGV, "movw $0x80, %dx; movl $privileged_scratch, %esi; outsb"
	privileged "mov from cr0", SIGSEGV, "movl %cr0, %eax"
	privileged "mov from cr2", SIGSEGV, "movl %cr2, %eax"
	privileged "mov from cr3", SIGSEGV, "movl %cr3, %eax"
	privileged "mov from cr4", SIGSEGV, "movl %cr4, %eax"
	privileged "mov to cr0", SIGSEGV, "movl %eax, %cr0"
	privileged "mov to cr2", SIGSEGV, "movl %eax, %cr2"
	privileged "mov to cr3", SIGSEGV, "movl %eax, %cr3"
	privileged "mov to cr4", SIGSEGV, "movl %eax, %cr4"
	privileged "mov from dr0", SIGSEGV, "movl %db0, %eax"
	privileged "mov from dr7", SIGSEGV, "movl %db7, %eax"
	privileged "mov to dr7", SIGSEGV, "movl %eax, %db7"
	privileged "lmsw", SIGSEGV, "lmsw %ax"
	privileged "clts", SIGSEGV, "clts"
	privileged "invd", SIGSEGV, "invd"
	privileged "wbinvd", SIGSEGV, "wbinvd"
	privileged "invlpg", SIGSEGV, "invlpg privileged_scratch"
	privileged "lgdt", SIGSEGV, "lgdt privileged_scratch"
	privileged "lidt", SIGSEGV, "lidt privileged_scratch"
	privileged "lldt", SIGSEGV, "lldt %ax"
	privileged "ltr", SIGSEGV, "ltr %ax"
	privileged "rdmsr", SIGSEGV, "movl $0x1B, %ecx; rdmsr"
	privileged "wrmsr", SIGSEGV, "movl $0x10, %ecx; wrmsr"
	privileged "sysexit", SIGSEGV, "sysexit"
	privileged "int 0x00", SIGSEGV, "int $0x00"
	privileged "int 0x08", SIGSEGV, "int $0x08"
	privileged "int 0x0d", SIGSEGV, "int $0x0D"
	privileged "int 0x0e", SIGSEGV, "int $0x0E"
	privileged "int 0x20", SIGSEGV, "int $0x20"
	privileged "int 0x30", SIGSEGV, "int $0x30"
	privileged "int 0x41", SIGSEGV, "int $0x41"
	privileged "int 0xef", SIGSEGV, "int $0xEF"
	privileged "far call of ring 0", SIGSEGV, "lcall $0x08, $0xC0100000"
	privileged "far call of ring 0, Linux", SIGSEGV, "lcall $0x60, $0xC0100000"
	privileged "iret to ring 0", SIGSEGV, "pushfl; pushl $0x08; pushl $92b; iret"
	privileged "iret to ring 0, Linux", SIGSEGV, "pushfl; pushl $0x60; pushl $92b; iret"
	privileged "stack segment 0", SIGSEGV, "movl %eax, %ss"
	privileged "ud2", SIGILL, "ud2"
	privileged "rsm", SIGILL, "rsm"
	privileged "division by zero", SIGFPE, "divl %eax"
	privileged "int3", SIGTRAP, "int3"

	.section .rodata.table, "a"
	.long 0, 0, 0

	.bss
	.balign 8
privileged_scratch:
	.skip 16
