/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The wrong guest's deeds: for each rule, the shortest way to break it and no other. Entered with everything set up and
 * told; `none` does what a guest may do.
 */
#include "wrong.h"

#define PT VMI_PAGE_PT
#define PD VMI_PAGE_PD
#define ZEROED VMI_PAGE_ZEROED
#define LINK 8 /* entry of the directory for tables that are tried, and the address that it maps */
#define VA (LINK << 22)
#define USED 7 /* present, writable, user */

static u32 frame(const void *page)
{
	return ADDRESS(page) >> 12;
}

static void allocate(const void *page, u32 flags)
{
	vmi(VMI_CALL_AllocatePage, frame(page), flags, 0, 0, 0);
}

static void release(const void *page, u32 flags)
{
	vmi(VMI_CALL_ReleasePage, frame(page), flags, 0, 0, 0);
}

static void set(u32 *at, u32 value, u32 flags)
{
	vmi(VMI_CALL_SetPxE, value, ADDRESS(at), flags, 0, 0);
}

static void lazy(u32 mode)
{
	vmi(VMI_CALL_SetLazyMode, mode, 0, 0, 0, 0);
}

static void to_user(void)
{
	leave(USER_CS, USER_DS, 0x202);
}

/* A table that is announced and linked: entries for addresses from VA on. */
static u32 *linked_table(void)
{
	allocate(pool[0], PT | ZEROED);
	set(&root[LINK], ADDRESS(pool[0]) | USED, PD);
	return pool[0];
}

/* A directory like the one in use, announced as its clone. */
static u32 *clone(void)
{
	for (u32 i = 0; i < 1024; i++)
		pool[1][i] = root[i];
	vmi(VMI_CALL_AllocatePage, frame(pool[1]), PD | ZEROED | VMI_PAGE_CLONE, frame(root), 0, 1024);
	return pool[1];
}

static void load(const u32 *directory)
{
	vmi(VMI_CALL_SetCR3, ADDRESS(directory), 0, 0, 0, 0);
}

static void none(void)
{
	u32 *table = linked_table();
	struct table_register gdtr = { GDT_ENTRIES * 8 - 1, ADDRESS(cpus[0].gdt) };

	lazy(1);
	set(&table[3], frame(pool[2]) << 12 | USED, PT | VMI_PXE_CURRENT_AS | (VA + 0x3000));
	lazy(0);
	set(&table[3], 0, PT | VMI_PXE_CURRENT_AS | VMI_PXE_DEFER | (VA + 0x3000));
	vmi(VMI_CALL_InvalPage, VA + 0x3000, 0, 0, 0, 0);
	load(clone());
	load(root);
	release(pool[1], PD);
	set(&root[LINK], 0, PD);
	vmi(VMI_CALL_FlushTLB, 3, 0, 0, 0, 0);
	release(table, PT);
	vmi(VMI_CALL_WriteGDTEntry, ADDRESS(cpus[0].gdt), SPARE, 0, 0, 0);
	cpus[0].gdt[TSS_SELECTOR >> 3].high &= ~0x200u; /* no longer busy */
	vmi(VMI_CALL_SetGDT, ADDRESS(&gdtr), 0, 0, 0, 0);
	vmi(VMI_CALL_SetIOPLMask, 0, 0, 0, 0, 0);
	to_user();
}

static void nothing(void)
{
}

static void stack_flat(void)
{
	vmi_with(VMI_CALL_SetLazyMode, 0, KERNEL_DS, NARROW_DS, 2);
}

static void segments_flat(void)
{
	vmi_with(VMI_CALL_SetLazyMode, 0, 0, KERNEL_DS, 2);
}

static void direction_flag(void)
{
	vmi_with(VMI_CALL_SetLazyMode, 0, KERNEL_DS, KERNEL_DS, 0x402);
}

static void reserved_top(void)
{
	set(linked_table(), 0, PT | VMI_PXE_CURRENT_AS | 0xFE000000);
}

static void entry_width(void)
{
	vmi(VMI_CALL_SetPxELong, 0, 0, ADDRESS(linked_table()), PT, 0);
}

static void page_flags(void)
{
	allocate(pool[0], PT | PD);
}

static void allocate_twice(void)
{
	allocate(pool[0], PT | ZEROED);
	allocate(pool[0], PT | ZEROED);
}

static void zeroed_false(void)
{
	pool[0][77] = 1;
	allocate(pool[0], PT | ZEROED);
}

static void clone_arguments(void)
{
	vmi(VMI_CALL_AllocatePage, frame(pool[0]), PD | VMI_PAGE_CLONE, frame(pool[1]), 0, 4);
}

