/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shadow page tables: what the rest of `ring` calls (shadow.h). Page faults, the queue of updates, CR3, and the calls about
 * pages. The lock is taken here and nowhere else. docs/ring-memory.md has the design.
 */
#include "shadow_inner.h"

void shadow_wait(u32 cpu)
{
    while (__sync_lock_test_and_set(&shadow.lock, 1))
        relax(cpu);
}

/* Make the entry of a shadow table what the guest's entry allows. */
static inline __attribute__((always_inline)) void sync_leaf(u32 cpu, u32 table, u32 index)
{
    shadow_entry guest = guest_entry(cpu, (page_of(table)->pfn << 12) + index * ENTRY_BYTES);
    shadow_entry wanted = walk_leaf(cpu, guest, 0);
    shadow_entry *entry = (shadow_entry *)map_shadow(cpu, table) + index;
    shadow.count->synced++;
    if (*entry == wanted)
        return;
    u32 stale = *entry & PRESENT;
    page_of(table)->groups |= 1u << (index >> GROUP_BITS);
    entry_store(entry, wanted);
    if (stale)
        link_stale_leaf(cpu, table, index);
}

/* A table's shadow for a directory's entry; made if `make`. 0 = none. */
static u32 table_for(u32 cpu, shadow_entry guest, u32 make)
{
    u64 pfn = (guest & ~(shadow_entry)0xfff & ~NO_EXECUTE) >> 12;
    if (pfn >= shadow.config.frames || !frame_is_ram((u32)pfn))
        return 0;
    u32 table = pool_find(cpu, (u32)pfn, TABLE);
    return table || !make ? table : pool_make(cpu, (u32)pfn, TABLE);
}

/* The same for a directory's entry. Parts of large pages are made by faults only. */
void shadow_sync_slot(u32 cpu, u32 directory, u32 slot, u32 make)
{
    struct shadow_page *page = page_of(directory);
    if (page->kind == TOP && slot >= HOLE_SLOT)
        return;
    shadow_entry guest = guest_entry(cpu, (page->pfn << 12) + slot * ENTRY_BYTES);
    u32 large = walk_is_large(cpu, guest);
    shadow.count->synced++;
    if (large) {
        shadow_entry wanted = walk_large(cpu, guest, 0);
        if (wanted)
            link_large(cpu, directory, slot, wanted);
        else
            link_cut(cpu, directory, slot);
        return;
    }
    u32 table = 0;
    if ((guest & (PRESENT | ACCESSED)) == (PRESENT | ACCESSED) && !walk_reserved(cpu, guest, 0))
        table = table_for(cpu, guest, make);
    if (table)
        link_to(cpu, directory, slot, table, walk_upper(guest, 0));
    else
        link_cut(cpu, directory, slot);
}

/* All shadows of a frame. Making a table may evict others of them, so each is looked at again. */
static void sync_all(u32 cpu, u32 pfn, u32 slot)
{
    u16 found[SHADOW_CPUS + 2];
    u32 count = 0;
    for (u32 index = shadow.config.frame_table[pfn]; index && count < SHADOW_CPUS + 2; index = page_of(index)->next)
        found[count++] = (u16)index;
    for (u32 i = 0; i < count; i++) {
        struct shadow_page *page = page_of(found[i]);
        if (page->pfn != pfn)
            continue;
        if (page->kind == TABLE)
            sync_leaf(cpu, found[i], slot);
        else if (has_slots(page->kind))
            shadow_sync_slot(cpu, found[i], slot, page->pins);
    }
}

/* An entry of the guest's has changed: bring all shadows of its frame up to date; mostly it has one, of a table. */
static inline __attribute__((always_inline)) void sync_entry(u32 cpu, u32 gpa)
{
    u32 pfn = gpa >> 12, slot = (gpa & 0xfff) / ENTRY_BYTES;
    if (pfn >= shadow.config.frames) {
        shadow.count->nonsense++;
        return;
    }
    u32 index = shadow.config.frame_table[pfn];
    if (!index)
        return;
    if (page_of(index)->kind == TABLE && !page_of(index)->next)
        sync_leaf(cpu, index, slot);
    else
        sync_all(cpu, pfn, slot);
}

