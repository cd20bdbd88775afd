/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Signals: faults of a process and kill(), handlers on the user stack in Linux's frame layouts (old and real-time),
 * return from them. Defaults are: ignore for SIGCHLD and its like, death for the rest. FPU state is not part of a
 * frame here.
 */
#include "memory.h"
#include "process.h"

#define BIT(signal) (1ull << ((signal) - 1))
#define USER_FLAGS 0x00050DD5 /* what a signal return may set: arithmetic flags, TF, DF, RF, AC */

/* struct sigframe; the kernel returns through the vsyscall page, so no code stands on the stack. */
struct signal_frame {
	u32 return_address;
	u32 signal;
	struct signal_registers context;
	u32 mask_high;
};

/* struct rt_sigframe with siginfo_t and struct ucontext. */
struct rt_signal_frame {
	u32 return_address;
	u32 signal;
	u32 info_pointer, context_pointer;
	struct signal_info info;
	struct signal_context context;
};

_Static_assert(offsetof(struct rt_signal_frame, context.mask) == 16 + 128 + 20 + 88, "struct rt_sigframe");

/* sched_lock held. */
static void signal_recalculate(struct process *process)
{
	if (process->pending & ~process->blocked)
		set_work(process, WORK_SIGNAL);
	else
		__atomic_fetch_and(&process->work, ~(u32)WORK_SIGNAL, __ATOMIC_SEQ_CST);
}

/* Only the process itself changes its mask, but another CPU may be sending a signal just now. */
static void set_blocked(struct process *process, u64 mask)
{
	u32 flags = spin_lock_irq(&sched_lock);

	process->blocked = mask & ~(BIT(SIGKILL) | BIT(SIGSTOP));
	signal_recalculate(process);
	spin_unlock_irq(&sched_lock, flags);
}

static bool ignored(const struct process *process, u32 signal)
{
	u32 handler = process->actions[signal - 1].handler;

	return handler == SIG_IGN || (handler == SIG_DFL && (signal == SIGCHLD || signal == SIGURG ||
							     signal == SIGWINCH || signal == SIGCONT));
}

/* sched_lock held. */
static void send_locked(struct process *process, u32 signal)
{
	if (ignored(process, signal))
		return;
	process->pending |= BIT(signal);
	signal_recalculate(process);
	if (process->work & WORK_SIGNAL)
		wake(process);
}

long sys_kill(struct regs *regs)
{
	u32 flags, signal = regs->ecx;
	long answer = -ESRCH;

	if (signal > SIGNALS)
		return -EINVAL;
	flags = spin_lock_irq(&sched_lock);
	for (u32 i = 0; i < MAX_PROCESSES; i++) {
		if (processes[i].state == SLOT_FREE || processes[i].pid != regs->ebx)
			continue;
		answer = 0;
		if (signal != 0 && processes[i].state != ZOMBIE)
			send_locked(&processes[i], signal);
	}
	spin_unlock_irq(&sched_lock, flags);
	return answer;
}

static void save_context(struct signal_registers *context, const struct regs *regs, u64 mask, u32 address)
{
	u32 gs;

	asm volatile("movl %%gs, %0" : "=r"(gs));
	*context = (struct signal_registers){
		.gs = gs & 0xFFFF, .fs = regs->fs & 0xFFFF, .es = regs->es & 0xFFFF, .ds = regs->ds & 0xFFFF,
		.edi = regs->edi, .esi = regs->esi, .ebp = regs->ebp, .sp = regs->esp, .ebx = regs->ebx,
		.edx = regs->edx, .ecx = regs->ecx, .eax = regs->eax, .trap = regs->vector, .error = regs->error,
		.eip = regs->eip, .cs = regs->cs & 0xFFFF, .eflags = regs->eflags, .sp_at_signal = regs->esp,
		.ss = regs->ss & 0xFFFF, .oldmask = (u32)mask, .cr2 = address,
	};
}

/* Code and stack segments are not taken from the frame: nothing but the flat user ones is ever right here. */
static void restore_context(struct regs *regs, const struct signal_registers *context)
{
	regs->edi = context->edi;
	regs->esi = context->esi;
	regs->ebp = context->ebp;
	regs->ebx = context->ebx;
	regs->edx = context->edx;
	regs->ecx = context->ecx;
	regs->eax = context->eax;
	regs->eip = context->eip;
	regs->esp = context->sp;
	regs->ds = context->ds | 3;
	regs->es = context->es | 3;
	regs->fs = context->fs | 3;
	regs->eflags = (context->eflags & USER_FLAGS) | EFLAGS_IF | EFLAGS_FIXED;
	regs->cs = USER_CS;
	regs->ss = USER_DS;
}

static u32 restorer(const struct rt_action *action, u32 offset)
{
	return (action->flags & SA_RESTORER) ? action->restorer : VSYSCALL_VA + offset;
}

static int push_old_frame(struct regs *regs, const struct rt_action *action, u32 signal, u64 mask, u32 address)
{
	u32 at = ALIGN_DOWN(regs->esp - (u32)sizeof(struct signal_frame) + 4, 16) - 4;
	struct signal_frame frame = { .return_address = restorer(action, VSYSCALL_SIGRETURN), .signal = signal,
				      .mask_high = (u32)(mask >> 32) };

	save_context(&frame.context, regs, mask, address);
	if (copy_out(at, &frame, sizeof frame) != 0)
		return -EFAULT;
	regs->esp = at;
	regs->edx = regs->ecx = 0;
	return 0;
}

