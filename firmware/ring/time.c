/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Calls 66-71. The state machine is in alarm.h. What makes it go is the CPU's local APIC timer at a vector of our own, one shot
 * after the other, so periodic alarms lose nothing; on a PC without such a timer it is the PIT's channel 0. An alarm arrives
 * as a message from the CPU to itself with the vector of the guest's own timer entry, which is kept here, or by a pulse of
 * the PIT, which goes through the guest's interrupt controllers as it has programmed them.
 * Stolen is the time in which a CPU waits for Python (brain.c). The common reading of a counter is a stub's (stubs.S).
 */
#include "alarm.h"
#include "time.h"

#define PIT_CHANNEL0 0x40
#define PIT_MODE 0x43
#define PIT_ONCE 0x30            /* channel 0, both bytes: low, and high when counted down */
#define PIT_STOP 0x3a            /* waits for a hardware trigger that never comes */
#define PIT_LONGEST 0xffff
#define PIC 0x20
#define PIC_READ_SERVICE 0x0b
#define PIC_READ_REQUESTS 0x0a
#define PIC_END_IRQ0 0x60
#define APIC_PENDING 0x1000
#define APIC_TO_SELF 0x40000
#define APIC_ENABLE 0x100
#define SOONEST 10               /* at most 2^10 interrupts of ours in 10 ms */
#define LATENESS_LEAST 100       /* counts: of shorter periods no account is taken */

struct timer {
    struct clock clock;
    u32 taken;                   /* the local APIC's timer is ours, and the guest's registers of it are these */
    u32 entry, divide;
    u32 turns;                   /* what it counts again and again; 0: it counts down once */
    u32 pit;                     /* IRQ 0 is our clock */
};
_Static_assert(sizeof(struct timer) <= AREA_TSS - AREA_TIMER, "page 0 of a CPU's area");
#define own_timer() ((struct timer *)(RING_AREA + AREA_TIMER))

/* The guest has sent or routed interrupts to the monitor's vector: so what comes there is for it, too. */
static u32 vector_shared;

void time_vector(u32 value)
{
    if ((value & 0xff) == VMI_RING_TIMER_VECTOR)
        vector_shared = 1;
}

void time_publish(void)
{
    shared_->stolen = own_timer()->clock.stolen;
}

void time_stolen(u64 cycles)
{
    clock_steal(&own_timer()->clock, cycles, rdtsc());
    time_publish();
}

static void take(struct timer *timer)
{
    if (timer->taken)
        return;
    timer->entry = apic_register(APIC_LVT_TIMER);
    timer->divide = apic_register(APIC_TIMER_DIVIDE);
    timer->taken = 1;
    timer->turns = 0;
    apic_register(APIC_LVT_TIMER) = VMI_RING_TIMER_VECTOR;
    apic_register(APIC_TIMER_DIVIDE) = APIC_DIVIDE_BY_1;
}

static void give_back(struct timer *timer)
{
    timer->taken = 0;
    apic_register(APIC_TIMER_INITIAL) = 0;
    apic_register(APIC_TIMER_DIVIDE) = timer->divide;
    apic_register(APIC_LVT_TIMER) = timer->entry;
}

/* One shot after the other is all that it takes, but each write to the timer wakes the emulator's other thread. So for one
 * periodic alarm the timer goes round by itself, a little too slow, and is set right when it is late by a 16th of the period.
 * In: counts to the alarm; what the timer had left to count just before. */
static void apic_count(struct timer *timer, u32 counts, u32 current)
{
    u64 period = clock_period(&timer->clock);
    u32 turn = period >> 31 ? 0 : scale((u32)period, rate_.apic, rate_.tsc), late = turn >> 4;
    u32 steady;

    turn += turn >> 13;
    steady = late > LATENESS_LEAST && turn >= counts && turn - counts < late;
    if (timer->turns == turn && current - counts < late)
        return;
    if (steady != !!timer->turns)
        apic_register(APIC_LVT_TIMER) = VMI_RING_TIMER_VECTOR | (steady ? APIC_LVT_PERIODIC : 0);
    timer->turns = steady ? turn : 0;
    apic_register(APIC_TIMER_INITIAL) = steady ? turn : counts;
}

static u32 has_apic(void)
{
    return rate_.apic && apic_register(APIC_SPURIOUS) & APIC_ENABLE;
}

