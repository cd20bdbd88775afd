/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Page frames of the direct map: allocation, reference counts for shared copy-on-write pages, and what each is used
 * for. Frames below and in the kernel image are not counted: processes map programs straight from there, always
 * shared. The table lies behind the kernel; its entries are made when a frame is first handed out, so that boot time
 * does not depend on the size of memory. Used by all of memory.h.
 */
#include "memory.h"

extern char kernel_end[];

struct frame {
	u32 refs;
	u32 next : 24; /* free list */
	u32 use : 8;
};

_Static_assert(sizeof(struct frame) == 8, "the early mapping holds the table of all of low memory");

u32 frame_limit;

static struct frame *frames;
static u32 first_frame, frontier, free_list;
static u32 counts[FRAME_USES];
static struct spinlock frames_lock;

void frames_init(u32 limit)
{
	u32 table = ALIGN_UP(virt_to_phys(kernel_end), PAGE_SIZE);
	u32 end = ALIGN_UP(table + limit * (u32)sizeof(struct frame), PAGE_SIZE);

	if (end > EARLY_MAP_SIZE || end >> PAGE_SHIFT >= limit)
		panic("memory too small: %u MiB", limit >> (20 - PAGE_SHIFT));
	frames = phys_to_virt(table);
	frame_limit = limit;
	first_frame = frontier = end >> PAGE_SHIFT;
	counts[FRAME_FREE] = limit - frontier;
}

u32 frame_alloc(enum frame_use use)
{
	u32 pfn;

	spin_lock(&frames_lock);
	pfn = free_list;
	if (pfn != 0)
		free_list = frames[pfn].next;
	else if (frontier < frame_limit)
		pfn = frontier++;
	if (pfn != 0) {
		frames[pfn] = (struct frame){ .refs = 1, .use = use };
		counts[FRAME_FREE]--;
		counts[use]++;
	}
	spin_unlock(&frames_lock);
	return pfn;
}

u32 frame_alloc_zeroed(enum frame_use use)
{
	u32 pfn = frame_alloc(use);

	if (pfn != 0)
		memset(frame_address(pfn), 0, PAGE_SIZE);
	return pfn;
}

void frame_get(u32 pfn)
{
	if (pfn < first_frame)
		return;
	__atomic_fetch_add(&frames[pfn].refs, 1, __ATOMIC_RELAXED);
}

void frame_put(u32 pfn)
{
	if (pfn < first_frame)
		return;
	if (__atomic_fetch_sub(&frames[pfn].refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	spin_lock(&frames_lock);
	counts[frames[pfn].use]--;
	counts[FRAME_FREE]++;
	frames[pfn].use = FRAME_FREE;
	frames[pfn].next = free_list;
	free_list = pfn;
	spin_unlock(&frames_lock);
}

u32 frame_refs(u32 pfn)
{
	if (pfn < first_frame)
		return 2; /* the kernel's own, whoever else maps it */
	return __atomic_load_n(&frames[pfn].refs, __ATOMIC_ACQUIRE);
}

enum frame_use frame_use_of(u32 pfn)
{
	if (pfn < first_frame)
		return FRAME_IMAGE;
	if (pfn >= frontier)
		return FRAME_FREE;
	return (enum frame_use)frames[pfn].use;
}

u32 frame_count(enum frame_use use)
{
	return counts[use];
}