void shadow_drain_queue(u32 cpu)
{
    volatile struct shadow_queue *queue = shadow.cpu[cpu].queue;
    u32 count = queue->count;
    if (count > shadow.config.queue_entries)
        count = shadow.config.queue_entries;
    shadow.count->drains++;
    shadow.count->drained += count;
    for (u32 i = 0; i < count; i++)
        sync_entry(cpu, queue->entry[i]);
    queue->count = 0;
}

/* Set bits in a guest's entry as the hardware would. 0 = it has changed since it was read: look again. */
static u32 mark(u32 cpu, u32 gpa, shadow_entry *entry, u32 bits)
{
    u32 old = (u32)*entry;
    if ((old & bits) == bits)
        return 1;
    if (!__sync_bool_compare_and_swap((u32 *)map_frame(cpu, gpa), old, old | bits))
        return 0;
    *entry |= bits;
    return 1;
}

/* The shadow directory for an address of this CPU's guest; PAE: made and loaded if it is not. 0 = no room. */
static u32 directory_for(u32 cpu, u32 address, u32 pfn)
{
#if RING_PAE
    u32 which = address >> 30;
    struct shadow_cpu *self = &shadow.cpu[cpu];
    u32 old = self->loaded[which];
    if (old && page_of(old)->pfn == pfn)
        return old;
    u32 kind = which == 3 ? TOP : DIRECTORY;
    u32 directory = pool_find(cpu, pfn, kind);
    if (!directory)
        directory = pool_make(cpu, pfn, kind);
    if (!directory)
        return 0;
    page_of(directory)->pins++;
    self->loaded[which] = (u16)directory;
    shadow_put(cpu, 0, cpu * 4 + which, machine_of(directory) | PRESENT);
    tlb_flush(); /* loads the PDPTEs, too; until then the old one is pinned */
    pool_flushed(cpu);
    if (old)
        page_of(old)->pins--;
    return directory;
#else
    (void)address;
    u32 directory = shadow.cpu[cpu].loaded[0];
    return page_of(directory)->pfn == pfn ? directory : 0;
#endif
}

/* An entry becomes what the fault wants. If it was another page's, other CPUs may have that one. */
static void fill_leaf(u32 cpu, u32 table, u32 index, shadow_entry wanted)
{
    shadow_entry old = shadow_get(cpu, table, index);
    shadow_set(cpu, table, index, wanted);
    if (old & PRESENT)
        link_stale_leaf(cpu, table, index);
}

/* One page of a large page, parts of which the guest may not have. */
static void fill_splinter(u32 cpu, u32 directory, struct walk *walk)
{
    u32 child = child_of(shadow_get(cpu, directory, walk->slot));
    u32 high = (u32)((u64)walk->upper >> 32);
    if (child && (page_of(child)->kind != SPLINTER || page_of(child)->origin != (u32)walk->upper ||
                  page_of(child)->origin_high != high))
        child = 0;
    if (!child) {
        link_cut(cpu, directory, walk->slot);
        child = pool_make(cpu, walk->pfn - walk->index, SPLINTER);
        if (!child)
            return;
        page_of(child)->origin = (u32)walk->upper;
        page_of(child)->origin_high = high;
    }
    link_to(cpu, directory, walk->slot, child, walk_upper(walk->upper, walk->relaxed));
    shadow_entry page = walk->upper & (PRESENT | WRITE | USER | CACHE | ACCESSED | DIRTY | NO_EXECUTE);
    page |= (shadow_entry)walk->pfn << 12;
    fill_leaf(cpu, child, walk->index, walk_leaf(cpu, page, walk->relaxed));
}

static void fill_large(u32 cpu, u32 directory, struct walk *walk)
{
    shadow_entry wanted = walk_large(cpu, walk->upper, walk->relaxed);
    if (wanted)
        link_large(cpu, directory, walk->slot, wanted);
    else
        fill_splinter(cpu, directory, walk);
}

static void fill_page(u32 cpu, u32 directory, struct walk *walk)
{
    u32 table = table_for(cpu, walk->upper, 1);
    if (!table)
        return;
    link_to(cpu, directory, walk->slot, table, walk_upper(walk->upper, walk->relaxed));
    fill_leaf(cpu, table, walk->index, walk_leaf(cpu, walk->leaf, walk->relaxed));
}

