/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * /init's microbenchmarks: what the kernel's everyday work costs, in ticks of the cycle counter. Under QEMU's
 * instruction counting a tick is an instruction. To add one: an entry in bench_operations.c, and its name in the
 * documentation of the result channel's readers.
 */
#ifndef OPENVMI_BENCH_H
#define OPENVMI_BENCH_H

#include "channel.h"

struct bench {
	const char *name;
	/* In one batch. Chosen for about a millisecond under QEMU's TCG: far above the clock's resolution, far below
	 * the time between timer interrupts, so that most batches hold none and the median is free of them. */
	u32 ops;
	const char *(*prepare)(void); /* NULL, or why this can't be measured here; may be absent */
	u64 (*batch)(u32 ops);	      /* does `ops` operations, answers the ticks that they took */
	void (*finish)(void);	      /* undoes prepare; may be absent */
	bool if_named;		      /* only when it is asked for by name */
};

extern const struct bench benches[];
extern const u32 bench_count;

/* Is every name in the comma-separated list a benchmark's? */
bool benches_known(const char *list);

/* Measures all benchmarks, or those named in the comma-separated `only`, and sends their lines.
 * `batches`: measured batches of each, 0 for the default. */
void bench_run(const char *only, u32 batches);

#endif
