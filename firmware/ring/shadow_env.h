/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the shadow page tables (shadow.h) need of the monitor: windows to guest frames and to pages of the pool, the TLB, and
 * which frames are the guest's. A window is a page of linear space whose page table entry is written when another frame is
 * wanted there.
 */
#ifndef OPENVMI_RING_SHADOW_ENV_H
#define OPENVMI_RING_SHADOW_ENV_H

#include "ring.h"

#define WINDOW_FLAGS 0x63
#define guest_window_table ((volatile shadow_entry *)(RING_AREA + AREA_TABLE_GUEST))
#define shadow_window_table ((volatile shadow_entry *)(RING_AREA + AREA_TABLE_CPU) + RING_SHADOW_SLOTS)
#define DEVICE_FIRST (VMI_WIRE_BAR >> 12)
#define DEVICE_LAST ((VMI_WIRE_BAR + VMI_WIRE_DEVICE_SIZE - 1) >> 12)

static inline void *map_frame(u32 cpu, u32 gpa)
{
    u32 slot = (gpa >> 12 ^ RING_GUEST_TURN) & (RING_GUEST_SLOTS - 1), linear = RING_GUEST_WINDOWS + (slot << 12);
    u32 wanted = (gpa & 0xfffff000) | WINDOW_FLAGS, *shown = (u32 *)(RING_AREA + AREA_TAGS) + slot;

    (void)cpu;
    if (*shown != wanted) {
        *shown = wanted;
        guest_window_table[slot] = wanted;
        invlpg(linear);
    }
    return (void *)(linear + (gpa & 0xfff));
}

static inline void *map_shadow(u32 cpu, u32 index)
{
    u32 slot = index & (RING_SHADOW_SLOTS - 1), linear = RING_SHADOW_WINDOWS + (slot << 12);
    shadow_entry wanted = (VMI_WIRE_BAR + VMI_RING_POOL_OFFSET + (index << 12)) | WINDOW_FLAGS;

    (void)cpu;
    if (index < RING_POOL_SLOTS)
        return (void *)(RING_POOL_DIRECT + (index << 12));
    if (shadow_window_table[slot] != wanted) {
        shadow_window_table[slot] = wanted;
        invlpg(linear);
    }
    return (void *)linear;
}

static inline u32 frame_is_ram(u32 pfn)
{
    return pfn < info_->frames && (pfn < 0xa0 || pfn >= 0x100);
}

/* What may be mapped: the guest's RAM, with what lies below 1 MiB in it (video memory, ROMs), and from its end to the chipset's
 * own addresses the memory of PCI devices, less our own. Where no device is there is nothing. Above are both APICs, messages to
 * CPUs, HPET and the BIOS's flash: of these, a few registers are emulated (apic.c). */
#define CHIPSET_FIRST 0xfec00

static inline u32 frames_legal(u32 pfn, u32 count)
{
    return pfn < CHIPSET_FIRST && count <= CHIPSET_FIRST - pfn && (pfn > DEVICE_LAST || pfn + count <= DEVICE_FIRST);
}

static inline void tlb_flush(void)
{
    write_cr3(read_cr3());
}

static inline void tlb_inval(u32 address)
{
    invlpg(address);
}

static inline void tlb_load(u32 machine)
{
    write_cr3(machine);
}

void tlb_flush_others(u32 cpu);
void relax(u32 cpu);

#define SHADOW_EVENT(what, index)

#endif