static void clone_false(void)
{
	vmi(VMI_CALL_AllocatePage, frame(pool[0]), PD | VMI_PAGE_CLONE, frame(root), 0, 4);
}

static void release_unknown(void)
{
	release(pool[0], PT);
}

static void release_type(void)
{
	allocate(pool[0], PT | ZEROED);
	release(pool[0], PD);
}

static void release_linked(void)
{
	release(linked_table(), PT);
}

static void release_loaded(void)
{
	load(clone());
	release(pool[1], PD);
	load(root);
}

static void mapping_arguments(void)
{
	vmi(VMI_CALL_SetLinearMapping, 4, 0, 1, 0, 0);
}

static void entry_unmapped(void)
{
	vmi(VMI_CALL_SetLinearMapping, 0, 0, 1, 0, 0);
	set(pool[0], 0, PT);
}

static void entry_flags(void)
{
	set(linked_table(), 0, PT | 0x40);
}

static void entry_level(void)
{
	set(linked_table(), 0, PD);
}

static void entry_address(void)
{
	set(&linked_table()[5], 0, PT | VMI_PXE_CURRENT_AS | (VA + 0x6000));
}

static void table_unannounced(void)
{
	set(pool[0], 0, PT);
}

static void table_released(void)
{
	allocate(pool[0], PT | ZEROED);
	release(pool[0], PT);
	set(pool[0], 0, PT);
}

static void link_unannounced(void)
{
	set(&root[LINK], ADDRESS(pool[0]) | USED, PD);
}

static void link_released(void)
{
	allocate(pool[0], PT | ZEROED);
	release(pool[0], PT);
	set(&root[LINK], ADDRESS(pool[0]) | USED, PD);
}

static void defer_alone(void)
{
	set(linked_table(), 0, PT | VMI_PXE_DEFER);
	vmi(VMI_CALL_FlushTLB, 1, 0, 0, 0, 0);
}

static void defer_unflushed(void)
{
	set(linked_table(), 0, PT | VMI_PXE_DEFER | VMI_PXE_CURRENT_AS | VA);
	to_user();
}

static void root_unannounced(void)
{
	for (u32 i = 0; i < 1024; i++)
		pool[0][i] = root[i];
	load(pool[0]);
	load(root);
}

static void root_released(void)
{
	release(clone(), PD);
	load(pool[1]);
	load(root);
}

static void flush_flags(void)
{
	vmi(VMI_CALL_FlushTLB, VMI_FLUSH_GLOBAL, 0, 0, 0, 0);
}

static void lazy_mode(void)
{
	lazy(3);
}

static void lazy_nested(void)
{
	lazy(1);
	lazy(2);
	lazy(0);
}

static void lazy_left(void)
{
	lazy(1);
	to_user();
	lazy(0);
}

static void iret_masked(void)
{
	leave(USER_CS, USER_DS, 2);
}

static void iret_ring(void)
{
	leave(RING1_CS, RING1_DS, 0x202);
}

static void descriptor_live(void)
{
	asm volatile("movl %0, %%fs" ::"r"(SPARE << 3));
	vmi(VMI_CALL_WriteGDTEntry, ADDRESS(cpus[0].gdt), SPARE, 0, 0, 0);
	asm volatile("movl %0, %%fs" ::"r"(0));
}

static void descriptor_place(void)
{
	vmi(VMI_CALL_WriteGDTEntry, ADDRESS(cpus[0].gdt), GDT_ENTRIES, 0, 0, 0);
}

static void table_alignment(void)
{
	static u8 space[4096] ALIGNED(4096);
	struct table_register gdtr = { GDT_ENTRIES * 8 - 1, ADDRESS(space) + 64 };

	for (u32 i = 0; i < GDT_ENTRIES * 8; i++)
		space[64 + i] = ((const u8 *)cpus[0].gdt)[i];
	vmi(VMI_CALL_SetGDT, ADDRESS(&gdtr), 0, 0, 0, 0);
}

static void gate_selector(void)
{
	vmi(VMI_CALL_WriteIDTEntry, ADDRESS(idt), 0x81, USER_CS << 16, 0x108E00, 0);
}

static void kernel_stack(void)
{
	vmi(VMI_CALL_UpdateKernelStack, KERNEL_DS, cpus[0].tss[1] - 64, 0, 0, 0);
}

static void feature_cleared(void)
{
	vmi(VMI_CALL_SetCR0, 0x80010031, 0, 0, 0, 0);
	vmi(VMI_CALL_SetCR0, 0x80000031, 0, 0, 0, 0);
}

