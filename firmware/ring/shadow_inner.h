/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of the shadow page tables share: the record of a page of the pool, the state, bits of entries, and how
 * entries are read and written. shadow_pool.c: pages and what is found by frame; shadow_links.c: directory entries and their
 * back-links; shadow_walk.c: the guest's tables read as the hardware would; shadow.c and shadow_root.c: what is called
 * from outside.
 * Everything here is called with the lock held. Entries are mapped anew for each access: a pointer outlives no other map.
 */
#ifndef OPENVMI_RING_SHADOW_INNER_H
#define OPENVMI_RING_SHADOW_INNER_H

#include "shadow.h"
#include <shadow_env.h>

#define PRESENT 0x1u
#define WRITE 0x2u
#define USER 0x4u
#define CACHE 0x18u /* PWT, PCD */
#define ACCESSED 0x20u
#define DIRTY 0x40u
#define LARGE 0x80u
#define NO_EXECUTE_HIGH 0x80000000u /* in an entry's high half */

/* Bits of a page fault's error code. */
#define FAULT_PRESENT 0x1u
#define FAULT_WRITE 0x2u
#define FAULT_USER 0x4u
#define FAULT_RESERVED 0x8u
#define FAULT_FETCH 0x10u

#if RING_PAE
#define SLOT_BITS 9
#define TABLE_FRAMES 512u
#define NO_EXECUTE ((shadow_entry)1 << 63)
#else
#define SLOT_BITS 10
#define TABLE_FRAMES 1024u
#define NO_EXECUTE 0u
#endif
#define SLOTS (1u << SLOT_BITS)
#define LARGE_SHIFT (12 + SLOT_BITS)
#define HOLE_SLOT (SLOTS - SHADOW_HOLE_SLOTS) /* first slot of the hole in a TOP directory */
#define GROUP_BITS (SLOT_BITS - 5)            /* slots of one of 32 groups */
#define ENTRY_BYTES ((u32)sizeof(shadow_entry))
#define NO_FRAME 0xffffffffu
#define GUEST_DIRECTORIES (RING_PAE ? 4u : 1u)

enum kind {
    FREE,      /* zeroed; in the free list, or never used */
    LIMBO,     /* zeroed, but some CPU's TLB may remember what it was */
    TABLE,     /* of a guest's page table, for all CPUs */
    SPLINTER,  /* of a guest's large page that can't be mapped as one; has exactly one parent */
    DIRECTORY, /* PAE: of a guest's directory that is not the topmost, for all CPUs */
    TOP,       /* of a guest's directory whose last slots are the hole; one CPU's */
    LINKS,     /* the back-links of a directory's entries: one u32 for each slot */
    FIXED,     /* page 0, which has the PDPTs; never anything else */
};

/* A back-link is the address of a directory's entry: page << 10 | slot; 0 = none, for page 0 is no directory. In a
 * directory's LINKS page, link[slot] goes on from the entry in this slot to the next parent of the same child. */
struct shadow_page {
    u32 pfn;     /* guest frame; SPLINTER: first of the large page; NO_FRAME: none */
    u32 parents; /* first back-link */
    u32 origin;  /* SPLINTER: low half of the guest's entry it was made from */
    u32 origin_high;
    u16 next;    /* in the chain of its frame, the free list, the limbo */
    u16 links;   /* directories: their LINKS page */
    u16 parent_count;
    u16 pins;    /* CPUs that have it loaded */
    u8 kind;
    u8 cpu;        /* TOP */
    u8 referenced; /* since the hand of the clock came by */
    u8 unused;
    u32 groups;    /* groups of slots that may have an entry, a bit each; a directory's LINKS page has the same */
};
_Static_assert(sizeof(struct shadow_page) == SHADOW_PAGE_SIZE, "shadow.h tells its size");

struct shadow_cpu {
    shadow_entry hole[SHADOW_HOLE_SLOTS];
    struct shadow_queue *queue;
    u32 root;      /* guest's CR3, or NO_FRAME: offline */
    u32 mode;
    u16 loaded[4]; /* directories in use; without PAE the first only */
    u16 blank;     /* PAE: a TOP with nothing but the hole */
    struct shadow_refusal refusal;
};

struct shadow_state {
    struct shadow_config config;
    struct shadow_counters *count;
    u32 lock;
    u32 online;    /* mask of CPUs with a root */
    u32 stale;     /* mask of CPUs whose TLB may have what no shadow has any more: FlushTLB has something to do */
    u32 waiting;   /* mask of CPUs that have not flushed since limbo_old was closed */
    u16 free, limbo_old, limbo_new;
    u16 limbo_pages; /* in both */
    u16 unlisted;  /* pages from here on were never used: FREE, in no list */
    u16 hand;
    struct shadow_cpu cpu[SHADOW_CPUS];
};
extern struct shadow_state shadow;

static inline struct shadow_page *page_of(u32 index) { return &shadow.config.pages[index]; }
static inline u32 machine_of(u32 index) { return shadow.config.pool_machine + (index << 12); }
static inline u32 has_slots(u32 kind) { return kind == TOP || kind == DIRECTORY; }

/* One read of an entry that others write; with PAE of both halves as they were at one time, or of none. */
static inline shadow_entry guest_entry(u32 cpu, u32 gpa)
{
    volatile u32 *half = map_frame(cpu, gpa);
#if RING_PAE
    u32 low = half[0];
    SHADOW_EVENT(HALF, 0);
    u32 high = half[1];
    return half[0] == low ? (u64)high << 32 | low : 0;
#else
    return half[0];
#endif
}

