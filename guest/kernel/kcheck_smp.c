/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checks of time and of several CPUs: ticks come and clocks do not go back, interrupts reach each CPU, a shoot-down
 * is done when it returns, counters under a lock are exact. Other CPUs take part through their idle loops: work is
 * handed to them in a mailbox that the test interrupt makes them look at. Table: kcheck.c.
 */
#include "kcheck.h"

/* ---- kernel-time ---- */

/* Ticks of this CPU from now on for `us` microseconds. */
static u32 ticks_in(u32 us)
{
	u32 ticks = this_cpu()->ticks;

	delay_us(us);
	return this_cpu()->ticks - ticks;
}

/* Waits for a tick after `ticks` of them, for a second of time and of attention: a CPU that was held up for as long must not be
 * faster than who brings the interrupt that is due. */
static void await_tick(u32 ticks)
{
	u64 start = time_ns();

	for (u32 turns = 0; this_cpu()->ticks == ticks && (turns < 100000 || time_ns() - start < 1000000000); turns++)
		cpu_relax();
}

/* Single alarms: one tick each, not before its time, none after it was cancelled. */
static void check_alarms(struct kcheck_result *result)
{
	u64 start, available = vmi_clock_available();
	u32 ticks;

	vmi_timer_cancel();
	expect_equal(result, ticks_in(30000), 0, "ticks of a cancelled timer");
	ticks = this_cpu()->ticks;
	start = time_ns();
	vmi_timer_oneshot((u64)clock_khz() * 10);
	await_tick(ticks);
	expect(result, time_ns() - start > 9000000, "10 ms took %u us", (u32)(time_ns() - start) / 1000);
	expect_equal(result, this_cpu()->ticks - ticks + ticks_in(30000), 1, "ticks of a single alarm");
	vmi_timer_oneshot((u64)clock_khz() * 20);
	vmi_timer_cancel();
	/* Where IRQ 0 comes from QEMU's PIT, one that was stopped in mid-count strobes once all the same. */
	ticks = ticks_in(40000);
	expect(result, ticks <= (apic_present() ? 0 : 1), "%u ticks of a cancelled alarm", ticks);
	expect(result, vmi_clock_available() > available, "the available counter stands still");
	vmi_timer_periodic(TICK_HZ);
	ticks = this_cpu()->ticks;
	await_tick(ticks);
	expect(result, this_cpu()->ticks != ticks, "no tick after the alarms");
}

/* Counters for 25 ticks: none goes back, and what was read between two readings of the real one lies between them. A ROM
 * whose stolen counter stands still has nothing stolen. */
static void check_counters(struct kcheck_result *result)
{
	u64 before = clock_cycles(), available = vmi_clock_available(), stolen = vmi_clock_stolen(), end, real;
	u32 backwards = 0, outside = 0;

	end = before + (u64)clock_khz() * 250;
	do {
		u64 a = vmi_clock_available(), s = vmi_clock_stolen();

		real = clock_cycles();
		backwards += real < before || a < available || s < stolen;
		outside += a + s < before || a + s > real;
		before = real, available = a, stolen = s;
	} while (real < end);
	expect_equal(result, backwards, 0, "times a counter went back");
	expect_equal(result, outside, 0, "times real was not available + stolen");
}

/* Ticks of the periodic alarm against its counter. None may come twice, and none be lost; but the host may hold up a timer
 * for longer than a period, and what is missed then is not made up for: a few periods at a time, and many chances. */
static void check_periods(struct kcheck_result *result)
{
	u32 period = clock_khz() * (1000 / TICK_HZ), periods, ticks, attempt = 0, twice = 0;

	do {
		u64 start = vmi_clock_available(), next = start + period;
		u32 most = 2; /* one at the end, and one that was due before */

		periods = 0;
		ticks = this_cpu()->ticks;
		while (periods < 5)
			if (vmi_clock_available() >= next)
				next += period, periods++;
		ticks = this_cpu()->ticks - ticks;
		for (u64 now = vmi_clock_available(); start + period <= now; start += period)
			most++;
		twice += ticks > most;
	} while ((ticks + 1 < periods || attempt < 4) && ++attempt < 100);
	expect_equal(result, twice, 0, "times more ticks than periods");
	expect(result, ticks + 1 >= periods, "%u ticks in %u periods", ticks, periods);
}

/* CR4.TSD forbids programs to read the TSC, and not the kernel: whatever level that runs at. */
static void check_forbidden_tsc(struct kcheck_result *result)
{
	u32 flags = irq_save(), cr4 = read_cr4();
	u64 tsc = read_tsc(), later, cycles;

	write_cr4(cr4 | CR4_TSD);
	later = read_tsc();
	cycles = clock_cycles();
	write_cr4(cr4);
	irq_restore_flags(flags);
	expect(result, later > tsc && cycles != 0, "no TSC for the kernel with CR4.TSD");
}

void check_time(struct kcheck_result *result)
{
	struct cpu *cpu = this_cpu();
	u32 ticks, backwards = 0, attempt = 0;
	u64 start, last = time_ns(), now = last, tsc = read_tsc();

	/* Three ticks, or a second if they do not come. A busy host may hold this CPU for long: more than one chance. */
	do {
		ticks = cpu->ticks;
		start = now;
		while (cpu->ticks - ticks < 3 && now - start < 1000000000) {
			now = time_ns();
			backwards += now < last;
			last = now;
		}
	} while (now - start >= 200000000 && ++attempt < 5);
	expect_equal(result, backwards, 0, "times the clock went back");
	expect(result, cpu->ticks - ticks >= 3, "%u ticks in a second", cpu->ticks - ticks);
	expect(result, now - start < 200000000, "three ticks took %u us", (u32)(now - start) / 1000);
	expect(result, read_tsc() > tsc, "the TSC stands still");
	expect(result, clock_khz() >= 1000, "the clock runs at %u kHz", clock_khz());
	expect(result, time_wall_ns() > 1000000000ull * 1000000000, "it is before 2001");
	check_forbidden_tsc(result);
	if (!vmi_timer_present())
		return;
	check_alarms(result);
	check_counters(result);
	check_periods(result);
}

