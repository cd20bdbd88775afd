/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The areas of an address space: a small sorted array, with the bulk operations on them (unmap, change protection),
 * which bracket their loops with lazy MMU mode as Linux does. Used by exec.c and sysmem.c; page by page: fault.c.
 */
#include "memory.h"
#include "process.h"

#define TABLE_SPAN (1u << PD_SHIFT)

struct area *area_find(struct space *space, u32 va)
{
	for (u32 i = 0; i < space->count; i++)
		if (va >= space->areas[i].start && va < space->areas[i].end)
			return &space->areas[i];
	return NULL;
}

static void remove_at(struct space *space, u32 index)
{
	space->count--;
	memmove(&space->areas[index], &space->areas[index + 1], (space->count - index) * sizeof(struct area));
}

static bool mergeable(const struct area *a, const struct area *b)
{
	return a->end == b->start && a->protection == b->protection && a->file == NULL && b->file == NULL;
}

static void merge_around(struct space *space, u32 index)
{
	struct area *areas = space->areas;

	if (index + 1 < space->count && mergeable(&areas[index], &areas[index + 1])) {
		areas[index].end = areas[index + 1].end;
		remove_at(space, index + 1);
	}
	if (index > 0 && mergeable(&areas[index - 1], &areas[index])) {
		areas[index - 1].end = areas[index].end;
		remove_at(space, index);
	}
}

static int insert(struct space *space, struct area area, bool merge)
{
	u32 index = 0;

	if (space->count == MAX_AREAS)
		return -ENOMEM;
	while (index < space->count && space->areas[index].start < area.start)
		index++;
	memmove(&space->areas[index + 1], &space->areas[index], (space->count - index) * sizeof(struct area));
	space->areas[index] = area;
	space->count++;
	if (merge)
		merge_around(space, index);
	return 0;
}

int area_add(struct space *space, struct area area)
{
	return insert(space, area, true);
}

u32 area_place(struct space *space, u32 length)
{
	u32 at = MMAP_BASE;

	for (u32 i = 0; i < space->count; i++) {
		const struct area *area = &space->areas[i];

		if (area->end <= at)
			continue;
		if (area->start >= at && area->start - at >= length)
			return at;
		at = area->end;
	}
	return USER_TOP - at >= length ? at : 0;
}

/* Cuts the area that contains `va` in its inside, so that one begins there. */
static int split_at(struct space *space, u32 va)
{
	struct area *area = area_find(space, va), tail;
	u32 cut;

	if (area == NULL || area->start == va)
		return 0;
	if (space->count == MAX_AREAS)
		return -ENOMEM;
	tail = *area;
	cut = va - area->start;
	tail.start = va;
	area->end = va;
	if (tail.file != NULL && tail.file_length > cut) {
		tail.file += cut;
		tail.file_length -= cut;
		area->file_length = cut;
	} else if (tail.file != NULL) {
		tail.file = NULL;
		tail.file_length = 0;
	}
	return insert(space, tail, false);
}

/* Frames taken out of one table wait here until the TLBs have forgotten them. */
struct batch {
	u32 count;
	u32 pfns[64];
};

static void drop_batch(struct space *space, struct batch *batch)
{
	if (batch->count == 0)
		return;
	tlb_flush_space(space);
	for (u32 i = 0; i < batch->count; i++)
		frame_put(batch->pfns[i]);
	batch->count = 0;
}

/* Clears the entries of [start, end), which one table maps; returns where it stopped for want of room in the batch. */
static NOINLINE u32 clear_entries(pte_t *pte, u32 start, u32 end, struct batch *batch, bool loaded)
{
	for (; start < end && batch->count < ARRAY_SIZE(batch->pfns); start += PAGE_SIZE, pte++) {
		if (*pte == 0)
			continue;
		batch->pfns[batch->count++] = pte_pfn(*pte);
		if (loaded)
			pte_clear(start, pte);
		else
			set_pte(pte, 0);
	}
	return start;
}

