/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * No attempts: what the kernel and its programs see of the instructions that mean something else off ring 0, and what
 * becomes of the privileged ones. Values go to the result channel; what they must be, natively and under `ring`, is written
 * in test_ring_instructions.py.
 */
#include "hostile.h"

#define RESULTS (USER_CODE + 0x800)

extern const u8 user_sensitive[], user_sensitive_end[];

static u32 found;
u32 far_stack[2]; /* for LSS: ESP and SS */

static void saw(const char *name, u32 value)
{
	result("info saw %s %x", name, value);
	held(name, (struct caught){ .vector = NONE }, false);
}

/* `instruction` leaves its result in `found`; an exception is told as such. */
static void see(const char *name, action *instruction, u32 argument)
{
	struct caught caught;

	found = 0;
	caught = try(instruction, argument);
	if (caught.vector != NONE)
		result("info saw %s fault-%u", name, caught.vector);
	else
		result("info saw %s %x", name, found);
}

#define INSTRUCTION(name, ...)                       \
	static void name(u32 argument)               \
	{                                            \
		u32 value = argument;                \
                                                     \
		asm volatile(__VA_ARGS__ : "+a"(value)::"memory", "cc", "ecx", "edx"); \
		found = value;                       \
	}

INSTRUCTION(do_arpl, "movl $3, %%ecx; arpl %%cx, %%ax")
INSTRUCTION(do_lar, "larl %0, %0")
INSTRUCTION(do_lsl, "lsll %0, %0")
INSTRUCTION(do_mov_ss, "movl %%ss, %%ecx; movl %0, %%ss; movl %%ss, %0; movl %%ecx, %%ss")
INSTRUCTION(do_pop_ss, "movl %%ss, %%ecx; pushl %0; popl %%ss; movl %%ss, %0; movl %%ecx, %%ss")
INSTRUCTION(do_lss, "movl %%ss, %%ecx; movl %%esp, far_stack; movl %0, far_stack + 4; lssl far_stack, %%esp; movl %%ss, %0; "
		    "movl %%ecx, %%ss")
INSTRUCTION(do_mov_cs, "movl %%cs, %0")
INSTRUCTION(do_push_cs, "pushl %%cs; popl %0")
INSTRUCTION(do_push_ss, "pushl %%ss; popl %0")
INSTRUCTION(do_pushf, "pushfl; popl %0")
INSTRUCTION(do_popf, "pushl %0; popfl; pushfl; popl %0")
INSTRUCTION(do_sldt, "sldt %0")
INSTRUCTION(do_str, "str %0")
INSTRUCTION(do_smsw, "smsw %0")
INSTRUCTION(do_cli, "cli; xorl %0, %0")
INSTRUCTION(do_sti, "sti; nop; xorl %0, %0")
INSTRUCTION(do_in, "inb $0x21, %%al; xorl %0, %0")
INSTRUCTION(do_out, "outb %%al, $0x80")
INSTRUCTION(do_read_cr0, "movl %%cr0, %0")
INSTRUCTION(do_write_cr0, "movl %0, %%cr0; movl %%cr0, %0")
INSTRUCTION(do_read_cr2, "movl %%cr2, %0; xorl %0, %0")
INSTRUCTION(do_read_cr3, "movl %%cr3, %0")
INSTRUCTION(do_read_cr4, "movl %%cr4, %0")
INSTRUCTION(do_write_cr4, "movl %0, %%cr4; movl %%cr4, %0")
INSTRUCTION(do_clts, "movl %%cr0, %0; orl $8, %0; movl %0, %%cr0; clts; movl %%cr0, %0; andl $8, %0")
INSTRUCTION(do_dr, "movl %0, %%db0; movl %%db0, %0")
INSTRUCTION(do_read_dr7, "movl %%db7, %0")
INSTRUCTION(do_wbinvd, "wbinvd")
INSTRUCTION(do_invlpg, "invlpg (%0)")
INSTRUCTION(do_lldt, "lldt %w0")
INSTRUCTION(do_lmsw, "smsw %%ecx; lmsw %%cx; xorl %0, %0")
INSTRUCTION(do_rdmsr, "movl %0, %%ecx; rdmsr")
INSTRUCTION(do_wrmsr, "movl $0x175, %%ecx; xorl %%edx, %%edx; wrmsr; rdmsr")
INSTRUCTION(do_rdtsc, "rdtsc; xorl %0, %0")
INSTRUCTION(do_cpuid, "pushl %%ebx; xorl %%ecx, %%ecx; cpuid; popl %%ebx; xorl %0, %0")

static void do_tables(u32 which)
{
	struct dtr dtr;

	if (which)
		native_store_idt(&dtr);
	else
		native_store_gdt(&dtr);
	found = dtr.base;
}

