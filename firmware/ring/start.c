/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The other CPUs. All are fetched at vmi_init, when nobody else runs who could change the page that they start in, and wait
 * here, interrupts off, until the guest starts them with the state that SetInitialAPState gave. Their real INIT and STARTUP
 * are never the guest's. CPUs speak to each other by words in their areas, and by NMI to be heard.
 */
#include "shadow_env.h"

#define PAGE 0x10000             /* where CPUs start; what was there is put back */
#define PATIENCE 2000000000ull   /* TSC ticks, for a CPU to do what it is told */
#define PATIENCE_INIT (10 * PATIENCE) /* it may be waiting for Python */

extern const u8 trampoline[], trampoline_end[];
extern const u8 trampoline_cr3[], trampoline_cr4[];
void send_init(u32 number);
void send_startup(u32 number, u32 page);
_Noreturn void resume(frame_t *frame);
_Noreturn void restart_stack(void);

static struct {
    u32 valid;
    struct vmi_ap_state state;
} initial[VMI_RING_CPUS_MAX];

static u8 page_before[256];

static void wait(u64 ticks)
{
    u64 start = rdtsc();

    while (rdtsc() - start < ticks)
        relax(cpu_->number);
}

/* -> 1 = it has come. */
static u32 wait_state(u32 number, u32 state, u64 ticks)
{
    u64 start = rdtsc();

    while (area_of(number)->state != state) {
        if (rdtsc() - start > ticks)
            return 0;
        relax(cpu_->number);
    }
    return 1;
}

static void fetch(u32 number)
{
    u8 *page;

    memset((void *)RING_AT(VMI_RING_CPUS_OFFSET + number * VMI_RING_CPU_SIZE), 0, VMI_RING_CPU_SIZE);
    area_of(number)->number = number;
    build_tables(number);
    page = map_frame(cpu_->number, PAGE);
    memcpy(page, trampoline, (u32)(trampoline_end - trampoline));
    *(u32 *)(page + (trampoline_cr3 - trampoline)) = build_own_root(number);
    *(u32 *)(page + (trampoline_cr4 - trampoline)) = CR4_PSE | (RING_PAE ? CR4_PAE : 0);
    send_init(number);
    wait(200000);
    for (u32 i = 0; i < 2; i++) {
        send_startup(number, PAGE >> 12);
        if (wait_state(number, CPU_PARKED, PATIENCE))
            return;
    }
}

void start_others(void)
{
    u32 size = (u32)(trampoline_end - trampoline);

    if (header_->cpus < 2 || size > sizeof page_before)
        return;
    memcpy(page_before, map_frame(0, PAGE), size);
    for (u32 number = 1; number < header_->cpus; number++)
        fetch(number);
    memcpy(map_frame(0, PAGE), page_before, size);
}

/* SetInitialAPState. */
void take_initial_state(u32 address, u32 number)
{
    if (number >= VMI_RING_CPUS_MAX || number >= header_->cpus)
        return;
    initial[number].valid = 0;
    if (guest_read(address, &initial[number].state, VMI_AP_STATE_SIZE))
        initial[number].valid = 1;
}

/* One that Python refuses: there is none then, whatever there was. */
void drop_initial_state(u32 number)
{
    if (number < VMI_RING_CPUS_MAX)
        initial[number].valid = 0;
}

/* The guest's INIT: a CPU that runs is parked, unless somebody has done so meanwhile and it has been started again. Two that do
 * this to each other both park. */
void guest_init(u32 number)
{
    struct cpu *other = area_of(number);
    u32 life = other->life;
    u64 start = rdtsc();

    while (other->state == CPU_RUNNING && other->life == life) {
        if (rdtsc() - start > PATIENCE_INIT) {
            other->park = 0;
            return;
        }
        other->park = life;
        send_nmi(number);
        wait(100000);
        obey_others(1);
    }
}

/* The guest's STARTUP: only with a state, which is used up. Of two at once, one does it. */
void guest_startup(u32 number)
{
    struct question question = { .exit = VMI_RING_EXIT_AP_START, .eax = number };
    u64 start;

    if (!__sync_bool_compare_and_swap(&area_of(number)->state, CPU_PARKED, CPU_STARTING))
        return;
    if (!__sync_bool_compare_and_swap(&initial[number].valid, 1, 0) || ask_brain(0, &question) == VMI_WIRE_ACTION_RETURN) {
        area_of(number)->state = CPU_PARKED;
        return;
    }
    area_of(number)->go = 1;
    start = rdtsc();
    while (area_of(number)->go && rdtsc() - start < PATIENCE) {
        send_nmi(number);
        wait(100000);
    }
}

