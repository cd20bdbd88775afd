/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A ROM for tests only: the stubs of firmware/rom, and natively answered on top of them the calls that a ROM without a
 * hypervisor behind it leaves alone: APIC access, AP state, timer. state.c: its memory; timer.c: calls 66-71; apic.c:
 * calls 62-64; pages.S: where all that lies, and how a further CPU begins. Unlike the real ROM it keeps state, and knows
 * its surroundings: the `pc` machine (whose option-ROM window it makes writable), low memory mapped at 3 GiB.
 */
#ifndef TIMER_ROM_H
#define TIMER_ROM_H

#include "types.h"
#include "vmi_abi.h"

#define DIRECT_MAP 0xC0000000u
#define CPUS 8
#define PIT_HZ 1193182u
#define PAGE 0x1000u

/* Where the ROM maps the local APIC: the last page but one, above the `virtual_top` that it announces. */
#define APIC_AT 0xFFFFE000u
#define APIC_ID 0x020
#define APIC_COMMAND 0x300
#define APIC_COMMAND_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3E0
#define LVT_MASKED 0x10000u
#define LVT_PERIODIC 0x20000u
#define DIVIDE_BY_16 3u

enum { IDLE, ONCE, PERIODIC };

/** What a timer of the PC does for an alarm. */
struct alarm {
	u32 use; /* IDLE, ONCE or PERIODIC */
	u32 counter;
	u64 expiry; /* ONCE: when it fires */
};

/** The ROM's memory; tests/object/rom/test_timer_rom.py knows the offsets of the first five. */
struct state {
	u32 ready;
	u32 tsc, pit, apic; /* what each counted in the same time */
	u64 frequency;	    /* of the TSC, Hz */
	u32 has_apic;
	u32 pages; /* physical address of three pages: trampoline, page table, page directory; then 32 bytes of root */
	struct alarm pit_alarm;
	struct alarm apic_alarm[CPUS];
	u32 startable; /* bits by APIC id */
	struct vmi_ap_state start[CPUS];
};

_Static_assert(sizeof(struct state) <= 1536, "pages.S reserves the room");

/** The ROM's memory, prepared at the first call. */
struct state *state(void);
void irq_restore(u32 flags);
u32 irq_save(void);
u64 read_tsc(void);
u32 own_cpu(const struct state *rom);
struct alarm *lvt_alarm(struct state *rom);

static inline void outb(u8 value, u16 port)
{
	asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline volatile u32 *apic(u32 reg)
{
	return (volatile u32 *)(APIC_AT + reg);
}

/** value * by / over, where by < over. */
static inline u32 scale(u32 value, u32 by, u32 over)
{
	u32 low, high;

	asm("mull %3; divl %4" : "=&a"(low), "=&d"(high) : "0"(value), "rm"(by), "rm"(over) : "cc");
	return low;
}

#endif