static void iopl_bits(void)
{
	vmi(VMI_CALL_SetIOPLMask, 0x0001, 0, 0, 0, 0);
}

/* ---- with two CPUs: the other one does it ---- */

static void (*other)(void);

static void descriptor_other_cpu(void)
{
	vmi(VMI_CALL_WriteGDTEntry, ADDRESS(cpus[0].gdt), SPARE, 0, 0, 0);
}

static void gdt_other_cpu(void)
{
	struct table_register gdtr = { GDT_ENTRIES * 8 - 1, ADDRESS(cpus[0].gdt) };

	vmi(VMI_CALL_SetGDT, ADDRESS(&gdtr), 0, 0, 0, 0);
}

static void tr_other_cpu(void)
{
	cpus[1].gdt[SPARE] = cpus[0].gdt[TSS_SELECTOR >> 3];
	cpus[1].gdt[SPARE].high &= ~0x200u; /* not busy: natively it would fault */
	vmi(VMI_CALL_SetTR, SPARE << 3, 0, 0, 0, 0);
}

struct deed {
	const char *name;
	void (*alone)(void), (*other)(void);
};

static const struct deed deeds[] = {
	{ "none", none, NULL },
	{ "before-init", nothing, NULL }, /* kernel.c */
	{ "init-interrupts", nothing, NULL },
	{ "stack-flat", stack_flat, NULL },
	{ "segments-flat", segments_flat, NULL },
	{ "direction-flag", direction_flag, NULL },
	{ "reserved-top", reserved_top, NULL },
	{ "entry-width", entry_width, NULL },
	{ "page-flags", page_flags, NULL },
	{ "allocate-twice", allocate_twice, NULL },
	{ "zeroed-false", zeroed_false, NULL },
	{ "clone-arguments", clone_arguments, NULL },
	{ "clone-false", clone_false, NULL },
	{ "release-unknown", release_unknown, NULL },
	{ "release-type", release_type, NULL },
	{ "release-linked", release_linked, NULL },
	{ "release-loaded", release_loaded, NULL },
	{ "mapping-arguments", mapping_arguments, NULL },
	{ "entry-unmapped", entry_unmapped, NULL },
	{ "entry-flags", entry_flags, NULL },
	{ "entry-level", entry_level, NULL },
	{ "entry-address", entry_address, NULL },
	{ "table-unannounced", table_unannounced, NULL },
	{ "table-released", table_released, NULL },
	{ "link-unannounced", link_unannounced, NULL },
	{ "link-released", link_released, NULL },
	{ "defer-alone", defer_alone, NULL },
	{ "defer-unflushed", defer_unflushed, NULL },
	{ "root-unannounced", root_unannounced, NULL },
	{ "root-released", root_released, NULL },
	{ "flush-flags", flush_flags, NULL },
	{ "lazy-mode", lazy_mode, NULL },
	{ "lazy-nested", lazy_nested, NULL },
	{ "lazy-left", lazy_left, NULL },
	{ "iret-masked", iret_masked, NULL },
	{ "iret-ring", iret_ring, NULL },
	{ "descriptor-live", descriptor_live, NULL },
	{ "descriptor-place", descriptor_place, NULL },
	{ "table-alignment", table_alignment, NULL },
	{ "gate-selector", gate_selector, NULL },
	{ "kernel-stack", kernel_stack, NULL },
	{ "feature-cleared", feature_cleared, NULL },
	{ "iopl-bits", iopl_bits, NULL },
	{ "none-other-cpu", NULL, nothing },
	{ "descriptor-other-cpu", NULL, descriptor_other_cpu },
	{ "gdt-other-cpu", NULL, gdt_other_cpu },
	{ "tr-other-cpu", NULL, tr_other_cpu },
};

static bool same(const char *one, const char *two)
{
	while (*one != '\0' && *one == *two)
		one++, two++;
	return *one == *two;
}

/* On the first CPU: do what `name` says, or have the other CPU do it. On the other one: do what it was left. */
bool break_rule(const char *name)
{
	if (same(name, "addresses-kept")) {
		lazy_nested();
		return true;
	}
	if (other != NULL) {
		other();
		return true;
	}
	for (u32 i = 0; i < ARRAY_SIZE(deeds); i++) {
		if (!same(deeds[i].name, name))
			continue;
		if (deeds[i].alone != NULL) {
			deeds[i].alone();
			return true;
		}
		if (!start_ap())
			return false;
		other = deeds[i].other;
		ap_state = 2;
		while (ap_state != 3)
			asm volatile("pause");
		return true;
	}
	return false;
}
