/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Guest memory by linear address, as the monitor reads and writes it for the guest: below the hole only, through the shadow
 * in use, with a way on if there is nothing (fix_table). And what a compiler expects
 * to find. ES is the guest's while the monitor runs, so there are no string instructions.
 */
#include "shadow_env.h"

void *memcpy(void *to, const void *from, unsigned long count)
{
    void *at = to;

    for (; count >= 4; count -= 4, at = (u8 *)at + 4, from = (const u8 *)from + 4)
        *(volatile u32 *)at = *(volatile const u32 *)from;
    for (; count; count--, at = (u8 *)at + 1, from = (const u8 *)from + 1)
        *(volatile u8 *)at = *(volatile const u8 *)from;
    return to;
}

void *memmove(void *to, const void *from, unsigned long count)
{
    u8 *at = to;

    if ((u32)to - (u32)from >= count)
        return memcpy(to, from, count);
    while (count--)
        ((volatile u8 *)at)[count] = ((const u8 *)from)[count];
    return to;
}

void *memset(void *to, int value, unsigned long count)
{
    void *at = to;

    for (; count >= 4; count -= 4, at = (u8 *)at + 4)
        *(volatile u32 *)at = (u32)(value & 0xff) * 0x01010101;
    for (; count; count--, at = (u8 *)at + 1)
        *(volatile u8 *)at = (u8)value;
    return to;
}

static u32 below_hole(u32 address, u32 count)
{
    return address < VMI_WIRE_BASE && count <= VMI_WIRE_BASE - address;
}

u32 guest_read(u32 address, void *to, u32 count)
{
    return below_hole(address, count) && !copy_bytes(to, (const void *)address, count);
}

u32 guest_write(u32 address, const void *from, u32 count)
{
    return below_hole(address, count) && !copy_bytes((void *)address, from, count);
}

/* Load the guest's CR3; a guest whose directory is no memory of its own ends. */
void set_root(u32 cr3)
{
    u32 root = shadow_set_root(cpu_->number, cr3);

    if (!root)
        end_guest(VMI_RING_END_ROOT, 0, cr3);
    cpu_->cr3 = cr3;
    cpu_->root = root;
    shared_->cr3 = cr3;
}

/* What lazy mode has put off. */
void apply_deferred(void)
{
    struct question question = { .exit = VMI_RING_EXIT_SET_ROOT, .eax = shared_->cr3 };
    u32 what = shared_->deferred, action;

    shared_->deferred = 0;
    if (what & 2)
        set_kernel_stack(shared_->stack_selector, shared_->stack);
    if (!(what & 1))
        return;
    if (info_->modes[VMI_RING_EXIT_SET_ROOT] == VMI_WIRE_MODE_UPCALL) {
        action = ask_brain(0, &question);
        if (action != VMI_WIRE_ACTION_CONTINUE && action != VMI_WIRE_ACTION_CHANGED)
            question.eax = cpu_->cr3;
    }
    set_root(question.eax);
}

/* All other CPUs' TLBs. They are told by NMI, and may be waiting for the same of us. */
void tlb_flush_others(u32 cpu)
{
    u32 cpus = header_->cpus;

    for (u32 other = 0; other < cpus && other < VMI_RING_CPUS_MAX; other++) {
        if (other == cpu || area_of(other)->state != CPU_RUNNING)
            continue;
        area_of(other)->flush = 1;
        send_nmi(other);
    }
    for (u32 other = 0; other < cpus && other < VMI_RING_CPUS_MAX; other++)
        while (other != cpu && area_of(other)->state == CPU_RUNNING && area_of(other)->flush)
            relax(cpu);
}

/* One turn of a wait. */
void relax(u32 cpu)
{
    (void)cpu;
    if (cpu_->flush) {
        cpu_->flush = 0;
        tlb_flush();
    }
    asm volatile("pause" ::: "memory");
}
