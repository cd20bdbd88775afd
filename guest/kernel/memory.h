/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory: page frames (frames.c), the kernel's page tables (paging.c), address spaces of processes (space.c,
 * areas.c, copy.c), page faults (fault.c), access to user memory (uaccess.c).
 */
#ifndef OPENVMI_MEMORY_H
#define OPENVMI_MEMORY_H

#include "cpu.h"

/* ---- frames.c: page frames of the direct map ---- */
enum frame_use { FRAME_FREE, FRAME_KERNEL, FRAME_USER, FRAME_PT, FRAME_PD, FRAME_ROOT, FRAME_IMAGE, FRAME_USES };

void frames_init(u32 limit);
/** A frame with one reference, or 0. Content undefined. */
u32 frame_alloc(enum frame_use use);
u32 frame_alloc_zeroed(enum frame_use use);
/** One more user of the frame. */
void frame_get(u32 pfn);
/** One user less; the last frees it. */
void frame_put(u32 pfn);
u32 frame_refs(u32 pfn);
enum frame_use frame_use_of(u32 pfn);
/** Frames now in use as `use`; FRAME_FREE: frames left. */
u32 frame_count(enum frame_use use);
/** Frames that the allocator manages end here. */
extern u32 frame_limit;

ALWAYS_INLINE void *frame_address(u32 pfn)
{
	return phys_to_virt(pfn << PAGE_SHIFT);
}

/* ---- paging.c ---- */
/** Entry bits that the CPU knows, set by paging_init(): PTE_G or 0, no-execute or 0. */
extern pte_t pte_global, pte_nx;
extern pte_t kernel_root[];
extern u32 lowmem_pages;

ALWAYS_INLINE u32 pte_pfn(pte_t pte)
{
	return (u32)(pte >> PAGE_SHIFT) & 0xFFFFF; /* frames are below 4 GiB; above the number are reserved bits and NX */
}

ALWAYS_INLINE pte_t make_pte(u32 pfn, pte_t flags)
{
	return ((pte_t)pfn << PAGE_SHIFT) | flags;
}

/** A user page that nobody may touch for now: not present, but the entry keeps the frame. Entry 0 has no frame. */
#define PTE_HELD PTE_G

/** Sizes the direct map and places the fixed mappings; before paravirt_activate(). */
void paging_prepare(void);
/** Completes the kernel's page tables; after paravirt_activate() and frames_init(). */
void paging_init(void);
/** Control bits that page tables depend on; each CPU. */
void paging_init_cpu(void);
/** Removes the mapping of low memory at address 0 that boot.S made. */
void paging_drop_identity(void);

/* Fixed mappings, one page each, counted down from the top of the kernel's address space. */
enum fixed { FIXED_APIC, FIXED_TABLE, FIXED_TEST, FIXED_COUNT };
u32 fixed_address(enum fixed slot);
/** Maps physical page `pfn` (0: nothing) there; flushes this CPU's TLB entry only. */
void fixed_map(enum fixed slot, u32 pfn, pte_t flags);
/** Copies from any physical address, also beyond the direct map. */
void physical_read(u32 physical, void *to, u32 length);
/** Entry that maps `va` below `root`, or NULL if there is no table; a large page's directory entry is returned as it is. */
pte_t *walk(pte_t *root, u32 va, bool *large);

/* ---- space.c: an address space ---- */
struct program;

#define AREA_READ 1
#define AREA_WRITE 2
#define AREA_EXEC 4
#define MAX_AREAS 192

/** Pages [start, end) with one protection; backed by zeroes, or first by a part of a program. */
struct area {
	u32 start, end;
	u32 protection;
	const u8 *file;    /* content of the area's first byte, or NULL */
	u32 file_length;   /* bytes from there; zeroes follow */
};

struct space {
	u32 root_pfn;
	pte_t *root;
	volatile u32 cpus; /* CPUs that have it loaded */
	u32 count;
	struct area areas[MAX_AREAS]; /* sorted, not overlapping */
};

_Static_assert(sizeof(struct space) <= PAGE_SIZE, "a space is one frame");

/** An empty space with the kernel's part, or NULL. */
struct space *space_create(void);
/** Frees all of it; it must not be loaded on any CPU. */
void space_destroy(struct space *space);
/** Loads it (NULL: the kernel's own tables) on this CPU; within a lazy CPU bracket or not. */
void space_load(struct space *space, struct space *from);
/** Table entry for `va`, NULL if its table does not exist. */
pte_t *pte_find(struct space *space, u32 va);
/** The same, makes the table; NULL: out of memory. */
pte_t *pte_make(struct space *space, u32 va);
/** Frees tables of [floor, ceiling) that map no area. */
void tables_free(struct space *space, u32 floor, u32 ceiling);
/** Copy-on-write copy of the current space, or NULL. */
struct space *space_copy(struct space *from);
void tlb_flush_space(struct space *space);
void tlb_flush_page(struct space *space, u32 va);
extern u32 vsyscall_pfn;
void vsyscall_init(void);

/* ---- areas.c ---- */
struct area *area_find(struct space *space, u32 va);
/** Adds pages; 0 or -ENOMEM. What is there must have been unmapped. */
int area_add(struct space *space, struct area area);
/** Lowest free range at or above the mmap base; 0 if none. */
u32 area_place(struct space *space, u32 length);
int space_unmap(struct space *space, u32 start, u32 end);
int space_protect(struct space *space, u32 start, u32 end, u32 protection);
pte_t area_pte_flags(const struct area *area, bool shared);

/* ---- fault.c ---- */
#define FAULT_PRESENT 1
#define FAULT_WRITE 2
#define FAULT_USER 4
#define FAULT_FETCH 16
/** Mends a fault of the loaded `space` at `va`; false: the access is not allowed. */
bool fault_mend(struct space *space, u32 va, u32 error);
void handle_page_fault(struct regs *regs);

/* ---- uaccess.c: 0 or -EFAULT ---- */
int copy_in(void *to, u32 from, u32 length);
int copy_out(u32 to, const void *from, u32 length);
/** Length without the NUL, -EFAULT, or -ENAMETOOLONG if it is not within `size`. */
int copy_text_in(char *to, u32 from, u32 size);

#endif
