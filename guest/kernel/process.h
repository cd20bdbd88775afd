/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Processes and the scheduler: sched.c (run queue, switch, sleep), process.c (fork, exit, wait), exec.c, signal.c,
 * syscall.c and its parts, initfs.S (the programs inside the kernel image).
 */
#ifndef OPENVMI_PROCESS_H
#define OPENVMI_PROCESS_H

#include "cpu.h"
#include "linux.h"

struct space;

#define MAX_PROCESSES 64
#define MAX_FILES 16
#define FPU_AREA 512

enum state { SLOT_FREE, NEW, RUNNABLE, SLEEPING, WAITING, ZOMBIE };

/** One of the programs inside the kernel image. */
struct program {
	const char *name; /* absolute path */
	const u8 *start;
	const u8 *end;
};

extern const struct program initfs[];
extern const u32 initfs_count;
const struct program *program_find(const char *path);

enum file_kind { FILE_CLOSED, FILE_CONSOLE, FILE_RESULT, FILE_PROGRAM };

struct file {
	enum file_kind kind;
	const struct program *program;
	u32 offset;
};

struct process {
	u32 kernel_esp;    /* where switch_stacks() finds its frame */
	volatile u32 work; /* WORK_*: checked before each return to ring 3 */
	enum state state;
	u32 pid;
	struct process *parent;
	struct process *next; /* run queue */
	struct space *space;  /* NULL: idle */
	u32 stack;            /* lowest address of the kernel stack */
	u32 exit_status;      /* as waitpid() reports it */
	u64 wake_ns;          /* SLEEPING until then */
	u32 gs;
	struct descriptor tls[GDT_TLS_COUNT];
	bool fpu_used, fpu_live; /* has a saved state; state is in this CPU's registers */
	u32 allowed; /* mask of CPUs */
	u32 system_calls;
	volatile u64 pending; /* signals, bit n-1 */
	u64 blocked;
	struct rt_action actions[SIGNALS];
	struct file files[MAX_FILES];
	u8 fpu[FPU_AREA] ALIGNED(16);
};

_Static_assert(offsetof(struct process, kernel_esp) == PROCESS_KERNEL_ESP, "entry.S");
_Static_assert(offsetof(struct process, work) == PROCESS_WORK, "entry.S");

extern struct process processes[MAX_PROCESSES];
/** Guards states, the run queue and the family tree. Taken with interrupts off. */
extern struct spinlock sched_lock;

ALWAYS_INLINE struct process *current(void)
{
	struct process *process;

	asm volatile("movl %%fs:%c1, %0" : "=r"(process) : "i"(CPU_CURRENT));
	return process;
}

ALWAYS_INLINE u32 stack_top(const struct process *process)
{
	return process->stack + STACK_SIZE;
}

/** The registers with which a process entered from ring 3. */
ALWAYS_INLINE struct regs *user_regs(const struct process *process)
{
	return POINTER(struct regs, stack_top(process)) - 1;
}

/** Loads a user's selector; one that is not or no longer valid becomes the null one. */
ALWAYS_INLINE void load_gs(u32 selector)
{
	asm volatile("1: movl %0, %%gs\n"
		     "2:\n"
		     "	.pushsection .text.fixup, \"ax\", @progbits\n"
		     "3: xorl %0, %0\n"
		     "	jmp 1b\n"
		     "	.popsection\n"
		     "	.pushsection .ex_table, \"a\", @progbits\n"
		     "	.balign 4\n"
		     "	.long 1b, 3b\n"
		     "	.popsection"
		     : "+r"(selector));
}

/* ---- sched.c ---- */
/** Makes what runs now the idle process of this CPU. */
void sched_init_cpu(u32 stack);
NORETURN void idle_loop(void);
/** Gives the CPU away; returns when chosen again. */
void schedule(void);
/** The same, sched_lock held with interrupts off; it stays held. */
void schedule_locked(void);
/** sched_lock held: a new runnable process. */
void process_enqueue(struct process *process);
/** Lets the caller run on the CPUs of the mask only, of which there is at least one; returns on one of them. */
void process_confine(u32 allowed);
/** sched_lock held: runnable again, if it is not. */
void wake(struct process *process);
/** sched_lock held: sets work for a process, and interrupts the CPU that runs it. */
void set_work(struct process *process, u32 work);
/** Called at each tick of this CPU. */
void sched_tick(void);
/** Sleeps until time_ns() >= ns or a signal. */
void sleep_until(u64 ns);

/* ---- fpu.c ---- */
void fpu_init_cpu(void);
/** Gives the current process the FPU (exception 7). */
void fpu_give(void);
/** Saves the live state before a switch or a fork. */
void fpu_leave(struct process *process);
void fpu_forget(struct process *process);

/* ---- process.c ---- */
struct process *process_create(struct process *parent);
void process_start(struct process *process);
NORETURN void process_exit(u32 status);
long process_fork(struct regs *regs);
long process_wait(u32 pid, u32 status, u32 options);

/* ---- exec.c ---- */
long process_exec(struct regs *regs, const char *path, u32 argv, u32 envp);
/** Makes pid 1 from /init and its words. */
void start_init(void);

/* ---- signal.c ---- */
/** Sends a signal; any context. */
/** A fault of the running process: its handler, else death. */
void signal_fault(struct regs *regs, u32 signal, u32 code, u32 address);
/** Before return to ring 3: delivers what is pending. */
void signal_deliver(struct regs *regs);
long sys_sigaction(struct regs *regs);
long sys_rt_sigaction(struct regs *regs);
long sys_sigreturn(struct regs *regs);
long sys_rt_sigreturn(struct regs *regs);
long sys_kill(struct regs *regs);

/** A process has sent the result channel's last line, `exit`: the end of pid 1 is then no accident. */
extern bool result_exit_seen;

/* ---- sysfile.c, sysmem.c, sysmisc.c, kcheck.c: one function per system call ---- */
typedef long system_call(struct regs *regs);
system_call sys_read, sys_write, sys_open, sys_close;
system_call sys_old_mmap, sys_mmap2, sys_munmap, sys_mprotect;
system_call sys_nanosleep, sys_gettimeofday, sys_clock_gettime, sys_reboot, sys_set_thread_area;
system_call sys_kcheck, sys_kbench, sys_kinfo;

#endif
