/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts by page tables: to map what is the monitor's, by every update call and by stores of which nobody is told, at each
 * level; to lie about which frames are page tables; and to write where the window is read-only.
 */
#include "hostile.h"

static void read_word(u32 address)
{
	(void)*POINTER(volatile u32, address);
}

static void write_word(u32 address)
{
	*POINTER(volatile u32, address) = 0xBAD0BAD0;
}

/* Tries both at `va`, which would be the device's page at `offset`. */
static void touch(const char *what, u32 va)
{
	struct caught caught = try(read_word, va);

	held(what, caught, caught.vector == NONE);
	caught = try(write_word, va + 4);
	held(what, caught, caught.vector == NONE);
}

#define EVIL(offset) make_pte(MACHINE(offset) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

static void map_by_call(void)
{
	pte_t *entry = entry_of(TRY_VA);

	for (u32 i = 0; i < secret_count; i++) {
		set_pte_at(TRY_VA, entry, EVIL(secrets[i]));
		touch("SetPxE", TRY_VA);
		pte_clear(TRY_VA, entry);
		flush_tlb();
		set_pte(entry, EVIL(secrets[i])); /* without an address */
		touch("SetPxE-other", TRY_VA);
		pte_clear(TRY_VA, entry);
		flush_tlb();
	}
}

static void map_by_update(void)
{
	pte_t *entry = entry_of(TRY_VA);

	for (u32 i = 0; i < secret_count; i++) {
		*(volatile pte_t *)entry = EVIL(secrets[i]);
		pte_update(TRY_VA, entry);
		touch("UpdatePxE", TRY_VA);
		*(volatile pte_t *)entry = EVIL(secrets[i]);
		pte_update_defer(TRY_VA, entry);
		touch("UpdatePxE-deferred", TRY_VA);
		*(volatile pte_t *)entry = 0;
		pte_update(TRY_VA, entry);
		flush_tlb();
	}
}

/* First a page of our own, so that there is something in TLB and shadow; then another without a word. */
static void map_by_store(void)
{
	static u32 own[PT_ENTRIES] ALIGNED(PAGE_SIZE);
	pte_t *entry = entry_of(TRY_VA);
	struct caught caught;

	for (u32 i = 0; i < secret_count; i++) {
		set_pte_at(TRY_VA, entry, make_pte(virt_to_phys(own) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_A | PTE_D));
		own[0] = 0x0B0E0B0E;
		caught = try(read_word, TRY_VA);
		held("own", caught, caught.vector != NONE);
		*(volatile pte_t *)entry = EVIL(secrets[i]);
		/* untold: what is seen may still be our own page, never another */
		caught = try(read_word, TRY_VA);
		held("untold", caught, caught.vector == NONE && *POINTER(volatile u32, TRY_VA) != 0x0B0E0B0E);
		invlpg(TRY_VA);
		touch("untold-invlpg", TRY_VA);
		flush_tlb_global();
		touch("untold-flush", TRY_VA);
		write_cr3(read_cr3());
		touch("untold-cr3", TRY_VA);
		pte_clear(TRY_VA, entry);
		flush_tlb();
	}
}

static void map_large(void)
{
	pde_t *pde = pde_of(TRY_VA);

	for (u32 offset = 0; offset < VMI_WIRE_SIZE; offset += 1 << PD_SHIFT) {
		set_pde(pde, make_pte(MACHINE(offset) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_PS));
		touch("large", TRY_VA + (offset == 0 ? VMI_WIRE_CPUS_OFFSET : 0));
		*(volatile pde_t *)pde = make_pte(MACHINE(offset) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS);
		flush_tlb_global();
		touch("large-untold", TRY_VA + (offset == 0 ? VMI_WIRE_CPUS_OFFSET : 0));
		set_pde(pde, 0);
		flush_tlb_global();
	}
	/* begins in our memory and ends beyond it */
	set_pde(pde, make_pte((memory_pages & ~(PT_ENTRIES - 1)) - PT_ENTRIES, PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS));
	set_pde(pde, make_pte((MACHINE(0) >> PAGE_SHIFT) - PT_ENTRIES, PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS));
	set_pde(pde, 0);
	flush_tlb_global();
}

