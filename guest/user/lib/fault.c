/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Faults as values: catch_fault() runs a function and tells whether, and how, it faulted. The handler sends the program
 * back into catch_call (start.S) by changing the registers in the signal frame. A fault that nobody catches ends a
 * child with status 100 + signal, and is handed to fault_uncaught() elsewhere: PID 1 must not die in silence.
 */
#include "ulib.h"

u32 catch_esp; /* ESP of the innermost catch_call, 0 outside; start.S */
struct fault last_fault;

__attribute__((weak)) NORETURN void fault_uncaught(const struct fault *fault) { leave(100 + (int)fault->signal); }

void fault_uncatch(void) { catch_esp = 0; }

static CDECL void on_fault(u32 number, const struct signal_info *info, struct signal_context *context)
{
	struct signal_registers *registers = &context->registers;
	struct fault fault = {number, info->address, registers->eip, registers->error, registers->trap};

	if (catch_esp) {
		last_fault = fault;
		registers->sp = catch_esp;
		registers->eip = ADDRESS(catch_resume);
		return;
	}
	if (in_child)
		leave(100 + (int)number);
	fault_uncaught(&fault);
}

s32 handle_signal(u32 number, u32 handler, u32 flags)
{
	/* SA_SIGINFO, not the call that set the action, decides the kind of frame and so the way back. */
	u32 restorer = flags & SA_SIGINFO ? ADDRESS(rt_restorer) : ADDRESS(old_restorer);
	struct rt_action action = {handler, flags | SA_RESTORER, restorer, 0};

	return call4(SYS_rt_sigaction, number, ADDRESS(&action), 0, sizeof(action.mask));
}

void fault_handlers_install(void)
{
	static const u8 signals[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};

	for (u32 i = 0; i < ARRAY_SIZE(signals); i++)
		handle_signal(signals[i], ADDRESS(on_fault), SA_SIGINFO);
}

bool catch_fault(CDECL void (*function)(void *), void *argument) { return catch_call(function, argument) != 0; }
