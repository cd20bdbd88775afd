/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Address spaces: root tables that share the kernel's part, page tables made on demand, loading into CR3, TLB
 * flushes. Each paging structure is announced before it is linked and released after it is unlinked. Areas in it:
 * areas.c; copy: copy.c.
 */
#include "memory.h"
#include "process.h"

#if CONFIG_PAE
#define KERNEL_SLOT (KERNEL_BASE >> PDP_SHIFT)
#define KERNEL_SLOTS 1
#else
#define KERNEL_SLOT (KERNEL_BASE >> PD_SHIFT)
#define KERNEL_SLOTS (PT_ENTRIES - KERNEL_SLOT)
#endif
#define TABLE_SPAN (1u << PD_SHIFT)
#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A)

u32 vsyscall_pfn;

static pde_t *pde_of(const struct space *space, u32 va)
{
#if CONFIG_PAE
	return (pde_t *)frame_address(pte_pfn(space->root[va >> PDP_SHIFT])) + (va >> PD_SHIFT) % PT_ENTRIES;
#else
	return &space->root[va >> PD_SHIFT];
#endif
}

static void release_root(struct space *space)
{
#if CONFIG_PAE
	for (u32 i = 0; i < KERNEL_SLOT; i++) {
		u32 pfn = pte_pfn(space->root[i]);

		if (!(space->root[i] & PTE_P))
			continue;
		set_pdpte(&space->root[i], 0);
		paging_release_pd(pfn);
		frame_put(pfn);
	}
#endif
	paging_release_root(space->root_pfn);
	frame_put(space->root_pfn);
}

/* With PAE the CPU reads the four root entries when CR3 is loaded, and not again: all directories exist from the start. */
static bool fill_root(struct space *space)
{
#if CONFIG_PAE
	for (u32 i = 0; i < KERNEL_SLOT; i++) {
		u32 pfn = frame_alloc_zeroed(FRAME_PD);

		if (pfn == 0)
			return false;
		paging_alloc_pd(pfn);
		set_pdpte(&space->root[i], make_pte(pfn, PTE_P));
	}
#endif
	(void)space;
	return true;
}

struct space *space_create(void)
{
	u32 pfn = frame_alloc(FRAME_KERNEL), root_pfn = frame_alloc_zeroed(FRAME_ROOT);
	struct space *space = frame_address(pfn);

	if (pfn == 0 || root_pfn == 0) {
		if (pfn != 0)
			frame_put(pfn);
		if (root_pfn != 0)
			frame_put(root_pfn);
		return NULL;
	}
	space->root_pfn = root_pfn;
	space->root = frame_address(root_pfn);
	space->cpus = 0;
	space->count = 0;
	/* The kernel's entries never change after boot, so a copy stays right. Copied raw and announced as a clone. */
	memcpy(&space->root[KERNEL_SLOT], &kernel_root[KERNEL_SLOT], KERNEL_SLOTS * sizeof(pte_t));
	paging_alloc_root(root_pfn, virt_to_phys(kernel_root) >> PAGE_SHIFT, KERNEL_SLOT, KERNEL_SLOTS);
	if (!fill_root(space)) {
		release_root(space);
		frame_put(pfn);
		return NULL;
	}
	return space;
}

void space_destroy(struct space *space)
{
	space_unmap(space, USER_BASE, USER_TOP);
	release_root(space);
	frame_put(virt_to_phys(space) >> PAGE_SHIFT);
}

void space_load(struct space *space, struct space *from)
{
	struct cpu *cpu = this_cpu();
	u32 root_pfn = space ? space->root_pfn : virt_to_phys(kernel_root) >> PAGE_SHIFT;

	if (space == from)
		return;
	if (space != NULL)
		__atomic_fetch_or(&space->cpus, 1u << cpu->number, __ATOMIC_SEQ_CST);
	write_cr3(root_pfn << PAGE_SHIFT);
	if (from != NULL)
		__atomic_fetch_and(&from->cpus, ~(1u << cpu->number), __ATOMIC_SEQ_CST);
}

pte_t *pte_find(struct space *space, u32 va)
{
	pde_t *pde = pde_of(space, va);

	if (!(*pde & PTE_P))
		return NULL;
	return (pte_t *)frame_address(pte_pfn(*pde)) + (va >> PAGE_SHIFT) % PT_ENTRIES;
}

pte_t *pte_make(struct space *space, u32 va)
{
	pde_t *pde = pde_of(space, va);

	if (!(*pde & PTE_P)) {
		u32 pfn = frame_alloc_zeroed(FRAME_PT);

		if (pfn == 0)
			return NULL;
		paging_alloc_pt(pfn);
		set_pde(pde, make_pte(pfn, TABLE_FLAGS));
	}
	return (pte_t *)frame_address(pte_pfn(*pde)) + (va >> PAGE_SHIFT) % PT_ENTRIES;
}

/* An area that reaches into [start, end)? */
static bool occupied(const struct space *space, u32 start, u32 end)
{
	for (u32 i = 0; i < space->count; i++)
		if (space->areas[i].start < end && space->areas[i].end > start)
			return true;
	return false;
}

void tables_free(struct space *space, u32 floor, u32 ceiling)
{
	for (u32 base = ALIGN_DOWN(floor, TABLE_SPAN); base < ceiling; base += TABLE_SPAN) {
		pde_t *pde = pde_of(space, base);
		u32 pfn = pte_pfn(*pde);

		if (!(*pde & PTE_P) || occupied(space, base, base + TABLE_SPAN))
			continue;
		set_pde(pde, 0);
		/* The CPU may hold the directory entry itself, so the table is reused only after this. */
		tlb_flush_space(space);
		paging_release_pt(pfn);
		frame_put(pfn);
	}
}

void tlb_flush_space(struct space *space)
{
	u32 mask = space->cpus;

	if (mask == 1u << this_cpu()->number)
		flush_tlb();
	else if (mask != 0)
		tlb_shoot(mask, SHOOT_ALL);
}

void tlb_flush_page(struct space *space, u32 va)
{
	u32 mask = space->cpus;

	if (mask == 1u << this_cpu()->number)
		invlpg(va);
	else if (mask != 0)
		tlb_shoot(mask, va);
}

void vsyscall_init(void)
{
	extern const u8 vsyscall_page[], vsyscall_end[];

	vsyscall_pfn = frame_alloc_zeroed(FRAME_USER);
	if (vsyscall_pfn == 0)
		panic("no memory");
	memcpy(frame_address(vsyscall_pfn), vsyscall_page, (size_t)(vsyscall_end - vsyscall_page));
}
