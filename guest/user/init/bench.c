/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Chooses, warms up, measures and reports the benchmarks of bench_operations.c. Called by init.c.
 */
#include "bench.h"

#define BATCHES 31 /* odd: the median is one of them */
#define BATCHES_MAX 64 /* so that their ticks fit one line */
#define WARM_UP 3
#define SHORTEST_US 20000 /* over which the clock's rate is told from a clock of microseconds */

static u64 ticks[BATCHES_MAX];

static bool is_first(const char *name, const char *list)
{
	const char *rest = text_after(list, name);

	return rest && (*rest == ',' || *rest == '\0');
}

/* The list without its first name, or NULL. */
static const char *others(const char *list)
{
	while (*list && *list != ',')
		list++;
	return *list ? list + 1 : NULL;
}

static bool is_wanted(const char *name, const char *only)
{
	for (; only; only = others(only))
		if (is_first(name, only))
			return true;
	return false;
}

bool benches_known(const char *list)
{
	for (; list; list = others(list)) {
		u32 i = 0;

		while (i < bench_count && !is_first(benches[i].name, list))
			i++;
		if (i == bench_count)
			return false;
	}
	return true;
}

static void send_skipped(const char *name, const char *why)
{
	struct line line;

	line_start(&line, "info bench-skipped ");
	line_text(&line, name);
	line_text(&line, " ");
	line_text(&line, why);
	channel_send(&line);
}

static void send_result(const struct bench *bench, u32 batches)
{
	struct line line;

	line_start(&line, "bench ");
	line_text(&line, bench->name);
	line_text(&line, " ");
	line_decimal(&line, bench->ops);
	for (u32 i = 0; i < batches; i++) {
		line_text(&line, " ");
		line_decimal(&line, ticks[i]);
	}
	channel_send(&line);
	line_start(&line, "init: measured ");
	line_text(&line, bench->name);
	console_say(&line);
}

static void measure(const struct bench *bench, u32 batches)
{
	const char *why = bench->prepare ? bench->prepare() : NULL;

	if (why) {
		send_skipped(bench->name, why);
		return;
	}
	channel_drain();
	for (u32 i = 0; i < WARM_UP; i++)
		bench->batch(bench->ops);
	for (u32 i = 0; i < batches; i++)
		ticks[i] = bench->batch(bench->ops);
	if (bench->finish)
		bench->finish();
	send_result(bench, batches);
}

/* The bundled kernel tells the clock's rate itself; elsewhere it is what the measuring took by both clocks. */
static void send_clock_rate(u64 start_ticks, u64 start_us)
{
	struct line line;
	u64 us;

	if (on_bundled_kernel)
		return;
	do
		us = clock_us() - start_us;
	while (us < SHORTEST_US);
	line_start(&line, "info tsc-khz ");
	line_decimal(&line, divide((ticks_now() - start_ticks) * 1000, (u32)us));
	channel_send(&line);
}

void bench_run(const char *only, u32 batches)
{
	u64 start_ticks = ticks_now(), start_us = clock_us();
	u32 first_cpu = 1;

	if (batches == 0)
		batches = BATCHES;
	if (batches > BATCHES_MAX)
		batches = BATCHES_MAX;
	/* One CPU for us and our children: a process that wanders measures the scheduler's choices. */
	call3(SYS_sched_setaffinity, 0, sizeof(first_cpu), ADDRESS(&first_cpu));
	for (u32 i = 0; i < bench_count; i++)
		if (only ? is_wanted(benches[i].name, only) : !benches[i].if_named)
			measure(&benches[i], batches);
	send_clock_rate(start_ticks, start_us);
}
