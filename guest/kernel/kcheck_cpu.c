/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checks of processor state behind the paravirt operations: registers survive each call, the interrupt flag means
 * what it means on hardware, control and debug registers and descriptor tables read as the guest wrote them. Table:
 * kcheck.c.
 */
#include "kcheck.h"

/* ---- kernel-registers: what an operation must leave alone ---- */

/* kcheck_regs.S: calls `function` with patterns in EBX, ESI, EDI, EBP and reports which of them, of the segment registers
 * and of ESP had changed: bits 0-3, 4-7 (DS ES FS SS), 8. */
u32 call_with_patterns(void (*function)(void));
/* The same around PV_CLI and PV_STI, which may change nothing but flags: bits 0-6 EAX EBX ECX EDX ESI EDI EBP. */
u32 flags_with_patterns(void);

static struct dtr scratch_dtr;
static u32 scratch[4], apic_task_priority = 0x80;

static void op_flags(void) { irq_restore_flags(irq_save_flags()); }
static void op_toggle(void) { irq_disable(); irq_enable(); }
static void op_cpuid(void) { cpuid(0, 0, scratch); }
static void op_control(void) { write_cr0(read_cr0()); write_cr4(read_cr4()); }
static void op_cr2(void) { write_cr2(read_cr2()); }
static void op_cr3(void) { write_cr3(read_cr3()); }
static void op_clts(void) { u32 cr0 = read_cr0(); clts(); write_cr0(cr0); }
static void op_tsc(void) { read_tsc(); }
static void op_debug(void) { set_dr(0, get_dr(0)); }
static void op_store(void) { store_gdt(&scratch_dtr); store_idt(&scratch_dtr); store_tr(); }
static void op_idt_entry(void) { write_idt_entry(idt, 200, 0, 0); }
static void op_gdt_entry(void) { write_gdt_entry(this_cpu()->gdt, GDT_ENTRIES - 1, 0, 0); }
static void op_ldt(void) { load_ldt(0); }
static void op_stack(void) { update_kernel_stack(&this_cpu()->tss, stack_top(current())); }
static void op_lazy(void) { lazy_mode(VMI_LAZY_MMU); lazy_mode(VMI_LAZY_NONE); }
static void op_flush(void) { flush_tlb(); flush_tlb_global(); }
static void op_invlpg(void) { invlpg(KERNEL_BASE); }
static void op_delay(void) { io_delay(); }
static void op_clock(void) { clock_cycles(); clock_khz(); }
static void op_apic(void) { if (apic_present()) apic_write(apic_task_priority, apic_read(apic_task_priority)); }
static void op_map(void) { fixed_map(FIXED_TEST, 0, PTE_P | PTE_A); fixed_map(FIXED_TEST, 0, 0); }

static const struct {
	const char *name;
	void (*run)(void);
} operations[] = {
	{ "flags", op_flags }, { "enable, disable", op_toggle }, { "cpuid", op_cpuid }, { "cr0, cr4", op_control },
	{ "cr2", op_cr2 }, { "cr3", op_cr3 }, { "clts", op_clts }, { "rdtsc", op_tsc }, { "debug registers", op_debug },
	{ "store tables", op_store }, { "idt entry", op_idt_entry }, { "gdt entry", op_gdt_entry }, { "lldt", op_ldt },
	{ "kernel stack", op_stack }, { "lazy mode", op_lazy }, { "tlb flush", op_flush }, { "invlpg", op_invlpg },
	{ "io delay", op_delay }, { "clock", op_clock }, { "apic", op_apic }, { "page-table entry", op_map },
};

void check_registers(struct kcheck_result *result)
{
	for (u32 i = 0; i < ARRAY_SIZE(operations); i++) {
		u32 flags = irq_save(), changed;

		if (operations[i].run == op_toggle)
			irq_enable();
		changed = call_with_patterns(operations[i].run);
		irq_restore_flags(flags);
		expect(result, changed == 0, "%s changed registers %03x", operations[i].name, changed);
	}
	for (u32 i = 0; i < 100; i++)
		expect_equal(result, flags_with_patterns(), 0, "cli, sti changed registers");
}

