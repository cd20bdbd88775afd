/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What to do with an exception or interrupt: fill the shadow, emulate, hold back, or give it to the guest at CPL 1 as its
 * gate has it. From the monitor itself, only faults of accesses for the guest are expected (fix_table).
 */
#include "ring.h"

extern const u8 ring_sysenter_end[];
_Noreturn void resume(frame_t *frame);

#define IRET_FAILED 0xfffffffe
#define FRAME_MOST 24u /* bytes of the longest frame that is given */
#define HOLE_PAST (VMI_WIRE_BASE + VMI_RING_WINDOW_SIZE) /* a multiple of 64 KiB, as the upper half of a gate's offset */

static inline u32 user(const frame_t *frame)
{
    return (frame->cs & 3) == 3 || frame->eflags & EFLAGS_VM;
}

_Noreturn void end_guest(u32 reason, u32 address, u32 detail)
{
    struct question question = { .exit = VMI_RING_EXIT_END, .eax = reason, .edx = detail };

    if (!info_->end) {
        info_->end = reason;
        info_->end_address = address;
        info_->end_detail = detail;
    }
    cpu_->ended = 1;
    ask_brain(0, &question);
    for (u32 other = 0; other < header_->cpus && other < VMI_RING_CPUS_MAX; other++)
        if (other != cpu_->number && area_of(other)->state == CPU_RUNNING)
            send_nmi(other);
    for (;;)
        asm volatile("cli; hlt");
}

void double_fault(void)
{
    end_guest(VMI_RING_END_DOUBLE, real_tss->eip, read_cr2());
}

/* A word onto the guest's stack, which has been looked at; to `failed` if there is no memory. */
#define PUT(address, value)                                                                                              \
    asm goto("1: movl %1, (%0); .pushsection .fix, \"a\", @progbits; .long 1b, %l2; .popsection"                          \
             ::"r"(address), "r"(value) : "memory" : failed)

/* Give the guest an exception or interrupt: the frame becomes that of its handler's first instruction. An interrupt at an
 * exception's vector (256 more) has no error code. */
void reflect(frame_t *frame, u32 vector, u32 error)
{
    struct descriptor gate = *gate_of(vector & 0xff);
    u32 type = gate.high & 0x1f00, from_user = user(frame), cs = (gate.low >> 16 & 0xfffc) | 1;
    u32 esp = from_user ? real_tss->esp1 : frame->esp, flags;

    if (!(gate.high & 0x8000) || (type != 0x0e00 && type != 0x0f00) || !is_code(cs, 1) || gate.high >= HOLE_PAST)
        end_guest(VMI_RING_END_GATE, frame->eip, vector | error << 8);
    flags = (frame->eflags & ~(EFLAGS_IF | EFLAGS_IOPL)) | (shared_->iopl & EFLAGS_IOPL);
    if (from_user || shared_->interrupts & EFLAGS_IF)
        flags |= EFLAGS_IF;
    if (esp - FRAME_MOST > VMI_WIRE_BASE - FRAME_MOST)
        goto failed;
    if (from_user) {
        PUT(esp - 4, frame->ss);
        PUT(esp - 8, frame->esp);
        esp -= 8;
        frame->ss = real_tss->ss1;
    }
    PUT(esp - 4, flags);
    PUT(esp - 8, frame->cs);
    PUT(esp - 12, frame->eip);
    esp -= 12;
    if (HAS_ERROR(vector)) {
        PUT(esp - 4, error);
        esp -= 4;
    }
    frame->esp = esp;
    frame->cs = cs;
    frame->eip = (gate.low & 0xffff) | (gate.high & 0xffff0000);
    frame->eflags &= ~(EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM | EFLAGS_IOPL);
    if (type == 0x0e00)
        shared_->interrupts = 0;
    else
        shared_->interrupts = flags & EFLAGS_IF;
    return;
failed:
    end_guest(VMI_RING_END_STACK, frame->eip, esp);
}

/* The guest takes interrupts again: give it the one that was held back. */
void release_held(frame_t *frame)
{
    u32 held = cpu_->held;

    shared_->held = 0;
    cpu_->held = 0;
    frame->eflags |= EFLAGS_IF;
    if (held > 1) {
        count_exit(VMI_RING_EXIT_INTERRUPT);
        reflect(frame, held - 1, 0);
    }
}

static void hold(u32 vector)
{
    count_exit(VMI_RING_EXIT_HELD);
    cpu_->held = vector + 1;
    shared_->held = 1;
}

