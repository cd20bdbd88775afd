/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Exceptions and PIC interrupts in C: fills the IDT, tells user from kernel faults, turns the former into signals
 * and the latter into a fix-up or a panic. Called by entry.S; page faults go on in fault.c.
 */
#include "cpu.h"
#include "memory.h"
#include "process.h"

struct fix {
	u32 instruction, target;
};

extern const struct fix ex_table_start[], ex_table_end[];

static irq_handler *irq_handlers[16];

bool fix_up(struct regs *regs)
{
	for (const struct fix *fix = ex_table_start; fix < ex_table_end; fix++) {
		if (fix->instruction == regs->eip) {
			regs->eip = fix->target;
			return true;
		}
	}
	return false;
}

/* Signal and its code for an exception in ring 3; the rest cannot come from there and means SIGSEGV. */
static void user_exception(struct regs *regs)
{
	static const struct {
		u8 signal, code;
	} table[] = {
		[VECTOR_DIVIDE] = { SIGFPE, FPE_INTDIV },  [VECTOR_DEBUG] = { SIGTRAP, TRAP_BRKPT },
		[VECTOR_BREAKPOINT] = { SIGTRAP, SI_KERNEL }, [VECTOR_OVERFLOW] = { SIGSEGV, SI_KERNEL },
		[VECTOR_BOUND] = { SIGSEGV, SI_KERNEL },   [VECTOR_INVALID] = { SIGILL, ILL_ILLOPN },
		[VECTOR_GP] = { SIGSEGV, SI_KERNEL },	   [VECTOR_FPU] = { SIGFPE, FPE_FLTINV },
		[VECTOR_ALIGN] = { SIGBUS, BUS_ADRALN },   [VECTOR_SIMD] = { SIGFPE, FPE_FLTINV },
	};
	u32 vector = regs->vector;

	if (vector < ARRAY_SIZE(table) && table[vector].signal != 0)
		signal_fault(regs, table[vector].signal, table[vector].code, regs->eip);
	else
		signal_fault(regs, SIGSEGV, SI_KERNEL, 0);
}

void handle_trap(struct regs *regs)
{
	if (regs->vector == VECTOR_PAGE_FAULT) {
		handle_page_fault(regs);
		return;
	}
	if (regs->vector == VECTOR_NO_FPU && from_user(regs)) {
		fpu_give();
		return;
	}
	if (from_user(regs)) {
		irq_enable();
		user_exception(regs);
		return;
	}
	if (!fix_up(regs))
		panic_regs(regs, "exception %u, error %04x, in the kernel", regs->vector, regs->error);
}

void irq_install(u32 irq, irq_handler *handler)
{
	irq_handlers[irq] = handler;
	pic_unmask(irq);
}

void handle_irq(struct regs *regs)
{
	u32 irq = regs->vector - VECTOR_IRQ0;

	pic_end(irq);
	if (irq_handlers[irq] != NULL)
		irq_handlers[irq]();
}

void handle_timer(struct regs *regs)
{
	(void)regs;
	apic_end();
	timer_tick();
}

/* Its purpose is met by interrupting: work is looked for on the way out, or by the idle loop. */
void handle_resched(struct regs *regs)
{
	(void)regs;
	apic_end();
	this_cpu()->resched_ipis++;
}

void handle_test(struct regs *regs)
{
	struct cpu *cpu = this_cpu();

	(void)regs;
	cpu->test_arrival = read_tsc();
	cpu->test_ipis++;
	kcheck_interrupt();
	apic_end();
}

void handle_spurious(struct regs *regs)
{
	(void)regs; /* the local APIC wants no end of interrupt for this one */
}

void idt_init(void)
{
	for (u32 i = 0; i < 32; i++)
		set_gate(i, exception_entries[i], GATE_INTERRUPT);
	set_gate(VECTOR_BREAKPOINT, exception_entries[VECTOR_BREAKPOINT], GATE_INTERRUPT | DESC_DPL3);
	set_gate(VECTOR_OVERFLOW, exception_entries[VECTOR_OVERFLOW], GATE_INTERRUPT | DESC_DPL3);
	for (u32 i = 0; i < 16; i++)
		set_gate(VECTOR_IRQ0 + i, irq_entries[i], GATE_INTERRUPT);
	set_gate(VECTOR_SYSCALL, entry_syscall, GATE_TRAP | DESC_DPL3);
	set_gate(VECTOR_TIMER, entry_timer, GATE_INTERRUPT);
	set_gate(VECTOR_RESCHED, entry_resched, GATE_INTERRUPT);
	set_gate(VECTOR_SHOOTDOWN, entry_shootdown, GATE_INTERRUPT);
	set_gate(VECTOR_TEST, entry_test, GATE_INTERRUPT);
	set_gate(VECTOR_SPURIOUS, entry_spurious, GATE_INTERRUPT);
}
