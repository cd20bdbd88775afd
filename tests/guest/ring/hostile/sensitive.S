/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Ring-3 code, copied to USER_CODE: executes the sensitive instructions that do not fault there and stores what they gave
 * behind itself, in the order that sensitive.c reads them; then int 0x80.
 */
#include "layout.h"

#define RESULTS 0x10000800

	.section .rodata
	.globl user_sensitive, user_sensitive_end
user_sensitive:
	movl $RESULTS, %edi
	xorl %eax, %eax
	movl $KERNEL_CS, %ecx
	larl %ecx, %eax			/* not visible from ring 3: nothing is loaded */
	movl %eax, (%edi)
	movl $USER_DS, %ecx
	larl %ecx, %eax
	movl %eax, 4(%edi)
	xorl %eax, %eax
	lsll %ecx, %eax
	movl %eax, 8(%edi)
	pushfl
	popl 12(%edi)
	pushl $0x3202
	popfl
	pushfl
	popl 16(%edi)
	sgdt 20(%edi)
	sidt 28(%edi)
	sldt 36(%edi)
	str 40(%edi)
	movl %cs, %eax
	movl %eax, 44(%edi)
	movl $KERNEL_DS, %eax
	movl $3, %ecx
	arpl %cx, %ax
	movl %eax, 48(%edi)
	smsw 52(%edi)
	int $0x80
user_sensitive_end:
