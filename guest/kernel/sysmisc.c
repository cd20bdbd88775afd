/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System calls on time, power and thread-local storage.
 */
#include "memory.h"
#include "process.h"

#define NS_PER_SECOND 1000000000u
#define ENTRY_NUMBER_ANY 0xFFFFFFFF
#define TLS_READ_ONLY 0x08
#define TLS_NOT_PRESENT 0x20

/* Seconds of a time; the rest goes to `ns`. The quotient fits 32 bits for the next century. */
static u32 split_seconds(u64 time, u32 *ns)
{
	u32 high = (u32)(time >> 32), low = (u32)time;

	asm("divl %2" : "+a"(low), "+d"(high) : "r"(NS_PER_SECOND) : "cc");
	*ns = high;
	return low;
}

long sys_gettimeofday(struct regs *regs)
{
	struct timeval answer;
	u32 ns;

	answer.seconds = (s32)split_seconds(time_wall_ns(), &ns);
	answer.microseconds = (s32)(ns / 1000);
	return regs->ebx != 0 ? copy_out(regs->ebx, &answer, sizeof answer) : 0;
}

long sys_clock_gettime(struct regs *regs)
{
	struct timespec answer;
	u32 ns;

	if (regs->ebx > 1)
		return -EINVAL;
	answer.seconds = (s32)split_seconds(regs->ebx == 0 ? time_wall_ns() : time_ns(), &ns);
	answer.nanoseconds = (s32)ns;
	return copy_out(regs->ecx, &answer, sizeof answer);
}

long sys_nanosleep(struct regs *regs)
{
	struct timespec time, rest = { 0 };
	u64 end, now;

	if (copy_in(&time, regs->ebx, sizeof time) != 0)
		return -EFAULT;
	if (time.seconds < 0 || (u32)time.nanoseconds >= NS_PER_SECOND)
		return -EINVAL;
	end = time_ns() + (u64)(u32)time.seconds * NS_PER_SECOND + (u32)time.nanoseconds;
	sleep_until(end);
	now = time_ns();
	if (now >= end)
		return 0;
	rest.seconds = (s32)split_seconds(end - now, (u32 *)&rest.nanoseconds);
	if (regs->ecx != 0 && copy_out(regs->ecx, &rest, sizeof rest) != 0)
		return -EFAULT;
	return -EINTR;
}

long sys_reboot(struct regs *regs)
{
	if (regs->ebx != REBOOT_MAGIC1)
		return -EINVAL;
	if (regs->edx == REBOOT_POWER_OFF)
		power_off();
	if (regs->edx == REBOOT_RESTART)
		restart();
	return -EINVAL;
}

long sys_set_thread_area(struct regs *regs)
{
	struct process *process = current();
	struct tls_area area;
	u32 index, high, flags;

	if (copy_in(&area, regs->ebx, sizeof area) != 0)
		return -EFAULT;
	index = area.entry == ENTRY_NUMBER_ANY ? GDT_TLS : area.entry;
	if (index - GDT_TLS >= GDT_TLS_COUNT)
		return -EINVAL;
	high = data_descriptor_high(area.base, area.limit) | 0x0040F000 | ((area.flags & TLS_READ_ONLY) ? 0 : 0x200) |
	       ((area.flags & TLS_LIMIT_IN_PAGES) ? 0x00800000 : 0);
	if (area.flags & TLS_NOT_PRESENT)
		high = 0;
	flags = irq_save();
	process->tls[index - GDT_TLS] = (struct descriptor){ high ? data_descriptor_low(area.base, area.limit) : 0, high };
	write_gdt_entry(this_cpu()->gdt, index, process->tls[index - GDT_TLS].low, high);
	irq_restore_flags(flags);
	return copy_out(regs->ebx, &index, sizeof index);
}
