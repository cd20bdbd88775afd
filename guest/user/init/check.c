/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Runs the groups of check.h one after the other and counts. Called by init.c.
 */
#include "check.h"

#define FAILURES_SHOWN 8 /* of one group: more would say the same again */

static const struct group {
	const char *name;
	void (*run)(void);
} groups[] = {
	{"calls", check_calls},
	{"entries", check_entries},
	{"registers", check_registers},
	{"flags", check_flags},
	{"paging", check_paging},
	{"protection", check_protection},
	{"fork", check_fork},
	{"exec", check_exec},
	{"status", check_status},
	{"switch", check_switch},
	{"threads", check_threads},
	{"signals", check_signals},
	{"privilege", check_privilege},
	{"kernel-memory", check_kernel_memory},
	{"sleep", check_sleep},
};

static const char *group_name; /* the group that runs */
static struct tally tally;     /* its counts so far */
static bool repeated;	       /* a round that is not the first: only what fails is told */

static void send_failure(struct line *line)
{
	if (tally.failed <= FAILURES_SHOWN)
		channel_send(line);
}

static void start_failure(struct line *line, const char *what)
{
	line_start(line, "fail ");
	line_text(line, group_name);
	line_text(line, " ");
	line_text(line, what);
}

bool check(bool passed, const char *what)
{
	struct line line;

	if (passed) {
		tally.passed++;
		return true;
	}
	tally.failed++;
	start_failure(&line, what);
	send_failure(&line);
	return false;
}

bool check_equal(const char *what, u32 got, u32 wanted)
{
	struct line line;

	if (got == wanted) {
		tally.passed++;
		return true;
	}
	tally.failed++;
	start_failure(&line, what);
	line_text(&line, ": ");
	line_hex(&line, got);
	line_text(&line, " instead of ");
	line_hex(&line, wanted);
	send_failure(&line);
	return false;
}

void check_skipped(const char *what, const char *why)
{
	struct line line;

	if (repeated)
		return;
	line_start(&line, "info check-skipped ");
	line_text(&line, what);
	line_text(&line, " ");
	line_text(&line, why);
	channel_send(&line);
}

static void send_tally(const char *name, struct tally counts)
{
	struct line line;

	if (repeated && !counts.failed)
		return;
	line_start(&line, "check ");
	line_text(&line, name);
	line_text(&line, " ");
	line_decimal(&line, counts.passed);
	line_text(&line, " ");
	line_decimal(&line, counts.failed);
	channel_send(&line);
	line_start(&line, counts.failed ? "init: FAILED " : "init: checked ");
	line_text(&line, name);
	line_text(&line, ", ");
	line_decimal(&line, counts.passed + counts.failed);
	line_text(&line, " checks");
	console_say(&line);
}

static CDECL void run_group(void *group) { ((const struct group *)group)->run(); }

static struct tally run_caught(const struct group *group)
{
	struct line line;

	group_name = group->name;
	tally = (struct tally){0, 0};
	if (catch_fault(run_group, (void *)group)) {
		tally.failed++;
		start_failure(&line, "ended by signal ");
		line_decimal(&line, last_fault.signal);
		line_text(&line, " at ");
		line_hex(&line, last_fault.eip);
		line_text(&line, " address ");
		line_hex(&line, last_fault.address);
		channel_send(&line);
	}
	if (tally.passed + tally.failed) /* else it was skipped and said so */
		send_tally(group->name, tally);
	return tally;
}

static struct tally run_kernel_groups(void)
{
	struct tally total = {0, 0};
	struct kcheck_result result;
	struct line line;

	for (u32 group = 0; call2(SYS_kcheck, group, ADDRESS(&result)) == 0; group++) {
		if (result.failed) {
			line_start(&line, "fail ");
			line_text(&line, result.group);
			line_text(&line, " ");
			line_text(&line, result.failure);
			channel_send(&line);
		}
		send_tally(result.group, (struct tally){result.passed, result.failed});
		total.passed += result.passed;
		total.failed += result.failed;
	}
	return total;
}

struct tally checks_run(void)
{
	struct tally total = run_kernel_groups();

	for (u32 i = 0; i < ARRAY_SIZE(groups); i++) {
		struct tally one = run_caught(&groups[i]);

		total.passed += one.passed;
		total.failed += one.failed;
	}
	return total;
}

struct tally checks_repeat(u32 seconds)
{
	u64 until = clock_us() + seconds * 1000000ULL;
	struct tally total = {0, 0};
	struct line line;
	u32 rounds = 0;

	do {
		struct tally one = checks_run();

		total.passed += one.passed;
		total.failed += one.failed;
		repeated = true;
		rounds++;
	} while (seconds && !total.failed && clock_us() < until);
	if (!seconds)
		return total;
	line_start(&line, "info check-rounds ");
	line_decimal(&line, rounds);
	channel_send(&line);
	return total;
}

static CDECL void read_word(void *address) { (void)*(volatile u32 *)address; }
static CDECL void write_word(void *address) { *(volatile u32 *)address = 0x57A7E; }
static CDECL void jump_to(void *address) { ((CDECL void (*)(void))address)(); }

bool read_faults(u32 address) { return catch_fault(read_word, POINTER(void, address)); }
bool write_faults(u32 address) { return catch_fault(write_word, POINTER(void, address)); }
bool jump_faults(u32 address) { return catch_fault(jump_to, POINTER(void, address)); }
