/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts that segment limits alone stop: loads, stores, stacks and jumps to where the monitor is. On an engine that does not
 * check limits they would succeed, so they are made only where `limits` is on the command line.
 */
#include "hostile.h"

void reach(void);
void reach_stack(void);
void reach_through_descriptors(void);

#define SLOT (GDT_ENTRIES - 1)
#define SELECTOR (SLOT * 8)
#define WINDOW_END (HOLE + VMI_RING_WINDOW_SIZE)

static u32 place;

/* Each of these at `place`: writes are of what is there, if it can be read. */
static void load_ds(void) { asm volatile("movl (%0), %%eax" ::"r"(place) : "eax"); }
static void load_byte(void) { asm volatile("movb 3(%0), %%al" ::"r"(place) : "eax"); }
static void load_cs(void) { asm volatile("movl %%cs:(%0), %%eax" ::"r"(place) : "eax"); }
static void load_es(void) { asm volatile("movl %%es:(%0), %%eax" ::"r"(place) : "eax"); }
static void load_ss(void) { asm volatile("movl %%ss:(%0), %%eax" ::"r"(place) : "eax"); }
static void modify(void) { asm volatile("lock orl $0, (%0)" ::"r"(place) : "memory", "cc"); }
static void store_es(void) { asm volatile("orl $0, %%es:(%0)" ::"r"(place) : "memory", "cc"); }
static void store_ss(void) { asm volatile("orb $0, %%ss:(%0)" ::"r"(place) : "memory", "cc"); }
static void exchange(void) { asm volatile("lock cmpxchg8b (%0)" ::"r"(place) : "eax", "edx", "memory", "cc"); }
static void test_bit(void) { asm volatile("btl %1, 0" ::"r"(0), "r"((place - 4) << 3) : "cc"); }
static void copy_from(void)
{
	u32 to[2], *at = to, from = place, count = 2;

	asm volatile("cld; rep movsl" : "+S"(from), "+D"(at), "+c"(count)::"memory");
}
static void scan(void)
{
	u32 at = place, count = 4;

	asm volatile("cld; repne scasb" : "+D"(at), "+c"(count) : "a"(0) : "memory", "cc");
}
static void load_fpu(void) { asm volatile("fldl (%0); fstp %%st(0)" ::"r"(place)); }
static void load_table(void) { asm volatile("lgdt (%0)" ::"r"(place)); }
static void store_table(void) { asm volatile("sgdt (%0)" ::"r"(place) : "memory"); }
static void store_state(void) { asm volatile("fnsave (%0)" ::"r"(place) : "memory"); }
static void push_there(void) { asm volatile("pushl (%0)" ::"r"(place) : "memory"); }
static void far_load(void) { asm volatile("lgs (%0), %%eax" ::"r"(place) : "eax"); }
static void call_there(void) { asm volatile("call *%0" ::"r"(place) : "memory"); }
static void jump_there(void) { asm volatile("jmp *%0" ::"r"(place)); }
static void far_jump_there(void)
{
	struct {
		u32 offset;
		u16 selector;
	} PACKED target = { place, KERNEL_CS | kernel_rpl };

	asm volatile("ljmp *%0" ::"m"(target));
}
static void return_there(void)
{
	asm volatile("pushl %0; pushl %1; lretl" ::"r"(KERNEL_CS | kernel_rpl), "r"(place) : "memory");
}
static void push_stack(void)
{
	asm volatile("movl %%esp, %%ebx; leal 4(%0), %%esp; pushl %%eax; movl %%ebx, %%esp" ::"r"(place) : "ebx", "memory");
}
static void pop_stack(void)
{
	asm volatile("movl %%esp, %%ebx; movl %0, %%esp; popl %%eax; movl %%ebx, %%esp" ::"r"(place) : "eax", "ebx", "memory");
}

static void (*const accesses[])(void) = {
	load_ds,     load_byte,	 load_cs,    load_es,	 load_ss,   modify,	store_es,   store_ss,	    exchange,	  test_bit,
	copy_from,   scan,	 load_fpu,   load_table, store_table, store_state, push_there, far_load,    call_there,	  jump_there,
	far_jump_there, return_there, pop_stack,
};

