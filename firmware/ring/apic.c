/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The local APIC is the guest's, but for what would start, stop or break into CPUs: INIT and STARTUP are ours (start.c),
 * SMI and NMI are not sent, and no vector is an exception's. The same for the I/O APIC, and the HPET makes no messages. Their
 * pages can't be mapped: each store comes here.
 */
#include "time.h"

#define SPURIOUS 0xf0
#define ESR 0x280
#define COMMAND 0x300
#define COMMAND_HIGH 0x310
#define LVT_FIRST 0x320
#define LVT_LAST 0x370
#define LVT_MASKED 0x10000
#define DELIVERY(value) ((value) >> 8 & 7)
#define FIXED 0
#define LOWEST 1
#define NMI 4
#define INIT 5
#define STARTUP 6
#define EXTERNAL 7
#define PENDING 0x1000

#define register_(offset) (*(volatile u32 *)(RING_APIC + (offset)))

u32 apic_read(u32 offset)
{
    u32 value;

    return time_apic_read(offset & 0xff0, &value) ? value : register_(offset & 0xff0);
}

/* A command of our own, and the guest's half-made one as it was. */
static void command(u32 number, u32 low)
{
    u32 high = register_(COMMAND_HIGH);

    while (register_(COMMAND) & PENDING)
        asm volatile("pause");
    register_(COMMAND_HIGH) = number << 24;
    register_(COMMAND) = low;
    while (register_(COMMAND) & PENDING)
        asm volatile("pause");
    register_(COMMAND_HIGH) = high;
}

void send_nmi(u32 number)
{
    command(number, 0x4000 | NMI << 8);
}

void send_init(u32 number)
{
    command(number, 0xc000 | INIT << 8);
    command(number, 0x8000 | INIT << 8);
}

void send_startup(u32 number, u32 page)
{
    command(number, 0x4000 | STARTUP << 8 | page);
}

/* As INIT leaves the local APIC: no interrupt is being served. */
void end_interrupts(void)
{
    for (u32 most = 256; most; most--) {
        u32 served = 0;

        for (u32 offset = APIC_SERVICE; offset < APIC_SERVICE + 0x80; offset += 0x10)
            served |= register_(offset);
        if (!served)
            return;
        register_(APIC_END) = 0;
    }
}

/* INIT or STARTUP of the guest's: to one, to all others. */
static void guest_command(u32 value, void (*act)(u32 number))
{
    u32 shorthand = value >> 18 & 3;

    for (u32 number = 0; number < header_->cpus; number++) {
        if (number == cpu_->number)
            continue;
        if (shorthand >= 2 || (!shorthand && number == register_(COMMAND_HIGH) >> 24))
            act(number);
    }
}

static void write_command(u32 value)
{
    switch (DELIVERY(value)) {
    case FIXED:
    case LOWEST:
        time_vector(value);
        if ((value & 0xff) >= 32)
            register_(COMMAND) = value;
        break;
    case INIT:
        if (value & 0x4000 || !(value & 0x8000))
            guest_command(value, guest_init);
        break;
    case STARTUP:
        guest_command(value, guest_startup);
        break;
    default:
        break;
    }
}

/* Not the APIC's id, by which we find CPUs. And a store to where no register is may be a message of any kind to the hardware. */
static u32 is_writable(u32 offset)
{
    return offset == 0x80 || offset == 0xb0 || (offset >= 0xd0 && offset <= SPURIOUS) || offset == ESR ||
           (offset >= COMMAND && offset <= 0x380) || offset == 0x3e0;
}

void apic_write(u32 offset, u32 value)
{
    u32 delivery = DELIVERY(value);

    offset &= 0xff0;
    if (!is_writable(offset))
        return;
    if (offset == COMMAND) {
        write_command(value);
        return;
    }
    if (offset >= LVT_FIRST && offset <= LVT_LAST) {
        if (delivery != EXTERNAL && (delivery != FIXED || (value & 0xff) < 32))
            value |= LVT_MASKED;
        time_vector(value);
    } else if (offset == SPURIOUS && (value & 0xff) < 32) {
        value |= 0xff;
    }
    if (!time_apic_write(offset, value))
        register_(offset) = value;
}

/* The I/O APIC: a register's number is written, then the register is there. What the guest chose is remembered, and read once
 * for a store, so that number and register stay together whoever else is at it. */