static u32 clear_range(struct space *space, u32 start, u32 end, struct batch *batch)
{
	pte_t *pte = pte_find(space, start);

	if (pte == NULL)
		return end;
	lazy_mode(VMI_LAZY_MMU);
	start = clear_entries(pte, start, end, batch, space->cpus != 0);
	lazy_mode(VMI_LAZY_NONE);
	return start;
}

static void unmap_pages(struct space *space, u32 start, u32 end)
{
	struct batch batch = { 0 };

	while (start < end) {
		u32 limit = min_u32(end, ALIGN_DOWN(start, TABLE_SPAN) + TABLE_SPAN);

		start = clear_range(space, start, limit, &batch);
		if (batch.count == ARRAY_SIZE(batch.pfns))
			drop_batch(space, &batch);
	}
	drop_batch(space, &batch);
}

int space_unmap(struct space *space, u32 start, u32 end)
{
	u32 index = 0, floor = USER_BASE, ceiling = USER_TOP;

	if (split_at(space, start) != 0 || split_at(space, end) != 0)
		return -ENOMEM;
	while (index < space->count) {
		struct area *area = &space->areas[index];

		if (area->end <= start) {
			floor = area->end;
			index++;
		} else if (area->start >= end) {
			ceiling = area->start;
			break;
		} else {
			unmap_pages(space, area->start, area->end);
			remove_at(space, index);
		}
	}
	/* Between the neighbours nothing is left: tables that lie wholly there go, as Linux's free_pgtables does it. */
	tables_free(space, max_u32(floor, ALIGN_DOWN(start, TABLE_SPAN)),
		    min_u32(ceiling, ALIGN_UP(end, TABLE_SPAN)));
	return 0;
}

pte_t area_pte_flags(const struct area *area, bool shared)
{
	pte_t flags = PTE_P | PTE_U | PTE_A;

	if (area->protection == 0)
		return PTE_HELD;
	if ((area->protection & AREA_WRITE) && !shared)
		flags |= PTE_W | PTE_D;
	if (!(area->protection & AREA_EXEC))
		flags |= pte_nx;
	return flags;
}

/* Gives the present pages of [start, end), which one table maps, the entry flags `sole`, or `shared` if others have the
 * frame as well. Present to present goes through zero, for a PAE entry is two words; the flush follows. */
static NOINLINE void protect_entries(pte_t *pte, u32 start, u32 end, pte_t sole, pte_t shared)
{
	for (; start < end; start += PAGE_SIZE, pte++) {
		u32 pfn = pte_pfn(*pte);

		if (*pte == 0)
			continue;
		pte_clear(start, pte);
		set_pte_at(start, pte, make_pte(pfn, frame_refs(pfn) > 1 ? shared : sole));
	}
}

static void protect_pages(struct space *space, const struct area *area)
{
	pte_t sole = area_pte_flags(area, false), shared = area_pte_flags(area, true);

	for (u32 start = area->start; start < area->end;) {
		u32 limit = min_u32(area->end, ALIGN_DOWN(start, TABLE_SPAN) + TABLE_SPAN);
		pte_t *pte = pte_find(space, start);

		if (pte != NULL) {
			lazy_mode(VMI_LAZY_MMU);
			protect_entries(pte, start, limit, sole, shared);
			lazy_mode(VMI_LAZY_NONE);
		}
		start = limit;
	}
	tlb_flush_space(space);
}

int space_protect(struct space *space, u32 start, u32 end, u32 protection)
{
	u32 covered = start, first;

	if (split_at(space, start) != 0 || split_at(space, end) != 0)
		return -ENOMEM;
	for (first = 0; first < space->count && space->areas[first].start < start;)
		first++;
	for (u32 i = first; i < space->count && space->areas[i].start < end; i++) {
		struct area *area = &space->areas[i];

		if (area->start != covered)
			return -ENOMEM;
		covered = area->end;
		if (area->protection == protection)
			continue;
		area->protection = protection;
		protect_pages(space, area);
	}
	if (covered < end)
		return -ENOMEM;
	for (u32 i = space->count; i-- > first;)
		merge_around(space, i);
	return 0;
}