/* A table that lies in the device: whoever walks it believes the monitor's memory. */
static void map_table(void)
{
	pde_t *pde = pde_of(TRY_VA);

	for (u32 i = 0; i < secret_count; i++) {
		set_pde(pde, make_pte(MACHINE(secrets[i]) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_U | PTE_A));
		touch("table", TRY_VA);
		touch("table-last", TRY_VA + (PT_ENTRIES - 1) * PAGE_SIZE);
		set_pde(pde, 0);
		flush_tlb();
	}
}

/* A directory that is its own table, and tables that map themselves, changed through themselves. */
static void map_itself(void)
{
	u32 root = virt_to_phys(directory_of(TRY_VA)) >> PAGE_SHIFT, va = TRY_VA + SLOT_OF(TRY_VA) * PAGE_SIZE;
	volatile pte_t *window = POINTER(volatile pte_t, va);
	struct caught caught;

	set_pde(pde_of(TRY_VA), make_pte(root, PTE_P | PTE_W | PTE_A | PTE_D));
	for (u32 i = 0; i < secret_count; i++) {
		caught = try(read_word, va);
		held("itself", caught, false);
		if (caught.vector != NONE)
			break;
		window[SLOT_OF(TRY_VA) + 1] = EVIL(secrets[i]) | PTE_PS;
		touch("itself-large", TRY_VA + (1 << PD_SHIFT));
		window[SLOT_OF(TRY_VA) + 1] = EVIL(secrets[i]);
		flush_tlb();
		touch("itself-table", TRY_VA + (1 << PD_SHIFT));
		window[SLOT_OF(TRY_VA) + 1] = 0;
		flush_tlb();
	}
	set_pde(pde_of(TRY_VA), 0);
	flush_tlb();
}

/* The hole's own slots of the directory are not ours to say. */
static void map_hole(void)
{
	static pte_t table[PT_ENTRIES] ALIGNED(PAGE_SIZE);
	u32 own = virt_to_phys(table) >> PAGE_SHIFT;

	for (u32 va = HOLE; va != 0; va += 1 << PD_SHIFT) {
		pde_t *pde = pde_of(va), before = *pde;

		set_pde(pde, make_pte(own, PTE_P | PTE_W | PTE_U | PTE_A));
		flush_tlb_global();
		*(volatile pde_t *)pde = make_pte(own, PTE_P | PTE_W | PTE_U | PTE_A | PTE_PS);
		flush_tlb_global();
		write_cr3(read_cr3());
		set_pde(pde, before);
	}
	/* we are still there to say so: the stubs were where they were */
	held("hole", (struct caught){ .vector = NONE }, false);
}

static void set_root(u32 value) { write_cr3(value); }
static void set_root_natively(u32 value) { native_write_cr3(value); }

static void map_root(void)
{
	u32 which = option_number("which", 0);
	u32 roots[] = { MACHINE(0), MACHINE(VMI_RING_POOL_OFFSET), 0xFEE00000, 0xFFFFF000, memory_pages << PAGE_SHIFT };

	held("SetCR3", try(which & 8 ? set_root_natively : set_root, roots[which & 7]), read_cr3() == roots[which & 7]);
}

