/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * /init's self-checks: what a ring-3 program may rely on, counted. To add a group: a function here and a line in
 * check.c. A group calls check() for each thing that it looks at; a fault that it does not catch ends it as a failure.
 */
#ifndef OPENVMI_CHECK_H
#define OPENVMI_CHECK_H

#include "channel.h"
#include "flags.h"

struct tally {
	u32 passed, failed;
};

struct tally checks_run(void); /* every group, then the kernel's own; sends their lines; the totals */
struct tally checks_repeat(u32 seconds); /* the same in rounds, for so long or until one fails */

/* Counts one check; a failure is reported as `fail GROUP WHAT`. Answers whether it passed. */
bool check(bool passed, const char *what);
bool check_equal(const char *what, u32 got, u32 wanted); /* the same, a failure shows both numbers */
void check_skipped(const char *what, const char *why);

/* ---- groups ---- */
void check_calls(void);
void check_entries(void);
void check_registers(void);
void check_flags(void);
void check_paging(void);
void check_protection(void);
void check_fork(void);
void check_exec(void);
void check_status(void);
void check_switch(void);
void check_sleep(void);
void check_signals(void);
void check_threads(void);
void check_privilege(void);
void check_kernel_memory(void);

/* ---- memory touched under catch_fault: true when it faulted, details in last_fault ---- */
bool read_faults(u32 address);
bool write_faults(u32 address);
bool jump_faults(u32 address);

/* ---- probes.S ---- */
struct registers {
	u32 eax, ebx, ecx, edx, esi, edi, ebp, flags;
};
/* Loads every register and the flags from `in`, enters the kernel, stores what came back in `out`. */
CDECL void registers_int80(const struct registers *in, struct registers *out);
CDECL void registers_sysenter(const struct registers *in, struct registers *out);
CDECL void sysenter_bad_stack(void *address);
/* Fills all registers from `seed` and holds them over `rounds` rounds of yielding, or of plain computation. The number
 * of rounds after which one of them was wrong. */
CDECL u32 hold_yielding(u32 seed, u32 rounds);
CDECL u32 hold_spinning(u32 seed, u32 rounds);

ALWAYS_INLINE u32 read_flags(void)
{
	u32 flags;

	__asm__ volatile("pushfl; popl %0" : "=r"(flags));
	return flags;
}

#endif
