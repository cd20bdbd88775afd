/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts by segments: descriptors of every kind in GDT and LDT, loaded, called and looked at with LAR and LSL, which say
 * what the CPU's table holds on any engine, also on one that does not check limits.
 */
#include "hostile.h"

#define SLOT (GDT_ENTRIES - 1)
#define SELECTOR (SLOT * 8)
#define FLAT_LOW 0x0000FFFF
#define WINDOW_END (HOLE + VMI_RING_WINDOW_SIZE)

static struct descriptor ldt[64] ALIGNED(PAGE_SIZE);

static u32 access_rights(u32 selector)
{
	u32 rights = 0;

	asm volatile("larl %1, %0; jz 1f; xorl %0, %0; 1:" : "=&r"(rights) : "r"(selector) : "cc");
	return rights;
}

static u32 limit_of(u32 selector)
{
	u32 limit = 0;

	asm volatile("lsll %1, %0; jz 1f; xorl %0, %0; 1:" : "=&r"(limit) : "r"(selector) : "cc");
	return limit;
}

static void load_gs(u32 selector)
{
	asm volatile("movl %0, %%gs" ::"r"(selector) : "memory");
}

static void load_ss(u32 selector)
{
	u32 before;

	asm volatile("movl %%ss, %0; movl %1, %%ss; movl %0, %%ss" : "=&r"(before) : "r"(selector) : "memory");
}

static void far_call(u32 selector)
{
	struct {
		u32 offset;
		u16 selector;
	} PACKED target = { 0, (u16)selector };

	asm volatile("movl %%esp, %%ebx; movl $1f, %0; lcall *%0; 1: movl %%ebx, %%esp"
		     : "+m"(target.offset) : "m"(target) : "memory", "ebx");
}

static void far_jump(u32 selector)
{
	struct {
		u32 offset;
		u16 selector;
	} PACKED target = { 0, (u16)selector };

	asm volatile("movl $1f, %0; ljmp *%0; 1:" : "+m"(target.offset) : "m"(target) : "memory");
}

static void far_return(u32 selector)
{
	asm volatile("pushl %0; pushl $1f; lretl; 1:" ::"r"(selector) : "memory");
}

static u32 level(void)
{
	u32 cs;

	asm volatile("movl %%cs, %0" : "=r"(cs));
	return cs & 3;
}

/* Is what stands in the CPU's table a way out? Its privilege, its kind, and what it reaches. */
static bool is_way_out(u32 selector, u32 base, bool down)
{
	u32 rights = access_rights(selector), limit = limit_of(selector);

	if (rights == 0 || !(rights & 0x8000))
		return false;
	if (!(rights & 0x1000) || (rights & 0x6000) == 0)
		return true;
	if (down)
		return limit + 1 != 0 && (u64)base + limit + 1 < 0x100000000ULL && (rights & 0x400000);
	return (u64)base + limit >= WINDOW_END;
}

static void examine(const char *what, u32 selector, u32 low, u32 high)
{
	u32 base = (low >> 16) | (high & 0xFF) << 16 | (high & 0xFF000000);
	bool down = (high & 0x1C00) == 0x1400;
	struct caught caught = { .vector = NONE };

	held(what, caught, is_way_out(selector, base, down));
	for (u32 rpl = 0; rpl < 4; rpl++) {
		caught = try(load_gs, selector | rpl);
		held(what, caught, false);
		load_gs(0);
	}
	if (base == 0) /* elsewhere there is no stack of ours, nor code */
		held(what, try(load_ss, selector | 1), false);
	for (u32 how = 0; base == 0 && how < 3; how++) {
		caught = try(how == 0 ? far_return : how == 1 ? far_jump : far_call, selector);
		held(what, caught, level() == 0);
		if (caught.vector == NONE)
			far_return(KERNEL_CS | kernel_rpl);
	}
}

/* high word of the descriptor; base and limit come from `low` and are flat unless a case says otherwise */
static const struct {
	const char *name;
	u32 low, high;
} kinds[] = {
	{ "code-0", FLAT_LOW, DESC_CODE32 },
	{ "data-0", FLAT_LOW, DESC_DATA32 },
	{ "conforming-0", FLAT_LOW, DESC_CODE32 | 0x400 },
	{ "conforming-3", FLAT_LOW, DESC_CODE32 | 0x6400 },
	{ "down-0", 0, 0x00CF9600 },
	{ "down-base", 0x00000000, 0xC0CF9600 },
	{ "wraps", 0x1000FFFF, 0x00CF9200 },
	{ "wraps-high", 0xF000FFFF, 0xFFCF92FF },
	{ "in-hole", 0x0000FFFF, 0xFF0F9200 },
	{ "in-hole-user", 0x0000FFFF, 0xFFCFF200 },
	{ "across", 0xF000FFFF, 0xFD0F92FF },
	{ "long", FLAT_LOW, 0x00EF9A00 },
	{ "call-gate", MONITOR_CS << 16, 0xFF00EC00 },
	{ "call-gate-own", KERNEL_CS << 16, 0xC000EC00 },
	{ "call-gate-16", MONITOR_CS << 16, 0x0000E400 },
	{ "task-gate", MONITOR_TASK << 16, 0x0000E500 },
	{ "tss", 0x00000067, 0xC0008900 },
	{ "tss-busy", 0x00000067, 0xC0008B00 },
	{ "tss-16", 0x0000002B, 0xC0008100 },
	{ "ldt", 0x0000FFFF, 0xFF00E200 },
	{ "interrupt-gate", MONITOR_CS << 16, 0xFF00EE00 },
	{ "trap-gate", MONITOR_CS << 16, 0xFF00EF00 },
	{ "absent", FLAT_LOW, 0x00CF1A00 },
};

