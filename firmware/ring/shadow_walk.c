/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The guest's page tables, read as the hardware would read them, and what a shadow may have of an entry. Changes nothing.
 * Each entry is read once: what was looked at is what is used.
 */
#include "shadow_inner.h"

#if RING_PAE
#define FRAME_MASK 0x000ffffffffff000ull
#define LARGE_RESERVED 0x1fe000u /* between PAT and the frame */
#define POINTER_RESERVED 0x1c6u  /* of a PDPTE, low half; not bit 5, which an emulator may have set as if it were A */
#else
#define FRAME_MASK 0xfffff000u
#define LARGE_RESERVED 0x3e0000u /* above what 36 bits of address need */
#endif

/* Bits of an entry above the machine's addresses, with PAE; NX too unless it is on. */
static u32 above_reserved(u32 cpu, shadow_entry entry)
{
#if RING_PAE
    u32 high = (u32)(entry >> 32);
    if (shadow.cpu[cpu].mode & SHADOW_MODE_NX)
        high &= ~NO_EXECUTE_HIGH;
    return high >> (shadow.config.physical_bits - 32) != 0;
#else
    (void)cpu;
    (void)entry;
    return 0;
#endif
}

u32 walk_reserved(u32 cpu, shadow_entry entry, u32 large)
{
    return above_reserved(cpu, entry) || (large && (entry & LARGE_RESERVED));
}

u32 walk_is_large(u32 cpu, shadow_entry upper)
{
    return (upper & LARGE) && (RING_PAE || (shadow.cpu[cpu].mode & SHADOW_MODE_PSE));
}

u64 walk_large_gpa(shadow_entry upper)
{
    u64 low = upper & FRAME_MASK & ~(shadow_entry)((1u << LARGE_SHIFT) - 1);
#if !RING_PAE
    low |= (u64)(upper & 0x1e000) << 19; /* PSE-36 */
#endif
    return low;
}

static u64 entry_gpa(shadow_entry entry) { return entry & FRAME_MASK; }

/* Number of a frame that may be looked up in tables by frame; NO_FRAME if none of the guest's can have this address. */
static u32 frame_of(u64 gpa) { return gpa >> 32 ? NO_FRAME : (u32)gpa >> 12; }

static u32 table_frame(u64 gpa)
{
    u32 pfn = frame_of(gpa);
    return pfn != NO_FRAME && pfn < shadow.config.frames && frame_is_ram(pfn) ? pfn : NO_FRAME;
}

static enum shadow_result refuse(u32 cpu, u32 address, u32 level, u64 gpa)
{
    shadow.cpu[cpu].refusal = (struct shadow_refusal){.address = address, .level = level, .gpa = gpa};
    return SHADOW_REFUSED;
}

#if RING_PAE
u32 walk_directory_pfn(u32 cpu, u32 address, u32 *reserved)
{
    u32 root = shadow.cpu[cpu].root & ~31u;
    shadow_entry pointer = guest_entry(cpu, root + (address >> 30) * 8);
    *reserved = (pointer & PRESENT) && ((pointer & POINTER_RESERVED) || pointer >> shadow.config.physical_bits);
    if (!(pointer & PRESENT) || *reserved)
        return NO_FRAME;
    return frame_of(entry_gpa(pointer));
}

static u32 pointer_present(u32 cpu, u32 address)
{
    return (u32)guest_entry(cpu, (shadow.cpu[cpu].root & ~31u) + (address >> 30) * 8) & PRESENT;
}
#else
u32 walk_directory_pfn(u32 cpu, u32 address, u32 *reserved)
{
    (void)address;
    *reserved = 0;
    return shadow.cpu[cpu].root >> 12;
}

static u32 pointer_present(u32 cpu, u32 address)
{
    (void)cpu;
    (void)address;
    return 1;
}
#endif

/* The error code of a fault that the guest's tables make. */
static enum shadow_result reflect_as(u32 error, u32 bits, u32 *reflect)
{
    *reflect = (error & (FAULT_WRITE | FAULT_USER | FAULT_FETCH)) | bits;
    return SHADOW_REFLECT;
}

/* Rights of the whole walk against the access. */
static u32 allowed(u32 cpu, u32 error, shadow_entry rights, u32 no_execute, struct walk *walk)
{
    if ((error & FAULT_FETCH) && no_execute)
        return 0;
    if ((error & FAULT_USER) && !(rights & USER))
        return 0;
    if (!(error & FAULT_WRITE) || (rights & WRITE))
        return 1;
    walk->relaxed = !(error & FAULT_USER) && !(shadow.cpu[cpu].mode & SHADOW_MODE_WP);
    return walk->relaxed;
}

