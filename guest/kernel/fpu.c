/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The floating-point unit, given to a process when it first uses it (exception 7) and saved when that process leaves
 * the CPU, so that it may run on another one next. The kernel itself uses none. Called by traps.c and sched.c.
 */
#include "process.h"

#define MXCSR_DEFAULT 0x1F80

static void stop_fpu(void)
{
	write_cr0(read_cr0() | CR0_TS);
}

void fpu_init_cpu(void)
{
	write_cr0((read_cr0() & ~(u32)CR0_EM) | CR0_MP | CR0_NE | CR0_TS);
}

/* FNINIT leaves MXCSR alone, so a fresh state loads it as well. */
static void fresh_state(void)
{
	u32 mxcsr = MXCSR_DEFAULT;

	asm volatile("fninit");
	if (features.fxsr)
		asm volatile(".byte 0x0F, 0xAE, 0x10" ::"a"(&mxcsr), "m"(mxcsr)); /* ldmxcsr (%eax) */
}

void fpu_give(void)
{
	struct process *process = current();

	clts();
	if (!process->fpu_used)
		fresh_state();
	else if (features.fxsr)
		asm volatile("fxrstor (%0)" ::"r"(process->fpu) : "memory");
	else
		asm volatile("frstor (%0)" ::"r"(process->fpu) : "memory");
	process->fpu_used = process->fpu_live = true;
}

void fpu_leave(struct process *process)
{
	if (!process->fpu_live)
		return;
	if (features.fxsr)
		asm volatile("fxsave (%0)" ::"r"(process->fpu) : "memory");
	else
		asm volatile("fnsave (%0)" ::"r"(process->fpu) : "memory");
	process->fpu_live = false;
	stop_fpu();
}

void fpu_forget(struct process *process)
{
	if (process->fpu_live)
		stop_fpu();
	process->fpu_used = process->fpu_live = false;
}
