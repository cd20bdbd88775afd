/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The local APIC is the guest's, but for what would start, stop or break into CPUs: INIT and STARTUP are ours (start.c),
 * SMI and NMI are not sent, and no vector is an exception's.
 */
#include "ring.h"

#define SPURIOUS 0xf0
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

void apic_write(u32 offset, u32 value)
{
    u32 delivery = DELIVERY(value);

    offset &= 0xff0;
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

/* The I/O APIC: a register's number is written, then the register is there. What the guest chose is remembered, so that
 * number and register stay together whoever else is at it. */
#define IO_SELECT 0x00
#define IO_WINDOW 0x10
#define IO_ROUTES 0x10
#define io_register(offset) (*(volatile u32 *)(RING_IO_APIC + (offset)))

static u32 io_chosen, io_lock;

static u32 io_access(u32 write, u32 value)
{
    while (__sync_lock_test_and_set(&io_lock, 1))
        asm volatile("pause");
    io_register(IO_SELECT) = io_chosen;
    if (write)
        io_register(IO_WINDOW) = value;
    else
        value = io_register(IO_WINDOW);
    __sync_lock_release(&io_lock);
    return value;
}

static void io_write(u32 offset, u32 value)
{
    u32 delivery = DELIVERY(value);

    if (offset == IO_SELECT) {
        io_chosen = value & 0xff;
        return;
    }
    if (offset != IO_WINDOW)
        return;
    if (io_chosen >= IO_ROUTES && !(io_chosen & 1) && delivery != EXTERNAL &&
        ((delivery != FIXED && delivery != LOWEST) || (value & 0xff) < 32))
        value |= LVT_MASKED;
    if (io_chosen >= IO_ROUTES && !(io_chosen & 1))
        time_vector(value);
    io_access(1, value);
}

u32 device_read(u32 gpa)
{
    if (gpa >> 12 == APIC_FRAME)
        return apic_read(gpa);
    return (gpa & 0xff0) == IO_SELECT ? io_chosen : (gpa & 0xff0) == IO_WINDOW ? io_access(0, 0) : 0;
}

void device_write(u32 gpa, u32 value)
{
    if (gpa >> 12 == APIC_FRAME)
        apic_write(gpa, value);
    else
        io_write(gpa & 0xff0, value);
}
