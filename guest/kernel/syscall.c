/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The system-call table and what happens between entry.S and the call: accounting, dispatch, and the work before
 * return to ring 3. Linux/i386 numbers; results below zero are error numbers.
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

/* EBX pid (only the caller's own, or 0), ECX size, EDX mask of CPUs. */
static long sys_sched_setaffinity(struct regs *regs)
{
	u32 mask;

	if (regs->ebx != 0 && regs->ebx != current()->pid)
		return -ESRCH;
	if (regs->ecx < sizeof mask)
		return -EINVAL;
	if (copy_in(&mask, regs->edx, sizeof mask) != 0)
		return -EFAULT;
	mask &= all_cpus();
	if (mask == 0)
		return -EINVAL;
	process_confine(mask);
	return 0;
}

static system_call *const table[SYSTEM_CALLS] = {
	[SYS_exit] = sys_exit,
	[SYS_fork] = process_fork,
	[SYS_read] = sys_read,
	[SYS_write] = sys_write,
	[SYS_open] = sys_open,
	[SYS_close] = sys_close,
	[SYS_waitpid] = sys_waitpid,
	[SYS_execve] = sys_execve,
	[SYS_getpid] = sys_getpid,
	[SYS_kill] = sys_kill,
	[SYS_getppid] = sys_getppid,
	[SYS_sigaction] = sys_sigaction,
	[SYS_gettimeofday] = sys_gettimeofday,
	[SYS_reboot] = sys_reboot,
	[SYS_mmap] = sys_old_mmap,
	[SYS_munmap] = sys_munmap,
	[SYS_sigreturn] = sys_sigreturn,
	[SYS_mprotect] = sys_mprotect,
	[SYS_sched_yield] = sys_sched_yield,
	[SYS_nanosleep] = sys_nanosleep,
	[SYS_rt_sigreturn] = sys_rt_sigreturn,
	[SYS_rt_sigaction] = sys_rt_sigaction,
	[SYS_mmap2] = sys_mmap2,
	[SYS_sched_setaffinity] = sys_sched_setaffinity,
	[SYS_set_thread_area] = sys_set_thread_area,
	[SYS_exit_group] = sys_exit,
	[SYS_clock_gettime] = sys_clock_gettime,
};

static system_call *const private_table[] = { sys_kcheck, sys_kbench, sys_kinfo };

void handle_syscall(struct regs *regs)
{
	u32 number = regs->error;
	system_call *call = NULL;

	current()->system_calls++;
	this_cpu()->system_calls++;
	if (number < SYSTEM_CALLS)
		call = table[number];
	else if (number - FIRST_PRIVATE_CALL < ARRAY_SIZE(private_table))
		call = private_table[number - FIRST_PRIVATE_CALL];
	regs->eax = call != NULL ? (u32)call(regs) : (u32)-ENOSYS;
}

void do_pending_work(struct regs *regs)
{
	u32 work = current()->work;

	if (work & WORK_RESCHED)
		schedule();
	if (work & WORK_SIGNAL)
		signal_deliver(regs);
}