/* ---- kernel-flags: the interrupt flag ---- */

static void check_flag_values(struct kcheck_result *result)
{
	u32 flags;

	irq_enable();
	expect_equal(result, irq_save_flags() & EFLAGS_IF, EFLAGS_IF, "flag after enable");
	irq_disable();
	expect_equal(result, irq_save_flags() & EFLAGS_IF, 0, "flag after disable");
	flags = irq_save();
	expect_equal(result, flags & EFLAGS_IF, 0, "saved while disabled");
	irq_restore_flags(flags);
	expect_equal(result, irq_save_flags() & EFLAGS_IF, 0, "restored to disabled");
	irq_restore_flags(EFLAGS_IF);
	expect_equal(result, irq_save_flags() & EFLAGS_IF, EFLAGS_IF, "restored to enabled");
	flags = irq_save();
	expect_equal(result, flags & EFLAGS_IF, EFLAGS_IF, "saved while enabled");
	irq_restore_flags(flags);
	expect_equal(result, irq_save_flags() & EFLAGS_IF, EFLAGS_IF, "enabled again");
}

/* An interrupt sent while disabled waits, and arrives when enabled, by each of the two ways. */
static void check_pending(struct kcheck_result *result, bool by_restore)
{
	struct cpu *cpu = this_cpu();
	u32 before;

	irq_disable();
	before = cpu->test_ipis;
	apic_send(cpu->apic_id, VECTOR_TEST);
	for (u32 i = 0; i < 1000; i++)
		cpu_relax();
	expect_equal(result, cpu->test_ipis, before, "interrupts while disabled");
	if (by_restore)
		irq_restore_flags(EFLAGS_IF);
	else
		irq_enable();
	for (u32 i = 0; i < 1000000 && cpu->test_ipis == before; i++)
		cpu_relax();
	expect_equal(result, cpu->test_ipis, before + 1, by_restore ? "pending at restore" : "pending at enable");
}

/* safe_halt() must not sleep over an interrupt that came before it. */
static void check_halt(struct kcheck_result *result)
{
	struct cpu *cpu = this_cpu();
	u32 before;

	irq_disable();
	before = cpu->test_ipis;
	apic_send(cpu->apic_id, VECTOR_TEST);
	safe_halt();
	expect_equal(result, irq_save_flags() & EFLAGS_IF, EFLAGS_IF, "flag after halt");
	expect_equal(result, cpu->test_ipis, before + 1, "interrupt that ends a halt");
}

void check_flags(struct kcheck_result *result)
{
	check_flag_values(result);
	for (u32 i = 0; apic_present() && i < 8; i++) {
		check_pending(result, i % 2);
		check_halt(result);
	}
	irq_enable();
}

/* ---- kernel-control: control and debug registers ---- */

void check_control(struct kcheck_result *result)
{
	u32 flags = irq_save(), cr0 = read_cr0(), regs[4];

	expect_equal(result, cr0 & (CR0_PE | CR0_PG | CR0_WP), CR0_PE | CR0_PG | CR0_WP, "cr0");
	write_cr0(cr0 | CR0_TS);
	expect_equal(result, read_cr0() & CR0_TS, CR0_TS, "cr0.TS set");
	clts();
	expect_equal(result, read_cr0() & CR0_TS, 0, "cr0.TS after clts");
	write_cr0(cr0);
	expect_equal(result, read_cr0(), cr0, "cr0 written back");
	write_cr2(0x12345678);
	expect_equal(result, read_cr2(), 0x12345678, "cr2");
	expect_equal(result, read_cr3(), current()->space->root_pfn << PAGE_SHIFT, "cr3");
	expect_equal(result, read_cr4() & CR4_PAE, CONFIG_PAE ? CR4_PAE : 0, "cr4.PAE");
	set_dr(0, 0xC0001000);
	set_dr(3, 0x1000);
	expect_equal(result, get_dr(0), 0xC0001000, "debug register 0");
	expect_equal(result, get_dr(3), 0x1000, "debug register 3");
	set_dr(0, 0);
	set_dr(3, 0);
	expect_equal(result, get_dr(7) & 0xFF, 0, "debug register 7");
	irq_restore_flags(flags);
	cpuid(1, 0, regs);
	expect(result, (regs[3] & CPUID_TSC) != 0, "cpuid 1 shows no TSC: %08x", regs[3]);
	expect(result, !features.pse || (regs[3] & CPUID_PSE), "cpuid changed its mind about PSE: %08x", regs[3]);
}