static void in_gdt(void)
{
	struct descriptor *gdt = this_cpu()->gdt;
	struct dtr dtr = { GDT_ENTRIES * 8 - 1, ADDRESS(gdt) };

	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		write_gdt_entry(gdt, SLOT, kinds[i].low, kinds[i].high);
		examine(kinds[i].name, SELECTOR, kinds[i].low, kinds[i].high);
		write_gdt_entry(gdt, SLOT, 0, 0);
		gdt[SLOT] = (struct descriptor){ kinds[i].low, kinds[i].high };
		load_gdt(&dtr);
		examine(kinds[i].name, SELECTOR, kinds[i].low, kinds[i].high);
		gdt[SLOT] = (struct descriptor){ 0, 0 };
		load_gdt(&dtr);
	}
}

static void in_ldt(void)
{
	struct descriptor *gdt = this_cpu()->gdt;

	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		ldt[3] = (struct descriptor){ kinds[i].low, kinds[i].high };
		set_ldt(gdt, ADDRESS(ldt), ARRAY_SIZE(ldt));
		examine(kinds[i].name, 3 * 8 + 4, kinds[i].low, kinds[i].high);
		write_ldt_entry(ldt, 3, 0, 0);
		write_ldt_entry(ldt, 3, kinds[i].low, kinds[i].high);
		examine(kinds[i].name, 3 * 8 + 4, kinds[i].low, kinds[i].high);
		/* changed without a word: what the CPU has is as it was */
		ldt[3] = (struct descriptor){ FLAT_LOW, DESC_CODE32 };
		held("untold", (struct caught){ .vector = NONE }, (access_rights(3 * 8 + 4) & 0x8000) && !(access_rights(3 * 8 + 4) & 0x6000));
		set_ldt(gdt, 0, 0);
	}
}

static void random_descriptors(void)
{
	struct descriptor *gdt = this_cpu()->gdt;

	for (u32 i = 0; i < 4000; i++) {
		u32 low = random32(), high = random32() | 0x8000, base = (low >> 16) | (high & 0xFF) << 16 | (high & 0xFF000000);

		write_gdt_entry(gdt, SLOT, low, high);
		held("random", try(load_gs, SELECTOR | (random32() & 3)), is_way_out(SELECTOR, base, (high & 0x1C00) == 0x1400));
		load_gs(0);
	}
	write_gdt_entry(gdt, SLOT, 0, 0);
}

/* The monitor's own entries, by their selectors, and tables that lie where they must not. */
static void monitor_selectors(void)
{
	for (u32 selector = MONITOR_FIRST * 8; selector <= MONITOR_LAST * 8; selector += 8) {
		struct caught caught = try(load_gs, selector);

		held("load", caught, caught.vector == NONE);
		load_gs(0);
		caught = try(load_ss, selector | 1);
		held("stack", caught, caught.vector == NONE);
		held("return", try(far_return, selector), level() == 0);
		held("return", try(far_return, selector | 1), level() == 0);
		if (selector == (MONITOR_GATE & ~7u))
			continue;
		held("call", try(far_call, selector), level() == 0);
		held("jump", try(far_jump, selector), level() == 0);
	}
	held("beyond", try(load_gs, 0xFFF8), false);
	for (u32 index = MONITOR_FIRST; index < 0x10001; index = index <= MONITOR_LAST ? index + 1 : index * 2)
		write_gdt_entry(this_cpu()->gdt, index, FLAT_LOW, DESC_CODE32);
	held("written", try(far_return, (MONITOR_FIRST + 10) * 8), level() == 0);
}

static void load_wild_gdt(u32 base)
{
	struct dtr dtr = { 0xFFFF, base };

	load_gdt(&dtr);
}

static void load_wild_idt(u32 base)
{
	struct dtr dtr = { 0xFFFF, base };

	load_idt(&dtr);
}

static void wild_tables(void)
{
	u32 places[] = { HOLE, MONITOR(VMI_RING_CPUS_OFFSET + VMI_RING_CPU_GDT), 0xFFFFFFF0, 0x1000, MONITOR(VMI_RING_IMAGE_OFFSET) };
	struct dtr good = { GDT_ENTRIES * 8 - 1, ADDRESS(this_cpu()->gdt) }, idtr = { sizeof idt - 1, ADDRESS(idt) };
	u32 which = option_number("which", 0);

	/* with such a table in force nothing can be caught: this may end us */
	if (which < ARRAY_SIZE(places))
		held("gdt", try(load_wild_gdt, places[which]), false);
	else
		held("idt", try(load_wild_idt, places[which - ARRAY_SIZE(places)]), false);
	load_gdt(&good);
	load_idt(&idtr);
}

/* limits.c */
void reach(void);
void reach_stack(void);
void reach_through_descriptors(void);

const struct attempt segment_attempts[] = {
	{ "reach", reach }, { "reach-stack", reach_stack }, { "reach-descriptors", reach_through_descriptors },
	{ "gdt", in_gdt },	     { "ldt", in_ldt },		    { "descriptors", random_descriptors },
	{ "selectors", monitor_selectors }, { "tables", wild_tables }, { NULL, NULL },
};
