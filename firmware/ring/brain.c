/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor's end of the wire: counters, records and questions, as firmware/payload/slow.S has them, and questions about
 * exits. The wait is bounded; without an answer what the monitor does by itself is done. The other side:
 * openvmi.hypervisor.link and .brain.
 */
#include "shadow_env.h"

#define AREA(number) RING_AT(VMI_WIRE_CPUS_OFFSET + (number) * VMI_WIRE_CPU_SIZE)
#define mailbox_ ((volatile struct vmi_wire_mailbox *)AREA(cpu_->number))
#define ring_ ((volatile struct vmi_wire_ring *)(AREA(cpu_->number) + VMI_WIRE_CPU_RING))

/* Of the header's wait_cycles. Ports that are looked at have no answer but Python's, and a host may be busy: so a guest of ring
 * waits for some seconds. */
#define PATIENCE 4ull

static void exchange(volatile u32 *at, u32 value)
{
    asm volatile("xchgl %0, %1" : "+r"(value), "+m"(*at)::"memory");
}

/* -> what was there. */
static u32 compare_exchange(volatile u32 *at, u32 old, u32 value)
{
    asm volatile("lock cmpxchgl %2, %1" : "+a"(old), "+m"(*at) : "r"(value) : "memory");
    return old;
}

static void record(frame_t *frame, u32 kind, u32 call, u32 caller, u32 eax, u32 edx, u32 ecx)
{
    volatile struct vmi_wire_record *to;
    u32 number = ring_->head;

    (void)frame;
    if ((int)(number - ring_->stop) >= 0) {
        ring_->lost++;
        return;
    }
    ring_->head = number + 1;
    to = (volatile struct vmi_wire_record *)(ring_->base + (number & ring_->mask) * sizeof *to);
    to->call = (u8)call;
    to->cpu = (u8)cpu_->number;
    to->kind = (u8)kind;
    to->reserved = 0;
    to->caller = caller;
    to->eax = eax;
    to->edx = edx;
    to->ecx = ecx;
    to->time = rdtsc();
    asm volatile("" ::: "memory");
    to->sequence = number;
}

/* Publish what is in the mailbox and wait. 1 = answered. */
static u32 wait_answer(void)
{
    u32 serial = ++ring_->serial, request = serial << 2 | VMI_WIRE_PHASE_REQUEST, idle = serial << 2 | VMI_WIRE_PHASE_IDLE;
    u32 answer = serial << 2 | VMI_WIRE_PHASE_ANSWER;
    u64 start;

    mailbox_->action = VMI_WIRE_ACTION_CONTINUE;
    exchange((volatile u32 *)&mailbox_->state, request);
    if (header_->asleep)
        asm volatile("outb %%al, %w0" ::"d"(header_->wake_port));
    start = rdtsc();
    for (;;) {
        for (u32 i = 0; i < 256; i++)
            if (mailbox_->state == answer)
                return 1;
        relax(cpu_->number);
        if (header_->hold)
            start = rdtsc();
        if (rdtsc() - start < PATIENCE * header_->wait_cycles)
            continue;
        header_written->brain = VMI_WIRE_BRAIN_LOST;
        if (compare_exchange((volatile u32 *)&mailbox_->state, request, idle) == answer)
            return 1;
        return 0;
    }
}

/* The same; meanwhile the guest's CPU is ready, and does not run. */
static u32 post(void)
{
    u64 start = rdtsc();
    u32 answered = wait_answer();

    time_stolen(rdtsc() - start);
    return answered;
}

static void fill(frame_t *frame, u32 call, u32 caller)
{
    mailbox_->call = call;
    mailbox_->caller = caller;
    mailbox_->esi = frame ? frame->esi : 0;
    mailbox_->edi = frame ? frame->edi : 0;
    mailbox_->ebp = frame ? frame->ebp : 0;
    mailbox_->eflags = frame ? (frame->eflags & ~EFLAGS_IF) | (shared_->interrupts & EFLAGS_IF) : 0;
    mailbox_->cr3 = cpu_->cr3;
}

/* What Python has left in the frame may be anything. */
static void check_frame(frame_t *frame)
{
    frame->cs &= 0xffff;
    if ((frame->cs & 3) != 3)
        frame->cs = (frame->cs & 0xfffc) | 1;
    frame->eflags &= ~(EFLAGS_IOPL | EFLAGS_NT | EFLAGS_VIRTUAL | EFLAGS_VM);
    frame->eflags |= EFLAGS_FIXED | EFLAGS_IF;
    if (cpu_->held)
        frame->eflags &= ~EFLAGS_IF;
}