/* ---- kernel-descriptors ---- */

static u32 segment_limit(u32 selector)
{
	u32 limit = 0;

	asm volatile("lsl %1, %0" : "+r"(limit) : "r"(selector) : "cc");
	return limit;
}

/* A thread-local segment with a base: a load through it must reach that address. */
static void check_based_segment(struct kcheck_result *result, bool local)
{
	static struct descriptor ldt[512] ALIGNED(PAGE_SIZE);
	static const u32 marker = 0x1EDC0DE5;
	struct descriptor *gdt = this_cpu()->gdt;
	u32 flags = irq_save(), base = ADDRESS(&marker) - 16, value = 0, gs;
	u32 low = data_descriptor_low(base, 0xFFFFF), high = data_descriptor_high(base, 0xFFFFF) | 0x00C0F200;

	asm volatile("movl %%gs, %0" : "=r"(gs));
	if (local) {
		write_ldt_entry(ldt, 3, low, high);
		set_ldt(gdt, ADDRESS(ldt), ARRAY_SIZE(ldt));
	} else {
		write_gdt_entry(gdt, GDT_ENTRIES - 2, low, high);
	}
	asm volatile("movl %1, %%gs; movl %%gs:16, %0"
		     : "=r"(value)
		     : "r"(local ? 3 * 8 + 7 : (GDT_ENTRIES - 2) * 8 + 3)
		     : "memory");
	/* First null the live selector, then take its descriptor away. */
	asm volatile("movl %0, %%gs" ::"r"(0));
	if (local) {
		write_ldt_entry(ldt, 3, 0, 0);
		set_ldt(gdt, 0, 0);
	} else {
		write_gdt_entry(gdt, GDT_ENTRIES - 2, 0, 0);
	}
	asm volatile("movl %0, %%gs" ::"r"(gs));
	irq_restore_flags(flags);
	expect_equal(result, value, marker, local ? "load through the LDT" : "load through the GDT");
}

void check_descriptors(struct kcheck_result *result)
{
	u32 flags = irq_save(), cs, ss;
	struct dtr gdtr, idtr;
	struct cpu *cpu = this_cpu();

	store_gdt(&gdtr);
	store_idt(&idtr);
	expect_equal(result, gdtr.base, ADDRESS(cpu->gdt), "GDT base");
	expect_equal(result, gdtr.limit, GDT_ENTRIES * 8 - 1, "GDT limit");
	expect_equal(result, idtr.base, ADDRESS(idt), "IDT base");
	expect_equal(result, idtr.limit, sizeof idt - 1, "IDT limit");
	expect_equal(result, store_tr() & ~3u, TSS_SELECTOR, "TSS selector");
	asm volatile("movl %%cs, %0; movl %%ss, %1" : "=r"(cs), "=r"(ss));
	expect_equal(result, cs & 0xFFFF, KERNEL_CS | kernel_rpl, "CS");
	expect_equal(result, ss & 0xFFFF, KERNEL_DS | kernel_rpl, "SS");
	expect(result, kernel_rpl < 3, "the kernel runs at ring %u", kernel_rpl);
	expect(result, segment_limit(USER_DS) >= KERNEL_BASE + (lowmem_pages << PAGE_SHIFT) - 1, "data segment ends at %08x",
	       segment_limit(USER_DS));
	expect(result, reserved_top == 0 || fixed_address(FIXED_APIC) + PAGE_SIZE < reserved_top, "fixed mappings at %08x",
	       fixed_address(FIXED_APIC));
	expect_equal(result, cpu->tss.esp0, stack_top(current()), "kernel stack in the TSS");
	irq_restore_flags(flags);
	for (u32 i = 0; i < 4; i++)
		check_based_segment(result, i % 2);
}
