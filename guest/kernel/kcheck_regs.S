/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Register patterns around paravirt operations, for kcheck_cpu.c.
 */
#include "layout.h"
#include "paravirt.h"

/* \bit of EAX is set if \register is not \value. */
.macro COMPARE value, register, bit
	cmpl \value, \register
	je 771f
	orl $(1 << \bit), %eax
771:
.endm

	.text

/* call_with_patterns(EAX function): in: kernel privilege, any stack. Out: EAX mask of what changed: bits 0-3 EBX ESI EDI
 * EBP, 4-7 DS ES FS SS, 8 ESP. Clobbers ECX, EDX, flags. */
	.globl call_with_patterns
call_with_patterns:
	pushl %ebx
	pushl %esi
	pushl %edi
	pushl %ebp
	pushl %ds
	pushl %es
	pushl %fs
	pushl %ss
	movl %esp, saved_esp
	movl $0xB0B0B0B1, %ebx
	movl $0x51515152, %esi
	movl $0xD1D1D1D3, %edi
	movl $0xBEBEBEB4, %ebp
	call *%eax
	movl $0, %eax
	COMPARE $0xB0B0B0B1, %ebx, 0
	COMPARE $0x51515152, %esi, 1
	COMPARE $0xD1D1D1D3, %edi, 2
	COMPARE $0xBEBEBEB4, %ebp, 3
	COMPARE saved_esp, %esp, 8
	movl saved_esp, %esp
	.irp segment, ds, es, fs, ss
	movl %\segment, %ecx
	movzwl %cx, %ecx
	.ifc \segment, ds
	movzwl 12(%esp), %edx
	COMPARE %edx, %ecx, 4
	.endif
	.ifc \segment, es
	movzwl 8(%esp), %edx
	COMPARE %edx, %ecx, 5
	.endif
	.ifc \segment, fs
	movzwl 4(%esp), %edx
	COMPARE %edx, %ecx, 6
	.endif
	.ifc \segment, ss
	movzwl (%esp), %edx
	COMPARE %edx, %ecx, 7
	.endif
	.endr
	addl $16, %esp
	popl %ebp
	popl %edi
	popl %esi
	popl %ebx
	ret

/* flags_with_patterns(): in: interrupts on, kernel privilege. Out: EAX mask of EAX EBX ECX EDX ESI EDI EBP (bits 0-6) that
 * PV_CLI or PV_STI changed; interrupts on. Clobbers ECX, EDX, flags. */
	.globl flags_with_patterns
flags_with_patterns:
	pushl %ebx
	pushl %esi
	pushl %edi
	pushl %ebp
	movl $0xA0A0A0A1, %eax
	movl $0xB0B0B0B2, %ebx
	movl $0xC0C0C0C3, %ecx
	movl $0xD0D0D0D4, %edx
	movl $0x51515155, %esi
	movl $0xD1D1D1D6, %edi
	movl $0xBEBEBEB7, %ebp
	PV_CLI
	PV_STI
	PV_CLI
	PV_STI
	pushl %eax
	movl $0, %eax
	COMPARE $0xB0B0B0B2, %ebx, 1
	COMPARE $0xC0C0C0C3, %ecx, 2
	COMPARE $0xD0D0D0D4, %edx, 3
	COMPARE $0x51515155, %esi, 4
	COMPARE $0xD1D1D1D6, %edi, 5
	COMPARE $0xBEBEBEB7, %ebp, 6
	popl %ecx
	COMPARE $0xA0A0A0A1, %ecx, 0
	popl %ebp
	popl %edi
	popl %esi
	popl %ebx
	ret

	.section .bss
	.balign 4
saved_esp:
	.skip 4
