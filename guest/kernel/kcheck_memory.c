/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checks of memory: frames hold what is written, page tables say what they should (kernel part, user part, ownership
 * of tables), and the TLB forgets what it is told to. Table: kcheck.c.
 */
#include "kcheck.h"

#define FRAMES 48

/* ---- kernel-frames ---- */

static u32 pattern(u32 pfn, u32 word, u32 salt)
{
	return (pfn * 1024 + word) * 2654435761u ^ salt;
}

/* Frames differ, keep their own contents, and come back when freed. */
void check_memory(struct kcheck_result *result)
{
	u32 pfns[FRAMES], before = frame_count(FRAME_FREE);

	for (u32 i = 0; i < FRAMES; i++) {
		pfns[i] = frame_alloc(FRAME_KERNEL);
		expect(result, pfns[i] != 0 && pfns[i] < lowmem_pages, "frame %x", pfns[i]);
		for (u32 word = 0; word < PAGE_SIZE / 4; word++)
			((u32 *)frame_address(pfns[i]))[word] = pattern(pfns[i], word, 0x5EED);
	}
	for (u32 i = 0; i < FRAMES; i++) {
		const u32 *words = frame_address(pfns[i]);
		u32 wrong = 0;

		for (u32 word = 0; word < PAGE_SIZE / 4; word++)
			wrong += words[word] != pattern(pfns[i], word, 0x5EED);
		expect(result, wrong == 0, "frame %x: %u words differ", pfns[i], wrong);
		expect_equal(result, frame_refs(pfns[i]), 1, "references to a frame");
		frame_put(pfns[i]);
	}
	if (cpu_count == 1)
		expect_equal(result, frame_count(FRAME_FREE), before, "free frames afterwards");
}

/* ---- kernel-tables: the entries of the current address space ---- */

static void check_kernel_half(struct kcheck_result *result, pte_t *root)
{
	u32 user = 0, wrong = 0, missing = 0;
	bool large;

	for (u32 pfn = 0; pfn < lowmem_pages; pfn++) {
		u32 va = KERNEL_BASE + (pfn << PAGE_SHIFT), mask;
		const pte_t *pte = walk(root, va, &large);

		if (pte == NULL || !(*pte & PTE_P)) {
			missing++;
			continue;
		}
		mask = large ? (1u << (PD_SHIFT - PAGE_SHIFT)) - 1 : 0;
		user += (*pte & PTE_U) != 0;
		wrong += (pte_pfn(*pte) & ~mask) + (pfn & mask) != pfn;
		pfn |= mask; /* a large page has one entry */
	}
	expect_equal(result, missing, 0, "pages of the direct map that are not there");
	expect_equal(result, user, 0, "pages of the direct map open to ring 3");
	expect_equal(result, wrong, 0, "pages of the direct map at a wrong frame");
	for (u32 slot = 0; slot < FIXED_COUNT; slot++) {
		const pte_t *pte = walk(root, fixed_address(slot), &large);

		expect(result, pte != NULL && !(*pte & PTE_U), "fixed mapping %u is open to ring 3", slot);
	}
}

/* User frames, and the programs inside the kernel image. */
static bool user_may_map(u32 pfn)
{
	const u8 *page = frame_address(pfn);

	for (u32 i = 0; i < initfs_count; i++)
		if (page >= initfs[i].start && page < initfs[i].end)
			return true;
	return frame_use_of(pfn) == FRAME_USER;
}

/* A page that others share is read-only, what an area does not allow no entry allows. */
static void check_user_page(struct kcheck_result *result, const struct area *area, u32 va, pte_t pte)
{
	if (!(pte & PTE_P)) {
		expect(result, area->protection == 0, "%08x: held, yet accessible", va);
		return;
	}
	expect(result, (pte & PTE_U) != 0, "%08x: user page closed to ring 3", va);
	expect(result, user_may_map(pte_pfn(pte)), "%08x: maps frame %x, not the user's", va, pte_pfn(pte));
	if (pte & PTE_W) {
		expect(result, area->protection & AREA_WRITE, "%08x: writable against its area", va);
		expect_equal(result, frame_refs(pte_pfn(pte)), 1, "users of a writable frame");
	}
	if (pte_nx != 0)
		expect(result, ((area->protection & AREA_EXEC) != 0) == ((pte & pte_nx) == 0), "%08x: no-execute", va);
}

