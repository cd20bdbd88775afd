/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * I/O ports of the guest, and PCI configuration space behind two of them. Its address register is a word of each CPU's own:
 * the machine's is written only together with the access that has been decided about, under a lock, so that no other CPU
 * comes between.
 */
#include "shadow_env.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define PCI_ENABLE 0x80000000
#define PCI_WRITABLE 0x80fffffc
#define PCI_COMMAND 0x04
#define PCI_MASTER 0x4
#define PCI_LIST 0x100000        /* of command and status: there are capabilities */
#define PCI_SPECIFIC 0x40
#define VIRTIO 0x1af4
#define VIRTIO_LAST 0x107f

#define PIC 0x20
#define PIC_SECOND 0xa0
#define PIC_BEGIN 0x10           /* ICW1 */
#define KEYBOARD 0x64
#define KEYBOARD_DATA 0x60
#define FAST_A20 0x92
#define OUTPUT_PORT 0xd1         /* the keyboard controller's next byte is for its output port, with A20 in bit 1 */
#define A20_OFF 0xdd

static u32 pci_lock, ports_next;
static volatile u32 ports_now;
static u32 pic_begun[2], output_next;

static u32 port_in(u32 port, u32 size)
{
    u32 value = ~0u;

    if (size == 1)
        asm volatile("inb %w1, %b0" : "=a"(value) : "Nd"(port), "0"(value));
    else if (size == 2)
        asm volatile("inw %w1, %w0" : "=a"(value) : "Nd"(port), "0"(value));
    else
        asm volatile("inl %w1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void port_out(u32 port, u32 size, u32 value)
{
    if (size == 1)
        asm volatile("outb %b0, %w1" ::"a"(value), "Nd"(port));
    else if (size == 2)
        asm volatile("outw %w0, %w1" ::"a"(value), "Nd"(port));
    else
        asm volatile("outl %0, %w1" ::"a"(value), "Nd"(port));
}

static u32 pci_access(u32 address, u32 out, u32 port, u32 size, u32 value)
{
    while (__sync_lock_test_and_set(&pci_lock, 1))
        asm volatile("pause");
    port_out(PCI_ADDRESS, 4, address);
    if (out)
        port_out(port, size, value);
    else
        value = port_in(port, size);
    __sync_lock_release(&pci_lock);
    return value;
}

static u32 pci_read(u32 address)
{
    return pci_access(address, 0, PCI_DATA, 4, 0);
}

/* In: what the address register holds. -> the capability that this register is in or behind: first register << 8 | kind; 0 if
 * there is none. */
static u32 capability(u32 address)
{
    u32 at = address & 0xfc, function = address & ~0xffu, found = 0, next;

    if (at < PCI_SPECIFIC || !(address & PCI_ENABLE) || !(pci_read(function | PCI_COMMAND) & PCI_LIST))
        return 0;
    next = pci_read(function | 0x34) & 0xfc;
    for (u32 i = 0; i < 48 && next >= PCI_SPECIFIC; i++) {
        u32 head = pci_read(function | next);
        if (next <= at && next > found >> 8)
            found = next << 8 | (head & 0xff);
        next = head >> 8 & 0xfc;
    }
    return found;
}

/* What must not be whatever was decided, for answers may be lost: interrupts at exceptions' vectors, address line 20 off. In: a
 * byte to a port that is looked at; under the lock. 0 = not to be done. */
static u32 clamp(u32 port, u32 *value)
{
    u32 byte = *value & 0xff, second = (port & ~1u) == PIC_SECOND;

    switch (port) {
    case PIC:
    case PIC_SECOND:
        if (byte & PIC_BEGIN)
            pic_begun[second] = byte; /* between it and the next an emulated one has vectors from 0 on: both at once */
        return !(byte & PIC_BEGIN);
    case PIC + 1:
    case PIC_SECOND + 1:
        if (!pic_begun[second])
            return 1;
        if (byte >= 32) {
            port_out(port - 1, 1, pic_begun[second]);
            pic_begun[second] = 0;
        }
        return byte >= 32;
    case KEYBOARD:
        output_next = byte == OUTPUT_PORT;
        return byte != A20_OFF;
    case KEYBOARD_DATA:
        *value |= output_next ? 2 : 0;
        output_next = 0;
        return 1;
    case FAST_A20:
        *value |= 2;
        return 1;
    default:
        return 1;
    }
}

/* Is one of the ports of an access to be asked about? */
static u32 port_asked(u32 port, u32 size)
{
    const u8 *asked = (const u8 *)RING_LINEAR(PORTS);

    for (; size; size--, port++)
        if (port > 0xffff || asked[port >> 3] & 1 << (port & 7))
            return 1;
    return 0;
}

/* What was decided, done. */
static u32 access(u32 out, u32 port, u32 size, u32 value)
{
    if (port == PCI_ADDRESS && size == 4) {
        if (out)
            cpu_->pci_address = value & PCI_WRITABLE;
        return cpu_->pci_address;
    }
    if (port - PCI_DATA < 4)
        return pci_access(cpu_->pci_address, out, port, size, value);
    if (!out)
        return port_in(port, size);
    if (size != 1 || clamp(port, &value))
        port_out(port, size, value);
    return value;
}

/* A port that is looked at. What is decided is done before another is decided about: what it means depends on those before. */
static u32 asked_port(frame_t *frame, struct question *question, u32 *value)
{
    u32 out = question->exit == VMI_RING_EXIT_OUT, port = question->edx, size = question->ecx;

    switch (ask_brain(frame, question)) {
    case VMI_WIRE_ACTION_RETURN:
        *value = question->eax;
        return 1;
    case VMI_RING_ACTION_FAULT:
        return 0;
    default:
        if (question->unanswered) { /* behind these ports is a way to our memory: never as they stand */
            reflect(frame, 13, 0);
            return 0;
        }
    }
    *value = access(out, port, size, out ? question->eax : *value);
    return 1;
}

/* One access: 1 = done, 0 = the guest has got an exception. */
u32 guest_port(frame_t *frame, u32 out, u32 port, u32 size, u32 *value)
{
    struct question question = { .exit = out ? VMI_RING_EXIT_OUT : VMI_RING_EXIT_IN, .eax = *value, .edx = port, .ecx = size,
                                 .ebx = cpu_->pci_address };
    u32 done, ticket;

    if (!port_asked(port, size)) {
        count_exit(question.exit);
        *value = access(out, port, size, *value);
        return 1;
    }
    if (port - PCI_DATA < 4) {
        question.more = capability(cpu_->pci_address);
        if (!out)
            question.eax = pci_access(cpu_->pci_address, 0, port, size, 0);
    }
    ticket = __sync_fetch_and_add(&ports_next, 1); /* in turn: an answer takes long */
    while (ports_now != ticket)
        relax(cpu_->number);
    done = asked_port(frame, &question, value);
    ports_now = ticket + 1;
    return done;
}

/* A function that is there: may it go on writing memory? */
static void quiet_master(u32 function)
{
    u32 command = pci_read(function | PCI_COMMAND) & 0xffff, id = pci_read(function);
    struct question question = { .exit = VMI_RING_EXIT_OUT, .eax = command, .edx = PCI_DATA, .ecx = 2, .ebx = function | PCI_COMMAND };

    /* virtio devices are turned on again by any driver, but not their queues: whoever has one in the machine has accepted it */
    if (!(command & PCI_MASTER) || ((id & 0xffff) == VIRTIO && id >> 16 <= VIRTIO_LAST))
        return;
    switch (ask_brain(0, &question)) {
    case VMI_WIRE_ACTION_CHANGED:
        command = question.eax;
        break;
    case VMI_WIRE_ACTION_CONTINUE:
        if (info_->modes[question.exit] != VMI_WIRE_MODE_UPCALL || question.unanswered)
            command &= ~PCI_MASTER;
        break;
    default:
        return;
    }
    pci_access(question.ebx, 1, PCI_DATA, 2, command);
}

/* The BIOS leaves devices that may write memory by themselves. Of all buses that there are, each function is asked about as if
 * the guest wrote what it has. */
void quiet_masters(void)
{
    for (u32 bus = 0, last = 0; bus <= last; bus++) {
        for (u32 devfn = 0; devfn < 256; devfn++) {
            u32 function = PCI_ENABLE | bus << 16 | devfn << 8;
            if ((pci_read(function) & 0xffff) == 0xffff)
                continue;
            if ((pci_read(function | 0x0c) >> 16 & 0x7f) == 1 && (pci_read(function | 0x18) >> 16 & 0xff) > last)
                last = pci_read(function | 0x18) >> 16 & 0xff;
            quiet_master(function);
        }
    }
}
