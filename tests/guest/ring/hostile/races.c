/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts with a second CPU, which changes what the first one has just had looked at: an entry, a table, a descriptor, a
 * register of a device. An exception of the second's lets it begin anew; only the first one's are told.
 */
#include "hostile.h"
#include "vmi_abi.h"

#define ROUNDS 20000
#define MARK 0x0B0E0B0E

u8 second_stack[PAGE_SIZE] ALIGNED(PAGE_SIZE);
static struct descriptor second_idt[256];
static u32 own[PT_ENTRIES] ALIGNED(PAGE_SIZE);
static struct vmi_ap_state state ALIGNED(128);
static pte_t *entry;
static volatile u32 running, fresh, stop; /* fresh: it has just been started */
static void (*volatile mischief)(void);

extern const u8 second_again[];
volatile u32 *io_apic_map(void);

#define OURS make_pte(virt_to_phys(own) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_A | PTE_D)
#define EVIL make_pte(MACHINE(VMI_RING_CPUS_OFFSET) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_A | PTE_D)

NORETURN void second(void);
NORETURN void second(void)
{
	fresh = 1;
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
	for (u32 i = 0; i < 256; i++)
		second_idt[i] = (struct descriptor){ KERNEL_CS << 16 | (ADDRESS(second_again) & 0xFFFF),
						     (ADDRESS(second_again) & 0xFFFF0000) | 0x8E00 };
	state = (struct vmi_ap_state){
		.cr0 = read_cr0(), .cr3 = read_cr3(), .cr4 = read_cr4(), .eip = ADDRESS(second), .esp = ADDRESS(second_stack) + PAGE_SIZE - 16,
		.cs = KERNEL_CS, .ss = KERNEL_DS, .ds = USER_DS, .es = USER_DS, .fs = PERCPU_SELECTOR,
		.gdtr_limit = GDT_ENTRIES * 8 - 1, .gdtr_base = ADDRESS(cpus[1].gdt), .idtr_base = ADDRESS(second_idt), .idtr_limit = sizeof second_idt - 1,
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
	pde_t *pde = pde_of(TRY_VA), good = *pde;

	*(volatile pde_t *)pde = make_pte(MACHINE(VMI_RING_POOL_OFFSET) >> PAGE_SHIFT, PTE_P | PTE_W | PTE_A);
	vmi_call(VMI_CALL_ReleasePage, pte_pfn(good), 1, 0, 0, 0);
	*(volatile pde_t *)pde = good;
	vmi_call(VMI_CALL_AllocatePage, pte_pfn(good), 0x41, 0, 0, 0);
}

/* Both halves of an entry of eight bytes, one after the other, and never absent. */
static void flip_torn(void)
{
	volatile u32 *half = (volatile u32 *)entry;

	half[0] = (u32)EVIL;
	cpu_relax();
	half[1] = 1;
	cpu_relax();
	half[0] = (u32)OURS;
	half[1] = 0;
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
static void race_torn(void) { race(flip_torn, "torn"); }
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

/* ---- A register that says which register, and that one ---- */

static volatile u32 *io;

static void flip_io_select(void)
{
	io[0] = 0x38;
	io[0] = 0x01;
}

/* The I/O APIC's version, which may be written in vain; or an entry that sends INIT. */
static void race_io_apic(void)
{
	io = io_apic_map();
	if (!start_second(flip_io_select))
		panic("there is no second CPU");
	for (u32 i = 0; i < 10 * ROUNDS; i++) {
		u32 found;

		asm volatile("movl %2, %1; movl %1, %0" : "=&r"(found), "+m"(io[4]) : "r"(0x544) : "memory");
		held("io-apic", (struct caught){ .vector = NONE }, (found & 0xFF) == 0x44 && !(found & 0x10000));
	}
	stop_second();
}

#define IDE(at) (0x80000900 | (at))

static void flip_pci_address(void)
{
	outl(IDE(0x04), 0xCF8);
	cpu_relax();
}

/* The line of an interrupt, which is nobody's concern; or the command that makes the device write memory. */
static void race_pci(void)
{
	u32 command;

	if (!start_second(flip_pci_address))
		panic("there is no second CPU");
	for (u32 i = 0; i < ROUNDS / 10; i++) {
		outl(IDE(0x3C), 0xCF8);
		outb(0x07, 0xCFC);
		held("pci", (struct caught){ .vector = NONE }, false);
	}
	stop_second();
	outl(IDE(0x04), 0xCF8);
	command = inl(0xCFC);
	held("pci", (struct caught){ .vector = NONE }, command & 4);
	outl(IDE(0x3C), 0xCF8);
	held("pci-line", (struct caught){ .vector = NONE }, (inl(0xCFC) & 0xFF) != 7);
}

static void write_pic_data(void)
{
	outb(0x0A, 0x21); /* a mask; as the word behind the first, interrupts from vector 8 on */
}

/* The first word of the 8259's set-up: what it makes of the next depends on who comes when. */
static void begin_pic(u32 unused)
{
	(void)unused;
	outb(0x11, 0x20);
}

static void race_pic(void)
{
	outb(0x34, 0x43);
	outb(0xFF, 0x40);
	outb(0x10, 0x40); /* a tick in 4 ms */
	if (!start_second(write_pic_data))
		panic("there is no second CPU");
	for (u32 i = 0; i < ROUNDS / 10; i++)
		held("pic", try(begin_pic, 0), false);
	irq_enable();
	for (volatile u32 i = 0; i < 2000000; i++)
		;
	irq_disable();
	stop_second();
}

/* Each turn drops all shadows, and the first CPU is told to flush its TLB: by NMI, wherever it is. */
static void flip_write_protection(void)
{
	vmi_call(VMI_CALL_SetCR0, read_cr0() ^ 0x10000, 0, 0, 0, 0);
}

/* SYSENTER's way is broken off, and into that breaks an NMI. */
static void race_sysenter(void)
{
	sysenter_prepare();
	if (!start_second(flip_write_protection))
		panic("there is no second CPU");
	for (u32 i = 0; i < ROUNDS / 5; i++)
		sysenter_break(i % 4);
	stop_second();
}

static void nothing(void) { cpu_relax(); }

static volatile u32 stale;

/* A CPU that has just been started has no breakpoints; then it has one. */
static void set_breakpoint(void)
{
	cpu_relax();
	if (!fresh)
		return;
	fresh = 0;
	stale += vmi_call(VMI_CALL_GetDR, 7, 0, 0, 0, 0) != 0x400 || vmi_call(VMI_CALL_GetDR, 0, 0, 0, 0, 0) != 0;
	vmi_call(VMI_CALL_SetDR, 0, TRY_VA, 0, 0, 0);
	vmi_call(VMI_CALL_SetDR, 7, 0x401, 0, 0, 0);
}

/* A CPU that runs is stopped and started again, as often as one likes. */
static void race_restart(void)
{
	if (!start_second(set_breakpoint))
		panic("there is no second CPU");
	for (u32 i = 0; i < 700; i++) {
		running = 0;
		held("restart", (struct caught){ .vector = NONE }, !start_second(set_breakpoint) || stale);
		while (fresh)
			;
	}
	stop_second();
}

static void read_counter(u32 unused)
{
	(void)unused;
	asm volatile("rdpmc" ::"c"(0) : "eax", "edx");
}

static void call_counter(u32 counter) { vmi_call(VMI_CALL_RDPMC, 0, 0, counter, 0, 0); }

static void write_cr3_itself(u32 unused)
{
	(void)unused;
	native_write_cr3(read_cr3());
}

static void unknown(u32 unused)
{
	(void)unused;
	asm volatile("movl %0, %%gs" ::"r"(0xFFF8));
}

/* No attempt: all that Python can be asked about, once at least; the rest is what other attempts do. */
static void every_exit(void)
{
	if (!start_second(nothing))
		panic("there is no second CPU");
	stop_second();
	io = io_apic_map();
	asm volatile("movl $0x38, %0; movl $0x10000, %1" : "=m"(io[0]), "=m"(io[4]));
	vmi_call(VMI_CALL_APICWrite, 0x80, 0, 0, 0, 0);
	try(read_counter, 0);
	try(call_counter, 0);
	try(write_cr3_itself, 0);
	vmi_call(VMI_CALL_SetLazyMode, 2, 0, 0, 0, 0);
	write_cr3(read_cr3());
	vmi_call(VMI_CALL_SetLazyMode, 0, 0, 0, 0, 0);
	try(unknown, 0);
	set_pte_at(TRY_VA, entry, EVIL);
	try(read_own, 0);
	set_pte_at(TRY_VA, entry, OURS);
	flush_tlb();
	try(read_own, 0);
	vmi_call(VMI_CALL_ReleasePage, pte_pfn(*pde_of(TRY_VA)), 1, 0, 0, 0);
	try(read_own, 0);
	vmi_call(VMI_CALL_AllocatePage, pte_pfn(*pde_of(TRY_VA)), 0x41, 0, 0, 0);
	outl(0, 0xCF8);
	inl(0xCFC);
	vmi_call(VMI_CALL_WallclockUpdated, 0, 0, 0, 0, 0);
	vmi_call(VMI_CALL_Reboot, 0, 0, 0, 0, 0);
	held("reboot", (struct caught){ .vector = NONE }, false);
	result("info tries 1 0 0");
	vmi_call(VMI_CALL_Shutdown, 0, 0, 0, 0, 0);
}

const struct attempt race_attempts[] = {
	{ "race-untold", race_untold }, { "race-told", race_told }, { "race-table", race_table }, { "race-descriptor", race_descriptor },
	{ "race-io-apic", race_io_apic }, { "race-pci", race_pci }, { "race-pic", race_pic }, { "race-sysenter", race_sysenter },
	{ "race-restart", race_restart },
	{ "every-exit", every_exit },
	{ "race-torn", CONFIG_PAE ? race_torn : race_untold }, { NULL, NULL },
};
