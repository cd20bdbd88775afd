/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the stack that the kernel prepared to main(), and out again. Called by start.S.
 */
#include "ulib.h"

u32 sysinfo_entry;
u32 stack_at_start;

NORETURN void leave(int status)
{
	for (;;)
		call1(SYS_exit_group, (u32)status), call1(SYS_exit, (u32)status);
}

NORETURN CDECL void start_c(u32 *stack)
{
	u32 argc = stack[0];
	char **argv = (char **)(stack + 1);
	char **envp = argv + argc + 1;
	char **end = envp;

	while (*end)
		end++;
	for (u32 *aux = (u32 *)(end + 1); aux[0] != AT_NULL; aux += 2)
		if (aux[0] == AT_SYSINFO)
			sysinfo_entry = aux[1];
	stack_at_start = ADDRESS(stack);
	leave(main((int)argc, argv, envp));
}
