/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What /init does on a Linux only: facts that the bundled kernel reports by itself, and an address space that is the
 * same in every run. Called by init.c.
 */
#include "channel.h"

#define PERSONALITY_ASK 0xFFFFFFFF
#define ADDR_NO_RANDOMIZE 0x0040000
#define NAME_SIZE 65
#define CPU_WORDS 32

/* Where stack and mappings lie decides how many page tables fork copies: random places are noise in the figures. The
 * personality holds from the next exec on, so /init execs itself once. */
void linux_fix_addresses(char **argv, char **envp)
{
	s32 personality = call1(SYS_personality, PERSONALITY_ASK);

	if (!is_first_process || personality < 0 || personality & ADDR_NO_RANDOMIZE)
		return;
	call1(SYS_personality, (u32)personality | ADDR_NO_RANDOMIZE);
	execute(argv[0], argv, envp);
}

static void send_kernel_name(void)
{
	char names[6][NAME_SIZE]; /* struct utsname: system, node, release, version, machine, domain */
	struct line line;

	if (call1(SYS_uname, ADDRESS(names)) < 0)
		return;
	line_start(&line, "info kernel ");
	line_text(&line, names[0]);
	line_text(&line, " ");
	line_text(&line, names[2]);
	line_text(&line, " ");
	line_text(&line, names[4]);
	channel_send(&line);
}

static void send_cpus(void)
{
	u32 mask[CPU_WORDS];
	s32 size = call3(SYS_sched_getaffinity, 0, sizeof(mask), ADDRESS(mask));
	u32 cpus = 0;
	struct line line;

	for (s32 i = 0; i < size / 4; i++)
		for (u32 word = mask[i]; word; word &= word - 1)
			cpus++;
	if (!cpus)
		return;
	line_start(&line, "info cpus ");
	line_decimal(&line, cpus);
	channel_send(&line);
}

void linux_send_facts(void)
{
	send_kernel_name();
	send_cpus();
}