static inline shadow_entry shadow_get(u32 cpu, u32 index, u32 slot)
{
    return ((shadow_entry *)map_shadow(cpu, index))[slot];
}

/* The hardware of other CPUs reads while we write: an entry is never half old and half new while it is present. */
static inline void entry_store(shadow_entry *entry, shadow_entry value)
{
    volatile u32 *half = (volatile u32 *)entry;
#if RING_PAE
    u32 high = (u32)(value >> 32);
    if (half[1] != high) {
        half[0] = 0;
        half[1] = high;
    }
#endif
    half[0] = (u32)value;
}

static inline void shadow_put(u32 cpu, u32 index, u32 slot, shadow_entry value)
{
    entry_store((shadow_entry *)map_shadow(cpu, index) + slot, value);
}

/* The same for an entry that is not 0: its group is marked, and looked at when the page is emptied. */
static inline void shadow_set(u32 cpu, u32 index, u32 slot, shadow_entry value)
{
    page_of(index)->groups |= 1u << (slot >> GROUP_BITS);
    shadow_put(cpu, index, slot, value);
}

/* An entry of a directory is not what it was. Only what is loaded can be in a TLB: there are no global pages, and each load
 * is a flush. */
static inline void stale_directory(u32 directory)
{
    if (page_of(directory)->pins)
        shadow.stale |= shadow.online;
}

/* A page of the pool that an entry of a shadow directory points to; 0 if it is a large page or nothing. */
static inline u32 child_of(shadow_entry entry)
{
    return (entry & (PRESENT | LARGE)) == PRESENT ? ((u32)entry - shadow.config.pool_machine) >> 12 : 0;
}

/* shadow.c; the lock is for shadow_root.c, which is the rest of what is called from outside */
void shadow_wait(u32 cpu);
static inline void shadow_lock(u32 cpu)
{
    if (shadow.config.cpus > 1)
        shadow_wait(cpu);
}
static inline void shadow_unlock(void)
{
    if (shadow.config.cpus > 1)
        __sync_lock_release(&shadow.lock);
}
void shadow_drain_queue(u32 cpu);
static inline void shadow_drain_locked(u32 cpu)
{
    if (((volatile struct shadow_queue *)shadow.cpu[cpu].queue)->count)
        shadow_drain_queue(cpu);
}
void shadow_sync_slot(u32 cpu, u32 directory, u32 slot, u32 make); /* a directory's entry becomes what the guest's allows */

/* shadow_pool.c */
u32 pool_find(u32 cpu, u32 pfn, u32 kind);            /* 0 = there is none */
u32 pool_make(u32 cpu, u32 pfn, u32 kind);            /* 0 = no room */
void pool_drop(u32 cpu, u32 index);                   /* unlinked both ways, zeroed, to the limbo; never if pinned */
void pool_drop_frame(u32 cpu, u32 pfn);               /* all shadows of a frame; pinned ones are emptied */
void pool_drop_all(u32 cpu);
void pool_move_limbo(u32 cpu);
static inline void pool_flushed(u32 cpu)              /* this CPU's TLB was flushed just now */
{
    shadow.stale &= ~(1u << cpu);
    if (shadow.waiting | shadow.limbo_old | shadow.limbo_new)
        pool_move_limbo(cpu);
}
void pool_reset(void);

/* shadow_links.c */
void link_cut(u32 cpu, u32 directory, u32 slot);      /* clear an entry, whatever it is */
void link_cut_parents(u32 cpu, u32 child);
u32 link_next(u32 cpu, u32 directory, u32 slot);      /* first slot from there on that has an entry; SLOTS or above: none */
void link_empty(u32 cpu, u32 directory);              /* clear all entries but the hole's */
void link_to(u32 cpu, u32 directory, u32 slot, u32 child, shadow_entry bits);
void link_large(u32 cpu, u32 directory, u32 slot, shadow_entry entry);
void link_stale_leaf(u32 cpu, u32 table, u32 index); /* a table's entry, present before, is not what it was */

/* shadow_walk.c */
struct walk {
    u32 directory_pfn, table_pfn; /* table_pfn = NO_FRAME: a large page */
    u32 slot, index;
    shadow_entry upper, leaf;     /* the guest's entries; large: upper only */
    u32 pfn;                      /* where it leads */
    u32 relaxed;                  /* a supervisor's write that is right only because the guest's CR0.WP is 0 */
};
enum shadow_result walk_guest(u32 cpu, u32 address, u32 error, u32 *reflect, struct walk *walk);
u32 walk_directory_pfn(u32 cpu, u32 address, u32 *reserved); /* NO_FRAME = not present */
u32 walk_is_large(u32 cpu, shadow_entry upper);
u32 walk_reserved(u32 cpu, shadow_entry entry, u32 large);
u64 walk_large_gpa(shadow_entry upper);
shadow_entry walk_leaf(u32 cpu, shadow_entry guest, u32 relaxed);  /* shadow of a page's entry; 0 = none */
shadow_entry walk_large(u32 cpu, shadow_entry guest, u32 relaxed); /* of a large page's; 0 = none, or to be splintered */
shadow_entry walk_upper(shadow_entry guest, u32 relaxed);          /* bits of a directory's */

#endif