static void access(u32 which)
{
	accesses[which]();
}

/* Every instruction that reaches memory or goes there, at every secret. A stack there ends us: reach_stack. */
void reach(void)
{
	for (u32 i = 0; i < secret_count; i++) {
		place = MONITOR(secrets[i]);
		for (u32 which = 0; which < ARRAY_SIZE(accesses); which++) {
			struct caught caught;

			if (accesses[which] == pop_stack)
				continue;
			caught = try(access, which);
			held("reach", caught, caught.vector == NONE || caught.eip >= HOLE);
		}
	}
	/* the last bytes that are ours to see, and the first that are not */
	place = WINDOW_END - 4;
	held("edge", try(access, 0), false);
	for (place = WINDOW_END - 3; place < WINDOW_END + 4; place++) {
		struct caught caught = try(access, 0);

		held("edge", caught, caught.vector == NONE);
	}
}

static void stack_there(u32 push)
{
	if (push)
		push_stack();
	else
		pop_stack();
}

void reach_stack(void)
{
	u32 which = option_number("which", 0);

	place = MONITOR(secrets[which / 2 % secret_count]);
	held("stack", try(stack_there, which & 1), true);
}

/* ---- By descriptors of all kinds ---- */

static u32 offset;

static void load_gs(u32 selector)
{
	asm volatile("movl %0, %%gs" ::"r"(selector) : "memory");
}

static void through_gs(u32 write)
{
	if (write)
		asm volatile("orb $0, %%gs:(%0)" ::"r"(offset) : "memory", "cc");
	else
		asm volatile("movb %%gs:(%0), %%al" ::"r"(offset) : "eax");
}

static u32 random_base(void)
{
	switch (random32() % 4) {
	case 0: return WINDOW_END - random32() % 0x2000;
	case 1: return HOLE - random32() % 0x100000;
	case 2: return random32() % 0x20000;
	default: return random32();
	}
}

static struct descriptor ldt[8] ALIGNED(PAGE_SIZE);

/* What a segment with that base reaches of the monitor. */
static void reach_through(u32 selector, u32 base)
{
	for (u32 i = 0; i < secret_count + 2; i++) {
		u32 at = i < secret_count ? MONITOR(secrets[i]) : i == secret_count ? WINDOW_END : 0xFFFFFFFF;

		for (u32 write = 0; write < 2; write++) {
			struct caught caught;

			load_gs(selector);
			offset = 0u - 8; /* below the base: the hypervisor may turn the segment for that */
			try(through_gs, 0);
			load_gs(selector);
			offset = at - base;
			caught = try(through_gs, write);
			held("descriptor", caught, caught.vector != 13);
		}
	}
	load_gs(0);
}

/* A data segment with any base and limit, up or down, of 16 or 32 bits, in bytes or pages, of either table. */
void reach_through_descriptors(void)
{
	struct descriptor *gdt = this_cpu()->gdt;

	set_ldt(gdt, ADDRESS(ldt), ARRAY_SIZE(ldt));
	for (u32 i = 0; i < 400; i++) {
		u32 base = random_base(), limit = random32() % 2 ? 0xFFFFF - random32() % 3 : random32();
		u32 high = (random32() & 0x00C00000) | 0x9200 | (random32() & 0x6400) | (limit & 0xF0000);
		u32 selector = i & 1 ? 3 * 8 + 4 : SELECTOR, low = base << 16 | (limit & 0xFFFF);

		high |= (base >> 16 & 0xFF) | (base & 0xFF000000);
		if (i & 1)
			write_ldt_entry(ldt, 3, low, high);
		else
			write_gdt_entry(gdt, SLOT, low, high);
		if (try(load_gs, selector | 1).vector == NONE)
			reach_through(selector | 1, base);
	}
	write_gdt_entry(gdt, SLOT, 0, 0);
	set_ldt(gdt, 0, 0);
}
