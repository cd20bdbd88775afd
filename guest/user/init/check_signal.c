/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checks of signals (a handler runs, and what it interrupted finds its registers again) and of what ring 3 must not
 * do: every privileged instruction of probes.S ends in a signal.
 */
#include "check.h"

static volatile u32 handled, last_number, nested;

static CDECL void count_signal(u32 number)
{
	handled++;
	last_number = number;
	/* Leave nothing in the registers that the interrupted code could mistake for its own. */
	__asm__ volatile("movl $0x5A5A5A5A, %%ebx; movl %%ebx, %%esi; movl %%ebx, %%edi; movl %%ebx, %%ecx; stc"
			 : : : "eax", "ebx", "ecx", "edx", "esi", "edi", "cc");
}

static CDECL void signal_again(u32 number)
{
	handled++;
	if (number == SIGUSR1) {
		call2(SYS_kill, (u32)call0(SYS_getpid), SIGUSR2);
		nested = handled;
	}
}

static CDECL void change_result(u32 number, struct signal_info *info, struct signal_context *context)
{
	check_equal("number in the information", (u32)info->number, number);
	context->registers.eax = 0x12345678;
	context->registers.edi = 0x87654321;
	context->registers.eflags |= FLAG_CARRY;
}

static u32 signal_me(u32 number) { return (u32)call2(SYS_kill, (u32)call0(SYS_getpid), number); }

/* All registers around a system call at whose end a handler runs. */
static void check_registers_around(const char *what)
{
	u32 self = (u32)call0(SYS_getpid), before = handled;
	struct registers out;

	for (u32 i = 1; i <= 16; i++) {
		struct registers in = {SYS_kill,      self,	      SIGUSR1,	      0x01010101 * i,
				       0x02030405 * i, 0xF1E2D3C4 ^ i, 0x80000001 + i, FLAG_INTERRUPT | 2 | (i & 1)};

		registers_int80(&in, &out);
		check_equal(what, out.eax, 0);
		check_equal(what, out.ebx, in.ebx);
		check_equal(what, out.ecx, in.ecx);
		check_equal(what, out.edx, in.edx);
		check_equal(what, out.esi, in.esi);
		check_equal(what, out.edi, in.edi);
		check_equal(what, out.ebp, in.ebp);
		check_equal(what, out.flags & FLAG_CARRY, in.flags & FLAG_CARRY);
	}
	check_equal("each signal is handled once", handled - before, 16);
	check_equal("the handler's argument", last_number, SIGUSR1);
}

static void check_changed_context(void)
{
	struct registers in = {SYS_kill, (u32)call0(SYS_getpid), SIGUSR1, 0, 0, 0, 0, FLAG_INTERRUPT | 2}, out;

	handle_signal(SIGUSR1, ADDRESS(change_result), SA_SIGINFO);
	registers_int80(&in, &out);
	check_equal("EAX set by the handler", out.eax, 0x12345678);
	check_equal("EDI set by the handler", out.edi, 0x87654321);
	check_equal("carry set by the handler", out.flags & FLAG_CARRY, FLAG_CARRY);
}

/* What a handler put into the frame as selector of one segment register. */
static struct {
	u32 segment; /* word of struct signal_registers: GS, FS, ES, DS */
	u32 selector;
} wrong;

static CDECL void spoil_segment(u32 number, struct signal_info *info, struct signal_context *context)
{
	(void)number;
	(void)info;
	(&context->registers.gs)[wrong.segment] = wrong.selector;
}

static CDECL void return_with_bad_segment(void *unused)
{
	(void)unused;
	handle_signal(SIGUSR1, ADDRESS(spoil_segment), SA_SIGINFO);
	signal_me(SIGUSR1);
}

/* The child may go on or die of it; the kernel may not. Beyond the table, an empty entry, a TSS, ring 0's code, an LDT
 * that is not there: as this kernel lays out its table, and as bad in any other. */
static void check_bad_segments(void)
{
	static const u32 selectors[] = {0x1000, 0xFFF8, 0x0004, 0x0040, 0x0028, 0x0008, 0x0001};

	for (wrong.segment = 0; wrong.segment < 4; wrong.segment++) {
		for (u32 i = 0; i < ARRAY_SIZE(selectors); i++) {
			s32 status;

			wrong.selector = selectors[i];
			status = run_child(return_with_bad_segment, NULL);
			check(status == 0 || status == STATUS_EXITED(100 + SIGSEGV) || STATUS_SIGNAL(status) == SIGSEGV,
			      "a bad selector in a signal frame");
		}
	}
}

void check_signals(void)
{
	struct old_action old = {ADDRESS(count_signal), 0, SA_RESTORER, ADDRESS(old_restorer)};

	handle_signal(SIGUSR1, ADDRESS(count_signal), 0);
	check_registers_around("registers around a handler, rt_sigaction");
	check_equal("the old sigaction", (u32)call3(SYS_sigaction, SIGUSR1, ADDRESS(&old), 0), 0);
	check_registers_around("registers around a handler, sigaction");
	handle_signal(SIGUSR1, ADDRESS(count_signal), SA_SIGINFO);
	check_registers_around("registers around a handler, SA_SIGINFO");
	check_changed_context();
	check_bad_segments();
	handled = nested = 0;
	handle_signal(SIGUSR1, ADDRESS(signal_again), 0);
	handle_signal(SIGUSR2, ADDRESS(signal_again), 0);
	check_equal("signal to myself", signal_me(SIGUSR1), 0);
	check_equal("a handler within a handler", handled, 2);
	check_equal("it ran before the outer one went on", nested, 2);
	handle_signal(SIGUSR1, SIG_IGN, 0);
	check_equal("an ignored signal", signal_me(SIGUSR1), 0);
	check_equal("no handler ran", handled, 2);
	check_equal("no handler for SIGKILL", (u32)handle_signal(SIGKILL, ADDRESS(count_signal), 0), (u32)-EINVAL);
	handle_signal(SIGUSR1, SIG_DFL, 0);
	handle_signal(SIGUSR2, SIG_DFL, 0);
}

extern const struct {
	const char *name;
	CDECL void (*run)(void *);
	u32 signal;
} privileged_table[];

void check_privilege(void)
{
	for (u32 i = 0; privileged_table[i].name; i++) {
		if (!check(catch_fault(privileged_table[i].run, NULL), privileged_table[i].name))
			continue;
		check_equal(privileged_table[i].name, last_fault.signal, privileged_table[i].signal);
		check_equal("interrupts are still on", read_flags() & FLAG_INTERRUPT, FLAG_INTERRUPT);
	}
}
