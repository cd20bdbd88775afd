/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shadow page tables, as the rest of `ring` sees them. Design and invariants: docs/ring-memory.md. Two widths of the same
 * source: RING_PAE=0 and 1. Called in the monitor with interrupts off; takes its own lock; never looks at guest memory but
 * by map_frame. What it needs of the rest is in <shadow_env.h>, in the model test another file of that name:
 *
 *   void *map_frame(u32 cpu, u32 gpa);         that byte of a frame that frame_is_ram; good until the next map_frame
 *   void *map_shadow(u32 cpu, u32 index);      page `index` of the pool of shadows; good until the next map_shadow
 *   u32 frame_is_ram(u32 pfn);                 the guest's own RAM, where page tables may be; never if pfn >= config.frames
 *   u32 frames_legal(u32 pfn, u32 count);      all of them may be mapped by the guest, for writing too
 *   void tlb_flush(void);                      all of this CPU's TLB, and the PDPTEs: CR3 loaded with what it has
 *   void tlb_inval(u32 address);               one page of this CPU
 *   void tlb_load(u32 machine);                CR3 of this CPU, under the lock: nobody frees the old root before
 *   void tlb_flush_others(u32 cpu);            all other CPUs' TLBs; returns when done, also if they wait in relax()
 *   void relax(u32 cpu);                       one turn of a wait for the lock; does the flushes that others ask of us
 *   SHADOW_EVENT(what, index)                  nothing; the model test records it
 */
#ifndef OPENVMI_RING_SHADOW_H
#define OPENVMI_RING_SHADOW_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifndef SHADOW_CPUS
#define SHADOW_CPUS 8
#endif

#if RING_PAE
typedef u64 shadow_entry;
#define SHADOW_HOLE_SLOTS 16
#else
typedef u32 shadow_entry;
#define SHADOW_HOLE_SLOTS 8
#endif

/* The hole: linear addresses that are the monitor's in every shadow directory. */
#define SHADOW_HOLE 0xfe000000u

/* The queue of updates in a CPU's window page. The guest writes it: `count` is what SetPxE and UpdatePxE of this CPU have
 * added, `entry` are gpas of page table entries. A stub adds only if the bitmap has the frame's bit; where there are other
 * CPUs it puts a locked instruction between the store to the entry and the look at the bitmap. */
struct shadow_queue {
    u16 count;
    u16 other;           /* not of the queue */
    u32 entry[];
};

/* Modes of a CPU that change how page tables are read. */
enum {
    SHADOW_MODE_WP = 1,  /* the guest's CR0.WP; the real one is always 1 */
    SHADOW_MODE_PSE = 2, /* the guest's CR4.PSE; the real one is always 1. With PAE there are large pages in any case */
    SHADOW_MODE_NX = 4,  /* the guest's EFER.NXE, and the real one: PAE only */
};

struct shadow_config {
    u32 cpus;            /* CPUs that may ever run, 1..SHADOW_CPUS */
    u32 frames;          /* guest RAM ends below this frame: size of frame_table */
    u32 pool_machine;    /* machine address of page 0 of the pool; pages follow one another */
    u32 pool_pages;      /* at least shadow_pool_least(cpus), at most 65535 */
    u32 queue_entries;   /* room in each queue */
    u32 physical_bits;   /* of a machine address in an entry with PAE, 32..52 */
    u32 bitmap_mask;     /* bits of the bitmap less one, a power of two less one: frame n has bit n & mask */
    u8 *bitmap;          /* 'this frame has a shadow', the monitor's alias; the guest reads it */
    u16 *frame_table;    /* `frames` of them, the monitor's alone */
    struct shadow_page *pages; /* `pool_pages` of them, the monitor's alone: SHADOW_PAGE_SIZE bytes each */
};
#define SHADOW_PAGE_SIZE 32

/* For --stats; in memory that the brain reads. Never reset. */
struct shadow_counters {
    u32 faults;          /* shadow_fault below the hole */
    u32 filled;          /* of these, entries made */
    u32 reflected;       /* of these, the guest's own */
    u32 refused;         /* of these, frames that the guest may not map, and tables that are not RAM */
    u32 drains;          /* queues that were not empty */
    u32 drained;         /* entries in them */
    u32 nonsense;        /* of these, no entry in guest RAM */
    u32 synced;          /* shadow entries compared with the guest's */
    u32 roots;           /* CR3 loads */
    u32 directories;     /* directories made */
    u32 tables;          /* leaf tables made */
    u32 splinters;       /* tables made for parts of a large page */
    u32 released;        /* shadows dropped by AllocatePage and ReleasePage */
    u32 evicted;         /* shadows dropped for want of room */
    u32 flushes;         /* TLB flushes so that pages can be used again */
    u32 used;            /* pages of the pool in use now, links of directories included */
    u32 peak;            /* the most ever */
    u32 pages;           /* of the pool */
};

enum shadow_result {
    SHADOW_FILLED,       /* try the instruction again */
    SHADOW_REFLECT,      /* the guest's own fault: give it *reflect as error code */
    SHADOW_REFUSED,      /* mapped to what the guest may not have: refusal() says what */
};

struct shadow_refusal {
    u32 address;         /* linear */
    u32 level;           /* 1 page, 2 table, 3 directory */
    u64 gpa;             /* what is not the guest's */
};

/* Take the configuration; all memory in it may hold anything. 1 = done, 0 = the pool is too small or the rest is absurd. */
u32 shadow_init(const struct shadow_config *config, struct shadow_counters *counters);
u32 shadow_pool_least(u32 cpus);

/* The directory entries of the hole for this CPU, and its queue; before its first shadow_set_root. */
void shadow_set_cpu(u32 cpu, const shadow_entry hole[SHADOW_HOLE_SLOTS], struct shadow_queue *queue);
/* SHADOW_MODE_* of this CPU. What was made under others is dropped; ends with a TLB flush if so. */
void shadow_set_mode(u32 cpu, u32 mode);

/* The guest's CR3. -> machine address that CR3 was loaded with (by tlb_load); 0 = refused, nothing is changed: the guest
 * would get #GP (PAE, reserved bits of a PDPTE) or a machine check (no RAM there). Drains. */
u32 shadow_set_root(u32 cpu, u32 cr3);

/* #PF. `error` as the CPU pushed it. Drains. */
enum shadow_result shadow_fault(u32 cpu, u32 address, u32 error, u32 *reflect);
const struct shadow_refusal *shadow_refusal(u32 cpu);

/* What a guest's access would give: its own tables, no shadow, nothing set. As shadow_fault's answer, the address in *gpa
 * when FILLED. `error` has the U and W bits of the access. For the monitor's looks at guest memory. */
enum shadow_result shadow_translate(u32 cpu, u32 address, u32 error, u32 *gpa);

/* Calls of the guest. */
void shadow_drain(u32 cpu);                      /* its queue */
void shadow_update(u32 cpu, u32 entry_gpa);      /* one entry, now */
void shadow_inval(u32 cpu, u32 address);         /* InvalPage: drains */
void shadow_flush(u32 cpu);                      /* FlushTLB: drains */
void shadow_allocate_page(u32 cpu, u32 pfn);     /* needed only if the frame's bit is set: drops what is left of a former use */
void shadow_release_page(u32 cpu, u32 pfn);      /* needed only if the frame's bit is set */
void shadow_leave(u32 cpu);                      /* it has loaded a CR3 of the monitor's, and runs guest code no more */

#endif
