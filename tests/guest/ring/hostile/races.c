/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts with a second CPU, which changes what the first one has just had looked at: an entry, a table, a descriptor. The
 * second makes no fault: only the first one's are caught.
 */
#include "hostile.h"
#include "vmi_abi.h"

#define ROUNDS 20000
#define MARK 0x0B0E0B0E

static u8 stack[PAGE_SIZE] ALIGNED(PAGE_SIZE);
static u32 own[PT_ENTRIES] ALIGNED(PAGE_SIZE);
static struct vmi_ap_state state ALIGNED(128);
static pte_t *entry;
static volatile u32 running, stop;
static void (*volatile mischief)(void);

#define OURS make_pte(virt_to_phys(own) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_A | PTE_D)
#define EVIL make_pte(MACHINE(VMI_RING_CPUS_OFFSET) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_A | PTE_D)

static NORETURN void second(void)
{
	running = 1;
	while (!stop)
		mischief();
	running = 2;
	for (;;)
		cpu_relax();
}

static bool start_second(void (*what)(void))
{
	mischief = what;
	entry = entry_of(TRY_VA);
	own[0] = MARK;
	apic_init_boot();
	descriptors_prepare(1);
	state = (struct vmi_ap_state){
		.cr0 = read_cr0(), .cr3 = read_cr3(), .cr4 = read_cr4(), .eip = ADDRESS(second), .esp = ADDRESS(stack) + PAGE_SIZE - 16,
		.cs = KERNEL_CS, .ss = KERNEL_DS, .ds = USER_DS, .es = USER_DS, .fs = PERCPU_SELECTOR,
		.gdtr_limit = GDT_ENTRIES * 8 - 1, .gdtr_base = ADDRESS(cpus[1].gdt), .idtr_base = ADDRESS(idt), .idtr_limit = sizeof idt - 1,
	};
	apic_send_init(1);
	startup_ap(1, &state);
	apic_send_startup(1, 8);
	for (u32 i = 0; i < 100000000 && !running; i++)
		;
	held("second", (struct caught){ .vector = NONE }, false);
	return running;
}

static void stop_second(void)
{
	stop = 1;
	for (u32 i = 0; i < 100000000 && running != 2; i++)
		;
	if (running != 2)
		panic("the second CPU is lost");
}

static void read_own(u32 unused)
{
	(void)unused;
	*POINTER(volatile u32, TRY_VA + 4) = 1;
	if (*POINTER(volatile u32, TRY_VA) != MARK)
		asm volatile("ud2");
}

/* What is there is our page, or a fault. */
static void look(const char *what)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		struct caught caught = try(read_own, 0);

		held(what, caught, caught.vector == 6);
		if (i % 16 == 0)
			invlpg(TRY_VA);
	}
}

static void flip_untold(void)
{
	*(volatile pte_t *)entry = EVIL;
	cpu_relax();
	*(volatile pte_t *)entry = OURS;
}

static void flip_told(void)
{
	set_pte_at(TRY_VA, entry, EVIL);
	invlpg(TRY_VA);
	set_pte_at(TRY_VA, entry, OURS);
}

static void flip_table(void)
{
	pde_t *pde = &kernel_root[TRY_VA >> PD_SHIFT], good = *pde;

	*(volatile pde_t *)pde = make_pte(MACHINE(VMI_RING_POOL_OFFSET) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_A);
	vmi_call(VMI_CALL_ReleasePage, pte_pfn(good), 1, 0, 0, 0);
	*(volatile pde_t *)pde = good;
	vmi_call(VMI_CALL_AllocatePage, pte_pfn(good), 0x41, 0, 0, 0);
}

static void race(void (*what)(void), const char *name)
{
	if (!start_second(what))
		panic("there is no second CPU");
	look(name);
	stop_second();
	set_pte_at(TRY_VA, entry, OURS);
	flush_tlb();
}

static void race_untold(void) { race(flip_untold, "untold"); }
static void race_told(void) { race(flip_told, "told"); }
static void race_table(void) { race(flip_table, "table"); }

#define SLOT (GDT_ENTRIES - 1)

static void flip_descriptor(void)
{
	volatile struct descriptor *at = &cpus[0].gdt[SLOT];

	at->high = DESC_CODE32;
	at->low = 0x0000FFFF;
	at->high = 0x0000EC00; /* a call gate */
	at->low = MONITOR_CS << 16;
	at->high = 0xFF4FF200;
}

static void race_descriptor(void)
{
	struct dtr dtr = { GDT_ENTRIES * 8 - 1, ADDRESS(this_cpu()->gdt) };

	if (!start_second(flip_descriptor))
		panic("there is no second CPU");
	for (u32 i = 0; i < ROUNDS / 10; i++) {
		u32 rights = 0, limit = 0;

		load_gdt(&dtr);
		asm volatile("larl %1, %0; jz 1f; xorl %0, %0; 1:" : "=&r"(rights) : "r"(SLOT * 8) : "cc");
		asm volatile("lsll %1, %0; jz 1f; xorl %0, %0; 1:" : "=&r"(limit) : "r"(SLOT * 8) : "cc");
		held("descriptor", (struct caught){ .vector = NONE },
		     (rights & 0x8000) && (!(rights & 0x1000) || !(rights & 0x6000) || limit >= HOLE + VMI_RING_WINDOW_SIZE));
	}
	stop_second();
}

const struct attempt race_attempts[] = {
	{ "race-untold", race_untold }, { "race-told", race_told }, { "race-table", race_table }, { "race-descriptor", race_descriptor },
	{ NULL, NULL },
};
