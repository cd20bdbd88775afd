/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A CPU's registers as the guest may have them: CPUID, control and debug registers, MSRs, HLT, and IRET where the stub could
 * not do it. What is not the guest's to change stays as it is.
 */
#include "ring.h"

#define CR0_GUEST (CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_AM)
#define CR0_ALWAYS (CR0_PE | CR0_PG | CR0_WP | 0x10)
#define CR4_GUEST 0x7cc           /* TSD, DE, MCE, PGE, PCE, OSFXSR, OSXMMEXCPT */
#define CR4_KNOWN 0x7ff
#define DR7_DETECT 0x2000
#define MSR_SYSENTER_CS 0x174
#define MSR_EFER 0xc0000080
#define IRET_FLAGS 0x254dd5       /* what an IRET of a kernel may change, less IF and VM */

void wait_interrupt(void);

void guest_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
    cpuid(leaf, subleaf, out);
    switch (leaf) {
    case 1:
        out[2] &= ~0x0c0000e8u; /* XSAVE, OSXSAVE, EST, SMX, VMX, MONITOR */
        out[3] &= ~0x2u;        /* VME */
        break;
    case 7:
        out[1] &= ~0x00100080u; /* SMAP, SMEP */
        out[2] &= ~0x4u;        /* UMIP */
        break;
    case 5:
    case 0xd:
        out[0] = out[1] = out[2] = out[3] = 0;
        break;
    case 0x80000001:
        out[2] &= ~0x4u;        /* SVM */
        out[3] &= ~0x28000800u; /* LM, RDTSCP, SYSCALL */
        break;
    default:
        break;
    }
}

static void set_mode(u32 mode)
{
    if (mode != cpu_->mode) {
        cpu_->mode = mode;
        shadow_set_mode(cpu_->number, mode);
    }
}

u32 set_cr0(u32 value)
{
    if (!(value & CR0_PE) || !(value & CR0_PG))
        return 0;
    shared_->cr0 = value | 0x10;
    write_cr0((value & CR0_GUEST) | CR0_ALWAYS);
    set_mode(value & CR0_WP ? cpu_->mode | SHADOW_MODE_WP : cpu_->mode & ~(u32)SHADOW_MODE_WP);
    return 1;
}

u32 set_cr4(u32 value)
{
    if (value & ~CR4_KNOWN || !(value & CR4_PAE) != !RING_PAE)
        return 0;
    shared_->cr4 = value;
    write_cr4((value & CR4_GUEST) | CR4_PSE | (RING_PAE ? CR4_PAE : 0));
    set_mode(value & CR4_PSE ? cpu_->mode | SHADOW_MODE_PSE : cpu_->mode & ~(u32)SHADOW_MODE_PSE);
    return 1;
}

/* No breakpoint on what is ours, which the monitor would hit. */
static u32 safe_dr(u32 number)
{
    return cpu_->dr[number] < VMI_WIRE_BASE - 8 ? cpu_->dr[number] : 0;
}

u32 set_dr(u32 number, u32 value)
{
    if (number > 7)
        return 0;
    number += number == 4 || number == 5 ? 2 : 0;
    cpu_->dr[number] = value;
    if (number == 6) {
        asm volatile("movl %0, %%dr6" ::"r"(value));
        return 1;
    }
    value = cpu_->dr[7] & ~DR7_DETECT;
    for (u32 i = 0; i < 4; i++)
        if (safe_dr(i) != cpu_->dr[i])
            value &= ~(3u << 2 * i);
    asm volatile("movl %0, %%dr0; movl %1, %%dr1" ::"r"(safe_dr(0)), "r"(safe_dr(1)));
    asm volatile("movl %0, %%dr2; movl %1, %%dr3" ::"r"(safe_dr(2)), "r"(safe_dr(3)));
    asm volatile("movl %0, %%dr7" ::"r"(value));
    return 1;
}

u32 get_dr(u32 number)
{
    static const u32 fixed[8] = { 0, 0, 0, 0, 0, 0, 0xffff0ff0, 0x400 };

    number &= 7;
    number += number == 4 || number == 5 ? 2 : 0;
    return cpu_->dr[number] | fixed[number];
}

u32 guest_rdmsr(u32 index, u32 value[2])
{
    value[1] = 0;
    switch (index) {
    case MSR_SYSENTER_CS:
        value[0] = cpu_->sysenter_cs;
        return 1;
    case MSR_SYSENTER_CS + 1:
        value[0] = cpu_->sysenter_esp;
        return 1;
    case MSR_SYSENTER_CS + 2:
        value[0] = cpu_->sysenter_eip;
        return 1;
    case MSR_EFER:
        value[0] = cpu_->efer;
        return 1;
    default:
        return !msr_read(index, value);
    }
}

