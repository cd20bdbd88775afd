/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The boot CPU's way from boot.S to the first process, in order. The paravirt layer is asked first where it may
 * reserve address space, and activated before page tables are completed, as mainline Linux does it.
 */
#include "cpu.h"
#include "memory.h"
#include "process.h"

extern u8 boot_stack[]; /* boot.S */
NORETURN void kernel_main(u32 magic, u32 boot_info);

u32 pv_cpu_index(void)
{
	return this_cpu()->number;
}

static void emit_line(const char *line)
{
	result("%s", line);
	if (line[0] == 'i') /* "info ...": what was found of a ROM is worth a line on the console */
		print("openvmi guest: %s\n", line + sizeof("info ") - 1);
}

/* Interrupts are off. Before descriptors_init() there is no this_cpu(), before idt_init() a fault resets the machine. */
static void early_boot(u32 magic, u32 boot_info)
{
	console_init();
	result("hello 1");
	result("mark kernel");
	bootinfo_init(magic, boot_info);
	paravirt_probe();
	paging_prepare();
#if CONFIG_PARAVIRT
	paravirt_lowmem_pages = lowmem_pages;
	paravirt_want_timer = option("novmitimer") == NULL;
#endif
	paravirt_activate();
	features_init();
	descriptors_prepare(0);
	idt_init();
	descriptors_init(0);
	sched_init_cpu(ADDRESS(boot_stack));
}

static void start_devices(void)
{
	pic_init();
	apic_init_boot();
	timer_calibrate();
	time_init();
	timer_start();
	fpu_init_cpu();
	smp_start(option_number("maxcpus", MAX_CPUS));
	paging_drop_identity();
}

static void report(void)
{
	paravirt_report_lines(emit_line);
	result("info paging %s", CONFIG_PAE ? "pae" : "legacy");
	result("info memory %u", lowmem_pages >> (20 - PAGE_SHIFT));
	result("info cpus %u", cpu_count);
	result("info tsc-khz %u", tsc_khz);
	result("info timer %s", timer_name());
	print("openvmi guest: %u CPU%s, %u MiB, %s paging, tick from %s\n", cpu_count, cpu_count == 1 ? "" : "s",
	      lowmem_pages >> (20 - PAGE_SHIFT), CONFIG_PAE ? "PAE" : "two-level", timer_name());
}

void kernel_main(u32 magic, u32 boot_info)
{
	early_boot(magic, boot_info);
	frames_init(lowmem_pages);
	paging_init();
	vsyscall_init();
	start_devices();
	report();
	start_init();
	idle_loop();
}