static void check_user_half(struct kcheck_result *result, struct space *space)
{
	u32 outside = 0;

	for (u32 base = 0; base < USER_TOP; base += 1u << PD_SHIFT) {
		const pte_t *pte = pte_find(space, base);

		for (u32 i = 0; pte != NULL && i < PT_ENTRIES; i++, pte++) {
			const struct area *area = area_find(space, base + i * PAGE_SIZE);

			if (*pte != 0 && area == NULL)
				outside++;
			else if (*pte != 0)
				check_user_page(result, area, base + i * PAGE_SIZE, *pte);
		}
	}
	expect_equal(result, outside, 0, "entries outside every area");
}

void check_tables(struct kcheck_result *result)
{
	struct space *space = current()->space;

	check_kernel_half(result, space->root);
	check_user_half(result, space);
	for (u32 i = 1; i < space->count; i++)
		expect(result, space->areas[i - 1].end <= space->areas[i].start, "areas overlap at %08x", space->areas[i].start);
}

/* ---- kernel-ownership: every frame that is a paging structure belongs to some process ---- */

static u32 tables_of(struct space *space)
{
	u32 tables = 0;

	for (u32 base = 0; base < USER_TOP; base += 1u << PD_SHIFT)
		tables += pte_find(space, base) != NULL;
	return tables;
}

static void count_owned(struct kcheck_result *result, struct space *extra)
{
	u32 tables = extra != NULL ? tables_of(extra) : 0, spaces = extra != NULL;

	for (u32 i = 0; i < MAX_PROCESSES; i++) {
		if (processes[i].state == SLOT_FREE || processes[i].space == NULL)
			continue;
		spaces++;
		tables += tables_of(processes[i].space);
		expect_equal(result, frame_use_of(processes[i].space->root_pfn), FRAME_ROOT, "use of a root's frame");
	}
	expect_equal(result, frame_count(FRAME_ROOT), spaces, "roots");
	expect_equal(result, frame_count(FRAME_PT), tables, "page tables");
	expect_equal(result, frame_count(FRAME_PD), CONFIG_PAE ? spaces * (KERNEL_BASE >> 30) : 0, "directories");
}

/* With a copy-on-write twin of this address space, and after it is gone: tables are accounted for, what both share is
 * read-only in both, and every frame comes back. Sound while no other process runs: /init has none at this time. */
void check_owned(struct kcheck_result *result)
{
	struct space *space = current()->space, *twin;
	u32 free;

	count_owned(result, NULL);
	free = frame_count(FRAME_FREE);
	twin = space_copy(space);
	if (!expect(result, twin != NULL, "no memory for a copy of the address space"))
		return;
	count_owned(result, twin);
	check_user_half(result, twin);
	check_user_half(result, space);
	space_destroy(twin);
	count_owned(result, NULL);
	expect_equal(result, frame_count(FRAME_FREE), free, "free frames after the copy is gone");
}

/* ---- kernel-tlb ---- */

/* A mapping moved from one frame to another shows the other. Other CPUs: kcheck_smp.c. */
void check_translations(struct kcheck_result *result)
{
	u32 first = frame_alloc(FRAME_KERNEL), second = frame_alloc(FRAME_KERNEL), flags = irq_save();
	volatile u32 *word = POINTER(volatile u32, fixed_address(FIXED_TEST));

	*(u32 *)frame_address(first) = 1;
	*(u32 *)frame_address(second) = 2;
	for (u32 i = 0; i < 100; i++) {
		fixed_map(FIXED_TEST, i % 2 ? first : second, PTE_P | PTE_W | PTE_A | PTE_D | pte_global | pte_nx);
		expect_equal(result, *word, i % 2 ? 1 : 2, "read through a moved mapping");
		*word = *word;
	}
	fixed_map(FIXED_TEST, 0, 0);
	irq_restore_flags(flags);
	frame_put(first);
	frame_put(second);
}