/* The access is right by the guest's tables: mark them, and let the shadow have it. If they change under our hands nothing
 * is filled: the access faults again, and is looked at again. */
static void fill(u32 cpu, u32 address, u32 error, struct walk *walk)
{
    u32 dirty = error & FAULT_WRITE ? DIRTY : 0;
    u32 large = walk->table_pfn == NO_FRAME;
    u32 upper = (walk->directory_pfn << 12) + walk->slot * ENTRY_BYTES;
    if (!mark(cpu, upper, &walk->upper, ACCESSED | (large ? dirty : 0)))
        return;
    if (!large && !mark(cpu, (walk->table_pfn << 12) + walk->index * ENTRY_BYTES, &walk->leaf, ACCESSED | dirty))
        return;
    u32 directory = directory_for(cpu, address, walk->directory_pfn);
    if (!directory)
        return;
    if (large)
        fill_large(cpu, directory, walk);
    else
        fill_page(cpu, directory, walk);
}

enum shadow_result shadow_fault(u32 cpu, u32 address, u32 error, u32 *reflect)
{
    *reflect = error & ~FAULT_RESERVED;
    if (address >= SHADOW_HOLE)
        return SHADOW_REFLECT;
    shadow_lock(cpu);
    struct walk walk;
    shadow.count->faults++;
    shadow_drain_locked(cpu);
    enum shadow_result result = walk_guest(cpu, address, error, reflect, &walk);
    if (result == SHADOW_FILLED) {
        fill(cpu, address, error, &walk);
        shadow.count->filled++;
    } else if (result == SHADOW_REFLECT) {
        shadow.count->reflected++;
    } else {
        shadow.count->refused++;
    }
    shadow_unlock();
    return result;
}

const struct shadow_refusal *shadow_refusal(u32 cpu) { return &shadow.cpu[cpu].refusal; }

enum shadow_result shadow_translate(u32 cpu, u32 address, u32 error, u32 *gpa)
{
    struct walk walk;
    u32 reflect;
    if (address >= SHADOW_HOLE)
        return SHADOW_REFLECT;
    enum shadow_result result = walk_guest(cpu, address, error, &reflect, &walk);
    *gpa = walk.pfn << 12 | (address & 0xfff);
    return result;
}

void shadow_drain(u32 cpu)
{
    if (!((volatile struct shadow_queue *)shadow.cpu[cpu].queue)->count)
        return;
    shadow_lock(cpu);
    shadow_drain_locked(cpu);
    shadow_unlock();
}

void shadow_update(u32 cpu, u32 entry_gpa)
{
    shadow_lock(cpu);
    shadow_drain_locked(cpu);
    sync_entry(cpu, entry_gpa);
    shadow_unlock();
}

/* The hardware would read both entries anew. */
void shadow_inval(u32 cpu, u32 address)
{
    shadow_lock(cpu);
    shadow_drain_locked(cpu);
    u32 directory = shadow.cpu[cpu].loaded[RING_PAE ? address >> 30 : 0];
    if (address < SHADOW_HOLE && directory && page_of(directory)->pfn != NO_FRAME) {
        u32 slot = address >> LARGE_SHIFT & (SLOTS - 1);
        shadow_sync_slot(cpu, directory, slot, 0);
        u32 table = child_of(shadow_get(cpu, directory, slot));
        if (table && page_of(table)->kind == TABLE)
            sync_leaf(cpu, table, address >> 12 & (SLOTS - 1));
    }
    shadow_unlock();
    if (address < SHADOW_HOLE)
        tlb_inval(address);
}

/* What the TLB has beyond the shadows has been counted; and others may wait for this CPU, to use pages again. */
void shadow_flush(u32 cpu)
{
    shadow_lock(cpu);
    shadow_drain_locked(cpu);
    if ((shadow.stale | shadow.waiting) >> cpu & 1) {
        tlb_flush();
        pool_flushed(cpu);
    }
    shadow_unlock();
}

void shadow_allocate_page(u32 cpu, u32 pfn)
{
    shadow_lock(cpu);
    shadow_drain_locked(cpu);
    if (pfn < shadow.config.frames)
        pool_drop_frame(cpu, pfn);
    shadow_unlock();
}

void shadow_release_page(u32 cpu, u32 pfn) { shadow_allocate_page(cpu, pfn); }