/* The directory's entry. FILLED: it is present and sound. */
static enum shadow_result walk_upper_level(u32 cpu, u32 address, u32 error, u32 *reflect, struct walk *walk)
{
    u32 reserved;
    if (shadow.cpu[cpu].root == NO_FRAME)
        return refuse(cpu, address, 3, NO_FRAME);
    u32 pfn = walk_directory_pfn(cpu, address, &reserved);
    if (reserved)
        return reflect_as(error, FAULT_PRESENT | FAULT_RESERVED, reflect);
    if (pfn == NO_FRAME && !pointer_present(cpu, address))
        return reflect_as(error, 0, reflect);
    walk->directory_pfn = pfn == NO_FRAME ? NO_FRAME : table_frame((u64)pfn << 12);
    if (walk->directory_pfn == NO_FRAME)
        return refuse(cpu, address, 3, (u64)pfn << 12);
    walk->slot = address >> LARGE_SHIFT & (SLOTS - 1);
    walk->index = address >> 12 & (SLOTS - 1);
    walk->upper = guest_entry(cpu, (pfn << 12) + walk->slot * ENTRY_BYTES);
    if (!(walk->upper & PRESENT))
        return reflect_as(error, 0, reflect);
    if (walk_reserved(cpu, walk->upper, walk_is_large(cpu, walk->upper)))
        return reflect_as(error, FAULT_PRESENT | FAULT_RESERVED, reflect);
    return SHADOW_FILLED;
}

enum shadow_result walk_guest(u32 cpu, u32 address, u32 error, u32 *reflect, struct walk *walk)
{
    if (!(shadow.cpu[cpu].mode & SHADOW_MODE_NX))
        error &= ~FAULT_FETCH;
    walk->table_pfn = NO_FRAME;
    walk->relaxed = 0;
    enum shadow_result result = walk_upper_level(cpu, address, error, reflect, walk);
    if (result != SHADOW_FILLED)
        return result;
    shadow_entry rights = walk->upper & (USER | WRITE);
    u32 no_execute = (walk->upper & NO_EXECUTE) != 0;
    u64 gpa;
    if (walk_is_large(cpu, walk->upper)) {
        gpa = walk_large_gpa(walk->upper) + ((u64)walk->index << 12);
    } else {
        walk->table_pfn = table_frame(entry_gpa(walk->upper));
        if (walk->table_pfn == NO_FRAME)
            return refuse(cpu, address, 2, entry_gpa(walk->upper));
        walk->leaf = guest_entry(cpu, (walk->table_pfn << 12) + walk->index * ENTRY_BYTES);
        if (!(walk->leaf & PRESENT))
            return reflect_as(error, 0, reflect);
        if (walk_reserved(cpu, walk->leaf, 0))
            return reflect_as(error, FAULT_PRESENT | FAULT_RESERVED, reflect);
        rights &= walk->leaf;
        no_execute |= (walk->leaf & NO_EXECUTE) != 0;
        gpa = entry_gpa(walk->leaf);
    }
    if (!allowed(cpu, error, rights, no_execute, walk))
        return reflect_as(error, FAULT_PRESENT, reflect);
    walk->pfn = frame_of(gpa);
    if (walk->pfn == NO_FRAME || !frames_legal(walk->pfn, 1))
        return refuse(cpu, address, 1, gpa);
    return SHADOW_FILLED;
}

/* Rights of an entry: as the guest has them; for a relaxed write the supervisor's instead of the user's. */
static shadow_entry rights_of(shadow_entry guest, u32 write, u32 relaxed)
{
    shadow_entry rights = PRESENT | ACCESSED | (guest & (USER | NO_EXECUTE));
    if (write && (guest & WRITE))
        return rights | WRITE;
    if (relaxed && !(guest & WRITE))
        return (rights & ~(shadow_entry)USER) | WRITE;
    return rights;
}

static shadow_entry mapping_of(shadow_entry guest, u32 relaxed)
{
    shadow_entry entry = rights_of(guest, (guest & DIRTY) != 0, relaxed);
    return entry | (guest & CACHE) | (entry & WRITE ? DIRTY : 0);
}

shadow_entry walk_leaf(u32 cpu, shadow_entry guest, u32 relaxed)
{
    if ((guest & (PRESENT | ACCESSED)) != (PRESENT | ACCESSED) || walk_reserved(cpu, guest, 0))
        return 0;
    u32 pfn = frame_of(entry_gpa(guest));
    if (pfn == NO_FRAME || !frames_legal(pfn, 1))
        return 0;
    if (relaxed)
        return (shadow_entry)pfn << 12 | mapping_of(guest, relaxed);
    shadow_entry writable = (guest & (WRITE | DIRTY)) == (WRITE | DIRTY) ? WRITE | DIRTY : 0;
    return (guest & (FRAME_MASK | PRESENT | ACCESSED | USER | CACHE | NO_EXECUTE)) | writable;
}

shadow_entry walk_large(u32 cpu, shadow_entry guest, u32 relaxed)
{
    if ((guest & (PRESENT | ACCESSED)) != (PRESENT | ACCESSED) || walk_reserved(cpu, guest, 1))
        return 0;
    u32 pfn = frame_of(walk_large_gpa(guest));
    if (pfn == NO_FRAME || !frames_legal(pfn, TABLE_FRAMES))
        return 0;
    return (shadow_entry)pfn << 12 | LARGE | mapping_of(guest, relaxed);
}

shadow_entry walk_upper(shadow_entry guest, u32 relaxed) { return rights_of(guest, 1, relaxed); }
