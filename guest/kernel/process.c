/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Processes: slots with their kernel stacks, fork, exit, wait. Scheduling: sched.c; programs: exec.c; memory:
 * copy.c.
 */
#include "memory.h"
#include "process.h"

static u8 stacks[MAX_PROCESSES][STACK_SIZE] __attribute__((section(".bss.page"), aligned(PAGE_SIZE)));
static u32 last_pid;

/* Callee-saved registers and return address, as switch_stacks() pops them. */
struct switch_frame {
	u32 edi, esi, ebx, ebp, eip;
};

static struct process *free_slot(void)
{
	for (u32 i = 0; i < MAX_PROCESSES; i++) {
		if (processes[i].state == SLOT_FREE) {
			processes[i].stack = ADDRESS(stacks[i]);
			return &processes[i];
		}
	}
	return NULL;
}

struct process *process_create(struct process *parent)
{
	u32 flags = spin_lock_irq(&sched_lock);
	struct process *process = free_slot();

	if (process != NULL) {
		process->state = NEW;
		process->pid = ++last_pid;
		process->parent = parent;
		process->work = 0;
		process->allowed = ~0u;
		process->pending = 0;
		process->system_calls = 0;
		process->exit_status = 0;
		process->fpu_used = process->fpu_live = false;
	}
	spin_unlock_irq(&sched_lock, flags);
	return process;
}

void process_start(struct process *process)
{
	struct switch_frame *frame = POINTER(struct switch_frame, ADDRESS(user_regs(process))) - 1;
	u32 flags;

	*frame = (struct switch_frame){ .eip = ADDRESS(ret_from_fork) };
	process->kernel_esp = ADDRESS(frame);
	flags = spin_lock_irq(&sched_lock);
	process->state = RUNNABLE;
	process_enqueue(process);
	spin_unlock_irq(&sched_lock, flags);
}

static void inherit(struct process *child, struct process *parent)
{
	if (parent->fpu_live)
		fpu_leave(parent);
	child->fpu_used = parent->fpu_used;
	if (parent->fpu_used)
		memcpy(child->fpu, parent->fpu, FPU_AREA);
	child->allowed = parent->allowed;
	child->blocked = parent->blocked;
	memcpy(child->actions, parent->actions, sizeof child->actions);
	memcpy(child->files, parent->files, sizeof child->files);
	memcpy(child->tls, parent->tls, sizeof child->tls);
	asm volatile("movl %%gs, %0" : "=r"(child->gs));
}

long process_fork(struct regs *regs)
{
	struct process *parent = current(), *child = process_create(parent);
	struct space *space;

	if (child == NULL)
		return -EAGAIN;
	space = space_copy(parent->space);
	if (space == NULL) {
		child->state = SLOT_FREE;
		return -ENOMEM;
	}
	child->space = space;
	inherit(child, parent);
	*user_regs(child) = *regs;
	user_regs(child)->eax = 0;
	/* Once started it may run, end and be gone before the next line. */
	u32 pid = child->pid;

	process_start(child);
	return (long)pid;
}

static void leave_space(struct process *process)
{
	struct space *space = process->space;
	u32 flags = irq_save(); /* no switch in between may load it again */

	space_load(NULL, space);
	process->space = NULL;
	irq_restore_flags(flags);
	space_destroy(space);
}

/* sched_lock held. pid 1 inherits the children. */
static void leave_family(struct process *process)
{
	struct process *init = NULL;

	for (u32 i = 0; i < MAX_PROCESSES; i++)
		if (processes[i].state != SLOT_FREE && processes[i].pid == 1)
			init = &processes[i];
	for (u32 i = 0; i < MAX_PROCESSES; i++) {
		if (processes[i].state == SLOT_FREE || processes[i].parent != process)
			continue;
		processes[i].parent = init;
		if (processes[i].state == ZOMBIE && init != NULL && init->state == WAITING)
			wake(init);
	}
	if (process->parent != NULL && process->parent->state == WAITING)
		wake(process->parent);
}

void process_exit(u32 status)
{
	struct process *process = current();

	if (process->pid == 1) {
		if ((status & 0x7F) != 0)
			panic("init was killed by signal %u", status & 0x7F);
		if (!result_exit_seen)
			panic("init left with status %u", status >> 8);
		power_off();
	}
	fpu_forget(process);
	leave_space(process);
	spin_lock_irq(&sched_lock);
	process->exit_status = status;
	process->state = ZOMBIE;
	leave_family(process);
	schedule_locked();
	panic("a process ran after its end");
}

/* sched_lock held. An ended child that matches, or NULL; `any` tells whether there is a matching child at all. */
static struct process *ended_child(struct process *parent, u32 pid, bool *any)
{
	*any = false;
	for (u32 i = 0; i < MAX_PROCESSES; i++) {
		struct process *child = &processes[i];

		if (child->state == SLOT_FREE || child->parent != parent || ((s32)pid > 0 && child->pid != pid))
			continue;
		*any = true;
		if (child->state == ZOMBIE)
			return child;
	}
	return NULL;
}

long process_wait(u32 pid, u32 status, u32 options)
{
	struct process *parent = current(), *child;
	u32 flags = spin_lock_irq(&sched_lock), child_status = 0;
	long answer;
	bool any;

	for (;;) {
		child = ended_child(parent, pid, &any);
		if (child != NULL || !any || (options & WNOHANG) || (parent->work & WORK_SIGNAL))
			break;
		parent->state = WAITING;
		schedule_locked();
	}
	if (child != NULL) {
		answer = (long)child->pid;
		child_status = child->exit_status;
		child->state = SLOT_FREE;
	} else if (!any) {
		answer = -ECHILD;
	} else {
		answer = (options & WNOHANG) ? 0 : -EINTR;
	}
	spin_unlock_irq(&sched_lock, flags);
	if (child != NULL && status != 0 && copy_out(status, &child_status, sizeof child_status) != 0)
		return -EFAULT;
	return answer;
}