u32 set_efer(u32 low)
{
    u32 features[4];

    cpuid(0x80000001, 0, features);
    if (low & ~EFER_NX || (low & EFER_NX && !(features[3] & 1 << 20)))
        return 0;
    if (low != cpu_->efer && msr_write(MSR_EFER, low, 0))
        return 0;
    cpu_->efer = low;
    set_mode(low & EFER_NX ? cpu_->mode | SHADOW_MODE_NX : cpu_->mode & ~(u32)SHADOW_MODE_NX);
    return 1;
}

/* Those that are not the guest's are read; a write of anything else is passed over. */
u32 guest_wrmsr(u32 index, u32 low, u32 high)
{
    u32 value[2];

    switch (index) {
    case MSR_SYSENTER_CS:
        cpu_->sysenter_cs = low;
        break;
    case MSR_SYSENTER_CS + 1:
        cpu_->sysenter_esp = low;
        break;
    case MSR_SYSENTER_CS + 2:
        cpu_->sysenter_eip = low;
        break;
    case MSR_EFER:
        return !high && set_efer(low);
    default:
        return !msr_read(index, value);
    }
    set_sysenter();
    return 1;
}

/* Interrupts on, and wait for one. */
void halt(frame_t *frame)
{
    if (shared_->interrupts & EFLAGS_IF || frame->error == ~0u) {
        shared_->interrupts = EFLAGS_IF;
        if (cpu_->held == 1) {
            cpu_->held = 0;
            shared_->held = 0;
        }
        while (!cpu_->held) {
            wait_interrupt();
            obey_others(1);
        }
        follow_modes(); /* an idle guest has all its interrupts here */
        release_held(frame);
        return;
    }
    for (;;) {
        asm volatile("hlt");
        obey_others(1);
    }
}

/* A word of the guest's memory, below the hole; to `failed` if there is none. */
#define READ(address, value)                                                                                             \
    asm goto("1: movl (%1), %0; .pushsection .fix, \"a\", @progbits; .long 1b, %l2; .popsection"                          \
             : "=r"(value) : "r"(address) : "memory" : failed)

/* In: linear address of the guest's own frame. 1 = done but for the queue, 0 = it is no frame to return to. */
static inline __attribute__((always_inline)) u32 take_frame(frame_t *frame, u32 stack)
{
    u32 eip, cs, eflags, esp = stack + 12, ss = frame->ss, ring;

    if (stack > VMI_WIRE_BASE - 20)
        return 0;
    READ(stack, eip);
    READ(stack + 4, cs);
    READ(stack + 8, eflags);
    if (eflags & EFLAGS_VM)
        return 0;
    cs &= 0xffff;
    if (!(cs & 3))
        cs |= 1;
    ring = cs & 3;
    if (ring == 3) {
        READ(stack + 12, esp);
        READ(stack + 16, ss);
        ss &= 0xffff;
        if (!is_stack(ss, 3))
            return 0;
        eflags |= EFLAGS_IF;
    }
    if (!is_code(cs, ring) || ring == 2)
        return 0;
    frame->esp = esp;
    frame->ss = ss & 0xffff;
    frame->eip = eip;
    frame->cs = cs;
    frame->eflags = (eflags & IRET_FLAGS) | EFLAGS_FIXED | (cpu_->held ? 0 : EFLAGS_IF);
    shared_->interrupts = eflags & EFLAGS_IF;
    if (eflags & EFLAGS_IF && cpu_->held)
        release_held(frame);
    return 1;
failed:
    return 0;
}

static inline void drain_for_user(const frame_t *frame)
{
    if ((frame->cs & 3) == 3 && shared_->count)
        shadow_drain(cpu_->number);
}

u32 guest_iret(frame_t *frame, u32 stack)
{
    if (!take_frame(frame, stack))
        return 0;
    drain_for_user(frame);
    return 1;
}

/* The call. An emulator looks up where each return leads: the common way ends in jumps. */
void call_iret(frame_t *frame)
{
    count_exit(VMI_RING_EXIT_IRET);
    if (take_frame(frame, frame->esp + 4)) {
        drain_for_user(frame);
    } else {
        frame->esp += 4;
        frame->eip = (u32)iret_instruction;
        general_protection(frame, 0);
    }
}
