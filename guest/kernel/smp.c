/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Several CPUs: starts them one after the other (INIT, state for a hypervisor, STARTUP), and what they tell each
 * other: look for work, forget translations. A further CPU's first code: trampoline.S; then ap_main here.
 */
#include "memory.h"
#include "process.h"

extern u8 trampoline_start[], trampoline_end[], trampoline_root[], trampoline_cr4[];
void ap_entry(void);
NORETURN void ap_main(void);

u32 cpu_count = 1;
u32 ap_stack; /* read by ap_entry */

static u8 ap_stacks[MAX_CPUS][STACK_SIZE] __attribute__((section(".bss.page"), aligned(PAGE_SIZE)));
static u32 starting; /* number of the CPU on its way */

#define FIRST_WAIT_MS 20
#define START_WAIT_MS 520 /* a virtual CPU may be waiting for a real one */
#define AP_STATE_ALIGNMENT 128

_Static_assert(sizeof(struct vmi_ap_state) <= AP_STATE_ALIGNMENT, "an aligned state is within a page");

/* ---- Starting ---- */

/* Of an absent CPU: the first of it and the boot CPU to say so has its way. */
static bool change_state(struct cpu *cpu, u32 state)
{
	u32 absent = CPU_ABSENT;

	return __atomic_compare_exchange_n(&cpu->online, &absent, state, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void ap_set_up(u32 number)
{
	struct cpu *cpu;

	paravirt_activate_cpu();
	paging_init_cpu();
	write_cr3(virt_to_phys(kernel_root));
	flush_tlb_global();
	descriptors_init(number);
	cpu = this_cpu();
	sched_init_cpu(ADDRESS(ap_stacks[number]));
	fpu_init_cpu();
	apic_init_this_cpu();
	timer_start_ap();
	if (!change_state(cpu, CPU_RUNS))
		for (;;) /* given up: INIT is on its way */
			cpu_relax();
}

void ap_main(void)
{
	ap_set_up(starting);
	idle_loop();
}

/* The kernel's tables with low memory also at 0, where the trampoline runs while it turns paging on. */
static u32 trampoline_tables(void)
{
	u32 pfn = frame_alloc_zeroed(FRAME_KERNEL);
	pte_t *root = frame_address(pfn);

	if (pfn == 0)
		return 0;
	memcpy(root, kernel_root, PAGE_SIZE);
#if CONFIG_PAE
	root[0] = root[KERNEL_BASE >> PDP_SHIFT];
#else
	root[0] = root[KERNEL_BASE >> PD_SHIFT];
#endif
	return pfn;
}

static void place_trampoline(u32 root_pfn)
{
	u8 *code = phys_to_virt(TRAMPOLINE_PHYS);
	u32 root = root_pfn << PAGE_SHIFT, cr4 = read_cr4() & (CR4_PAE | CR4_PSE);

	memcpy(code, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	memcpy(code + (trampoline_root - trampoline_start), &root, sizeof root);
	memcpy(code + (trampoline_cr4 - trampoline_start), &cr4, sizeof cr4);
}

/* What a hypervisor loads into the CPU before it runs ap_entry: the registers that the trampoline would have made. */
static void fill_state(struct vmi_ap_state *state, u32 number)
{
	*state = (struct vmi_ap_state){
		.cr0 = CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE,
		.cr3 = virt_to_phys(kernel_root),
		.cr4 = read_cr4(),
		.efer = features.nx ? native_rdmsr(MSR_EFER) : 0,
		.eip = ADDRESS(ap_entry),
		.eflags = EFLAGS_FIXED,
		.esp = ADDRESS(ap_stacks[number]) + STACK_SIZE,
		.cs = KERNEL_CS,
		.ss = KERNEL_DS,
		.ds = USER_DS,
		.es = USER_DS,
		.fs = PERCPU_SELECTOR,
		.gdtr_limit = GDT_ENTRIES * 8 - 1,
		.gdtr_base = ADDRESS(cpus[number].gdt),
		.idtr_base = ADDRESS(idt),
		.idtr_limit = sizeof idt - 1,
	};
}

/* A CPU that was too slow must not come along later: its number, its stack, the trampoline's tables are used again. It
 * finds that it was given up (ap_set_up), or INIT stops it where it is. False: it came just in time. */
static bool give_up(struct cpu *cpu)
{
	if (!change_state(cpu, CPU_GIVEN_UP))
		return false;
	apic_send_init(cpu->apic_id);
	delay_us(10000);
	cpu->online = CPU_ABSENT;
	return true;
}

static bool wait_online(const struct cpu *cpu, u64 end)
{
	while (!cpu->online && time_ns() < end)
		cpu_relax();
	return cpu->online;
}

/* INIT wants 10 ms on early parts only; a STARTUP that was lost is sent once more. */
static bool start_one(u32 number, u32 apic_id, u32 patience_ms)
{
	/* Within a page: a hypervisor may take it by its physical address. */
	static struct vmi_ap_state state ALIGNED(AP_STATE_ALIGNMENT);
	struct cpu *cpu = &cpus[number];
	u64 end;

	starting = number;
	ap_stack = ADDRESS(ap_stacks[number]) + STACK_SIZE;
	descriptors_prepare(number);
	cpu->apic_id = apic_id;
	fill_state(&state, number);
	apic_send_init(apic_id);
	if (features.family < 6)
		delay_us(10000);
	startup_ap(apic_id, &state); /* if nobody takes it, the trampoline does the same */
	end = time_ns() + (u64)patience_ms * 1000000;
	apic_send_startup(apic_id, TRAMPOLINE_PHYS >> PAGE_SHIFT);
	if (patience_ms > FIRST_WAIT_MS && !wait_online(cpu, end - (u64)(patience_ms - FIRST_WAIT_MS) * 1000000))
		apic_send_startup(apic_id, TRAMPOLINE_PHYS >> PAGE_SHIFT);
	return wait_online(cpu, end) || !give_up(cpu);
}

void smp_start(u32 limit)
{
	u32 ids[MAX_CPUS], found = 0, root_pfn = 0, patience_ms = option_number("apwait", START_WAIT_MS);

	cpus[0].online = CPU_RUNS;
	if (apic_present() && limit > 1)
		found = find_cpus(ids, MAX_CPUS);
	if (found > 1)
		root_pfn = trampoline_tables();
	if (root_pfn == 0)
		return;
	place_trampoline(root_pfn);
	for (u32 i = 0; i < found && cpu_count < min_u32(limit, MAX_CPUS); i++) {
		if (ids[i] == cpus[0].apic_id)
			continue;
		if (start_one(cpu_count, ids[i], patience_ms))
			cpu_count++;
		else
			print("CPU with APIC id %u does not start\n", ids[i]);
	}
	frame_put(root_pfn);
}

/* ---- Talking ---- */

/* Out of line: taking a free lock is all that the fast path holds. Reads until it is free, so that the owner keeps its
 * cache line. */
void spin_wait(struct spinlock *lock)
{
	do {
		while (lock->locked)
			cpu_relax();
	} while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE));
}

u32 all_cpus(void)
{
	return (1u << cpu_count) - 1;
}

void smp_send(const struct cpu *cpu, u32 vector)
{
	apic_send(cpu->apic_id, vector);
}

static struct spinlock shoot_lock;
static volatile u32 shoot_pending; /* CPUs that have not yet done it */
static volatile u32 shoot_va;

static void shoot_local(u32 va)
{
	if (va == SHOOT_ALL)
		flush_tlb_global();
	else
		invlpg(va);
}

/* Does what another CPU asks of this one, if anything. */
static void shoot_poll(void)
{
	u32 bit = 1u << this_cpu()->number;

	if (!(shoot_pending & bit))
		return;
	shoot_local(shoot_va);
	__atomic_fetch_and(&shoot_pending, ~bit, __ATOMIC_SEQ_CST);
}

void handle_shootdown(struct regs *regs)
{
	(void)regs;
	this_cpu()->shootdown_ipis++;
	shoot_poll();
	apic_end();
}

/* While waiting, this CPU answers others: two of them may shoot at each other. Page-table stores were made before, and a
 * hypervisor's queue of them is empty, because no lazy bracket is open here. */
void tlb_shoot(u32 mask, u32 va)
{
	u32 flags = irq_save(), self = 1u << this_cpu()->number;

	if (mask & self)
		shoot_local(va);
	mask &= ~self & all_cpus();
	if (mask != 0) {
		while (__atomic_exchange_n(&shoot_lock.locked, 1, __ATOMIC_ACQUIRE))
			shoot_poll();
		shoot_va = va;
		__atomic_store_n(&shoot_pending, mask, __ATOMIC_SEQ_CST);
		for (u32 i = 0; i < cpu_count; i++)
			if (mask & (1u << i))
				smp_send(&cpus[i], VECTOR_SHOOTDOWN);
		while (shoot_pending != 0)
			cpu_relax();
		spin_unlock(&shoot_lock);
	}
	irq_restore_flags(flags);
}
