/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The system-call table and what happens between entry.S and the call: accounting, dispatch, and the work before return to
 * ring 3. Linux/i386 numbers; results below zero are error numbers.
 */
#include "memory.h"
#include "process.h"

static long sys_exit(struct regs *regs)
{
	process_exit((regs->ebx & 0xFF) << 8);
}

static long sys_waitpid(struct regs *regs)
{
	return process_wait(regs->ebx, regs->ecx, regs->edx);
}

static long sys_execve(struct regs *regs)
{
	char path[64];
	int length = copy_text_in(path, regs->ebx, sizeof path);

	return length < 0 ? length : process_exec(regs, path, regs->ecx, regs->edx);
}

static long sys_getpid(struct regs *regs)
{
	(void)regs;
	return (long)current()->pid;
}

static long sys_getppid(struct regs *regs)
{
	const struct process *parent = current()->parent;

	(void)regs;
	return parent != NULL ? (long)parent->pid : 0;
}

static long sys_sched_yield(struct regs *regs)
{
	(void)regs;
	schedule();
	return 0;
}

static system_call *const table[SYS_COUNT] = {
	[SYS_EXIT] = sys_exit,
	[SYS_FORK] = process_fork,
	[SYS_READ] = sys_read,
	[SYS_WRITE] = sys_write,
	[SYS_OPEN] = sys_open,
	[SYS_CLOSE] = sys_close,
	[SYS_WAITPID] = sys_waitpid,
	[SYS_EXECVE] = sys_execve,
	[SYS_GETPID] = sys_getpid,
	[SYS_KILL] = sys_kill,
	[SYS_GETPPID] = sys_getppid,
	[SYS_SIGACTION] = sys_sigaction,
	[SYS_GETTIMEOFDAY] = sys_gettimeofday,
	[SYS_REBOOT] = sys_reboot,
	[SYS_MMAP] = sys_old_mmap,
	[SYS_MUNMAP] = sys_munmap,
	[SYS_SIGRETURN] = sys_sigreturn,
	[SYS_MPROTECT] = sys_mprotect,
	[SYS_SCHED_YIELD] = sys_sched_yield,
	[SYS_NANOSLEEP] = sys_nanosleep,
	[SYS_RT_SIGRETURN] = sys_rt_sigreturn,
	[SYS_RT_SIGACTION] = sys_rt_sigaction,
	[SYS_MMAP2] = sys_mmap2,
	[SYS_SET_THREAD_AREA] = sys_set_thread_area,
	[SYS_EXIT_GROUP] = sys_exit,
	[SYS_CLOCK_GETTIME] = sys_clock_gettime,
};

static system_call *const private_table[] = { sys_kcheck, sys_kbench, sys_kinfo };

void handle_syscall(struct regs *regs);
void handle_syscall(struct regs *regs)
{
	u32 number = regs->error;
	system_call *call = NULL;

	current()->system_calls++;
	this_cpu()->system_calls++;
	if (number < SYS_COUNT)
		call = table[number];
	else if (number - SYS_PRIVATE < ARRAY_SIZE(private_table))
		call = private_table[number - SYS_PRIVATE];
	regs->eax = call != NULL ? (u32)call(regs) : (u32)-ENOSYS;
}

/* Interrupts on. entry.S comes back here until there is nothing left. */
void do_pending_work(struct regs *regs);
void do_pending_work(struct regs *regs)
{
	u32 work = current()->work;

	if (work & WORK_RESCHED)
		schedule();
	if (work & WORK_SIGNAL)
		signal_deliver(regs);
}
