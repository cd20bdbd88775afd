/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor around the shadow page tables, for the model test (../harness.py): guest RAM and the pool are the test's
 * buffers, TLBs are records of what was flushed when, and another CPU may write to guest memory in the middle of a call.
 */
#include "shadow_inner.h"

#include <sched.h>
#include <string.h>

/* Guest memory from 0, ram_frames of it; legal are the frames below legal_frames but `island`, and `device` ones. */
struct host {
    u8 *ram, *pool;
    u32 ram_frames, legal_frames, island, device, devices;
    u32 root[SHADOW_CPUS];      /* CR3 as last loaded */
    u32 flushes[SHADOW_CPUS], invals[SHADOW_CPUS], last_inval[SHADOW_CPUS];
    u32 inval[SHADOW_CPUS][64]; /* the last ones, invals[] modulo 64 the next */
    u32 wild_frame, wild_shadow; /* maps of what is not there */
    u32 early;                   /* pages used again before every CPU had flushed */
    u32 busy;                    /* pages freed while a CPU had them loaded */
    u32 mutate_after, mutate_gpa; /* once, before that many more maps of frames: the other CPU's store */
    u64 mutate_value;
    u32 tear_after;              /* once, between the halves of that many more entries: the same store */
};
struct host host;

static u64 now, freed_at[0x10000], flushed_at[SHADOW_CPUS];
static _Thread_local u32 current;

void host_enter(u32 cpu) { current = cpu; }

void host_reset(void)
{
    memset(freed_at, 0, sizeof(freed_at));
    memset(flushed_at, 0, sizeof(flushed_at));
    now = 0;
}

static void flushed(u32 cpu)
{
    flushed_at[cpu] = ++now;
    host.flushes[cpu]++;
}

void *map_frame(u32 cpu, u32 gpa)
{
    static u8 nowhere[8192];
    (void)cpu;
    if (host.mutate_after && !--host.mutate_after)
        memcpy(host.ram + host.mutate_gpa, &host.mutate_value, sizeof(shadow_entry));
    if (gpa >> 12 >= host.ram_frames) {
        host.wild_frame++;
        return nowhere;
    }
    return host.ram + gpa;
}

void *map_shadow(u32 cpu, u32 index)
{
    static u64 nowhere[512];
    (void)cpu;
    if (index >= shadow.config.pool_pages) {
        host.wild_shadow++;
        return nowhere;
    }
    return host.pool + ((u64)index << 12);
}

u32 frame_is_ram(u32 pfn) { return pfn < host.ram_frames; }

u32 frames_legal(u32 pfn, u32 count)
{
    u32 end = pfn + count;
    if (pfn >= host.device && end <= host.device + host.devices)
        return 1;
    return end <= host.legal_frames && (host.island < pfn || host.island >= end);
}

void tlb_flush(void) { flushed(current); }

void tlb_inval(u32 address)
{
    host.inval[current][host.invals[current]++ % 64] = address;
    host.last_inval[current] = address;
}

void tlb_load(u32 machine)
{
    host.root[current] = machine;
    flushed(current);
}

void tlb_flush_others(u32 cpu)
{
    for (u32 other = 0; other < SHADOW_CPUS; other++)
        if (other != cpu)
            flushed(other);
}

void relax(u32 cpu)
{
    (void)cpu;
    sched_yield();
}

void host_event(u32 what, u32 index)
{
    if (what == HALF) {
        if (host.tear_after && !--host.tear_after)
            memcpy(host.ram + host.mutate_gpa, &host.mutate_value, sizeof(shadow_entry));
        return;
    }
    if (what == FREED) {
        freed_at[index] = ++now;
        for (u32 cpu = 0; cpu < SHADOW_CPUS; cpu++)
            for (u32 i = 0; i < 4; i++)
                host.busy += index == shadow.cpu[cpu].loaded[i];
        return;
    }
    for (u32 cpu = 0; cpu < SHADOW_CPUS; cpu++)
        host.early += freed_at[index] && (shadow.online >> cpu & 1) && flushed_at[cpu] < freed_at[index];
}

u32 host_loaded(u32 cpu, u32 which) { return shadow.cpu[cpu].loaded[which]; }
u32 host_blank(u32 cpu) { return shadow.cpu[cpu].blank; }
u32 host_unlisted(void) { return shadow.unlisted; }

static u32 draw(u32 *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* What a guest gone mad does on one CPU: for two threads at once. Interesting frames are the first 16. */
void host_hammer(u32 cpu, u32 seed, u32 steps)
{
    struct shadow_queue *queue = shadow.cpu[cpu].queue;
    host_enter(cpu);
    while (steps--) {
        u32 reflect, frame = draw(&seed) & 15, slot = draw(&seed) % 5;
        slot = slot == 4 ? SLOTS - SHADOW_HOLE_SLOTS - 1 : slot;
        u32 gpa = frame << 12 | slot * ENTRY_BYTES;
        u32 address = (draw(&seed) & (RING_PAE ? 3 : 0)) << 30 | slot << LARGE_SHIFT | (draw(&seed) % 5) << 12;
        shadow_entry value = (draw(&seed) & 15) << 12 | (draw(&seed) & (RING_PAE && frame < 4 ? 0 : 0x67)) | 1; /* frames 0-3: PDPTs */
        switch (draw(&seed) & 7) {
        case 0: shadow_set_root(cpu, frame << 12); break;
        case 1: shadow_release_page(cpu, frame); break;
        case 2: shadow_inval(cpu, address); break;
        case 3: shadow_flush(cpu); break;
        case 4:
        case 5:
            __atomic_store_n((shadow_entry *)(host.ram + gpa), value, __ATOMIC_SEQ_CST);
            queue->entry[0] = gpa;
            queue->count = 1;
            break;
        default: shadow_fault(cpu, address, draw(&seed) & 7, &reflect); break;
        }
    }
}
