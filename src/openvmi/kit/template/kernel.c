/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The whole kernel: a console, page tables, one interrupt. It says hello, tries its page tables, counts three ticks of the
 * timer and switches the machine off. Entered from boot.S; timer_tick() is called by entry.S.
 */
#include "paravirt.h"

#define CONSOLE 0x3F8 /* COM1: for people */
#define RESULT 0x2F8  /* COM2: for openvmi, line by line */
#define PIC1 0x20
#define PIC2 0xA0
#define TIMER_VECTOR 32

#define PAGE 4096
#define MAPPED (8 << 20) /* bytes that are mapped where they are */
#define WINDOW MAPPED    /* the page behind them, for trying */
#define P_W 3            /* present, writable */

extern void timer_entry(void);
_Noreturn void kernel_main(void);
void timer_tick(void);
_Noreturn void fail(const char *text); /* for pv.c, too */

static pde_t directory[1024] __attribute__((aligned(PAGE)));
static pte_t low_tables[2][1024] __attribute__((aligned(PAGE)));
static pte_t window_table[1024] __attribute__((aligned(PAGE)));
static u32 pages[2][1024] __attribute__((aligned(PAGE)));
static struct descriptor idt[TIMER_VECTOR + 1];
static volatile u32 ticks;

/* ---- In and out ---- */

static __attribute__((noinline)) void put(u16 port, const char *text)
{
	for (; *text != '\0'; text++) {
		while (!(inb(port + 5) & 0x20))
			;
		outb((u8)*text, port);
	}
}

static void line(u16 port, const char *text)
{
	put(port, text);
	put(port, "\n");
}

static _Noreturn void power_off(void)
{
	outw(0x2000, 0x604);
	for (;;)
		irq_disable();
}

void fail(const char *text)
{
	put(RESULT, "panic ");
	line(RESULT, text);
	power_off();
}

/* ---- Paging ---- */

static void paging_init(void)
{
	for (u32 page = 0; page < MAPPED / PAGE; page++)
		low_tables[page / 1024][page % 1024] = page * PAGE | P_W;
	for (u32 i = 0; i < 2; i++)
		directory[i] = ADDRESS(low_tables[i]) | P_W;
	write_cr3(ADDRESS(directory));
	write_cr0(read_cr0() | CR0_PG | CR0_WP | CR0_PE);
}

static void window_init(void)
{
	paging_alloc_pt(ADDRESS(window_table) / PAGE);
	set_pde(&directory[WINDOW / PAGE / 1024], ADDRESS(window_table) | P_W);
}

/* Shows `frame` in the window. From one present entry to another it goes by way of none. */
static void window_show(const void *frame)
{
	pte_t *entry = &window_table[WINDOW / PAGE % 1024];

	pte_clear(WINDOW, entry);
	invlpg(WINDOW);
	set_pte_at(WINDOW, entry, ADDRESS(frame) | P_W);
}

static void paging_try(void)
{
	volatile u32 *window = (volatile u32 *)(uintptr_t)WINDOW;

	window_init();
	for (u32 i = 0; i < 2; i++) {
		window_show(pages[i]);
		*window = 100 + i;
	}
	if (pages[0][0] != 100 || pages[1][0] != 101)
		fail("the window shows another page");
	line(CONSOLE, "pages are where they belong");
}

/* ---- Interrupts ---- */

void timer_tick(void)
{
	ticks++;
	outb(0x20, PIC1);
}

static void interrupts_init(void)
{
	static const u8 setup[][2] = { { 0x11, 0 }, { TIMER_VECTOR, 1 }, { 4, 1 }, { 1, 1 }, { 0xFE, 1 } };
	u32 entry = ADDRESS(timer_entry);
	struct dtr idtr = { sizeof idt - 1, ADDRESS(idt) };

	write_idt_entry(idt, TIMER_VECTOR, KERNEL_CS << 16 | (entry & 0xFFFF), (entry & 0xFFFF0000) | GATE_INTERRUPT);
	load_idt(&idtr);
	for (u32 i = 0; i < 5; i++)
		outb(setup[i][0], (u16)(PIC1 + setup[i][1]));
	outb(0xFF, PIC2 + 1);
	outb(0x34, 0x43); /* PIT, channel 0: 11932 of 1193182 Hz is 10 ms */
	outb(11932 & 0xFF, 0x40);
	outb(11932 >> 8, 0x40);
}

static void count_ticks(void)
{
	while (ticks < 3)
		safe_halt();
	irq_disable();
	line(CONSOLE, "three ticks");
}

/* ---- All of it ---- */

/* Turns VMI on if there is a ROM that agrees. Either way each operation is from here on what it has to be. */
static void vmi_init(void)
{
	paravirt_lowmem_pages = MAPPED / PAGE;
	paravirt_want_timer = false; /* the PIT does */
	paravirt_activate();
	paging_alloc_pd(ADDRESS(directory) / PAGE);
}

static void tell(const char *text)
{
	line(RESULT, text);
}

void kernel_main(void)
{
	line(RESULT, "hello 1");
	line(CONSOLE, "hello");
	paravirt_probe();
	if (reserved_top != 0 && reserved_top < WINDOW + PAGE)
		fail("the hypervisor wants the kernel's addresses");
	paging_init();
	vmi_init();
	paravirt_report_lines(tell);
	interrupts_init();
	paging_try();
	count_ticks();
	line(RESULT, "exit 0");
	power_off();
}