/* Frames that are not ours are announced, released, and said to be where they are not. */
static void announce(void)
{
	static const u32 odd[] = { 0xE0000, 0xE1400, 0xFFFFF, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x100000, 0xFEE00 };

	for (u32 i = 0; i < ARRAY_SIZE(odd); i++) {
		for (u32 flags = 0; flags < 0x80; flags += 0x11) {
			vmi_call(VMI_CALL_AllocatePage, odd[i], flags, odd[i], flags, 0xFFFFFFFF);
			vmi_call(VMI_CALL_ReleasePage, odd[i], flags, 0, 0, 0);
		}
		vmi_call(VMI_CALL_AllocatePage, virt_to_phys(kernel_root) >> PAGE_SHIFT, 0x62, odd[i], 0, 0xFFFFFFFF);
		held("announce", (struct caught){ .vector = NONE }, false);
	}
	for (u32 i = 0; i < 3000; i++) {
		u32 pfn = random32() % (memory_pages + 64);

		vmi_call(random32() % 2 ? VMI_CALL_AllocatePage : VMI_CALL_ReleasePage, pfn, random32() & 0x7F, random32(), random32(),
			 random32());
	}
	held("announce-random", (struct caught){ .vector = NONE }, false);
}

static void update_wild(u32 address)
{
	vmi_call(VMI_CALL_SetPxE, EVIL(VMI_RING_CPUS_OFFSET), address, 1, 0, 0);
}

static void update_long_wild(u32 address)
{
	vmi_call(VMI_CALL_SetPxELong, EVIL(VMI_RING_CPUS_OFFSET), 0, address, 1, 0);
}

static void told_wild(u32 address)
{
	vmi_call(VMI_CALL_UpdatePxE, address, 1, 0, 0, 0);
	vmi_call(VMI_CALL_UpdatePxELong, address, 1, 0, 0, 0);
}

/* Entries that are no entries: in the hole, across its edge, nowhere, odd. */
static void update_anywhere(void)
{
	u32 places[] = { HOLE,	       HOLE + 4,       HOLE - 2,	   HOLE - 4,	    MONITOR(VMI_RING_SHARED_OFFSET), MONITOR(0x8000),
			 0,	       0xFFFFFFFC,     0xFFFFFFFF,	   TRY_VA + 0x1000, 0x1003,			     HOLE + 0x6400,
			 HOLE + 0xFFF };

	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		u32 before = 0;

		held("SetPxE-at", try(update_wild, places[i]), false);
		held("SetPxELong-at", try(update_long_wild, places[i]), false);
		held("UpdatePxE-at", try(told_wild, places[i]), before != 0);
	}
	/* A stub stores to the entry itself, at our level: what keeps it out of the monitor is the segments' limit. */
	for (u32 i = 0; option("limits") != NULL && i < secret_count; i++) {
		held("SetPxE-secret", try(update_wild, MONITOR(secrets[i])), false);
		held("UpdatePxE-secret", try(told_wild, MONITOR(secrets[i])), false);
	}
}

/* Linear mappings that say: this range of ours is the monitor's memory; and then an entry there is set. */
static void map_linear(void)
{
	static pte_t table[PT_ENTRIES] ALIGNED(PAGE_SIZE);

	for (u32 slot = 0; slot < 6; slot++) {
		for (u32 i = 0; i < secret_count; i++) {
			vmi_call(VMI_CALL_SetLinearMapping, slot, ADDRESS(table), 1, MACHINE(secrets[i]) >> PAGE_SHIFT, 0);
			vmi_call(VMI_CALL_SetPxE, EVIL(VMI_RING_CPUS_OFFSET), ADDRESS(&table[1]), 1, 0, 0);
			vmi_call(VMI_CALL_UpdatePxE, ADDRESS(&table[2]), 1, 0, 0, 0);
		}
		vmi_call(VMI_CALL_SetLinearMapping, slot, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0);
		vmi_call(VMI_CALL_SetLinearMapping, slot, HOLE, 0x2000, 0xE0000, 0);
		if (option("limits") != NULL)
			held("SetPxE-secret", try(update_wild, MONITOR(VMI_RING_CPUS_OFFSET)), false);
		flush_tlb();
	}
	vmi_call(VMI_CALL_SetLinearMapping, 0, KERNEL_BASE, lowmem_pages, 0, 0);
	held("linear", (struct caught){ .vector = NONE }, false);
}