static void pit_once(u32 counts)
{
    out_port(PIT_MODE, PIT_ONCE);
    out_port(PIT_CHANNEL0, counts);
    out_port(PIT_CHANNEL0, counts >> 8);
}

/* Have the next interrupt come when the next alarm is due: or before, and then again. */
static void program(struct timer *timer)
{
    u32 apic = has_apic(), current = timer->turns ? apic_register(APIC_TIMER_CURRENT) : 0;
    u64 now = rdtsc(), due = clock_due(&timer->clock), left = due > now ? due - now : 0;
    u32 cycles = left >> 31 ? 1u << 31 : (u32)left, counts;

    if (cycles < rate_.tsc >> SOONEST)
        cycles = rate_.tsc >> SOONEST;
    if (timer->pit && (apic || due == ALARM_NEVER)) {
        out_port(PIT_MODE, PIT_STOP);
        timer->pit = !apic;      /* QEMU's, stopped in mid-count, pulses once all the same */
    }
    if (due == ALARM_NEVER) {
        if (timer->taken)
            apic_register(APIC_TIMER_INITIAL) = 0;
    } else if (apic) {
        take(timer);
        counts = scale(cycles, rate_.apic, rate_.tsc);
        apic_count(timer, counts == ~0u ? counts : counts + 1, current);
    } else if (header_->cpus == 1) {
        counts = scale(cycles, rate_.pit, rate_.tsc);
        timer->pit = 1;
        pit_once(counts < PIT_LONGEST ? counts + 1 : PIT_LONGEST);
    }
}

/* Alarms that have expired arrive, by way of the interrupt controllers. */
static void arrive(struct timer *timer, u32 where)
{
    if (where & ALARM_LVTT && timer->taken && !(timer->entry & APIC_LVT_MASKED) && (timer->entry & 0xff) >= 32) {
        while (apic_register(APIC_COMMAND) & APIC_PENDING)
            asm volatile("pause");
        apic_register(APIC_COMMAND) = APIC_TO_SELF | (timer->entry & 0xff);
    }
    if (where & ALARM_IRQ0)
        pit_once(1);
}

static void run(struct timer *timer)
{
    if (has_apic())
        take(timer);
    if (timer->taken)
        arrive(timer, clock_fire(&timer->clock, rdtsc()));
    program(timer);
}

static u32 is_irq0(void)
{
    u32 service;

    out_port(PIC, PIC_READ_SERVICE);
    service = in_port(PIC);
    out_port(PIC, PIC_READ_REQUESTS);
    return service & 1;
}

/* Our vector can come from elsewhere: an INT of a program's, the 8259s. */
static u32 is_from_apic(void)
{
    return apic_register(APIC_SERVICE + (VMI_RING_TIMER_VECTOR >> 5) * 0x10) >> (VMI_RING_TIMER_VECTOR & 31) & 1;
}

/* An interrupt has come. 1 = it was ours, and is done; 0 = it is the guest's. */
u32 time_interrupt(u32 vector)
{
    struct timer *timer = own_timer();
    u32 where;

    if (vector == VMI_RING_TIMER_VECTOR && rate_.apic && is_from_apic()) {
        count_exit(VMI_RING_EXIT_TIMER);
        if (!vector_shared)
            apic_register(APIC_END) = 0;
        if (timer->taken)
            run(timer);
        return !vector_shared;
    }
    if (!timer->pit || !is_irq0())
        return 0;
    count_exit(VMI_RING_EXIT_TIMER);
    timer->pit = 0;
    where = clock_fire(&timer->clock, rdtsc());
    program(timer);
    if (where & ALARM_IRQ0)
        return 0;
    out_port(PIC, PIC_END_IRQ0);
    return 1;
}

/* The guest's registers of the local APIC's timer while that is ours. 1 = done. */
u32 time_apic_read(u32 offset, u32 *value)
{
    struct timer *timer = own_timer();

    if (!timer->taken)
        return 0;
    switch (offset) {
    case APIC_LVT_TIMER:
        *value = timer->entry;
        return 1;
    case APIC_TIMER_DIVIDE:
        *value = timer->divide;
        return 1;
    case APIC_TIMER_INITIAL:
    case APIC_TIMER_CURRENT:
        *value = 0;
        return 1;
    default:
        return 0;
    }
}

