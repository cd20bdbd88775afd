/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * /init's way to the host: result lines (docs/reference/result-channel.md), a few words on the console, and the end of
 * the machine.
 */
#ifndef OPENVMI_CHANNEL_H
#define OPENVMI_CHANNEL_H

#include "ulib.h"

extern bool on_bundled_kernel; /* the kernel answers kcheck, kbench and kinfo; else it is a Linux */
extern bool is_first_process;  /* PID 1: the machine is ours to end */

/* The path of another of our programs: beside this one. The text is valid until the next call. */
const char *program_path(const char *name);

void channel_open(void);
void linux_fix_addresses(char **argv, char **envp); /* may start /init anew */
void linux_send_facts(void);
void channel_send(struct line *line);		/* one result line */
void channel_say(const char *text); /* the same */
void console_say(struct line *line); /* one line for whoever watches */
void channel_drain(void); /* returns when the UARTs are silent: their interrupts would be measured */
NORETURN void power_off(int status);
NORETURN void restart(void);

#endif
