/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Private system calls: 1000 runs one group of the kernel's self-checks, 1001 measures inside the kernel, 1002
 * answers questions. /init walks the groups and reports each (guest/user/init/check.c).
 */
#include "kcheck.h"

#define MAX_OPS 100000

static const struct {
	const char *name;
	check_group *run;
} groups[] = {
	{ "kernel-frames", check_memory },	 { "kernel-registers", check_registers },
	{ "kernel-flags", check_flags },	 { "kernel-control", check_control },
	{ "kernel-descriptors", check_descriptors }, { "kernel-tables", check_tables },
	{ "kernel-ownership", check_owned },	 { "kernel-tlb", check_translations },
	{ "kernel-time", check_time },		 { "kernel-cpus", check_processors },
	{ "kernel-locks", check_counting },
};

bool expect(struct kcheck_result *result, bool right, const char *text, ...)
{
	__builtin_va_list args;

	if (right) {
		result->passed++;
		return true;
	}
	if (result->failed++ == 0) {
		__builtin_va_start(args, text);
		format(result->failure, sizeof result->failure, text, args);
		__builtin_va_end(args);
	}
	return false;
}

void expect_equal(struct kcheck_result *result, u32 value, u32 wanted, const char *what)
{
	expect(result, value == wanted, "%s: %08x, not %08x", what, value, wanted);
}

long sys_kcheck(struct regs *regs)
{
	struct kcheck_result result = { .passed = 0 };

	if (regs->ebx >= ARRAY_SIZE(groups))
		return -ENOENT;
	copy_text(result.group, groups[regs->ebx].name, sizeof result.group);
	groups[regs->ebx].run(&result);
	return copy_out(regs->ecx, &result, sizeof result);
}

/* From the write that sends the interrupt to the first C line of its handler and back here. */
static u64 interrupt_batch(u32 ops)
{
	struct cpu *cpu = this_cpu();
	u64 start = read_tsc();

	for (u32 i = 0; i < ops; i++) {
		u32 before = cpu->test_ipis;

		apic_send(cpu->apic_id, VECTOR_TEST);
		while (cpu->test_ipis == before)
			cpu_relax();
	}
	return read_tsc() - start;
}

long sys_kbench(struct regs *regs)
{
	if (regs->ebx != KBENCH_INTERRUPT || regs->edx == 0 || regs->edx > MAX_OPS)
		return -EINVAL;
	if (!apic_present())
		return -ENODEV;
	for (u32 batch = 0; batch < regs->ecx; batch++) {
		u64 ticks = interrupt_batch(regs->edx);

		if (copy_out(regs->esi + batch * 8, &ticks, sizeof ticks) != 0)
			return -EFAULT;
	}
	return 0;
}

long sys_kinfo(struct regs *regs)
{
	switch (regs->ebx) {
	case KINFO_VERSION: return 1;
	case KINFO_CPUS: return (long)cpu_count;
	case KINFO_TSC_KHZ: return (long)tsc_khz;
	default: return -EINVAL;
	}
}
