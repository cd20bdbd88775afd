/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What time.c and rate.c share: the local APIC's timer, ports, and how fast the clocks are.
 */
#ifndef OPENVMI_RING_TIME_H
#define OPENVMI_RING_TIME_H

#include "ring.h"

#define APIC_END 0xb0
#define APIC_SPURIOUS 0xf0
#define APIC_SERVICE 0x100
#define APIC_COMMAND 0x300
#define APIC_LVT_TIMER 0x320
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3e0
#define APIC_LVT_MASKED 0x10000
#define APIC_LVT_PERIODIC 0x20000
#define APIC_DIVIDE_BY_1 0xb
#define apic_register(offset) (*(volatile u32 *)(RING_APIC + (offset)))

/* What each clock counted in the same 10 ms; apic = 0: there is none. */
struct rate {
    u32 tsc, pit, apic;
    volatile u32 measured;       /* the others are right */
    u64 frequency;               /* of the TSC, Hz */
};
extern struct rate rate_;

void measure(void);
/* value * by / over, all ones if that is more. */
u32 scale(u32 value, u32 by, u32 over);
u64 chip_time(void);             /* nanoseconds since 1970 */
void relax(u32 cpu);

static inline void out_port(u32 port, u32 value) { asm volatile("outb %b0, %w1" ::"a"(value), "Nd"(port)); }

static inline u32 in_port(u32 port)
{
    u32 value = 0;

    asm volatile("inb %w1, %b0" : "+a"(value) : "Nd"(port));
    return value;
}

#endif
