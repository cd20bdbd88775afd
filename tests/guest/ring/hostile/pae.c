/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts by page tables of three levels: entries with reserved bits, frames above 4 GiB whose lower half looks like ours,
 * no-execute, and pointers to directories that change under CR3. What is read without a fault must be our own page.
 */
#include "hostile.h"

#if CONFIG_PAE

#define MARK 0x0B0E0B0E
#define FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define LOW_VA 0x80000000 /* nothing is there: the third GiB */
#define RESERVED 0x8      /* of an error code */

static u32 own[1024] ALIGNED(PAGE_SIZE);
static pte_t table[PT_ENTRIES] ALIGNED(PAGE_SIZE);
static pde_t directory[PT_ENTRIES] ALIGNED(PAGE_SIZE), top[PT_ENTRIES] ALIGNED(PAGE_SIZE);

static u32 frame(const void *at) { return virt_to_phys(at) >> PAGE_SHIFT; }

static void read_word(u32 address)
{
	if (*POINTER(volatile u32, address) == MARK)
		asm volatile("ud2");
}

/* A read: it faults, or sees our page. -> the fault. */
static struct caught look(const char *what, u32 va, bool must_fault)
{
	struct caught caught = try(read_word, va);

	held(what, caught, caught.vector == NONE || (must_fault && caught.vector == 6));
	return caught;
}

static void clear(volatile pte_t *entry)
{
	*entry = 0;
	flush_tlb_global();
	write_cr3(read_cr3());
}

/* The entry as it is, told and untold; it leads to our own page but for `bad`. */
static void with_bits(const char *what, volatile pte_t *entry, pte_t good, pte_t bad, u32 va)
{
	struct caught caught;

	own[0] = MARK;
	*entry = good;
	pte_update(va, (pte_t *)entry);
	look(what, va, false);
	*entry = good | bad;
	pte_update(va, (pte_t *)entry);
	invlpg(va);
	caught = look(what, va, true);
	/* of reserved bits the guest is told */
	if (bad >> 36 && !(caught.error & RESERVED))
		held("no-reserved", caught, true);
	clear(entry);
	*entry = good | bad;
	invlpg(va);
	look(what, va, true);
	clear(entry);
	*entry = good;
	pte_update(va, (pte_t *)entry);
	if (look(what, va, false).vector != 6)
		panic("our own page can't be read");
	clear(entry);
}

/* Of 36 bits of address; bit 63 is no-execute, which this CPU has not. */
static void reserved_bits(void)
{
	pte_t *entry = entry_of(TRY_VA);
	pde_t *pde = pde_of(TRY_VA + 0x600000);
	u32 va = TRY_VA + 0x600000;

	for (u32 bit = 32; bit < 64; bit++) {
		with_bits("leaf", entry, make_pte(frame(own), FLAGS), (pte_t)1 << bit, TRY_VA);
		table[0] = make_pte(frame(own), FLAGS);
		with_bits("table", pde, make_pte(frame(table), PTE_P | PTE_W | PTE_U | PTE_A), (pte_t)1 << bit, va);
	}
	for (u32 bit = 13; bit < 64; bit++) {
		u32 first = ALIGN_DOWN(frame(own), PT_ENTRIES);

		if (bit < 21 || bit >= 32)
			with_bits("large", pde, make_pte(first, FLAGS | PTE_PS), (pte_t)1 << bit, va + (frame(own) - first) * PAGE_SIZE);
	}
}

/* Frames that are ours, the monitor's or nobody's, if one looks at 32 bits only. */
static pte_t some_entry(void)
{
	u32 frames[] = { frame(own), frame(table), frame(directory), MACHINE(secrets[random32() % secret_count]) >> PAGE_SHIFT,
			 MACHINE(0) >> PAGE_SHIFT, 0xFEE00, 0xD0000 };
	pte_t entry = make_pte(frames[random32() % ARRAY_SIZE(frames)], FLAGS);

	switch (random32() % 8) {
	case 0: return entry | (pte_t)(random32() % 16) << 32;
	case 1: return entry | (pte_t)1 << (32 + random32() % 32);
	case 2: return entry | PTE_PS;
	case 3: return entry & ~(pte_t)(random32() & 0x67);
	default: return entry;
	}
}

/* The first word of a page that may be read: ours, a table of ours, or where nobody is. A and D change by themselves. */
static bool is_ours(u32 value)
{
	u32 changing = PTE_A | PTE_D;

	return value == 0 || value == 0xFFFFFFFF || value == MARK || (value | changing) == ((u32)table[0] | changing) ||
	       (value | changing) == ((u32)directory[0] | changing);
}

static u32 seen;

static void see(u32 va) { seen = *POINTER(volatile u32, va); }