/* ES is not saved and restored: see entry.S. */
void load_es(u32 selector)
{
    asm volatile("1: movl %0, %%es; 2: .pushsection .fix, \"a\", @progbits; .long 1b, 2b; .popsection" ::"r"(selector & 0xffff));
}

u32 ask_brain(frame_t *frame, struct question *question)
{
    u32 mode = info_->modes[question->exit & 63], action, es = frame ? frame->es : 0;

    if (question->exit != VMI_RING_EXIT_END || frame)
        count_exit(question->exit);
    if (mode != VMI_WIRE_MODE_UPCALL)
        return VMI_WIRE_ACTION_CONTINUE;
    question->unanswered = 1;
    if (header_->brain != VMI_WIRE_BRAIN_ALIVE)
        return VMI_WIRE_ACTION_CONTINUE;
    fill(frame, VMI_RING_EXIT_FIRST + question->exit, frame ? frame->eip : info_->end_address);
    mailbox_->eax = question->eax;
    mailbox_->edx = question->edx;
    mailbox_->ecx = question->ecx;
    mailbox_->ebx = question->ebx;
    mailbox_->s1 = question->length;
    mailbox_->s2 = question->more;
    mailbox_->esp = (u32)frame;
    if (!post()) {
        ring_->lost_upcalls++;
        return VMI_WIRE_ACTION_CONTINUE;
    }
    question->unanswered = 0;
    action = mailbox_->action;
    question->eax = mailbox_->eax;
    question->edx = mailbox_->edx;
    question->ecx = mailbox_->ecx;
    question->ebx = mailbox_->ebx;
    question->length = mailbox_->s1;
    question->more = mailbox_->s2;
    if (frame)
        check_frame(frame);
    if (frame && frame->es != es)
        load_es(frame->es);
    if (action == VMI_RING_ACTION_END)
        end_guest(VMI_RING_END_BRAIN, frame ? frame->eip : 0, question->exit);
    if (action == VMI_RING_ACTION_FAULT && frame)
        reflect(frame, question->eax & 31, question->edx);
    return action > VMI_RING_ACTION_FAULT ? VMI_WIRE_ACTION_CONTINUE : action;
}

/* 1 = answered. */
static u32 ask_call(frame_t *frame, u32 number)
{
    u32 s[2] = { 0, 0 }, caller = 0, changed;

    if (header_->brain != VMI_WIRE_BRAIN_ALIVE) {
        ring_->lost_upcalls++;
        return 0;
    }
    if (number == VMI_CALL_IRET || number == VMI_CALL_SYSEXIT) {
        guest_read32(frame->esp + 4, &caller);
    } else {
        guest_read32(frame->esp + 4, &caller);
        guest_read(frame->esp + 8, s, 8);
    }
    fill(frame, number, caller);
    mailbox_->eax = frame->eax;
    mailbox_->edx = frame->edx;
    mailbox_->ecx = frame->ecx;
    mailbox_->ebx = frame->ebx;
    mailbox_->s1 = s[0];
    mailbox_->s2 = s[1];
    mailbox_->esp = frame->esp + 4;
    if (!post()) {
        ring_->lost_upcalls++;
        return 0;
    }
    record(frame, VMI_WIRE_RECORD_ANSWERED, number, caller, frame->eax, frame->edx, frame->ecx);
    changed = mailbox_->action;
    if (changed == VMI_WIRE_ACTION_RETURN || changed == VMI_WIRE_ACTION_CHANGED) {
        frame->eax = mailbox_->eax;
        frame->edx = mailbox_->edx;
        frame->ecx = mailbox_->ecx;
    }
    if (changed == VMI_WIRE_ACTION_CHANGED) {
        s[0] = mailbox_->s1;
        s[1] = mailbox_->s2;
        guest_write(frame->esp + 8, s, 8);
    }
    if (changed == VMI_WIRE_ACTION_RETURN && number == VMI_CALL_CPUID)
        frame->ebx = mailbox_->ebx;
    return changed == VMI_WIRE_ACTION_RETURN;
}

u32 call_mode(frame_t *frame, u32 number, u32 mode)
{
    u32 caller = 0;

    ++((u64 *)(AREA(cpu_->number) + VMI_WIRE_CPU_COUNTERS))[number];
    mode &= VMI_WIRE_MODE_WORK - 1;
    if (mode == VMI_WIRE_MODE_UPCALL)
        return ask_call(frame, number);
    if (mode == VMI_WIRE_MODE_TRACE || mode == VMI_WIRE_MODE_RANGE) {
        guest_read32(frame->esp + 4, &caller);
        if (mode == VMI_WIRE_MODE_TRACE || caller - header_->trace_low <= header_->trace_span)
            record(frame, VMI_WIRE_RECORD_CALL, number, caller, frame->eax, frame->edx, frame->ecx);
    }
    return 0;
}
