/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where every ring-3 program begins, the two ways into the kernel, and the two ways back from a signal handler.
 * ulib.h declares them; `CDECL` there means: arguments on the stack, caller pops.
 */
#include "uapi.h"

	.section .text.start, "ax"

/* The kernel enters here. In: ESP -> argc, argv..., 0, envp..., 0, auxv. Never returns. */
	.globl _start
_start:
	xorl %ebp, %ebp
	movl %esp, %eax
	andl $-16, %esp
	subl $12, %esp
	pushl %eax
	call start_c

	.text

/* A six-argument system call. In: number, a, b, c, d, e, f on the stack. Out: EAX. Clobbers ECX, EDX. */
.macro call_kernel name, enter
	.globl \name
\name:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl 20(%esp), %eax
	movl 24(%esp), %ebx
	movl 28(%esp), %ecx
	movl 32(%esp), %edx
	movl 36(%esp), %esi
	movl 40(%esp), %edi
	movl 44(%esp), %ebp
	\enter
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret
.endm

	call_kernel system_call, "int $0x80"

/* Through the kernel's own entry, SYSENTER where the CPU has it. sysinfo_entry must not be 0. */
	call_kernel system_call_fast, "call *sysinfo_entry"

/* A handler with SA_SIGINFO returns here. In: ESP -> the frame behind the return address. The kernel restores every register. */
	.globl rt_restorer
rt_restorer:
	movl $SYS_rt_sigreturn, %eax
	int $0x80

/* The same for an action without SA_SIGINFO: its frame still holds the signal's number. */
	.globl old_restorer
old_restorer:
	popl %eax
	movl $SYS_sigreturn, %eax
	int $0x80

/* Calls function(argument) so that a fault in it ends the call, whatever the stack has become: u32 catch_call(function,
 * argument). Out: EAX = 0, or 1 when the fault handler (fault.c) resumed at catch_resume. Nests: the outer catch's ESP
 * is kept on the stack. */
	.globl catch_call, catch_resume
catch_call:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	pushl catch_esp
	movl %esp, catch_esp
	movl 24(%esp), %ecx
	pushl 28(%esp)
	call *%ecx
	xorl %eax, %eax
	jmp 1f
catch_resume:
	movl $1, %eax
1:	movl catch_esp, %esp
	cld
	popl catch_esp
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret
