/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The page at VSYSCALL_VA in every process, read-only, the same frame for all: the system-call entry that AT_SYSINFO
 * names, and the two signal returns. Runs in ring 3. The offsets are in layout.h; space.c makes the frame.
 */
#include "layout.h"
#include "uapi.h"

	.section .rodata
	.balign 16
	.globl vsyscall_page, vsyscall_end
vsyscall_page:
/* In: EAX number, EBX ECX EDX ESI EDI EBP arguments. Out: EAX. SYSEXIT needs ECX and EDX, SYSENTER loses ESP. */
	pushl %ecx
	pushl %edx
	pushl %ebp
	movl %esp, %ebp
	sysenter
	.org vsyscall_page + VSYSCALL_RETURN
	popl %ebp
	popl %edx
	popl %ecx
	ret
	.org vsyscall_page + VSYSCALL_SIGRETURN /* in: ESP at struct sigframe + 4 */
	popl %eax
	movl $SYS_sigreturn, %eax
	int $0x80
	.org vsyscall_page + VSYSCALL_RT_SIGRETURN
	movl $SYS_rt_sigreturn, %eax
	int $0x80
	.org vsyscall_page + VSYSCALL_INT80 /* the entry for CPUs without SYSENTER */
	int $0x80
	ret
vsyscall_end:
