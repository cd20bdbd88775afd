/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The clock: the layer's cycle counter (the TSC, or the VMI timer's real counter) scaled to nanoseconds, and the
 * date at boot from the hypervisor or the CMOS. Ticks: timer.c.
 */
#include "cpu.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define SHIFT 22

static u64 boot_cycles, boot_wall_ns, latest_ns;
static u32 multiplier; /* nanoseconds << SHIFT per cycle */
static struct spinlock time_lock;

/* value * multiplier >> SHIFT without overflowing 64 bits. */
static u64 scale(u64 value)
{
	u64 low = (u64)(u32)value * multiplier, high = (value >> 32) * multiplier;

	return (low >> SHIFT) + (high << (32 - SHIFT));
}

u64 time_ns(void)
{
	u32 flags = spin_lock_irq(&time_lock);
	u64 now = scale(clock_cycles() - boot_cycles);

	/* Counters of different CPUs may differ a little; time never goes back. */
	if ((s64)(now - latest_ns) > 0)
		latest_ns = now;
	now = latest_ns;
	spin_unlock_irq(&time_lock, flags);
	return now;
}

u64 time_wall_ns(void)
{
	return boot_wall_ns + time_ns();
}

void delay_us(u32 us)
{
	u64 end = time_ns() + (u64)us * 1000;

	while (time_ns() < end)
		cpu_relax();
}

static u32 cmos(u8 index, bool bcd)
{
	u32 value;

	outb(index, CMOS_INDEX);
	value = inb(CMOS_DATA);
	return bcd ? (value >> 4) * 10 + (value & 15) : value;
}

/* Days since 1970 of a date in the years 2000 to 2099. */
static u32 days(u32 year, u32 month, u32 day)
{
	static const u16 before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	u32 total = 10957 + year * 365 + (year + 3) / 4 + before[(month - 1) % 12] + day - 1;

	return total + (month > 2 && year % 4 == 0);
}

static u64 cmos_wall_ns(void)
{
	bool bcd = !(cmos(0x0B, false) & 4);
	u32 second, seconds;

	/* A second read that differs means that the clock ticked in between: read all of it again. */
	do {
		second = cmos(0, bcd);
		seconds = (days(cmos(9, bcd), cmos(8, bcd), cmos(7, bcd)) * 24 + cmos(4, bcd)) * 3600;
		seconds += cmos(2, bcd) * 60 + second;
	} while (second != cmos(0, bcd));
	return (u64)seconds * 1000000000;
}

void time_init(void)
{
	u32 khz = clock_khz(), high = 1000000 >> (32 - SHIFT), low = (u32)(1000000u << SHIFT);

	/* (1000000 << SHIFT) / khz; a counter below 1 MHz would overflow 32 bits, and the division. */
	if (khz <= high || khz < 1000)
		panic("the clock runs at %u kHz only", khz);
	asm("divl %2" : "+a"(low), "+d"(high) : "r"(khz) : "cc");
	multiplier = low;
	boot_cycles = clock_cycles();
	boot_wall_ns = wallclock_ns();
	if (boot_wall_ns == 0)
		boot_wall_ns = cmos_wall_ns();
}
