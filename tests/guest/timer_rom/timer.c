/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Calls 66-71 on bare hardware (vmi-abi.md 4.9). A cycle is one of the TSC; real and available time are the same, nothing
 * is ever stolen. An alarm wired to IRQ 0 is the PIT's channel 0, one wired to the LVT is the CPU's own APIC timer.
 * Limits: each timer does one alarm, the last one set; a periodic one begins a period from now; the PIT's reach is 55 ms,
 * and any alarm's 2^32 cycles: what is due later fires early. QEMU's PIT, stopped in mid-count, strobes once all the same.
 */
#include "timer_rom.h"

#define PIT_CHANNEL0 0x40
#define PIT_MODE 0x43
#define PIT_PERIODIC 0x34 /* channel 0, both bytes, rate generator */
#define PIT_ONCE 0x38	  /* strobe when counted down */
#define PIT_STOP 0x3A	  /* waits for a hardware trigger that never comes */
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71

u64 rom_get_cycle_frequency(void)
{
	return state()->frequency;
}

u64 rom_get_cycle_counter(u32 counter)
{
	return counter == VMI_COUNTER_REAL || counter == VMI_COUNTER_AVAILABLE ? read_tsc() : 0;
}

static void pit_set(u32 use, u32 counts)
{
	if (counts > 0x10000)
		counts = 0x10000; /* written as 0 */
	outb(use == PERIODIC ? PIT_PERIODIC : PIT_ONCE, PIT_MODE);
	outb((u8)counts, PIT_CHANNEL0);
	outb((u8)(counts >> 8), PIT_CHANNEL0);
}

static void apic_set(u32 use, u32 counts)
{
	u32 entry = *apic(APIC_LVT_TIMER) & ~LVT_PERIODIC;

	*apic(APIC_TIMER_DIVIDE) = DIVIDE_BY_16;
	*apic(APIC_LVT_TIMER) = use == PERIODIC ? entry | LVT_PERIODIC : entry;
	*apic(APIC_TIMER_INITIAL) = counts;
}

static bool was_armed(struct alarm *alarm, u32 counter)
{
	bool armed = alarm->use != IDLE && alarm->counter == counter;

	if (!armed)
		return false;
	if (alarm->use == ONCE)
		armed = read_tsc() < alarm->expiry;
	alarm->use = IDLE;
	return armed;
}

/* The PIT stays as it is when its one-shot has fired. */
static u32 cancel(struct state *rom, u32 counter)
{
	u32 armed = 0;

	if (was_armed(&rom->pit_alarm, counter)) {
		outb(PIT_STOP, PIT_MODE);
		armed = 1;
	}
	if (rom->has_apic && was_armed(lvt_alarm(rom), counter)) {
		*apic(APIC_TIMER_INITIAL) = 0;
		armed = 1;
	}
	return armed;
}

static u32 cycles_until(u64 expiry)
{
	s64 left = (s64)(expiry - read_tsc());

	if (left < 0)
		return 0;
	return left >> 32 ? 0xFFFFFFFF : (u32)left;
}

void rom_set_alarm(u32 flags, u32 expiry_low, u32 expiry_high, u32 period_low, u32 period_high)
{
	struct state *rom = state();
	u32 counter = flags & VMI_ALARM_COUNTER_MASK, lvtt = flags & VMI_ALARM_LVTT, interrupts, cycles, counts;
	u32 use = flags & VMI_ALARM_PERIODIC && (period_low | period_high) ? PERIODIC : ONCE;
	struct alarm *alarm;

	if (counter > VMI_COUNTER_AVAILABLE || (lvtt && !rom->has_apic))
		return;
	interrupts = irq_save();
	cancel(rom, counter);
	if (use == PERIODIC)
		cycles = period_high ? 0xFFFFFFFF : period_low;
	else
		cycles = cycles_until((u64)expiry_high << 32 | expiry_low);
	counts = scale(cycles, lvtt ? rom->apic : rom->pit, rom->tsc);
	if (counts < 2)
		counts = 2; /* the least that every mode of the PIT counts */
	alarm = lvtt ? lvt_alarm(rom) : &rom->pit_alarm;
	alarm->use = use;
	alarm->counter = counter;
	alarm->expiry = read_tsc() + cycles;
	if (lvtt)
		apic_set(use, counts);
	else
		pit_set(use, counts);
	irq_restore(interrupts);
}

u32 rom_cancel_alarm(u32 counter)
{
	struct state *rom = state();
	u32 flags = irq_save(), armed = cancel(rom, counter);

	irq_restore(flags);
	return armed;
}

static u32 cmos(u8 index)
{
	u32 value;

	outb(index, CMOS_INDEX);
	value = inb(CMOS_DATA);
	return (value >> 4) * 10 + (value & 15); /* SeaBIOS leaves it in BCD, 24 hours */
}

/* Days from 1970 to a date of this century; March is the first month, so that the leap day is the last. */
static u32 days(u32 year, u32 month, u32 day)
{
	u32 shifted = (month + 9) % 12;

	year += 4 - (month < 3);
	return 9555 + year * 365 + year / 4 + (shifted * 153 + 2) / 5 + day;
}

/* To the second, that is. */
u64 rom_get_wallclock_time(void)
{
	u32 second, seconds;

	do {
		second = cmos(0);
		seconds = (days(cmos(9), cmos(8), cmos(7)) * 24 + cmos(4)) * 3600 + cmos(2) * 60 + second;
	} while (second != cmos(0));
	return (u64)seconds * 1000000000;
}

/* Nobody steps this clock. */
u32 rom_wallclock_updated(void)
{
	return 0;
}