static int push_rt_frame(struct regs *regs, const struct rt_action *action, u32 signal, u64 mask, u32 code,
			 u32 address)
{
	u32 at = ALIGN_DOWN(regs->esp - (u32)sizeof(struct rt_signal_frame) + 4, 16) - 4;
	struct rt_signal_frame frame = { .return_address = restorer(action, VSYSCALL_RT_SIGRETURN), .signal = signal,
					 .info_pointer = at + offsetof(struct rt_signal_frame, info),
					 .context_pointer = at + offsetof(struct rt_signal_frame, context),
					 .info = { .number = (s32)signal, .code = (s32)code, .address = address },
					 .context.mask = mask };

	save_context(&frame.context.registers, regs, mask, address);
	if (copy_out(at, &frame, sizeof frame) != 0)
		return -EFAULT;
	regs->esp = at;
	regs->edx = frame.info_pointer;
	regs->ecx = frame.context_pointer;
	return 0;
}

/* Lets the process run its handler for `signal`, or ends it. */
static void act(struct regs *regs, u32 signal, u32 code, u32 address)
{
	struct process *process = current();
	struct rt_action action = process->actions[signal - 1];
	u64 mask = process->blocked;
	int error;

	if (action.handler == SIG_DFL || action.handler == SIG_IGN)
		process_exit(signal);
	if (action.flags & SA_SIGINFO)
		error = push_rt_frame(regs, &action, signal, mask, code, address);
	else
		error = push_old_frame(regs, &action, signal, mask, address);
	if (error != 0)
		process_exit(SIGSEGV);
	if (action.flags & SA_RESETHAND)
		process->actions[signal - 1].handler = SIG_DFL;
	set_blocked(process, mask | action.mask | ((action.flags & SA_NODEFER) ? 0 : BIT(signal)));
	regs->eax = signal; /* so that a handler with register arguments works as well */
	regs->eip = action.handler;
	regs->ds = regs->es = USER_DS;
	regs->eflags &= ~(u32)EFLAGS_TF;
}

void signal_fault(struct regs *regs, u32 signal, u32 code, u32 address)
{
	/* Blocked or ignored faults would repeat for ever. */
	if (current()->blocked & BIT(signal))
		process_exit(signal);
	act(regs, signal, code, address);
}

void signal_deliver(struct regs *regs)
{
	struct process *process = current();
	u32 flags = spin_lock_irq(&sched_lock), signal = 0;
	u64 ready = process->pending & ~process->blocked;

	if (ready != 0) {
		signal = (u32)ready != 0 ? (u32)__builtin_ctz((u32)ready) + 1
					 : (u32)__builtin_ctz((u32)(ready >> 32)) + 33;
		process->pending &= ~BIT(signal);
	}
	signal_recalculate(process);
	spin_unlock_irq(&sched_lock, flags);
	if (signal != 0 && !ignored(process, signal))
		act(regs, signal, SI_USER, 0);
}

static long set_action(u32 signal, const struct rt_action *action)
{
	struct process *process = current();

	if (signal == 0 || signal > SIGNALS || (action != NULL && (signal == SIGKILL || signal == SIGSTOP)))
		return -EINVAL;
	if (action != NULL) {
		process->actions[signal - 1] = *action;
		process->actions[signal - 1].mask &= ~(BIT(SIGKILL) | BIT(SIGSTOP));
	}
	return 0;
}

long sys_sigaction(struct regs *regs)
{
	u32 signal = regs->ebx;
	struct old_action words;
	struct rt_action action, old;
	long error = set_action(signal, NULL);

	if (error != 0)
		return error;
	old = current()->actions[signal - 1];
	if (regs->ecx != 0) {
		if (copy_in(&words, regs->ecx, sizeof words) != 0)
			return -EFAULT;
		action = (struct rt_action){ words.handler, words.flags, words.restorer, words.mask };
		error = set_action(signal, &action);
	}
	if (error == 0 && regs->edx != 0) {
		words = (struct old_action){ old.handler, (u32)old.mask, old.flags, old.restorer };
		error = copy_out(regs->edx, &words, sizeof words);
	}
	return error;
}

long sys_rt_sigaction(struct regs *regs)
{
	u32 signal = regs->ebx;
	struct rt_action action, old;
	long error = regs->esi == sizeof(u64) ? set_action(signal, NULL) : -EINVAL;

	if (error != 0)
		return error;
	old = current()->actions[signal - 1];
	if (regs->ecx != 0) {
		if (copy_in(&action, regs->ecx, sizeof action) != 0)
			return -EFAULT;
		error = set_action(signal, &action);
	}
	if (error == 0 && regs->edx != 0)
		error = copy_out(regs->edx, &old, sizeof old);
	return error;
}

static long signal_return(struct regs *regs, const struct signal_registers *context, u64 mask)
{
	set_blocked(current(), mask);
	restore_context(regs, context);
	load_gs(context->gs == 0 ? 0 : (context->gs & 0xFFFF) | 3);
	return (long)regs->eax;
}

/* The handler's return popped the return address, the trampoline the signal number. */
long sys_sigreturn(struct regs *regs)
{
	struct signal_frame frame;

	if (copy_in(&frame, regs->esp - 8, sizeof frame) != 0)
		process_exit(SIGSEGV);
	return signal_return(regs, &frame.context, frame.context.oldmask | (u64)frame.mask_high << 32);
}

long sys_rt_sigreturn(struct regs *regs)
{
	struct rt_signal_frame frame;

	if (copy_in(&frame, regs->esp - 4, sizeof frame) != 0)
		process_exit(SIGSEGV);
	return signal_return(regs, &frame.context.registers, frame.context.mask);
}
