/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What exec gives a program, looked at from inside. /init's check_exec runs it with the words and the environment that
 * are expected here; the exit status is 0, or 2 for an unknown word, or 10 + the number of what was wrong.
 */
#include "ulib.h"

static u32 zeros[3 * PAGE / 4]; /* .bss over several pages */
static u32 number = 0x600DDA7A;

static bool environment_is_right(char **envp)
{
	return envp[0] && text_equal(envp[0], "A=1") && envp[1] &&
	       text_equal(envp[1], "LONG=the quick brown fox jumps over the lazy dog") && envp[2] &&
	       text_equal(envp[2], "EMPTY=") && !envp[3];
}

static u32 flags_now(void)
{
	u32 flags;

	__asm__ volatile("pushfl; popl %0" : "=r"(flags));
	return flags;
}

static int check_start(int argc, char **argv, char **envp)
{
	if (argc != 5)
		return 10;
	if (!text_equal(argv[0], "/args") || !text_equal(argv[2], "two words") || !text_equal(argv[3], "") ||
	    !text_equal(argv[4], "last") || argv[5])
		return 11;
	if (!environment_is_right(envp))
		return 12;
	if (stack_at_start % 4 || ADDRESS(argv) != stack_at_start + 4)
		return 13;
	if (flags_now() & 0x3400 || !(flags_now() & 0x200)) /* IOPL 0, DF 0, IF 1 */
		return 14;
	return 0;
}

static int check_memory(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(zeros); i++)
		if (zeros[i])
			return 20;
	if (number != 0x600DDA7A)
		return 21;
	number = zeros[5] = 1; /* written pages are this process's own: the next exec finds them fresh */
	return 0;
}

int main(int argc, char **argv, char **envp)
{
	if (argc < 2)
		return 2;
	if (text_equal(argv[1], "check"))
		return check_start(argc, argv, envp);
	if (text_equal(argv[1], "memory"))
		return check_memory();
	if (text_equal(argv[1], "fault"))
		*POINTER(volatile u32, 16) = 1;
	return 2;
}
