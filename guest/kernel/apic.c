/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The local APIC: inter-processor interrupts and its timer. Registers are reached through apic_read() and
 * apic_write(), whose native form is the page that paging.c maps at `lapic_base`. Works without one: then a single
 * CPU, PIT and PIC.
 */
#include "cpu.h"
#include "memory.h"

#define APIC_ID 0x20
#define APIC_TASK_PRIORITY 0x80
#define APIC_END 0xB0
#define APIC_SPURIOUS 0xF0
#define APIC_COMMAND 0x300
#define APIC_COMMAND_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3E0

#define APIC_ENABLE 0x100
#define LVT_MASKED 0x10000
#define LVT_PERIODIC 0x20000
#define LVT_EXTERNAL 0x700 /* vector from the PIC */
#define LVT_NMI 0x400
#define COMMAND_PENDING 0x1000
#define COMMAND_INIT 0x500
#define COMMAND_STARTUP 0x600
#define COMMAND_LEVEL 0x8000
#define COMMAND_ASSERT 0x4000
#define DIVIDE_BY_16 3
#define BASE_ENABLE 0x800
#define PTE_PWT 0x008
#define PTE_PCD 0x010

u32 lapic_base;
u32 apic_timer_khz;

static bool usable;

bool apic_present(void)
{
	return usable;
}

u32 apic_own_id(void)
{
	return usable ? apic_read(APIC_ID) >> 24 : 0;
}

void apic_end(void)
{
	apic_write(APIC_END, 0);
}

void apic_init_boot(void)
{
	u64 base;

	if (!features.apic)
		return;
	base = native_rdmsr(MSR_APIC_BASE);
	if (!(base & BASE_ENABLE))
		return;
	fixed_map(FIXED_APIC, (u32)(base >> PAGE_SHIFT), PTE_P | PTE_W | PTE_PCD | PTE_PWT | PTE_A | PTE_D | pte_nx);
	usable = true;
	apic_init_this_cpu();
}

void apic_init_this_cpu(void)
{
	if (!usable)
		return;
	apic_write(APIC_SPURIOUS, APIC_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_TASK_PRIORITY, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	/* The PIC, if anything there is unmasked, interrupts the boot CPU only. */
	apic_write(APIC_LVT_LINT0, LVT_EXTERNAL | (this_cpu()->number == 0 ? 0 : LVT_MASKED));
	apic_write(APIC_LVT_LINT1, LVT_NMI | (this_cpu()->number == 0 ? 0 : LVT_MASKED));
	apic_write(APIC_LVT_ERROR, LVT_MASKED | VECTOR_SPURIOUS);
	this_cpu()->apic_id = apic_own_id();
}

static NOINLINE void wait_until_sent(void)
{
	while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
		cpu_relax();
}

/* Both command words with interrupts off: an interrupt handler may send, too. */
static void send(u32 apic_id, u32 command)
{
	u32 flags = irq_save();

	wait_until_sent();
	apic_write(APIC_COMMAND_HIGH, apic_id << 24);
	apic_write(APIC_COMMAND, command);
	irq_restore_flags(flags);
}

void apic_send(u32 apic_id, u32 vector)
{
	send(apic_id, vector | COMMAND_ASSERT);
}

void apic_send_init(u32 apic_id)
{
	send(apic_id, COMMAND_INIT | COMMAND_LEVEL | COMMAND_ASSERT);
	send(apic_id, COMMAND_INIT | COMMAND_LEVEL);
}

void apic_send_startup(u32 apic_id, u32 page)
{
	send(apic_id, COMMAND_STARTUP | COMMAND_ASSERT | page);
}

void apic_timer_measure(void)
{
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, 0xFFFFFFFF);
}

u32 apic_timer_elapsed(void)
{
	return 0xFFFFFFFF - apic_read(APIC_TIMER_CURRENT);
}

void apic_timer_start(void)
{
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, max_u32(apic_timer_khz * 1000 / TICK_HZ, 1));
}

/* The VMI timer's alarms, when wired so, arrive through this entry; the timer itself stays stopped. */
void apic_timer_wire(u32 vector)
{
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, vector);
}