/* ---- Work for other CPUs ---- */

static void (*volatile job)(void);
static volatile u32 job_mask; /* CPUs that have it still to do */

/* Called by the test interrupt's handler, interrupts off. */
void kcheck_interrupt(void)
{
	u32 bit = 1u << this_cpu()->number;

	if (!(job_mask & bit))
		return;
	job();
	__atomic_fetch_and(&job_mask, ~bit, __ATOMIC_SEQ_CST);
}

/* Starts `work` on all other CPUs; false: they did not all finish within a second. */
static void start_others(void (*work)(void))
{
	job = work;
	__atomic_store_n(&job_mask, all_cpus() & ~(1u << this_cpu()->number), __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < cpu_count; i++)
		if (&cpus[i] != this_cpu())
			smp_send(&cpus[i], VECTOR_TEST);
}

/* More CPUs than the host has may wait long for their turn. */
static bool wait_others(void)
{
	u64 end = time_ns() + 10000000000;

	while (job_mask != 0 && time_ns() < end)
		cpu_relax();
	return job_mask == 0;
}

/* ---- kernel-cpus ---- */

static u32 seen[MAX_CPUS];

static void nothing(void)
{
}

static void look(void)
{
	seen[this_cpu()->number] = *POINTER(volatile u32, fixed_address(FIXED_TEST));
}

/* All CPUs read a mapping, one moves it and shoots it down, all must see the new frame. */
static void check_shootdown(struct kcheck_result *result)
{
	u32 frames[2] = { frame_alloc(FRAME_KERNEL), frame_alloc(FRAME_KERNEL) };

	for (u32 i = 0; i < 20; i++) {
		*(u32 *)frame_address(frames[i % 2]) = 100 + i;
		fixed_map(FIXED_TEST, frames[i % 2], PTE_P | PTE_W | PTE_A | PTE_D | pte_global | pte_nx);
		tlb_shoot(all_cpus(), fixed_address(FIXED_TEST));
		start_others(look);
		look();
		expect(result, wait_others(), "a CPU does not answer");
		for (u32 n = 0; n < cpu_count; n++)
			expect_equal(result, seen[n], 100 + i, "read by a CPU after a shoot-down");
	}
	fixed_map(FIXED_TEST, 0, 0);
	tlb_shoot(all_cpus(), fixed_address(FIXED_TEST));
	frame_put(frames[0]);
	frame_put(frames[1]);
}

/* It must not come in: whose number would it have? Other CPUs run on below, so damage would show. */
static void check_late_start(struct kcheck_result *result)
{
	u32 before = late_cpus;
	u64 end = time_ns() + 1000000000;

	if (!smp_start_late())
		return;
	while (late_cpus == before && time_ns() < end)
		cpu_relax();
	expect(result, late_cpus != before, "a late CPU has not come to be turned away");
}

void check_processors(struct kcheck_result *result)
{
	u32 flags = irq_save(), interrupts[MAX_CPUS], ticks[MAX_CPUS];
	u64 end;

	for (u32 i = 0; i < cpu_count; i++) {
		expect(result, cpus[i].online && cpus[i].self == &cpus[i] && cpus[i].number == i, "CPU %u", i);
		interrupts[i] = cpus[i].test_ipis;
		ticks[i] = cpus[i].ticks;
	}
	expect_equal(result, this_cpu()->apic_id, apic_own_id(), "APIC id");
	irq_restore_flags(flags);
	check_late_start(result);
	if (cpu_count == 1)
		return;
	start_others(nothing);
	expect(result, wait_others(), "a CPU does not answer");
	for (u32 i = 0; i < cpu_count; i++)
		if (&cpus[i] != this_cpu())
			expect_equal(result, cpus[i].test_ipis, interrupts[i] + 1, "interrupts of a CPU");
	check_shootdown(result);
	end = time_ns() + 1000000000;
	for (u32 i = 0; i < cpu_count; i++) {
		while (cpus[i].ticks == ticks[i] && time_ns() < end)
			cpu_relax();
		expect(result, cpus[i].ticks != ticks[i], "CPU %u has no tick", i);
	}
}

/* ---- kernel-locks ---- */

#define ROUNDS 2000

static struct spinlock count_lock;
static volatile u32 locked_count, atomic_count;

static void count(void)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		u32 flags = spin_lock_irq(&count_lock);

		locked_count++;
		spin_unlock_irq(&count_lock, flags);
		__atomic_fetch_add(&atomic_count, 1, __ATOMIC_SEQ_CST);
	}
}

void check_counting(struct kcheck_result *result)
{
	u32 outer, inner;

	outer = irq_save();
	inner = spin_lock_irq(&count_lock);
	spin_unlock_irq(&count_lock, inner);
	expect_equal(result, irq_save_flags() & EFLAGS_IF, 0, "interrupt flag after an inner lock");
	irq_restore_flags(outer);
	locked_count = atomic_count = 0;
	start_others(count);
	count();
	expect(result, wait_others(), "a CPU does not answer");
	expect_equal(result, locked_count, cpu_count * ROUNDS, "count under a lock");
	expect_equal(result, atomic_count, cpu_count * ROUNDS, "atomic count");
	expect_equal(result, count_lock.locked, 0, "the lock afterwards");
}