/* A guest that sets its timer while no alarm is armed has it back. */
u32 time_apic_write(u32 offset, u32 value)
{
    struct timer *timer = own_timer();

    if (offset == APIC_SPURIOUS) {
        apic_register(offset) = value;
        if (rate_.measured)
            program(timer);
        return 1;
    }
    if (!timer->taken)
        return 0;
    switch (offset) {
    case APIC_LVT_TIMER:
        timer->entry = value;
        return 1;
    case APIC_TIMER_DIVIDE:
        timer->divide = value;
        return 1;
    case APIC_TIMER_INITIAL:
        if (clock_due(&timer->clock) != ALARM_NEVER || !value)
            return 1;
        give_back(timer);
        return 0;
    default:
        return 0;
    }
}

/* This CPU runs no guest any more. */
void time_park(void)
{
    struct timer *timer = own_timer();

    for (u32 counter = 0; counter < ALARM_COUNTERS; counter++)
        alarm_cancel(&timer->clock, counter);
    if (timer->taken) {
        timer->entry = APIC_LVT_MASKED;
        give_back(timer);
    }
    timer->clock.stolen = 0;
}

static void give(frame_t *frame, u64 value)
{
    frame->eax = (u32)value;
    frame->edx = (u32)(value >> 32);
}

static u32 to_be_done(u32 action)
{
    return action == VMI_WIRE_ACTION_CONTINUE || action == VMI_WIRE_ACTION_CHANGED;
}

static void set_alarm(frame_t *frame)
{
    struct question question = { .exit = VMI_RING_EXIT_SET_ALARM, .eax = frame->eax, .edx = frame->edx, .ecx = frame->ecx };
    u32 period[2] = { 0, 0 };

    measure();
    guest_read(frame->esp + 8, period, 8);
    question.length = period[0];
    question.more = period[1];
    if (!to_be_done(ask_brain(frame, &question)))
        return;
    alarm_set(&own_timer()->clock, question.eax, (u64)question.ecx << 32 | question.edx,
              (u64)question.more << 32 | question.length);
    run(own_timer());
}

static void cancel_alarm(frame_t *frame)
{
    struct question question = { .exit = VMI_RING_EXIT_CANCEL_ALARM, .eax = frame->eax };

    if (to_be_done(ask_brain(frame, &question))) {
        question.eax = alarm_cancel(&own_timer()->clock, question.eax);
        if (question.eax)
            program(own_timer());
    }
    frame->eax = question.eax;
}

/* Python has the host's clock. If nobody answers there is the clock chip. */
static void wallclock(frame_t *frame, u32 exit)
{
    u64 now = rdtsc();
    struct question question = { .exit = exit, .eax = (u32)now, .edx = (u32)(now >> 32) };

    if (!to_be_done(ask_brain(frame, &question)))
        give(frame, (u64)question.edx << 32 | question.eax);
    else
        give(frame, exit == VMI_RING_EXIT_WALLCLOCK ? chip_time() : 0);
}

u32 time_call(frame_t *frame, u32 number)
{
    switch (number) {
    case VMI_CALL_GetCycleFrequency:
        measure();
        give(frame, rate_.frequency);
        return 1;
    case VMI_CALL_GetCycleCounter:
        give(frame, clock_read(&own_timer()->clock, frame->eax, rdtsc()));
        return 1;
    case VMI_CALL_SetAlarm:
        set_alarm(frame);
        return 1;
    case VMI_CALL_CancelAlarm:
        cancel_alarm(frame);
        return 1;
    case VMI_CALL_GetWallclockTime:
        wallclock(frame, VMI_RING_EXIT_WALLCLOCK);
        return 1;
    case VMI_CALL_WallclockUpdated:
        wallclock(frame, VMI_RING_EXIT_WALLCLOCK_SET);
        return 1;
    default:
        return 0;
    }
}

/* RDTSC where CR4.TSD forbids it below ring 0: a kernel, and our stubs, may. 1 = done. */
u32 emulate_rdtsc(frame_t *frame)
{
    u16 opcode = 0;

    if (frame->eip - VMI_WIRE_BASE < VMI_RING_WINDOW_SIZE - 1)
        opcode = *(const u16 *)frame->eip;
    else if (!guest_read(frame->eip, &opcode, 2))
        return 0;
    if (opcode != 0x310f)
        return 0;
    give(frame, rdtsc());
    frame->eip += 2;
    return 1;
}
