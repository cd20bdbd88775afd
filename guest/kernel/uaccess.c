/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Copies between kernel and user memory. The user side may fault: fault.c brings pages in or breaks copy-on-write;
 * where it cannot, the exception table continues behind the copy with what is left in ECX.
 */
#include "memory.h"
#include "process.h"

static bool in_user_space(u32 address, u32 length)
{
	return length <= USER_TOP && address <= USER_TOP - length;
}

/* Returns how many bytes were not copied. */
static u32 copy_checked(void *to, const void *from, u32 length)
{
	u32 rest = length % 4, words = length / 4;

	asm volatile("1: rep movsl\n"
		     "	movl %3, %0\n"
		     "2: rep movsb\n"
		     "3:\n"
		     "	.pushsection .text.fixup, \"ax\", @progbits\n"
		     "4: leal (%3, %0, 4), %0\n"
		     "	jmp 3b\n"
		     "	.popsection\n"
		     "	.pushsection .ex_table, \"a\", @progbits\n"
		     "	.balign 4\n"
		     "	.long 1b, 4b, 2b, 3b\n"
		     "	.popsection"
		     : "+c"(words), "+D"(to), "+S"(from)
		     : "r"(rest)
		     : "memory");
	return words;
}

int copy_in(void *to, u32 from, u32 length)
{
	if (!in_user_space(from, length) || copy_checked(to, POINTER(const void, from), length) != 0)
		return -EFAULT;
	return 0;
}

int copy_out(u32 to, const void *from, u32 length)
{
	if (!in_user_space(to, length) || copy_checked(POINTER(void, to), from, length) != 0)
		return -EFAULT;
	return 0;
}

int copy_text_in(char *to, u32 from, u32 size)
{
	for (u32 length = 0; length < size; length++) {
		if (copy_in(&to[length], from + length, 1) != 0)
			return -EFAULT;
		if (to[length] == '\0')
			return (int)length;
	}
	return -ENAMETOOLONG;
}