#define IO_SELECT 0x00
#define IO_WINDOW 0x10
#define IO_ROUTES 0x10
#define io_register(offset) (*(volatile u32 *)(RING_IO_APIC + (offset)))

static volatile u32 io_chosen;
static u32 io_lock;

static u32 io_access(u32 chosen, u32 write, u32 value)
{
    while (__sync_lock_test_and_set(&io_lock, 1))
        asm volatile("pause");
    io_register(IO_SELECT) = chosen;
    if (write)
        io_register(IO_WINDOW) = value;
    else
        value = io_register(IO_WINDOW);
    __sync_lock_release(&io_lock);
    return value;
}

/* A register of the I/O APIC: an entry that would send what may not be sent is masked. */
static void io_write(u32 chosen, u32 value)
{
    u32 delivery = DELIVERY(value);

    if (chosen >= IO_ROUTES && !(chosen & 1) && delivery != EXTERNAL &&
        ((delivery != FIXED && delivery != LOWEST) || (value & 0xff) < 32))
        value |= LVT_MASKED;
    if (chosen >= IO_ROUTES && !(chosen & 1))
        time_vector(value);
    io_access(chosen, 1, value);
}

/* The HPET's timers can store a word anywhere instead of an interrupt: they may not. */
#define hpet_register(offset) (*(volatile u32 *)(RING_HPET + ((offset) & 0xffc)))
#define HPET_TIMERS 0x100
#define HPET_MESSAGES 0x4000

static void hpet_write(u32 offset, u32 value)
{
    if (offset >= HPET_TIMERS && !(offset & 0x1c))
        value &= ~HPET_MESSAGES;
    hpet_register(offset) = value;
}

u32 is_device_frame(u32 pfn)
{
    return pfn == APIC_FRAME || pfn == IO_APIC_FRAME || pfn == HPET_FRAME;
}

u32 device_read(u32 gpa)
{
    u32 offset = gpa & 0xfff;

    if (gpa >> 12 == APIC_FRAME)
        return apic_read(offset);
    if (gpa >> 12 == HPET_FRAME)
        return hpet_register(offset);
    offset &= 0xff0;
    return offset == IO_SELECT ? io_chosen : offset == IO_WINDOW ? io_access(io_chosen, 0, 0) : 0;
}

/* 1 = done, or not done because of an answer; 0 = the guest has got an exception. */
u32 device_write(frame_t *frame, u32 gpa, u32 value)
{
    u32 offset = gpa & 0xfff, local = gpa >> 12 == APIC_FRAME, action;
    struct question question = { .exit = local ? VMI_RING_EXIT_APIC : VMI_RING_EXIT_IO_APIC, .eax = value, .ecx = offset };

    if (gpa >> 12 == HPET_FRAME) {
        count_exit(VMI_RING_EXIT_APIC);
        hpet_write(offset, value);
        return 1;
    }
    if (!local && (offset &= 0xff0) != IO_WINDOW) {
        count_exit(VMI_RING_EXIT_APIC);
        if (offset == IO_SELECT)
            io_chosen = value & 0xff;
        return 1;
    }
    if (!local)
        question.ecx = io_chosen;
    action = ask_brain(frame, &question);
    if (action != VMI_WIRE_ACTION_CONTINUE && action != VMI_WIRE_ACTION_CHANGED)
        return action != VMI_RING_ACTION_FAULT;
    if (local)
        apic_write(question.ecx, question.eax);
    else
        io_write(question.ecx & 0xff, question.eax);
    return 1;
}

/* What the guest has set up before it was one. */
void quiet_devices(void)
{
    u32 routes = io_access(1, 0, 0) >> 16 & 0xff, timers = hpet_register(0);

    for (u32 i = IO_ROUTES; i <= IO_ROUTES + 2 * routes && routes != 0xff; i += 2)
        io_write(i, io_access(i, 0, 0));
    for (u32 i = LVT_FIRST; i <= LVT_LAST; i += 0x10)
        apic_write(i, apic_read(i));
    for (u32 i = 0; timers + 1 > 1 && i <= (timers >> 8 & 31); i++)
        hpet_write(HPET_TIMERS + i * 0x20, hpet_register(HPET_TIMERS + i * 0x20));
}
