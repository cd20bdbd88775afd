/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A CPU and what is on its kernel stack: the saved registers, the per-CPU structure behind %fs, descriptor tables,
 * and the interfaces of desc.c, traps.c, apic.c, smp.c and the timers.
 */
#ifndef OPENVMI_CPU_H
#define OPENVMI_CPU_H

#include "kernel.h"

struct process;

/** Registers of what an exception, interrupt or system call interrupted; entry.S pushes them. */
struct regs {
	u32 ebx, ecx, edx, esi, edi, ebp, eax;
	u32 ds, es, fs; /* upper halves undefined; %gs is never touched by the kernel and stays live */
	u32 vector;
	u32 error; /* hardware error code; system call: its number, so that EAX can take the result */
	u32 eip, cs, eflags;
	u32 esp, ss; /* only there if from_user() */
};

_Static_assert(offsetof(struct regs, edx) == REGS_EDX && offsetof(struct regs, ebp) == REGS_EBP, "entry.S");
_Static_assert(offsetof(struct regs, eax) == REGS_EAX && offsetof(struct regs, ds) == REGS_DS, "entry.S");
_Static_assert(offsetof(struct regs, fs) == REGS_FS && offsetof(struct regs, error) == REGS_ERROR, "entry.S");
_Static_assert(offsetof(struct regs, eip) == REGS_EIP && offsetof(struct regs, ss) == REGS_SS, "entry.S");

/** The kernel may run at RPL 0, 1 or 2: only 3 tells who was interrupted. */
ALWAYS_INLINE bool from_user(const struct regs *regs)
{
	return (regs->cs & 3) == 3;
}

/** What one CPU has to itself. */
struct cpu {
	struct cpu *self;
	struct process *current;
	struct process *idle;
	u32 number, apic_id;
	volatile bool online;
	bool woken; /* idle, and already told to look at the run queue */
	struct descriptor *gdt;
	volatile u32 ticks; /* timer interrupts on this CPU */
	volatile u32 resched_ipis, shootdown_ipis, test_ipis;
	u64 test_arrival; /* TSC at the last VECTOR_TEST interrupt */
	u32 faults, system_calls;
	struct tss tss;
	u8 entry_stack[ENTRY_STACK_SIZE]; /* SYSENTER lands at its end; a few words for a debug trap there */
};

_Static_assert(offsetof(struct cpu, self) == CPU_SELF && offsetof(struct cpu, current) == CPU_CURRENT, "entry.S");
_Static_assert(offsetof(struct cpu, tss) + sizeof(struct tss) == offsetof(struct cpu, entry_stack), "SYSENTER");

extern struct cpu cpus[MAX_CPUS];
extern u32 cpu_count; /* CPUs that are running; numbers 0 ... cpu_count-1 */

/* Stable as long as the caller does not call schedule(): kernel code is not preempted. */
ALWAYS_INLINE struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm volatile("movl %%fs:%c1, %0" : "=r"(cpu) : "i"(CPU_SELF));
	return cpu;
}

/** What the CPU offers, asked through the cpuid operation, so that a hypervisor can hide things. */
struct cpu_features {
	bool pse, pge, apic, sep, fxsr, tsc, nx;
	u32 family;
};

extern struct cpu_features features;
void features_init(void);

/* ---- desc.c ---- */
/** Gives this CPU its GDT, TSS, per-CPU segment, IDT and SYSENTER registers; this_cpu() works from then on. */
void descriptors_init(u32 number);
/** Fills `gdt` of CPU `number` without loading it: a hypervisor starts the CPU on it. */
void descriptors_prepare(u32 number);
extern struct descriptor idt[256];
void set_gate(u32 vector, void (*handler)(void), u32 type);
u32 data_descriptor_low(u32 base, u32 limit);
u32 data_descriptor_high(u32 base, u32 limit);

/* ---- entry.S ---- */
extern void (*const exception_entries[32])(void);
extern void (*const irq_entries[16])(void);
void entry_syscall(void);
void entry_sysenter(void);
void entry_timer(void);
void entry_resched(void);
void entry_shootdown(void);
void entry_test(void);
void entry_spurious(void);
void ret_from_fork(void);
void switch_stacks(struct process *from, struct process *to);

/* ---- What entry.S calls: traps.c, smp.c, syscall.c, sched.c ---- */
void handle_trap(struct regs *regs);
void handle_irq(struct regs *regs);
void handle_timer(struct regs *regs);
void handle_resched(struct regs *regs);
void handle_shootdown(struct regs *regs);
void handle_test(struct regs *regs);
void handle_spurious(struct regs *regs);
void handle_syscall(struct regs *regs);
/** Interrupts on; entry.S comes back until there is no work left. */
void do_pending_work(struct regs *regs);
/** The half of schedule() that a new process never entered: gives the lock back. */
void finish_first_switch(void);

/* ---- traps.c ---- */
void idt_init(void);
/** If `eip` is an instruction that may fault, continues at its fix-up; false otherwise. */
bool fix_up(struct regs *regs);
typedef void irq_handler(void);
void irq_install(u32 irq, irq_handler *handler);

/* ---- pic.c ---- */
void pic_init(void);
void pic_unmask(u32 irq);
void pic_mask(u32 irq);
void pic_end(u32 irq);

/* ---- apic.c ---- */
void apic_init_boot(void);
void apic_init_this_cpu(void);
bool apic_present(void);
u32 apic_own_id(void);
void apic_end(void);
void apic_send(u32 apic_id, u32 vector);
void apic_send_init(u32 apic_id);
void apic_send_startup(u32 apic_id, u32 page);
void apic_timer_start(void);
void apic_timer_wire(u32 vector);
/** For calibration: counts down from all ones, masked. */
void apic_timer_measure(void);
u32 apic_timer_elapsed(void);
extern u32 apic_timer_khz; /* timer counts per millisecond, as programmed */

/* ---- timer.c, time.c ---- */
#define TICK_HZ 100
/** Finds the TSC's and APIC timer's rates against the PIT, within a few milliseconds. */
void timer_calibrate(void);
/** Starts this CPU's tick: VMI timer if there is one, else local APIC, else PIT. */
void timer_start(void);
/** The same on a further CPU. */
void timer_start_ap(void);
const char *timer_name(void);
void timer_tick(void);
void pit_start(void);
void pit_stop(void);
void time_init(void);
/** Nanoseconds since boot; never goes back, on any CPU. */
u64 time_ns(void);
/** Nanoseconds since 1970. */
u64 time_wall_ns(void);
void delay_us(u32 us);

/* ---- kcheck_smp.c ---- */
/** What a self-check wants of this CPU, at its test interrupt. */
void kcheck_interrupt(void);

/* ---- smp.c, acpi.c ---- */
/** Finds and starts the other CPUs, at most `limit` in all. */
void smp_start(u32 limit);
/** For a self-check: a CPU that does not run starts although nobody awaits it, as a late one does; it must only count
 * itself in `late_cpus` and halt. False: every CPU runs, or a hypervisor starts them. */
bool smp_start_late(void);
extern volatile u32 late_cpus;
/** APIC ids of the enabled CPUs, boot CPU included, from ACPI or the MP table; returns how many. */
u32 find_cpus(u32 *apic_ids, u32 size);
void smp_send(const struct cpu *cpu, u32 vector);
/** Drops `va` (or everything user-visible if SHOOT_ALL) from the TLBs of all CPUs in `mask`, this one included. */
void tlb_shoot(u32 mask, u32 va);
#define SHOOT_ALL 0xFFFFFFFF
u32 all_cpus(void);

#endif
