/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The end: panic with a line on the result channel and the registers on the console, power-off, restart.
 */
#include "console.h"
#include "cpu.h"

#define RESET_PORT 0xCF9
#define KEYBOARD_COMMAND 0x64

static u32 panicking; /* own_id() of the CPU whose panic is told, or 0 */

void power_off(void)
{
	irq_disable();
	outw(ACPI_SLEEP_S5, ACPI_PM1A_CONTROL);
	for (;;)
		cpu_relax();
}

void restart(void)
{
	irq_disable();
	outb(0x06, RESET_PORT);
	outb(0xFE, KEYBOARD_COMMAND);
	for (;;)
		cpu_relax();
}

static void print_regs(const struct regs *regs)
{
	print("eip %08x cs %04x eflags %08x error %04x vector %u\n", regs->eip, regs->cs & 0xFFFF, regs->eflags,
	      regs->error, regs->vector);
	print("eax %08x ebx %08x ecx %08x edx %08x\n", regs->eax, regs->ebx, regs->ecx, regs->edx);
	print("esi %08x edi %08x ebp %08x esp %08x\n", regs->esi, regs->edi, regs->ebp,
	      from_user(regs) ? regs->esp : ADDRESS(&regs->esp));
	print("ds %04x es %04x fs %04x cr0 %08x cr2 %08x cr3 %08x cr4 %08x\n", regs->ds & 0xFFFF, regs->es & 0xFFFF,
	      regs->fs & 0xFFFF, read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

/* Not 0, and another on every CPU. By CPUID: a panic may come before this_cpu() works, or because it does not. */
static u32 own_id(void)
{
	u32 regs[4];

	native_cpuid(1, 0, regs);
	return (regs[1] >> 24) + 1;
}

/* The first panic is the one to tell; one caused by telling ends the machine at once, another CPU's only stops that CPU. */
static void begin_panic(void)
{
	u32 first = 0, self = own_id();

	irq_disable();
	if (!__atomic_compare_exchange_n(&panicking, &first, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		if (first == self)
			power_off();
		for (;;)
			cpu_relax();
	}
	console_break_locks();
}

static void tell(const char *text, __builtin_va_list args)
{
	char line[200];

	format(line, sizeof line, text, args);
	result("panic %s", line);
	print("panic: %s\n", line);
}

void panic(const char *text, ...)
{
	__builtin_va_list args;

	begin_panic();
	__builtin_va_start(args, text);
	tell(text, args);
	__builtin_va_end(args);
	power_off();
}

void panic_regs(const struct regs *regs, const char *text, ...)
{
	__builtin_va_list args;

	begin_panic();
	__builtin_va_start(args, text);
	tell(text, args);
	__builtin_va_end(args);
	print_regs(regs);
	power_off();
}

void pv_panic(const char *text)
{
	panic("%s", text);
}
