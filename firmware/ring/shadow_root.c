/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shadow page tables: set-up, CR3 and the modes of a CPU. See shadow.h for what is promised, shadow.c for the rest.
 */
#include "shadow_inner.h"

/* Pages that must not be evicted while a CPU changes its root, old and new ones, and some tables to work with. */
u32 shadow_pool_least(u32 cpus) { return 16 + cpus * (2 + 2 * 2 * GUEST_DIRECTORIES); }

static u32 sound(const struct shadow_config *config)
{
    u32 bits = config->bitmap_mask + 1;
    return config->cpus >= 1 && config->cpus <= SHADOW_CPUS && config->frames >= 1 && config->frames <= 0x100000 &&
           config->pool_pages >= shadow_pool_least(config->cpus) && config->pool_pages <= 0xffff &&
           !(config->pool_machine & 0xfff) && config->pool_machine + ((config->pool_pages << 12) - 1) > config->pool_machine &&
           bits >= 8 && !(bits & (bits - 1)) && config->physical_bits >= 32 && config->physical_bits <= 52;
}

static void offline(struct shadow_cpu *self)
{
    for (u32 i = 0; i < 4; i++)
        self->loaded[i] = 0;
    self->blank = 0;
    self->mode = 0;
    self->root = NO_FRAME;
}

u32 shadow_init(const struct shadow_config *config, struct shadow_counters *counters)
{
    if (!sound(config))
        return 0;
    shadow.config = *config;
    shadow.count = counters;
    shadow.lock = 0;
    *counters = (struct shadow_counters){.pages = config->pool_pages, .used = 1, .peak = 1};
    for (u32 cpu = 0; cpu < SHADOW_CPUS; cpu++)
        offline(&shadow.cpu[cpu]);
    pool_reset();
    return 1;
}

void shadow_set_cpu(u32 cpu, const shadow_entry hole[SHADOW_HOLE_SLOTS], struct shadow_queue *queue)
{
    struct shadow_cpu *self = &shadow.cpu[cpu];
    shadow_lock(cpu);
    for (u32 i = 0; i < SHADOW_HOLE_SLOTS; i++)
        self->hole[i] = hole[i];
    queue->count = 0;
    self->queue = queue;
#if RING_PAE
    if (!self->blank) { /* a CPU may come more than once */
        self->blank = (u16)pool_make(cpu, NO_FRAME, TOP);
        page_of(self->blank)->pins = 1;
    }
#endif
    shadow_unlock();
}

void shadow_set_mode(u32 cpu, u32 mode)
{
    struct shadow_cpu *self = &shadow.cpu[cpu];
    shadow_lock(cpu);
    if (mode != self->mode) {
        self->mode = mode;
        pool_drop_all(cpu);
    }
    shadow_unlock();
}

/* What the last directory had entries for is likely wanted in this one too: the kernel's half. Large pages are copied if
 * the guest's entries are the same; the rest is made of the new directory's own entries. */
static void clone(u32 cpu, u32 from, u32 to)
{
    u32 old = page_of(from)->pfn << 12, new = page_of(to)->pfn << 12;
    for (u32 slot = link_next(cpu, from, 0); slot < HOLE_SLOT; slot = link_next(cpu, from, slot + 1)) {
        shadow_entry entry = shadow_get(cpu, from, slot);
        if (!(entry & LARGE))
            shadow_sync_slot(cpu, to, slot, 0);
        else if (guest_entry(cpu, old + slot * ENTRY_BYTES) == guest_entry(cpu, new + slot * ENTRY_BYTES))
            shadow_set(cpu, to, slot, entry);
    }
}

static u32 is_ram(u32 pfn) { return pfn < shadow.config.frames && frame_is_ram(pfn); }

static u32 top_for(u32 cpu, u32 pfn, u32 before)
{
    u32 top = pool_find(cpu, pfn, TOP);
    if (top)
        return top;
    top = pool_make(cpu, pfn, TOP);
    if (top && before && page_of(before)->pfn != NO_FRAME)
        clone(cpu, before, top);
    return top;
}

/* Put `wanted` in the place of what the CPU has loaded; both are pinned until CR3 is. -> what CR3 was loaded with. */
static u32 load(u32 cpu, const u16 wanted[GUEST_DIRECTORIES])
{
    struct shadow_cpu *self = &shadow.cpu[cpu];
    u16 old[GUEST_DIRECTORIES];
    u32 machine = machine_of(RING_PAE ? 0 : wanted[0]) + (RING_PAE ? cpu * 32 : 0);
    for (u32 i = 0; i < GUEST_DIRECTORIES; i++) {
        old[i] = self->loaded[i];
        self->loaded[i] = wanted[i];
        if (wanted[i])
            page_of(wanted[i])->pins++;
        if (RING_PAE)
            shadow_put(cpu, 0, cpu * 4 + i, wanted[i] ? machine_of(wanted[i]) | PRESENT : 0);
    }
    for (u32 i = 0; i < GUEST_DIRECTORIES; i++)
        if (old[i])
            page_of(old[i])->pins--;
    shadow.online |= 1u << cpu;
    pool_flushed(cpu);
    tlb_load(machine); /* last: all that is run after it is slow to begin with; and nobody gets a page before the lock */
    return machine;
}

#if RING_PAE
static u32 load_root(u32 cpu)
{
    struct shadow_cpu *self = &shadow.cpu[cpu];
    u16 wanted[4];
    u32 pfn[4];
    for (u32 i = 0; i < 4; i++) {
        u32 reserved;
        pfn[i] = walk_directory_pfn(cpu, i << 30, &reserved);
        if (reserved)
            return 0;
    }
    wanted[3] = is_ram(pfn[3]) ? (u16)top_for(cpu, pfn[3], self->loaded[3]) : self->blank;
    for (u32 i = 0; i < 3; i++)
        wanted[i] = is_ram(pfn[i]) ? (u16)pool_find(cpu, pfn[i], DIRECTORY) : 0;
    return wanted[3] ? load(cpu, wanted) : 0;
}
#else
static u32 load_root(u32 cpu)
{
    struct shadow_cpu *self = &shadow.cpu[cpu];
    u16 wanted = (u16)top_for(cpu, self->root >> 12, self->loaded[0]);
    return wanted ? load(cpu, &wanted) : 0;
}
#endif

u32 shadow_set_root(u32 cpu, u32 cr3)
{
    struct shadow_cpu *self = &shadow.cpu[cpu];
    u32 machine = 0;
    shadow_lock(cpu);
    shadow.count->roots++;
    shadow_drain_locked(cpu);
    if (is_ram(cr3 >> 12)) {
        u32 before = self->root;
        self->root = cr3;
        machine = load_root(cpu);
        if (!machine)
            self->root = before;
    }
    shadow_unlock();
    return machine;
}

/* The CPU has loaded another CR3, of the monitor's own. */
void shadow_leave(u32 cpu)
{
    struct shadow_cpu *self = &shadow.cpu[cpu];
    shadow_lock(cpu);
    for (u32 i = 0; i < GUEST_DIRECTORIES; i++)
        if (self->loaded[i])
            page_of(self->loaded[i])->pins--;
    for (u32 i = 0; i < 4; i++)
        self->loaded[i] = 0;
    self->root = NO_FRAME;
    shadow.online &= ~(1u << cpu);
    pool_flushed(cpu);
    shadow_unlock();
}
