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

static u8 ap_stacks[MAX_CPUS][STACK_SIZE] __attribute__((section(".bss.page"), aligned(PAGE_SIZE)));
static pte_t trampoline_tables[PAGE_SIZE / sizeof(pte_t)] __attribute__((section(".bss.page"), aligned(PAGE_SIZE)));

u32 cpu_count = 1;
u32 ap_stack = ADDRESS(ap_stacks); /* upper end of the stack for the CPU on its way; each has one of its own */
/* APIC id of the CPU on its way. Whoever makes it AP_NOBODY first has decided: that CPU, which then comes in (ap_entry),
 * or the boot CPU, which gives it up. Until then the CPU only reads what stays as it is: the trampoline and its tables;
 * started by a hypervisor, its number's GDT. */
volatile u32 ap_awaited = AP_NOBODY;
volatile u32 late_cpus; /* counted by ap_entry */

static u32 starting; /* number of the CPU on its way */
static u32 left_out = AP_NOBODY; /* APIC id of a CPU that does not run */
static bool by_trampoline; /* no hypervisor starts CPUs */

#define FIRST_WAIT_MS 20
#define START_WAIT_MS 520 /* a virtual CPU may be waiting for a real one */
#define AP_STATE_ALIGNMENT 128

_Static_assert(sizeof(struct vmi_ap_state) <= AP_STATE_ALIGNMENT, "an aligned state is within a page");

/* ---- Starting ---- */

static void ap_set_up(u32 number)
{
	paravirt_activate_cpu();
	paging_init_cpu();
	write_cr3(virt_to_phys(kernel_root));
	flush_tlb_global();
	descriptors_init(number);
	sched_init_cpu(ap_stack - STACK_SIZE);
	fpu_init_cpu();
	apic_init_this_cpu();
	timer_start_ap();
	__atomic_store_n(&this_cpu()->online, true, __ATOMIC_SEQ_CST);
}

void ap_main(void)
{
	ap_set_up(starting);
	idle_loop();
}

/* Its tables are the kernel's with low memory also at 0, where it runs while it turns paging on. Nothing of it is ever
 * taken away: a late CPU may be there at any time. */
static void place_trampoline(void)
{
	u8 *code = phys_to_virt(TRAMPOLINE_PHYS);
	u32 root = virt_to_phys(trampoline_tables), cr4 = read_cr4() & (CR4_PAE | CR4_PSE);

	memcpy(trampoline_tables, kernel_root, PAGE_SIZE);
#if CONFIG_PAE
	trampoline_tables[0] = kernel_root[KERNEL_BASE >> PDP_SHIFT];
#else
	trampoline_tables[0] = kernel_root[KERNEL_BASE >> PD_SHIFT];
#endif
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
		.eax = cpus[number].apic_id,
		.esp = ap_stack,
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

static bool wait_taken(u64 end)
{
	while (ap_awaited != AP_NOBODY && time_ns() < end)
		cpu_relax();
	return ap_awaited == AP_NOBODY;
}

/* INIT stops the CPU, but not surely: QEMU keeps a STARTUP that the CPU has not yet seen. Then it halts in ap_entry.
 * False: it came just in time. */
static bool give_up(u32 apic_id)
{
	u32 awaited = apic_id;

	if (!__atomic_compare_exchange_n(&ap_awaited, &awaited, AP_NOBODY, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	apic_send_init(apic_id);
	print("CPU with APIC id %u does not start\n", apic_id);
	return true;
}

/* INIT wants 10 ms on early parts only; a STARTUP that was lost is sent once more. */
static bool start_one(u32 number, u32 apic_id, u32 patience_ms)
{
	/* Within a page: a hypervisor may take it by its physical address. */
	static struct vmi_ap_state state ALIGNED(AP_STATE_ALIGNMENT);
	struct cpu *cpu = &cpus[number];
	u64 end;

	starting = number;
	ap_stack += STACK_SIZE;
	descriptors_prepare(number);
	cpu->apic_id = apic_id;
	fill_state(&state, number);
	apic_send_init(apic_id);
	if (features.family < 6)
		delay_us(10000);
	by_trampoline = !startup_ap(apic_id, &state); /* if nobody takes it, the trampoline does the same */
	__atomic_store_n(&ap_awaited, apic_id, __ATOMIC_SEQ_CST);
	end = time_ns() + (u64)patience_ms * 1000000;
	apic_send_startup(apic_id, TRAMPOLINE_PHYS >> PAGE_SHIFT);
	if (patience_ms > FIRST_WAIT_MS && !wait_taken(end - (u64)(patience_ms - FIRST_WAIT_MS) * 1000000))
		apic_send_startup(apic_id, TRAMPOLINE_PHYS >> PAGE_SHIFT);
	if (!wait_taken(end) && give_up(apic_id))
		return false;
	while (!cpu->online) /* it is in the kernel: however long that takes */
		cpu_relax();
	return true;
}

void smp_start(u32 limit)
{
	u32 ids[MAX_CPUS], found = 0, patience_ms = option_number("apwait", START_WAIT_MS);

	cpus[0].online = true;
	if (apic_present() && limit > 1)
		found = find_cpus(ids, MAX_CPUS);
	if (found > 1)
		place_trampoline();
	for (u32 i = 0; i < found; i++) {
		if (ids[i] == cpus[0].apic_id)
			continue;
		if (cpu_count < min_u32(limit, MAX_CPUS) && start_one(cpu_count, ids[i], patience_ms))
			cpu_count++;
		else
			left_out = ids[i];
	}
}

bool smp_start_late(void)
{
	if (left_out == AP_NOBODY || !by_trampoline)
		return false;
	apic_send_init(left_out);
	apic_send_startup(left_out, TRAMPOLINE_PHYS >> PAGE_SHIFT);
	return true;
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
