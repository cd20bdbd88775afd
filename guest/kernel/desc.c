/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Descriptor tables: one GDT and one TSS per CPU, one IDT for all, each page aligned as the interface asks. Changed
 * only through the paravirt operations and on the CPU that uses them. Neighbours: entry.S (gates), process.c (TLS,
 * stack).
 */
#include "cpu.h"
#include "process.h"

struct cpu cpus[MAX_CPUS];
struct cpu_features features;

static struct descriptor gdts[MAX_CPUS][PAGE_SIZE / sizeof(struct descriptor)]
	__attribute__((section(".bss.page"), aligned(PAGE_SIZE)));
struct descriptor idt[256] __attribute__((section(".bss.page"), aligned(PAGE_SIZE)));

u32 data_descriptor_low(u32 base, u32 limit)
{
	return (base << 16) | (limit & 0xFFFF);
}

/* Access bits 0: the caller adds type, DPL and granularity. */
u32 data_descriptor_high(u32 base, u32 limit)
{
	return (base & 0xFF000000) | (limit & 0xF0000) | ((base >> 16) & 0xFF);
}

void features_init(void)
{
	u32 regs[4];
	bool early_p6;

	cpuid(1, 0, regs);
	features.family = (regs[0] >> 8) & 0xF;
	features.pse = (regs[3] & CPUID_PSE) && option("nopse") == NULL;
	features.pge = (regs[3] & CPUID_PGE) && option("nopge") == NULL;
	features.apic = (regs[3] & CPUID_APIC) && option("noapic") == NULL;
	/* Early Pentium Pro parts claim SEP and lack it: family 6, model below 3. */
	early_p6 = features.family == 6 && (regs[0] & 0xF0) < 0x30 && !(regs[0] & 0xF0000);
	features.sep = (regs[3] & CPUID_SEP) && !early_p6 && option("nosep") == NULL;
	features.fxsr = regs[3] & (1u << 24);
	features.tsc = regs[3] & CPUID_TSC;
	cpuid(0x80000000, 0, regs);
	if (CONFIG_PAE && regs[0] >= 0x80000001 && option("nonx") == NULL) {
		cpuid(0x80000001, 0, regs);
		features.nx = regs[3] & (1u << 20);
	}
}

static void gdt_entry(struct descriptor *gdt, u32 index, u32 base, u32 limit, u32 type)
{
	write_gdt_entry(gdt, index, data_descriptor_low(base, limit), data_descriptor_high(base, limit) | type);
}

void descriptors_prepare(u32 number)
{
	struct cpu *cpu = &cpus[number];
	struct descriptor *gdt = gdts[number];

	cpu->self = cpu;
	cpu->number = number;
	cpu->gdt = gdt;
	cpu->tss.ss0 = KERNEL_DS;
	cpu->tss.iomap = sizeof(struct tss); /* beyond the limit: no port is open to ring 3 */
	gdt_entry(gdt, GDT_KERNEL_CS, 0, 0xFFFFF, DESC_CODE32);
	gdt_entry(gdt, GDT_KERNEL_DS, 0, 0xFFFFF, DESC_DATA32);
	gdt_entry(gdt, GDT_USER_CS, 0, 0xFFFFF, DESC_CODE32 | DESC_DPL3);
	gdt_entry(gdt, GDT_USER_DS, 0, 0xFFFFF, DESC_DATA32 | DESC_DPL3);
	gdt_entry(gdt, GDT_TSS, ADDRESS(&cpu->tss), sizeof(struct tss) - 1, DESC_TSS32);
	gdt_entry(gdt, GDT_PERCPU, ADDRESS(cpu), 0xFFFFF, DESC_DATA32);
}

/* Far return: the only way to reload CS. The selectors carry the RPL that the kernel runs at. */
static void reload_segments(void)
{
	asm volatile("pushl %0; pushl $1f; lretl; 1:" ::"r"(KERNEL_CS | kernel_rpl) : "memory");
	asm volatile("movl %0, %%ss" ::"r"(KERNEL_DS | kernel_rpl) : "memory");
	asm volatile("movl %0, %%ds; movl %0, %%es" ::"r"(USER_DS) : "memory");
	asm volatile("movl %0, %%fs; movl %1, %%gs" ::"r"(PERCPU_SELECTOR), "r"(0) : "memory");
}

void descriptors_init(u32 number)
{
	struct cpu *cpu = &cpus[number];
	struct dtr dtr = { GDT_ENTRIES * sizeof(struct descriptor) - 1, ADDRESS(gdts[number]) };

	load_gdt(&dtr);
	reload_segments();
	dtr = (struct dtr){ sizeof idt - 1, ADDRESS(idt) };
	load_idt(&dtr);
	load_tr(TSS_SELECTOR);
	load_ldt(0);
	if (features.sep) {
		native_wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
		native_wrmsr(MSR_SYSENTER_ESP, ADDRESS(cpu->entry_stack) + ENTRY_STACK_SIZE);
		native_wrmsr(MSR_SYSENTER_EIP, ADDRESS(entry_sysenter));
	}
}

void set_gate(u32 vector, void (*handler)(void), u32 type)
{
	u32 eip = ADDRESS(handler);

	write_idt_entry(idt, vector, (KERNEL_CS << 16) | (eip & 0xFFFF), (eip & 0xFFFF0000) | type);
}