static void random_tables(void)
{
	volatile pdpte_t *pointer = (volatile pdpte_t *)&kernel_root[LOW_VA >> PDP_SHIFT];

	for (u32 i = 0; i < 4000; i++) {
		struct caught caught;
		u32 va = LOW_VA + (random32() % 4 << PD_SHIFT) + random32() % 4 * PAGE_SIZE;

		own[0] = MARK;
		switch (random32() % 6) {
		case 0: *pointer = (random32() % 2 ? make_pte(frame(directory), PTE_P) : some_entry() & ~(pte_t)0x1E6); break;
		case 1: directory[random32() % 4] = some_entry(); break;
		case 2: directory[random32() % 4] = make_pte(frame(table), FLAGS); break;
		default: table[random32() % 4] = some_entry(); break;
		}
		switch (random32() % 6) {
		case 0: flush_tlb(); break;
		case 1: invlpg(va); break;
		case 2: pte_update(va, &table[random32() % 4]); break;
		case 3: pte_update(va, &directory[random32() % 4]); break;
		case 4: vmi_call(VMI_CALL_ReleasePage, frame(random32() % 2 ? table : (void *)directory), 1, 0, 0, 0); break;
		default: break;
		}
		if (random32() % 8 == 0 && !(*pointer >> 36))
			write_cr3(read_cr3());
		seen = 0;
		caught = try(see, va);
		caught.error = seen;
		held("random", caught, caught.vector == NONE && !is_ours(seen));
	}
	clear(pointer);
}

/* A directory in the device; the topmost in another place; the topmost as another. */
static void pointers(void)
{
	volatile pdpte_t *pointer = (volatile pdpte_t *)&kernel_root[LOW_VA >> PDP_SHIFT], *last = (volatile pdpte_t *)&kernel_root[3];
	pdpte_t before = *last;
	pde_t *kernel = directory_of(KERNEL_BASE);

	for (u32 i = 0; i < secret_count; i++) {
		for (u32 how = 0; how < 4; how++) {
			*pointer = make_pte(MACHINE(secrets[i]) >> PAGE_SHIFT, PTE_P);
			if (how & 1)
				write_cr3(read_cr3());
			if (how & 2)
				set_pdpte((pdpte_t *)pointer, *pointer);
			for (u32 slot = 0; slot < PT_ENTRIES; slot += 73)
				look("pointer", LOW_VA + (slot << PD_SHIFT), true);
			clear(pointer);
		}
	}
	/* the topmost directory elsewhere: what is in its last slots is the guest's there, and not the hole */
	*pointer = before;
	write_cr3(read_cr3());
	for (u32 va = HOLE; va != 0; va += 1 << PD_SHIFT)
		look("topmost", va - KERNEL_BASE + LOW_VA, true);
	clear(pointer);
	/* and another one, whose last slots are our own page, with and without a word */
	memcpy(top, kernel, sizeof top);
	for (u32 slot = SLOT_OF(HOLE); slot < PT_ENTRIES; slot++)
		top[slot] = make_pte(ALIGN_DOWN(frame(own), PT_ENTRIES), FLAGS | PTE_PS);
	*last = make_pte(frame(top), PTE_P);
	flush_tlb_global();
	invlpg(HOLE);
	write_cr3(read_cr3());
	for (u32 slot = SLOT_OF(HOLE); slot < PT_ENTRIES; slot++)
		pte_update(HOLE, &top[slot]);
	vmi_call(VMI_CALL_ReleasePage, frame(top), 1, 0, 0, 0);
	*last = before;
	write_cr3(read_cr3());
	held("topmost", (struct caught){ .vector = NONE }, false);
}

/* One reserved bit in a pointer, or a directory that is nobody's: CR3 can't be loaded, and that may end us. */
static void bad_pointer(void)
{
	u32 bit = option_number("which", 0);

	own[0] = MARK;
	table[0] = make_pte(frame(own), FLAGS);
	directory[0] = make_pte(frame(table), FLAGS);
	*(volatile pdpte_t *)&kernel_root[LOW_VA >> PDP_SHIFT] = make_pte(frame(directory), PTE_P) | (pdpte_t)1 << bit;
	write_cr3(read_cr3());
	look("bad-pointer", LOW_VA, true);
}

static void execute(u32 va)
{
	asm volatile("call *%0" ::"r"(va) : "memory", "eax", "ecx", "edx");
}

/* With a CPU that has it. */
static void no_execute(void)
{
	static u8 code[PAGE_SIZE] ALIGNED(PAGE_SIZE);
	pte_t *entry = entry_of(TRY_VA), good = make_pte(frame(code), PTE_P | PTE_A | PTE_D | PTE_W), nx = (pte_t)1 << 63;

	if (pte_nx == 0)
		panic("this CPU can't");
	code[0] = 0xC3;
	for (u32 how = 0; how < 3; how++) {
		struct caught caught;

		set_pte_at(TRY_VA, entry, good);
		if (try(execute, TRY_VA).vector != NONE)
			panic("our own code can't be executed");
		*(volatile pte_t *)entry = good | nx;
		if (how > 0)
			pte_update(TRY_VA, entry);
		if (how == 2)
			flush_tlb();
		else
			invlpg(TRY_VA);
		caught = try(execute, TRY_VA);
		held("no-execute", caught, caught.vector != 14 || !(caught.error & 0x10));
		pte_clear(TRY_VA, entry);
		flush_tlb();
	}
}

const struct attempt pae_attempts[] = {
	{ "pae-reserved", reserved_bits },   { "pae-random", random_tables },	{ "pae-pointers", pointers },
	{ "pae-bad-pointer", bad_pointer },  { "pae-no-execute", no_execute },	{ NULL, NULL },
};

#else

const struct attempt pae_attempts[] = { { NULL, NULL } };

#endif
