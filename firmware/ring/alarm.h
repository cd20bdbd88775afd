/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Counters and alarms of one CPU as the interface has them: two alarms, what was stolen, and no hardware. Times are values of
 * the real counter, given by the caller. The same state machine in Python, which says what is right:
 * openvmi.hypervisor.ring.clock; tests/object/ring hold the two against each other. The hardware is in time.c.
 */
#ifndef OPENVMI_RING_ALARM_H
#define OPENVMI_RING_ALARM_H

#include "shadow.h" /* types */
#include "vmi_abi.h"

#define ALARM_COUNTERS 2
#define ALARM_NEVER (~0ull)
#define ALARM_IRQ0 1 /* where an alarm arrives, as bits */
#define ALARM_LVTT 2

struct alarm {
    u64 expiry, period; /* period 0 = once */
    u32 armed, wiring;
};

struct clock {
    struct alarm alarms[ALARM_COUNTERS]; /* by counter: real, available */
    u64 stolen;
};

static inline u64 clock_read(const struct clock *clock, u32 counter, u64 now)
{
    switch (counter) {
    case VMI_COUNTER_REAL:
        return now;
    case VMI_COUNTER_AVAILABLE:
        return now - clock->stolen;
    case VMI_COUNTER_STOLEN:
        return clock->stolen;
    default:
        return 0;
    }
}

/* No more is stolen than there was. */
static inline void clock_steal(struct clock *clock, u64 cycles, u64 now)
{
    u64 most = now - clock->stolen;

    clock->stolen += cycles < most ? cycles : most;
}

/* The first time of a periodic alarm after `now`: a multiple of the period from `expiry` on, which was not after `now`.
 * There is no division of 64 bits here. */
static inline u64 alarm_next(u64 expiry, u64 period, u64 now)
{
    u64 late = now - expiry, step = period;

    while (step <= late >> 1)
        step <<= 1;
    for (; step >= period; step >>= 1)
        if (late >= step)
            late -= step;
    now -= late;
    return now + period < now ? ALARM_NEVER : now + period;
}

static inline void alarm_set(struct clock *clock, u32 flags, u64 expiry, u64 period)
{
    u32 counter = flags & VMI_ALARM_COUNTER_MASK;

    if (counter >= ALARM_COUNTERS)
        return;
    clock->alarms[counter] = (struct alarm){ .expiry = expiry,
                                             .period = flags & VMI_ALARM_PERIODIC ? period : 0,
                                             .armed = 1,
                                             .wiring = flags & VMI_ALARM_LVTT ? ALARM_LVTT : ALARM_IRQ0 };
}

/* -> whether it was armed. */
static inline u32 alarm_cancel(struct clock *clock, u32 counter)
{
    u32 armed;

    counter &= VMI_ALARM_COUNTER_MASK;
    if (counter >= ALARM_COUNTERS)
        return 0;
    armed = clock->alarms[counter].armed;
    clock->alarms[counter].armed = 0;
    return armed;
}

/* Fire what has expired, each once however late it is. -> where they arrive. */
static inline u32 clock_fire(struct clock *clock, u64 now)
{
    u32 where = 0;

    for (u32 counter = 0; counter < ALARM_COUNTERS; counter++) {
        struct alarm *alarm = &clock->alarms[counter];
        u64 at = clock_read(clock, counter, now);

        if (!alarm->armed || at < alarm->expiry)
            continue;
        if (alarm->period)
            alarm->expiry = alarm_next(alarm->expiry, alarm->period, at);
        else
            alarm->armed = 0;
        where |= alarm->wiring;
    }
    return where;
}

/* -> the real time at which the next alarm expires if nothing more is stolen. */
static inline u64 clock_due(const struct clock *clock)
{
    u64 due = ALARM_NEVER;

    for (u32 counter = 0; counter < ALARM_COUNTERS; counter++) {
        u64 expiry = clock->alarms[counter].expiry, behind = counter == VMI_COUNTER_AVAILABLE ? clock->stolen : 0;

        if (!clock->alarms[counter].armed)
            continue;
        expiry = expiry + behind < expiry ? ALARM_NEVER : expiry + behind;
        due = expiry < due ? expiry : due;
    }
    return due;
}

/* -> the period of the only alarm that is armed; 0: there are others, or it is no periodic one. */
static inline u64 clock_period(const struct clock *clock)
{
    const struct alarm *alarms = clock->alarms;

    return alarms[0].armed == alarms[1].armed ? 0 : alarms[alarms[1].armed].period;
}

#endif