/* The window is ours to read, and not to write but for our page; what is in it runs at our level. */
static void write_window(void)
{
	for (u32 at = 0; at < VMI_RING_WINDOW_SIZE; at += PAGE_SIZE) {
		struct caught caught;

		if (at == VMI_RING_SHARED_OFFSET)
			continue;
		caught = try(write_word, HOLE + at + 0x80);
		held("window", caught, caught.vector == NONE);
	}
}

static void set_write_protection(u32 value) { vmi_call(VMI_CALL_SetCR0, value, 0, 0, 0, 0); }

static void set_write_protection_natively(u32 value) { asm volatile("movl %0, %%cr0" ::"r"(value) : "memory"); }

static void user_access(u32 unused)
{
	(void)unused;
	user_mode(USER_CODE, USER_CS, EFLAGS_FIXED | EFLAGS_IF, USER_STACK + PAGE_SIZE, USER_DS);
}

#define WP_VA (TRY_VA + 0x10000) /* its entry is none of the program's, which may be in the same table */

/* A program's access to WP_VA: a store, or a load. */
static struct caught by_user(bool store)
{
	u8 code[] = { store ? 0xA3 : 0xA1, 0, 0, 0, 0, 0xCD, 0x80 };

	code[3] = (WP_VA >> 16) & 0xFF;
	code[4] = WP_VA >> 24;
	user_load(code, sizeof code);
	return try(user_access, 0);
}

/* CR0.WP is ours as far as our pages go; the CPU's own stays on. */
static void write_protection(void)
{
	static u32 page[PT_ENTRIES] ALIGNED(PAGE_SIZE);
	u32 cr0 = read_cr0();

	for (u32 how = 0; how < 8; how++) {
		action *set = how & 1 ? set_write_protection_natively : set_write_protection;
		pte_t flags = PTE_P | PTE_A | (how & 2 ? PTE_U : 0) | (how & 4 ? PTE_D : 0);
		struct caught caught;

		set_pte_at(WP_VA, entry_of(WP_VA), make_pte(virt_to_phys(page) >> PAGE_SHIFT, flags));
		flush_tlb();
		caught = try(write_word, WP_VA);
		held("wp", caught, caught.vector != 14 || (caught.error & 7) != 3);
		set(cr0 & ~CR0_WP);
		held("wp-seen", (struct caught){ .vector = NONE }, read_cr0() != (cr0 & ~CR0_WP));
		page[0] = 0;
		caught = try(write_word, WP_VA);
		held("wp-off", caught, caught.vector != NONE || page[0] != 0xBAD0BAD0);
		held("dirty", (struct caught){ .vector = NONE }, !(*entry_of(WP_VA) & PTE_D));
		caught = by_user(false);
		held("wp-off-user", caught, (caught.vector == 0x80) != ((how & 2) != 0));
		caught = by_user(true);
		held("wp-off-user", caught, caught.vector != 14);
		caught = try(write_word, HOLE + 0x80);
		held("wp-off-window", caught, caught.vector == NONE);
		caught = try(write_word, HOLE + VMI_RING_BITMAP_OFFSET);
		held("wp-off-window", caught, caught.vector == NONE);
		set(cr0);
		caught = try(write_word, WP_VA);
		held("wp-on", caught, caught.vector != 14);
	}
}

const struct attempt memory_attempts[] = {
	{ "map-call", map_by_call },	 { "map-update", map_by_update }, { "map-store", map_by_store },
	{ "map-large", map_large },	 { "map-table", map_table },	  { "map-itself", map_itself },
	{ "map-hole", map_hole },	 { "map-root", map_root },	  { "announce", announce },
	{ "update-wild", update_anywhere }, { "map-linear", map_linear },  { "window", write_window },
	{ "write-protection", write_protection }, { NULL, NULL },
};