static void do_load_tables(u32 which)
{
	struct dtr gdtr = { GDT_ENTRIES * 8 - 1, ADDRESS(this_cpu()->gdt) }, idtr = { sizeof idt - 1, ADDRESS(idt) };

	if (which)
		native_load_idt(&idtr);
	else
		native_load_gdt(&gdtr);
}

/* The virtual flag, asked for by the interface, around instructions that would change the real one. */
static void flag_instructions(void)
{
	irq_enable();
	irq_disable();
	see("popf-if", do_popf, EFLAGS_FIXED | EFLAGS_IF);
	saw("flag-after-popf", irq_save_flags() & EFLAGS_IF);
	irq_disable();
	see("pushf-disabled", do_pushf, 0);
	see("sti", do_sti, 0);
	saw("flag-after-sti", irq_save_flags() & EFLAGS_IF);
	see("cli", do_cli, 0);
	saw("flag-after-cli", irq_save_flags() & EFLAGS_IF);
	see("popf-iopl", do_popf, EFLAGS_FIXED | 0x3000);
	asm volatile("pushl $2; popfl" ::: "cc", "memory");
	irq_disable();
}

static void segment_instructions(void)
{
	see("arpl", do_arpl, KERNEL_DS);
	see("lar-cs", do_lar, KERNEL_CS);
	see("lar-user", do_lar, USER_DS);
	see("lsl", do_lsl, USER_DS);
	see("mov-ss-own", do_mov_ss, KERNEL_DS | kernel_rpl);
	see("mov-ss-0", do_mov_ss, KERNEL_DS);
	see("mov-ss-null", do_mov_ss, 0);
	see("pop-ss-own", do_pop_ss, KERNEL_DS | kernel_rpl);
	see("pop-ss-null", do_pop_ss, 0);
	see("lss-own", do_lss, KERNEL_DS | kernel_rpl);
	see("lss-null", do_lss, 0);
	see("mov-cs", do_mov_cs, 0);
	see("push-cs", do_push_cs, 0);
	see("push-ss", do_push_ss, 0);
	see("sgdt", do_tables, 0);
	see("sidt", do_tables, 1);
	see("sldt", do_sldt, 0);
	see("str", do_str, 0);
	see("lgdt", do_load_tables, 0);
	see("lidt", do_load_tables, 1);
	see("lldt", do_lldt, 0);
}

static void privileged_instructions(void)
{
	u32 cr0 = read_cr0(), cr4 = read_cr4();

	see("smsw", do_smsw, 0);
	see("lmsw", do_lmsw, 0);
	see("in", do_in, 0);
	see("out", do_out, 0);
	see("read-cr0", do_read_cr0, 0);
	see("write-cr0", do_write_cr0, cr0);
	see("read-cr2", do_read_cr2, 0);
	see("read-cr3", do_read_cr3, 0);
	see("read-cr4", do_read_cr4, 0);
	see("write-cr4", do_write_cr4, cr4);
	see("clts", do_clts, 0);
	see("dr0", do_dr, 0xC0100000);
	see("dr7", do_read_dr7, 0);
	set_dr(0, 0);
	see("wbinvd", do_wbinvd, 0);
	see("invlpg", do_invlpg, KERNEL_BASE);
	see("rdmsr-none", do_rdmsr, 0x12345678);
	see("wrmsr", do_wrmsr, 0x1234);
	see("rdtsc", do_rdtsc, 0);
	see("cpuid", do_cpuid, 0);
	saw("cr0", cr0);
	saw("cr3", read_cr3());
	saw("cr4", cr4);
}

static void run_sensitive(u32 unused)
{
	(void)unused;
	user_mode(USER_CODE, USER_CS, EFLAGS_FIXED | EFLAGS_IF, USER_STACK + PAGE_SIZE, USER_DS);
}

static void sensitive(void)
{
	static const char *const names[] = { "user-lar-kernel", "user-lar", "user-lsl", "user-pushf", "user-popf", "user-sgdt",
					     "user-sidt", "user-sldt", "user-str", "user-cs", "user-arpl", "user-smsw" };
	static const u32 offsets[] = { 0, 4, 8, 12, 16, 22, 30, 36, 40, 44, 48, 52 };
	volatile u8 *results = POINTER(volatile u8, RESULTS);
	struct caught caught;

	flag_instructions();
	segment_instructions();
	privileged_instructions();
	user_load(user_sensitive, (u32)(user_sensitive_end - user_sensitive));
	caught = try(run_sensitive, 0);
	saw("user-vector", caught.vector);
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		saw(names[i], *(volatile u32 *)(results + offsets[i]));
}

const struct attempt sensitive_attempts[] = { { "sensitive", sensitive }, { NULL, NULL } };
