/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fork()'s copy of an address space: no page is copied, writable ones become read-only in both, fault.c copies on
 * write. The parent's entries are changed by a locked instruction and reported (pte_clear_bits), the child's are stored
 * (set_pte), in lazy MMU mode table by table: what Linux's copy_page_range does.
 */
#include "memory.h"
#include "process.h"

#define TABLE_SPAN (1u << PD_SHIFT)

/* Copies entries of [start, end), within one table of each space. */
static NOINLINE void share_pages(pte_t *from, pte_t *to, u32 start, u32 end)
{
	for (u32 va = start; va < end; va += PAGE_SIZE, from++, to++) {
		if (*from == 0)
			continue;
		/* Locked, and only this bit: the CPU sets accessed and dirty bits in the same word. */
		if (*from & PTE_W)
			pte_clear_bits(va, from, PTE_W);
		frame_get(pte_pfn(*from));
		set_pte(to, *from);
	}
}

static int share_area(struct space *from, struct space *to, const struct area *area)
{
	for (u32 start = area->start; start < area->end;) {
		u32 limit = min_u32(area->end, ALIGN_DOWN(start, TABLE_SPAN) + TABLE_SPAN);
		pte_t *source = pte_find(from, start), *target;

		if (source != NULL) {
			target = pte_make(to, start);
			if (target == NULL)
				return -ENOMEM;
			lazy_mode(VMI_LAZY_MMU);
			share_pages(source, target, start, limit);
			lazy_mode(VMI_LAZY_NONE);
		}
		start = limit;
	}
	return 0;
}

struct space *space_copy(struct space *from)
{
	struct space *to = space_create();
	int error = 0;

	if (to == NULL)
		return NULL;
	for (u32 i = 0; i < from->count && error == 0; i++) {
		to->areas[to->count++] = from->areas[i];
		error = share_area(from, to, &from->areas[i]);
	}
	tlb_flush_space(from);
	if (error != 0) {
		space_destroy(to);
		return NULL;
	}
	return to;
}