/* Off the guest's page tables, on our own; what it has queued concerns other CPUs, too. */
static void leave_guest(void)
{
    shadow_drain(cpu_->number);
    write_cr3(double_tss->cr3);
    shadow_leave(cpu_->number);
}

/* What others want of this CPU. In: 1 = nothing of the monitor's is under way here. */
void obey_others(u32 idle)
{
    if (cpu_->flush) {
        cpu_->flush = 0;
        tlb_flush();
    }
    if (!idle)
        return;
    while (info_->end)
        asm volatile("cli; hlt");
    if (cpu_->park == cpu_->life) {
        leave_guest();
        restart_stack();
    }
}

static void load_state(const struct vmi_ap_state *state)
{
    u32 mode = (state->cr0 & CR0_WP ? SHADOW_MODE_WP : 0) | (state->cr4 & CR4_PSE ? SHADOW_MODE_PSE : 0);

    cpu_->mode = mode;
    shadow_set_mode(cpu_->number, mode);
    if (!set_efer(state->efer & EFER_NX))
        set_efer(0);
    memset((void *)RING_SHARED, 0, 4096);
    shared_->cpu = cpu_->number;
    time_publish();
    shared_->cr2 = state->cr2;
}

static u16 ring1(u16 selector)
{
    return selector & 0xfff8 && !(selector & 3) ? selector | 1 : selector;
}

/* In: a valid state. -> where to go on, or 0: it is none to start with. */
static frame_t *launch(const struct vmi_ap_state *state)
{
    frame_t *top = (frame_t *)(RING_STACK_TOP - sizeof *top);
    u32 root;

    adopt_hole();
    load_state(state);
    cpu_->life++;
    cpu_->state = CPU_RUNNING;
    root = shadow_set_root(cpu_->number, state->cr3);
    if (!root)
        return 0;
    cpu_->root = root;
    cpu_->cr3 = shared_->cr3 = state->cr3;
    load_gdt(state->gdtr_base, state->gdtr_limit);
    load_idt(state->idtr_base, state->idtr_limit);
    if (!load_ldt(state->ldtr))
        load_ldt(0);
    cpu_->sysenter_cs = cpu_->sysenter_esp = cpu_->sysenter_eip = cpu_->tr = 0;
    set_sysenter();
    memset(cpu_->dr, 0, sizeof cpu_->dr);
    set_dr(6, 0);
    set_dr(7, 0);
    if (!set_cr4(state->cr4) || !set_cr0(state->cr0) || !code_selector((state->cs & 0xfffc) | 1, 1) ||
        !stack_selector((state->ss & 0xfffc) | 1, 1))
        return 0;
    *top = (frame_t){ .es = ring1(state->es), .ds = ring1(state->ds), .edi = state->edi, .esi = state->esi,
                      .ebp = state->ebp, .ebx = state->ebx, .edx = state->edx, .ecx = state->ecx, .eax = state->eax,
                      .eip = state->eip, .cs = (state->cs & 0xfffc) | 1, .eflags = EFLAGS_FIXED, .esp = state->esp,
                      .ss = (state->ss & 0xfffc) | 1 };
    asm volatile("1: movl %0, %%fs; 2: .pushsection .fix, \"a\", @progbits; .long 1b, 2b; .popsection" ::"r"((u32)ring1(state->fs)));
    asm volatile("1: movl %0, %%gs; 2: .pushsection .fix, \"a\", @progbits; .long 1b, 2b; .popsection" ::"r"((u32)ring1(state->gs)));
    load_es(top->es);
    shared_->held = cpu_->held = 1;
    return top;
}

/* Wait to be started; on an empty stack. */
_Noreturn void park(void)
{
    struct vmi_ap_state state;
    frame_t *top;

    for (;;) {
        time_park();
        end_interrupts();
        cpu_->go = 0;
        cpu_->state = CPU_PARKED;
        while (!cpu_->go)
            asm volatile("hlt" ::: "memory");
        copy_bytes(&state, &initial[cpu_->number].state, sizeof state);
        top = launch(&state);
        cpu_->go = 0;
        if (top)
            resume(top);
        leave_guest();
    }
}

/* A CPU's first C code: its own tables. The monitor's segments are loaded behind this. */
void ring_ap_start(void)
{
    *(shadow_entry *)(RING_AREA + AREA_BOOT_ROOT) = 0; /* the page that it started in */
    load_idt(0, 0);
    monitor_descriptors();
    tlb_flush();
}