/* SYSEXIT uses its frame as stack, which is none for a handler of the guest's: the call is begun anew, by the gate. */
static __attribute__((noinline)) void leave_sysexit(frame_t *frame)
{
    if (user(frame) || frame->eip - (u32)sysexit_critical >= (u32)(sysexit_critical_end - sysexit_critical))
        return;
    shared_->interrupts = 0;
    frame->esp = shared_->sysexit_stack;
    frame->eip = (u32)sysexit_gate;
}

/* A place in a stub that must not be left in the middle: back to its beginning, which looks again; SYSEXIT's: on to its gate. */
static void leave_stub(frame_t *frame)
{
    u32 eip = frame->eip;

    leave_sysexit(frame);
    if (eip - (u32)return_critical < (u32)(return_critical_end - return_critical)) {
        shared_->interrupts = 0;
        frame->eip = (u32)return_critical;
    } else if (eip - (u32)queue_critical < (u32)(queue_critical_end - queue_critical)) {
        frame->eip = (u32)queue_critical;
    }
}

static void interrupt(frame_t *frame, u32 vector)
{
    if (!(vector & 7) && time_interrupt(vector)) /* its own vector, or IRQ 0 */
        return;
    follow_modes();
    if (user(frame)) {
        count_exit(VMI_RING_EXIT_INTERRUPT);
        reflect(frame, vector, 0);
        return;
    }
    if (frame->eip >= VMI_WIRE_BASE)
        leave_stub(frame);
    if (shared_->interrupts & EFLAGS_IF) {
        count_exit(VMI_RING_EXIT_INTERRUPT);
        reflect(frame, vector, 0);
        return;
    }
    hold(vector);
    frame->eflags &= ~EFLAGS_IF;
}

static u32 fixed(frame_t *frame)
{
    for (const struct fix *fix = fix_table; fix < fix_table_end; fix++) {
        if (fix->instruction == frame->eip) {
            frame->eip = fix->target;
            return 1;
        }
    }
    return 0;
}

static void page_fault(frame_t *frame, u32 inside)
{
    u32 address = read_cr2(), error = frame->error, fault = error;
    struct question question;
    enum shadow_result result;

    if (shared_->deferred && !inside)
        apply_deferred();
    result = address < VMI_WIRE_BASE ? shadow_fault(cpu_->number, address, error, &fault) : SHADOW_REFLECT;
    if (result == SHADOW_FILLED) {
        count_exit(VMI_RING_EXIT_FILL);
        return;
    }
    if (inside) {
        if (!fixed(frame))
            end_guest(VMI_RING_END_MONITOR, frame->eip, address);
        return;
    }
    if (result == SHADOW_REFUSED) {
        const struct shadow_refusal *refusal = shadow_refusal(cpu_->number);
        u32 frame_number = (u32)(refusal->gpa >> 12);
        if (refusal->level == 1 && is_device_frame(frame_number) && !user(frame) &&
            emulate_move(frame, frame_number << 12 | (address & 0xfff), error & 2))
            return;
        question = (struct question){ .exit = VMI_RING_EXIT_REFUSED, .eax = address, .edx = (u32)(refusal->gpa >> 32),
                                      .ecx = (u32)refusal->gpa };
        if (ask_brain(frame, &question) == VMI_RING_ACTION_FAULT)
            return;
        fault = error | 1;
    }
    count_exit(VMI_RING_EXIT_FAULT);
    shared_->cr2 = address;
    reflect(frame, 14, fault);
}

/* SYSENTER's way was left in the middle: by its first instruction with TF, by the last with NT or if what it leads to has gone,
 * or by an NMI. Its frame may be overwritten, so it is made anew and gone on with in C. TF traps at the guest's entry, as
 * natively. */
static void finish_sysenter(frame_t *frame)
{
    frame_t *top = (frame_t *)(RING_STACK_TOP - sizeof(frame_t));
    const u32 *way = (const u32 *)SYSENTER_WAY;

    set_sysenter();
    *top = *frame;
    top->eip = way[0];
    top->cs = way[1];
    top->eflags = (frame->eflags & ~(EFLAGS_IOPL | EFLAGS_VM)) | EFLAGS_IF;
    top->esp = way[3];
    top->ss = way[4];
    shared_->interrupts = 0;
    if (frame->vector == 2)
        obey_others(1);
    if (frame->vector == 1)
        reflect(top, 1, 0);
    resume(top);
}

