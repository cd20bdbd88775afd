/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts by calls: the monitor's gate with numbers that mean nothing, every call with arguments that mean nothing, and
 * nonsense in the page that we share with the monitor.
 */
#include "hostile.h"

u32 gate_call(u32 number);

static void by_gate(u32 number) { gate_call(number); }

static void gate_numbers(void)
{
	for (u32 number = VMI_CALL_COUNT + 2; number < 0x400; number++)
		held("gate", try(by_gate, number), false);
	for (u32 i = 0; i < 500; i++)
		held("gate", try(by_gate, random32() | 0x80000000), false);
}

/* A call gate keeps flags that an interrupt gate clears: what does the monitor do with them? */
static void by_gate_with_flags(u32 flags)
{
	asm volatile("pushl %0; popfl" ::"r"(flags | EFLAGS_FIXED) : "memory", "cc");
	vmi_call(VMI_CALL_FlushTLB, 1, 0, 0, 0, 0);
	vmi_call(VMI_CALL_GetCR4, 0, 0, 0, 0, 0);
	vmi_call(VMI_CALL_RDMSR, 0, 0, 0x10, 0, 0);
}

static void gate_flags(void)
{
	static const u32 flags[] = { 0x4000, 0x400, 0x40000, 0x4400, 0x3000, 0x44D00, 0x200000, 0x7000, 0x180000, 0x100 };

	for (u32 i = 0; i < ARRAY_SIZE(flags); i++)
		held("flags", try(by_gate_with_flags, flags[i]), false);
	asm volatile("pushl $2; popfl" ::: "memory", "cc");
}

static void run_code(u32 unused)
{
	(void)unused;
	user_mode(USER_CODE, USER_CS, EFLAGS_FIXED | EFLAGS_IF, USER_STACK + PAGE_SIZE, USER_DS);
}

/* Ring 3 has no gate: it is the kernel's. */
static void gate_from_user(void)
{
	static const u8 code[] = { 0x6A, 0x11, 0x9A, 0, 0, 0, 0, MONITOR_GATE & 0xFF, MONITOR_GATE >> 8, 0xCD, 0x80 }; /* push $17; lcall */
	struct caught caught;

	user_load(code, sizeof code);
	caught = try(run_code, 0);
	held("user", caught, caught.vector == 0x80);
}

/* Calls that come back, whatever they are given. */
static bool comes_back(u32 call)
{
	switch (call) {
	case VMI_CALL_IRET:
	case VMI_CALL_SYSEXIT:
	case VMI_CALL_Halt:
	case VMI_CALL_Reboot:
	case VMI_CALL_Shutdown:
	case VMI_CALL_APICWrite: /* an interrupt without a gate ends us */
	case VMI_CALL_SetGDT: /* of these what we stand on */
	case VMI_CALL_SetIDT:
	case VMI_CALL_SetCR0:
	case VMI_CALL_SetCR3:
	case VMI_CALL_SetCR4:
	case VMI_CALL_UpdateKernelStack:
		return false;
	default:
		return !(call >= VMI_CALL_OUTL && call <= VMI_CALL_OUTSW);
	}
}

static struct {
	u32 number, a, d, c, s1, s2;
} chosen;

static void call_chosen(u32 unused)
{
	(void)unused;
	vmi_call(chosen.number, chosen.a, chosen.d, chosen.c, chosen.s1, chosen.s2);
}

static u32 some_value(void)
{
	static const u32 values[] = { 0, 1, 0xFFFFFFFF, HOLE, HOLE - 4, MONITOR(0x1000), MACHINE(0), 0x80000000,
				      0x7FFFFFFF, KERNEL_BASE, 0xC0100000, TRY_VA, 0xFFF, 0x1000, 8 };

	switch (random32() % 4) {
	case 0: return random32();
	case 1: return random32() % 256;
	default: return values[random32() % ARRAY_SIZE(values)];
	}
}

/* Stubs store where we say, at our level: into the monitor only where the engine does not check limits. */
static u32 some_place(void)
{
	return option("limits") != NULL ? MONITOR(random32() % VMI_WIRE_SIZE) : HOLE + random32() % VMI_RING_SHARED_OFFSET;
}

/* A place that calls may write to, among those that they must not. */
static u32 victim[256] ALIGNED(PAGE_SIZE);

static void random_calls(void)
{
	for (u32 i = 0; i < option_number("count", 3000); i++) {
		chosen.number = random32() % VMI_CALL_COUNT;
		if (!comes_back(chosen.number))
			continue;
		chosen.a = some_value();
		chosen.d = some_value();
		chosen.c = some_value() & 0xFF; /* of strings of ports no more than fit into the victim */
		chosen.s1 = some_value();
		chosen.s2 = some_value();
		if (chosen.number == VMI_CALL_SetPxE || chosen.number == VMI_CALL_SetPxELong || chosen.number == VMI_CALL_WriteGDTEntry ||
		    chosen.number == VMI_CALL_WriteIDTEntry || chosen.number == VMI_CALL_WriteLDTEntry)
			chosen.a = chosen.d = chosen.c = random32() % 2 ? ADDRESS(victim) : some_place();
		if (chosen.number == VMI_CALL_GetGDT || chosen.number == VMI_CALL_GetIDT || (chosen.number >= VMI_CALL_INSL && chosen.number <= VMI_CALL_INSW))
			chosen.a = random32() % 2 ? ADDRESS(victim) : some_place();
		held("call", try(call_chosen, 0), false);
		irq_disable();
	}
	vmi_call(VMI_CALL_SetLazyMode, 0, 0, 0, 0, 0);
	vmi_call(VMI_CALL_SetLinearMapping, 0, KERNEL_BASE, lowmem_pages, 0, 0);
	vmi_call(VMI_CALL_SetDR, 7, 0x400, 0, 0, 0);
}

/* What lies in the shared page is our word; the monitor must not take it for more. */
static void shared_page(void)
{
	volatile u32 *shared = POINTER(volatile u32, HOLE + VMI_RING_SHARED_OFFSET);

	for (u32 round = 0; round < 200; round++) {
		for (u32 i = 0; i < 16; i++)
			shared[(VMI_RING_SHARED_count_OFFSET + random32() % 3000) / 4] = some_value();
		shared[VMI_RING_SHARED_count_OFFSET / 4] = random32() % 2 ? some_value() : random32() % VMI_RING_QUEUE;
		flush_tlb();
		invlpg(TRY_VA);
		shared[VMI_RING_SHARED_count_OFFSET / 4] = 0xFFFFFFFF;
		write_cr3(read_cr3());
		held("queue", (struct caught){ .vector = NONE }, false);
	}
}

/* The same for all of it: this may well end us. */
static void shared_random(void)
{
	volatile u32 *shared = POINTER(volatile u32, HOLE + VMI_RING_SHARED_OFFSET);

	for (u32 round = 0; round < 2000; round++) {
		shared[random32() % (PAGE_SIZE / 4)] = some_value();
		if (round % 8 == 0)
			shared[random32() % 32] = some_value();
		flush_tlb();
		cpuid(1, 0, (u32[4]){ 0 });
	}
	held("shared", (struct caught){ .vector = NONE }, false);
}

const struct attempt call_attempts[] = {
	{ "gate-numbers", gate_numbers }, { "calls", random_calls }, { "queue", shared_page },
	{ "shared", shared_random },	  { "gate-user", gate_from_user }, { "gate-flags", gate_flags }, { NULL, NULL },
};
