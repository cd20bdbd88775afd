/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts by time: alarms at times and with periods that are none, which the monitor must not lose itself in; and others'
 * interrupts at its own vector, which it must not take for the timer's.
 */
#include "hostile.h"
#include "internal.h"

#define TURNS 50000

extern const u8 hostile_call[];

static void set_alarm(u32 flags, u64 expiry, u64 period)
{
	vmi_call(VMI_CALL_SetAlarm, flags, (u32)expiry, (u32)(expiry >> 32), (u32)period, (u32)(period >> 32));
}

/* We must get on whatever the alarm is, with interrupts on. */
static void get_on(void)
{
	irq_enable();
	for (volatile u32 i = 0; i < TURNS; i++)
		;
	irq_disable();
}

static void alarms(void)
{
	static const u32 wirings[] = { VMI_ALARM_PERIODIC | VMI_ALARM_LVTT, VMI_ALARM_PERIODIC, VMI_ALARM_LVTT, 0xFFFFFF00 };
	u64 expiries[] = { 0, 1, native_read_tsc(), (u64)1 << 63, ~(u64)0 }, periods[12] = { 0, 1, 2, 3, 0x80000000, (u64)1 << 32, (u64)1 << 63, ~(u64)0 };

	vmi_call(VMI_CALL_GetCycleFrequency, 0, 0, 0, 0, 0);
	outb(0xFF, 0x21);
	for (u32 i = 8; i < ARRAY_SIZE(periods); i++)
		periods[i] = 5000u << (i - 8) * 2; /* about 2 to 100 us of a few GHz */
	for (u32 i = 0; i < ARRAY_SIZE(periods) * ARRAY_SIZE(expiries) * ARRAY_SIZE(wirings) * 2; i++) {
		u32 rest = i / ARRAY_SIZE(periods), counter = rest & 1;

		set_alarm(wirings[rest / 2 % ARRAY_SIZE(wirings)] | counter, expiries[rest / 2 / ARRAY_SIZE(wirings)],
			  periods[i % ARRAY_SIZE(periods)]);
		get_on();
		held("alarm", (struct caught){ .vector = NONE }, false);
		if (i % 5 != 0)
			vmi_call(VMI_CALL_CancelAlarm, counter, 0, 0, 0, 0);
	}
	for (u32 counter = 0; counter < 0x1000; counter++)
		vmi_call(VMI_CALL_CancelAlarm, counter, 0, 0, 0, 0);
}

static void software(u32 unused)
{
	(void)unused;
	user_mode(USER_CODE, USER_CS, EFLAGS_FIXED | EFLAGS_IF, USER_STACK + PAGE_SIZE, USER_DS);
}

static void wait_long(u32 turns)
{
	irq_enable();
	for (volatile u32 i = 0; i < turns; i++)
		;
	irq_disable();
}

/* The monitor's vector is no vector of its own for who comes by INT, or through the 8259s. */
static void alarm_vector(void)
{
	static const u8 code[] = { 0xCD, VMI_RING_TIMER_VECTOR, 0x0F, 0x0B };
	struct caught caught;

	vmi_call(VMI_CALL_GetCycleFrequency, 0, 0, 0, 0, 0);
	set_gate(VMI_RING_TIMER_VECTOR, (void (*)(void))(uintptr_t)hostile_call, GATE_INTERRUPT | DESC_DPL3);
	user_load(code, sizeof code);
	caught = try(software, 0);
	held("software", caught, caught.vector != 0x80);
	outb(0x11, 0x20);
	outb(VMI_RING_TIMER_VECTOR, 0x21);
	outb(4, 0x21);
	outb(1, 0x21);
	outb(0xFE, 0x21);
	outb(0x34, 0x43);
	outb(0xFF, 0x40);
	outb(0x10, 0x40);
	for (u32 i = 0; i < 4; i++) {
		caught = try(wait_long, 20000000);
		irq_disable();
		held("8259", caught, caught.vector != 0x80);
		outb(0x20, 0x20);
	}
	outb(0xFF, 0x21);
}

const struct attempt alarm_attempts[] = { { "alarms", alarms }, { "alarm-vector", alarm_vector }, { NULL, NULL } };