static void inside_monitor(frame_t *frame)
{
    u32 vector = frame->vector, eip = frame->eip;

    if (vector == 14) {
        page_fault(frame, 1);
    } else if (eip - (u32)ring_sysenter < (u32)(ring_sysenter_end - ring_sysenter) && vector < 32) {
        finish_sysenter(frame);
    } else if (vector >= 32) {
        if (!(vector & 7) && time_interrupt(vector))
            return;
        hold(vector);
        frame->eflags &= ~EFLAGS_IF;
    } else if (vector == 1) {
        frame->eflags &= ~EFLAGS_TF; /* a watchpoint of the guest's, touched for it */
    } else if (vector == 2) {
        obey_others(0);
    } else if (!fixed(frame)) {
        end_guest(VMI_RING_END_MONITOR, eip, vector);
    }
}

/* The monitor's own IRET was refused: the guest's frame is bad. */
static void bad_frame(frame_t *frame)
{
    u32 selector = frame->cs;

    leave_sysexit(frame);
    frame->vector = 0;
    frame->eflags = (frame->eflags & ~(EFLAGS_VM | EFLAGS_NT)) | EFLAGS_FIXED;
    if (!user(frame) && !stack_selector(frame->ss, 1)) {
        frame->ss = real_tss->ss1;
        if (!stack_selector(frame->ss, 1))
            end_guest(VMI_RING_END_SEGMENTS, frame->eip, selector);
    }
    if (user(frame) && !stack_selector(real_tss->ss1, 1))
        end_guest(VMI_RING_END_SEGMENTS, frame->eip, selector);
    reflect(frame, 13, selector & 0xfffc);
}

/* An exception of the guest's, if nobody says otherwise. */
static void tell_exception(frame_t *frame, u32 vector, u32 error)
{
    struct question question = { .exit = VMI_RING_EXIT_EXCEPTION, .eax = vector, .edx = error };
    u32 action;

    leave_sysexit(frame);
    action = ask_brain(frame, &question);
    if (action == VMI_WIRE_ACTION_CONTINUE || action == VMI_WIRE_ACTION_CHANGED)
        reflect(frame, vector, error);
}

static void exception(frame_t *frame)
{
    u32 vector = frame->vector;

    switch (vector) {
    case 2:
        obey_others(1);
        return;
    case 13:
        if (frame->error == IRET_FAILED)
            bad_frame(frame);
        else
            general_protection(frame, frame->error);
        return;
    case 1: {
        u32 dr6;
        asm volatile("movl %%dr6, %0" : "=r"(dr6));
        cpu_->dr[6] = dr6;
        break;
    }
    default:
        break;
    }
    tell_exception(frame, vector, frame->error);
}

/* In: the frame, on this CPU's stack. What it holds afterwards is gone on with. */
void ring_trap(frame_t *frame)
{
    u32 vector = frame->vector;

    if (!(frame->cs & 3) && !(frame->eflags & EFLAGS_VM))
        inside_monitor(frame);
    else if (vector == 14)
        page_fault(frame, 0);
    else if (vector >= 32)
        interrupt(frame, vector);
    else
        exception(frame);
}

/* An IRET in the stub was refused: tell the guest where its own was, if it called the stub. */
static void blame_site(frame_t *frame)
{
    u32 site, displacement;
    u8 opcode;

    if (frame->eip != (u32)iret_instruction || !guest_read32(frame->esp - 4, &site))
        return;
    site -= 5;
    if (guest_read(site, &opcode, 1) && opcode == 0xe8 && guest_read32(site + 1, &displacement) &&
        displacement + site + 5 == ring_stubs[VMI_CALL_IRET]) {
        frame->eip = site;
        shared_->interrupts = 0;
    }
}

void general_protection(frame_t *frame, u32 error)
{
    struct question question = { .exit = VMI_RING_EXIT_UNKNOWN, .eax = error };

    if (user(frame)) {
        if (!error && (user_port(frame) || turn_segment(frame)))
            return;
    } else {
        if (emulate(frame) || emulate_rdtsc(frame))
            return;
        leave_sysexit(frame);
        if (frame->eip >= VMI_WIRE_BASE)
            blame_site(frame);
        if (!error && turn_segment(frame))
            return;
        if (ask_brain(frame, &question) == VMI_RING_ACTION_FAULT)
            return;
    }
    tell_exception(frame, 13, error);
}
