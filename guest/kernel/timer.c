/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The tick, 100 times a second on each CPU, from the best of three sources: the VMI timer, the local APIC's timer,
 * the PIT (boot CPU only). Also calibrates: TSC and APIC timer against the PIT's second channel. Clock: time.c.
 */
#include "cpu.h"
#include "process.h"

#define PIT_HZ 1193182
#define PIT_CHANNEL0 0x40
#define PIT_CHANNEL2 0x42
#define PIT_MODE 0x43
#define PIT_GATE 0x61
#define PIT_LATCH2 0x80
#define CALIBRATION_COUNTS 2400 /* about 2 ms */

u32 tsc_khz;

static enum { TIMER_PIT, TIMER_APIC, TIMER_VMI } source;

static u32 pit_read2(void)
{
	u32 low;

	outb(PIT_LATCH2, PIT_MODE);
	low = inb(PIT_CHANNEL2);
	return low | (u32)inb(PIT_CHANNEL2) << 8;
}

/* One reading of all clocks. The PIT's takes three port accesses; if the TSC says that they took unusually long, because
 * the host went elsewhere, it is taken again. */
struct sample {
	u32 pit, apic;
	u64 tsc;
};

static struct sample take_sample(void)
{
	struct sample best = { 0 };
	u64 shortest = ~0ull;

	for (u32 i = 0; i < 5; i++) {
		u64 before = read_tsc(), after;
		u32 pit = pit_read2();

		after = read_tsc();
		if (after - before < shortest) {
			shortest = after - before;
			best = (struct sample){ pit, apic_present() ? apic_timer_elapsed() : 0, after };
		}
	}
	return best;
}

/* counts * PIT_HZ / (pit * 1000), counts per millisecond. */
static u32 rate_khz(u64 counts, u32 pit)
{
	u64 product = counts * (PIT_HZ / 1000);
	u32 high = (u32)(product >> 32), low = (u32)product, rest = 0;

	if (pit == 0 || high >= pit)
		return 0;
	rest = high;
	asm("divl %2" : "+a"(low), "+d"(rest) : "r"(pit) : "cc");
	return low;
}

void timer_calibrate(void)
{
	struct sample first, last;
	u32 pit;

	outb((u8)((inb(PIT_GATE) & ~2u) | 1), PIT_GATE); /* let channel 2 count, speaker off */
	outb(0xB4, PIT_MODE);			       /* channel 2, both bytes, rate generator */
	outb(0xFF, PIT_CHANNEL2);
	outb(0xFF, PIT_CHANNEL2);
	if (apic_present())
		apic_timer_measure();
	first = take_sample();
	do {
		pit = (first.pit - pit_read2()) & 0xFFFF;
	} while (pit < CALIBRATION_COUNTS);
	last = take_sample();
	pit = (first.pit - last.pit) & 0xFFFF;
	tsc_khz = rate_khz(last.tsc - first.tsc, pit);
	apic_timer_khz = rate_khz(last.apic - first.apic, pit);
	if (tsc_khz == 0)
		panic("the time-stamp counter does not count");
}

void pit_start(void)
{
	outb(0x34, PIT_MODE); /* channel 0, both bytes, rate generator */
	outb((u8)(PIT_HZ / TICK_HZ), PIT_CHANNEL0);
	outb((u8)(PIT_HZ / TICK_HZ >> 8), PIT_CHANNEL0);
	irq_install(0, timer_tick);
}

/* Mode 5 waits for a hardware trigger that never comes. */
void pit_stop(void)
{
	outb(0x3A, PIT_MODE);
	pic_mask(0);
}

/* As mainline does it: the alarm begins wired to IRQ 0 and moves to the local timer's vector once that is programmed. */
static void vmi_timer_start(void)
{
	if (!apic_present()) {
		irq_install(0, timer_tick);
	} else {
		apic_timer_wire(VECTOR_TIMER);
		vmi_timer_cancel();
		vmi_timer_wire_lvtt();
	}
	vmi_timer_periodic(TICK_HZ);
}

void timer_start(void)
{
	pit_stop();
	if (vmi_timer_present()) {
		source = TIMER_VMI;
		vmi_timer_start();
	} else if (apic_present() && apic_timer_khz != 0) {
		source = TIMER_APIC;
		apic_timer_start();
	} else {
		source = TIMER_PIT;
		pit_start();
	}
}

void timer_start_ap(void)
{
	if (source == TIMER_VMI)
		vmi_timer_start();
	else
		apic_timer_start();
}

const char *timer_name(void)
{
	static const char *const names[] = { "pit", "lapic", "vmi" };

	return names[source];
}

void timer_tick(void)
{
	this_cpu()->ticks++;
	sched_tick();
}
