/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The VMI timer (vmi-abi.md 4.9, 5.5): counters, alarms, wall clock. vmi_time_probe() asks for calls 66-71 at activation;
 * the rest is the timer part of paravirt.h. The tick runs on the available counter, so that a descheduled CPU doesn't pile up
 * ticks; single alarms are on the real one.
 */
#include "internal.h"
#include "vmi_wrappers.h"

typedef u64 (*rom_frequency)(void);
typedef u64 (*rom_counter)(u32 index);
/* Expiry and period are 64-bit; as words they lie where regparm(3) puts them: EDX:ECX, then the stack. */
typedef void (*rom_set_alarm)(u32 flags, u32 expiry_low, u32 expiry_high, u32 period_low, u32 period_high);
typedef u32 (*rom_cancel_alarm)(u32 counter);

bool paravirt_want_timer = true;

static bool present;
static u64 frequency; /* cycles a second */
static u32 khz;
/* Alarms come as IRQ 0, like the PIT's, until the local APIC is up. */
static u32 wiring;

/* Quotient of 64 by 32 bits in two steps: there is no compiler library to do it. */
static u64 divide(u64 value, u32 by)
{
	u32 high = (u32)(value >> 32), low = (u32)value, rest = high % by;

	high /= by;
	asm("divl %2" : "+a"(low), "+d"(rest) : "r"(by) : "cc");
	return ((u64)high << 32) | low;
}

static u64 counter(u32 index)
{
	return VMI_FUNCTION(GetCycleCounter, rom_counter)(index);
}

u64 vmi_clock_cycles(void)
{
	return counter(VMI_COUNTER_REAL);
}

u64 vmi_clock_available(void)
{
	return counter(VMI_COUNTER_AVAILABLE);
}

u64 vmi_clock_stolen(void)
{
	return counter(VMI_COUNTER_STOLEN);
}

u32 vmi_clock_khz(void)
{
	return khz;
}

/* Mainline calls 67-70 unchecked; a ROM that lacks one of them has no timer for us. */
static bool fetch(u32 call)
{
	struct vmi_reloc_answer answer = vmi_get_reloc(call);

	if (answer.type == VMI_RELOC_JUMP_REL)
		pv_panic("paravirt: a timer call was answered JUMP_REL");
	if (answer.type == VMI_RELOC_CALL_REL)
		vmi_entry[call] = answer.eip;
	return answer.type == VMI_RELOC_CALL_REL;
}

void vmi_time_probe(void)
{
	extern const u8 pv_vmi_clock_cycles[], pv_vmi_clock_khz[], pv_vmi_wallclock_ns[];
	struct vmi_reloc_answer probe;
	bool complete;

	if (vmi_entry[VMI_CALL_RDTSC] != 0)
		pv_ops.time.clock_cycles = pv_ops.cpu.read_tsc; /* without a timer the clock is the TSC: the same for both */
	if (!paravirt_want_timer)
		return;
	probe = vmi_get_reloc(VMI_CALL_GetCycleFrequency);
	if (probe.type == VMI_RELOC_NONE)
		return;
	vmi_entry[VMI_CALL_GetCycleFrequency] = probe.eip; /* of whatever type: mainline only asks whether there is one */
	complete = fetch(VMI_CALL_GetCycleCounter);
	complete &= fetch(VMI_CALL_GetWallclockTime);
	fetch(VMI_CALL_WallclockUpdated); /* asked for, never called */
	complete &= fetch(VMI_CALL_SetAlarm);
	complete &= fetch(VMI_CALL_CancelAlarm);
	if (!complete)
		return;
	frequency = VMI_FUNCTION(GetCycleFrequency, rom_frequency)();
	khz = (u32)divide(frequency, 1000);
	if (khz == 0)
		return; /* the older way to say that there is no timer */
	present = true;
	pv_ops.time.clock_cycles = pv_vmi_clock_cycles;
	pv_ops.time.clock_khz = pv_vmi_clock_khz;
	pv_ops.time.wallclock_ns = pv_vmi_wallclock_ns;
}

bool vmi_timer_present(void)
{
	return present;
}

static void set_alarm(u32 flags, u64 expiry, u64 period)
{
	VMI_FUNCTION(SetAlarm, rom_set_alarm)
	(flags | wiring, (u32)expiry, (u32)(expiry >> 32), (u32)period, (u32)(period >> 32));
}

void vmi_timer_periodic(u32 hz)
{
	u64 period = divide(frequency, hz);

	set_alarm(VMI_COUNTER_AVAILABLE | VMI_ALARM_PERIODIC, counter(VMI_COUNTER_AVAILABLE) + period, period);
}

void vmi_timer_oneshot(u64 cycles)
{
	set_alarm(VMI_COUNTER_REAL, counter(VMI_COUNTER_REAL) + cycles, 0);
}

void vmi_timer_cancel(void)
{
	VMI_FUNCTION(CancelAlarm, rom_cancel_alarm)(VMI_COUNTER_REAL);
	VMI_FUNCTION(CancelAlarm, rom_cancel_alarm)(VMI_COUNTER_AVAILABLE);
}

void vmi_timer_wire_lvtt(void)
{
	wiring = VMI_ALARM_LVTT;
}
