/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The scheduler: one first-in-first-out run queue for all CPUs, one lock. A CPU keeps the lock across the stack
 * switch; who goes on gives it back. Nothing in the kernel is preempted: processes give way on return to ring 3 or
 * when they wait.
 */
#include "memory.h"
#include "process.h"

struct process processes[MAX_PROCESSES];
struct spinlock sched_lock;

static struct process idle_processes[MAX_CPUS];
static struct process *queue_head, *queue_tail;
static volatile u32 sleepers;

static void enqueue(struct process *process)
{
	process->next = NULL;
	if (queue_head == NULL)
		queue_head = process;
	else
		queue_tail->next = process;
	queue_tail = process;
}

/* The longest waiting process that may run on this CPU, taken off the queue; or NULL. */
static struct process *dequeue(const struct cpu *cpu)
{
	struct process *before = NULL, *process = queue_head;

	while (process != NULL && !(process->allowed & (1u << cpu->number))) {
		before = process;
		process = process->next;
	}
	if (process == NULL)
		return NULL;
	if (before == NULL)
		queue_head = process->next;
	else
		before->next = process->next;
	if (queue_tail == process)
		queue_tail = before;
	return process;
}

void sched_init_cpu(u32 stack)
{
	struct cpu *cpu = this_cpu();
	struct process *idle = &idle_processes[cpu->number];

	idle->state = RUNNABLE;
	idle->stack = stack;
	cpu->idle = cpu->current = idle;
	cpu->tss.esp0 = stack + STACK_SIZE;
	update_kernel_stack(&cpu->tss, stack + STACK_SIZE);
}

/* Thread-local segments live in the CPU's GDT; most processes have none, and equal words need no store. The one in %gs must
 * not become invalid under it (vmi-abi.md 4.8): it goes first, and switch_to() loads the next one's. */
static NOINLINE void load_tls(struct descriptor *gdt, const struct process *to)
{
	for (u32 i = 0; i < GDT_TLS_COUNT; i++) {
		const struct descriptor *now = &gdt[GDT_TLS + i], *next = &to->tls[i];

		if (now->low == next->low && now->high == next->high)
			continue;
		load_gs(0);
		write_gdt_entry(gdt, GDT_TLS + i, next->low, next->high);
	}
}

static NOINLINE void switch_to(struct cpu *cpu, struct process *from, struct process *to)
{
	if (from->fpu_live)
		fpu_leave(from);
	/* The hypervisor may take all of this in one go. Selectors that depend on it are loaded after the bracket. */
	from->gs = start_switch();
	space_load(to->space, from->space);
	load_tls(cpu->gdt, to);
	finish_switch(&cpu->tss, stack_top(to));
	if ((from->gs | to->gs) & 0xFFFF)
		load_gs(to->gs & 0xFFFF);
	cpu->current = to;
	switch_stacks(from, to);
}

void schedule_locked(void)
{
	struct cpu *cpu = this_cpu();
	struct process *from = cpu->current, *to;

	__atomic_fetch_and(&from->work, ~(u32)WORK_RESCHED, __ATOMIC_SEQ_CST);
	cpu->woken = false;
	if (from->state == RUNNABLE && from != cpu->idle)
		enqueue(from);
	to = dequeue(cpu);
	if (to == NULL)
		to = cpu->idle;
	if (to != from)
		switch_to(cpu, from, to);
}

void schedule(void)
{
	u32 flags = spin_lock_irq(&sched_lock);

	schedule_locked();
	spin_unlock_irq(&sched_lock, flags);
}

/* First thing of a new process, on its own stack. */
void finish_first_switch(void)
{
	spin_unlock(&sched_lock);
	irq_enable();
}

static void kick(struct cpu *cpu)
{
	if (cpu != this_cpu())
		smp_send(cpu, VECTOR_RESCHED);
}

void wake(struct process *process)
{
	if (process->state != SLEEPING && process->state != WAITING)
		return;
	if (process->state == SLEEPING)
		sleepers--;
	process->state = RUNNABLE;
	process_enqueue(process);
}

/* A CPU with nothing to do halts: the interrupt makes its idle loop look for this process. */
static void rouse_idle(const struct process *process)
{
	for (u32 i = 0; i < cpu_count; i++) {
		if (cpus[i].online && cpus[i].current == cpus[i].idle && !cpus[i].woken &&
		    (process->allowed & (1u << i))) {
			cpus[i].woken = true;
			kick(&cpus[i]);
			return;
		}
	}
}

void process_enqueue(struct process *process)
{
	enqueue(process);
	rouse_idle(process);
}

void process_confine(u32 allowed)
{
	struct process *process = current();
	u32 flags = spin_lock_irq(&sched_lock);

	process->allowed = allowed;
	/* Another CPU that comes finds the lock held until the process is queued and its stack is left. */
	if (!(allowed & (1u << this_cpu()->number)))
		rouse_idle(process);
	schedule_locked();
	spin_unlock_irq(&sched_lock, flags);
}

void set_work(struct process *process, u32 work)
{
	__atomic_fetch_or(&process->work, work, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < cpu_count; i++)
		if (cpus[i].online && cpus[i].current == process)
			kick(&cpus[i]);
}

static void wake_sleepers(void)
{
	u64 now = time_ns();

	for (u32 i = 0; i < MAX_PROCESSES; i++)
		if (processes[i].state == SLEEPING && processes[i].wake_ns <= now)
			wake(&processes[i]);
}

/* Interrupts are off. A tick is the time slice; the queue is read without the lock, a late answer does no harm. */
void sched_tick(void)
{
	struct cpu *cpu = this_cpu();

	if (sleepers > 0 && cpu->number == 0) {
		spin_lock(&sched_lock);
		wake_sleepers();
		spin_unlock(&sched_lock);
	}
	if (cpu->current != NULL && queue_head != NULL)
		__atomic_fetch_or(&cpu->current->work, WORK_RESCHED, __ATOMIC_SEQ_CST);
}

void sleep_until(u64 ns)
{
	struct process *process = current();
	u32 flags = spin_lock_irq(&sched_lock);

	while (time_ns() < ns && !(process->work & WORK_SIGNAL)) {
		process->wake_ns = ns;
		process->state = SLEEPING;
		sleepers++;
		schedule_locked();
	}
	spin_unlock_irq(&sched_lock, flags);
}

void idle_loop(void)
{
	for (;;) {
		irq_disable();
		spin_lock(&sched_lock);
		schedule_locked();
		spin_unlock(&sched_lock);
		/* Whoever queues something from here on interrupts this CPU, and the halt takes that interrupt. */
		safe_halt();
	}
}
