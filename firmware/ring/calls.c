/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * VMI calls that come through the gate: those that only the monitor can do, and any other whose mode is not NATIVE. The
 * guest's ESP points to the call's number, above which are the return address and further arguments (stubs.S).
 */
#include "ring.h"

#define QUEUE_FULL VMI_CALL_COUNT           /* from stubs.S, no calls of the interface */
#define QUEUE_WALK (VMI_CALL_COUNT + 1)

#define GATE_CALL 7                         /* bytes of the far call to the gate */

static u32 argument4(frame_t *frame)
{
    u32 value = 0;

    guest_read32(frame->esp + 8, &value);
    return value;
}

/* What Python has to say. 1 = to be done as usual, with the arguments that the question then has. */
static u32 usual(frame_t *frame, struct question *question)
{
    u32 action = ask_brain(frame, question);

    return action == VMI_WIRE_ACTION_CONTINUE || action == VMI_WIRE_ACTION_CHANGED;
}

/* The same for what has results: 0 = the guest has got an exception. Out: 1 = the question has them. */
static u32 wanted(frame_t *frame, struct question *question, u32 *done)
{
    u32 action = ask_brain(frame, question);

    *done = action == VMI_WIRE_ACTION_RETURN;
    return action != VMI_RING_ACTION_FAULT;
}

static void set_interrupts(frame_t *frame, u32 on)
{
    shared_->interrupts = on ? EFLAGS_IF : 0;
    if (on && cpu_->held) {
        count_exit(VMI_RING_EXIT_ENABLE);
        release_held(frame);
    }
}

/* An entry that the guest has changed, by its linear address. */
static void changed(u32 entry)
{
    u32 gpa;

    if (shadow_translate(cpu_->number, entry, 0, &gpa) == SHADOW_FILLED)
        shadow_update(cpu_->number, gpa);
}

static u32 page_tables(frame_t *frame, u32 number)
{
    u32 value[2] = { frame->eax, frame->edx };

    switch (number) {
    case VMI_CALL_SetPxE:
        if (guest_write(frame->edx, value, 4))
            changed(frame->edx);
        return 1;
    case VMI_CALL_SetPxELong:
        /* never half written: the present half last, and first out */
        if (value[0] & 1) {
            u32 none = 0;
            guest_write(frame->ecx, &none, 4);
            guest_write(frame->ecx + 4, &value[1], 4);
            guest_write(frame->ecx, &value[0], 4);
        } else {
            guest_write(frame->ecx, value, 8);
        }
        changed(frame->ecx);
        return 1;
    case VMI_CALL_UpdatePxE:
    case VMI_CALL_UpdatePxELong:
        changed(frame->eax);
        return 1;
    case VMI_CALL_AllocatePage:
    case VMI_CALL_ReleasePage: {
        struct question question = { .exit = number == VMI_CALL_AllocatePage ? VMI_RING_EXIT_ALLOCATE : VMI_RING_EXIT_RELEASE,
                                     .eax = frame->eax, .edx = frame->edx };
        if (usual(frame, &question))
            shadow_release_page(cpu_->number, question.eax);
        return 1;
    }
    case VMI_CALL_SetLinearMapping:
        if (frame->eax < 4) {
            u32 *map = (u32 *)SHARED(maps) + 3 * frame->eax, pages = frame->ecx;
            map[0] = frame->edx;
            map[1] = pages > 0xfffff ? 0xfffff000 : pages << 12;
            map[2] = frame->edx - (argument4(frame) << 12);
        }
        return 1;
    case QUEUE_FULL:
        count_exit(VMI_RING_EXIT_DRAIN);
        shadow_drain(cpu_->number);
        shadow_update(cpu_->number, frame->eax);
        return 1;
    case QUEUE_WALK:
        changed(frame->eax);
        return 1;
    default:
        return 0;
    }
}

static u32 descriptor_call(frame_t *frame, u32 number)
{
    u32 base = frame->eax, index = frame->edx, gate = number == VMI_CALL_WriteIDTEntry;
    struct question question = { .exit = gate ? VMI_RING_EXIT_GATE : VMI_RING_EXIT_DESCRIPTOR, .eax = frame->ecx,
                                 .ecx = gate ? index : index * 8 + (number == VMI_CALL_WriteLDTEntry ? 4 : 0) };
    struct descriptor d;

    question.edx = argument4(frame);
    if (index > 0xffff || !usual(frame, &question))
        return 1;
    d = (struct descriptor){ question.eax, question.edx };
    if (!guest_write(base + index * 8, &d, 8))
        return 1;
    if (number == VMI_CALL_WriteGDTEntry) {
        if (base == cpu_->gdt_base && index * 8 + 7 <= cpu_->gdt_limit)
            write_descriptor(index, 0, d);
    } else if (number == VMI_CALL_WriteLDTEntry) {
        if (cpu_->ldt && base == cpu_->ldt_base && index * 8 + 7 <= cpu_->ldt_limit)
            write_descriptor(index, 1, d);
    } else {
        if (base == cpu_->idt_base && index * 8 + 7 <= cpu_->idt_limit)
            write_gate(index, d);
    }
    return 1;
}

static u32 tables(frame_t *frame, u32 number)
{
    struct question question;
    struct dtr dtr;

    switch (number) {
    case VMI_CALL_SetGDT:
    case VMI_CALL_SetIDT:
        if (!guest_read(frame->eax, &dtr, 6))
            return 1;
        question = (struct question){ .exit = number == VMI_CALL_SetGDT ? VMI_RING_EXIT_SET_GDT : VMI_RING_EXIT_SET_IDT,
                                      .eax = dtr.base, .ecx = dtr.limit };
        if (!usual(frame, &question))
            return 1;
        if (number == VMI_CALL_SetGDT)
            load_gdt(question.eax, question.ecx & 0xffff);
        else
            load_idt(question.eax, question.ecx & 0xffff);
        return 1;
    case VMI_CALL_SetLDT:
        question = (struct question){ .exit = VMI_RING_EXIT_SET_LDT, .eax = frame->eax };
        if (usual(frame, &question) && !load_ldt(question.eax))
            load_ldt(0);
        return 1;
    case VMI_CALL_SetTR:
        question = (struct question){ .exit = VMI_RING_EXIT_SET_TR, .eax = frame->eax };
        if (usual(frame, &question))
            cpu_->tr = shared_->tr = question.eax & 0xffff;
        return 1;
    case VMI_CALL_GetGDT:
    case VMI_CALL_GetIDT:
        dtr.limit = (unsigned short)(number == VMI_CALL_GetGDT ? cpu_->gdt_limit : cpu_->idt_limit);
        dtr.base = number == VMI_CALL_GetGDT ? cpu_->gdt_base : cpu_->idt_base;
        guest_write(frame->eax, &dtr, 6);
        return 1;
    case VMI_CALL_GetLDT:
        frame->eax = cpu_->ldt;
        return 1;
    case VMI_CALL_GetTR:
        frame->eax = cpu_->tr;
        return 1;
    case VMI_CALL_UpdateKernelStack:
        count_exit(VMI_RING_EXIT_KERNEL_STACK);
        set_kernel_stack(frame->eax <= 0xffff ? frame->eax : 0, frame->edx);
        return 1;
    case VMI_CALL_WriteGDTEntry:
    case VMI_CALL_WriteLDTEntry:
    case VMI_CALL_WriteIDTEntry:
        return descriptor_call(frame, number);
    default:
        return 0;
    }
}

/* CPUID: Python is told what the CPU says. */
static void cpuid_call(frame_t *frame)
{
    struct question question = { .exit = VMI_RING_EXIT_CPUID, .eax = frame->eax, .ecx = frame->ecx };
    u32 value[4];

    cpuid(frame->eax, frame->ecx, value);
    question.length = value[0];
    question.ebx = value[1];
    question.more = value[2];
    question.edx = value[3];
    if (ask_brain(frame, &question) == VMI_WIRE_ACTION_RETURN) {
        value[0] = question.eax;
        value[1] = question.ebx;
        value[2] = question.ecx;
        value[3] = question.edx;
    } else {
        guest_cpuid(question.eax, question.ecx, value);
    }
    frame->eax = value[0];
    frame->ebx = value[1];
    frame->ecx = value[2];
    frame->edx = value[3];
}

static u32 machine_registers(frame_t *frame, u32 number)
{
    struct question question;
    u32 value[4] = { 0 }, done;

    switch (number) {
    case VMI_CALL_CPUID:
        cpuid_call(frame);
        return 1;
    case VMI_CALL_RDMSR:
        question = (struct question){ .exit = VMI_RING_EXIT_RDMSR, .ecx = frame->ecx };
        if (wanted(frame, &question, &done) && !done) {
            guest_rdmsr(question.ecx, value);
            question.eax = value[0];
            question.edx = value[1];
            done = 1;
        }
        if (done) {
            frame->eax = question.eax;
            frame->edx = question.edx;
        }
        return 1;
    case VMI_CALL_WRMSR:
        question = (struct question){ .exit = VMI_RING_EXIT_WRMSR, .eax = frame->eax, .edx = frame->edx, .ecx = frame->ecx };
        if (usual(frame, &question))
            guest_wrmsr(question.ecx, question.eax, question.edx);
        return 1;
    case VMI_CALL_RDPMC:
        question = (struct question){ .exit = VMI_RING_EXIT_RDPMC, .ecx = frame->ecx };
        if (wanted(frame, &question, &done)) {
            frame->eax = done ? question.eax : 0;
            frame->edx = done ? question.edx : 0;
        }
        return 1;
    case VMI_CALL_RDTSC: {
        u64 now = rdtsc();
        frame->eax = (u32)now;
        frame->edx = (u32)(now >> 32);
        return 1;
    }
    case VMI_CALL_SetDR:
        question = (struct question){ .exit = VMI_RING_EXIT_WRITE_DR, .eax = frame->edx, .ecx = frame->eax };
        if (usual(frame, &question))
            set_dr(question.ecx, question.eax);
        return 1;
    case VMI_CALL_GetDR:
        question = (struct question){ .exit = VMI_RING_EXIT_READ_DR, .eax = get_dr(frame->eax), .ecx = frame->eax };
        if (wanted(frame, &question, &done))
            frame->eax = done ? question.eax : get_dr(question.ecx);
        return 1;
    case VMI_CALL_WBINVD:
        question = (struct question){ .exit = VMI_RING_EXIT_CACHE };
        if (usual(frame, &question))
            asm volatile("wbinvd");
        return 1;
    default:
        return 0;
    }
}

static u32 control(frame_t *frame, u32 number)
{
    struct question question = { .eax = frame->eax };

    switch (number) {
    case VMI_CALL_SetCR0:
        question.exit = VMI_RING_EXIT_WRITE_CR;
        if (usual(frame, &question))
            set_cr0(question.eax);
        return 1;
    case VMI_CALL_CLTS:
        question.exit = VMI_RING_EXIT_CLTS;
        if (usual(frame, &question))
            set_cr0(shared_->cr0 & ~CR0_TS);
        return 1;
    case VMI_CALL_SetCR2:
        shared_->cr2 = frame->eax;
        return 1;
    case VMI_CALL_SetCR3:
        question.exit = VMI_RING_EXIT_SET_ROOT;
        shared_->deferred &= ~1u;
        if (usual(frame, &question))
            set_root(question.eax);
        return 1;
    case VMI_CALL_SetCR4:
        question.exit = VMI_RING_EXIT_WRITE_CR;
        question.ecx = 4;
        if (usual(frame, &question))
            set_cr4(question.eax);
        return 1;
    case VMI_CALL_GetCR0:
        frame->eax = shared_->cr0;
        return 1;
    case VMI_CALL_GetCR2:
        frame->eax = shared_->cr2;
        return 1;
    case VMI_CALL_GetCR3:
        frame->eax = shared_->cr3;
        return 1;
    case VMI_CALL_GetCR4:
        frame->eax = shared_->cr4;
        return 1;
    default:
        return 0;
    }
}

static u32 flow(frame_t *frame, u32 number)
{
    switch (number) {
    case VMI_CALL_EnableInterrupts:
        set_interrupts(frame, 1);
        return 1;
    case VMI_CALL_DisableInterrupts:
        set_interrupts(frame, 0);
        return 1;
    case VMI_CALL_GetInterruptMask:
        frame->eax = shared_->interrupts & EFLAGS_IF;
        return 1;
    case VMI_CALL_SetInterruptMask:
        set_interrupts(frame, frame->eax & EFLAGS_IF);
        return 1;
    case VMI_CALL_SYSEXIT: {
        u32 to[5] = { frame->edx, shared_->sysexit_cs, (frame->eflags & ~EFLAGS_IOPL) | EFLAGS_IF, frame->ecx,
                      shared_->sysexit_ss };
        frame->esp -= sizeof to - 4; /* over the number */
        if (!guest_write(frame->esp, to, sizeof to) || !guest_iret(frame, frame->esp))
            general_protection(frame, 0);
        return 1;
    }
    case VMI_CALL_Halt:
        count_exit(VMI_RING_EXIT_HALT);
        halt(frame);
        return 1;
    default:
        return 0;
    }
}

/* The machine's power, its other CPUs, and what is left. */
static u32 machine(frame_t *frame, u32 number)
{
    struct question question;

    switch (number) {
    case VMI_CALL_Reboot:
        question = (struct question){ .exit = VMI_RING_EXIT_REBOOT, .eax = frame->eax };
        if (!usual(frame, &question))
            return 1;
        asm volatile("outb %b0, $0x64" ::"a"(0xfe));
        for (;;)
            asm volatile("hlt");
    case VMI_CALL_Shutdown:
        question = (struct question){ .exit = VMI_RING_EXIT_SHUTDOWN };
        if (!usual(frame, &question))
            return 1;
        end_guest(VMI_RING_END_SHUTDOWN, frame->eip, 0);
    case VMI_CALL_SetInitialAPState:
        question = (struct question){ .exit = VMI_RING_EXIT_AP_STATE, .eax = frame->eax, .edx = frame->edx };
        if (usual(frame, &question))
            take_initial_state(question.eax, question.edx);
        else
            drop_initial_state(frame->edx);
        return 1;
    case VMI_CALL_APICRead:
        count_exit(VMI_RING_EXIT_APIC);
        frame->eax = apic_read(frame->eax);
        return 1;
    case VMI_CALL_APICWrite:
        question = (struct question){ .exit = VMI_RING_EXIT_APIC, .eax = frame->edx, .ecx = frame->eax };
        if (usual(frame, &question))
            apic_write(question.ecx, question.eax);
        return 1;
    case VMI_CALL_SetIOPLMask:
        shared_->iopl = frame->eax & EFLAGS_IOPL;
        return 1;
    default:
        return 0;
    }
}

/* IN, OUT, and with a count INS and OUTS: in the interface's order long, byte, word. */
static u32 ports(frame_t *frame, u32 number)
{
    static const u8 sizes[3] = { 4, 1, 2 };
    u32 size, out, string, value = frame->eax;

    if (number < VMI_CALL_INL || number > VMI_CALL_OUTSW)
        return 0;
    number -= VMI_CALL_INL;
    size = sizes[number % 3];
    out = number >= 6;
    string = number / 3 % 2;
    if (!string) {
        if (guest_port(frame, out, frame->edx & 0xffff, size, &value) && !out)
            frame->eax = value;
        return 1;
    }
    for (u32 done = 0; frame->ecx; frame->ecx--, done++) {
        u32 *pointer = (u32 *)((u8 *)frame + (out ? FRAME(esi) : FRAME(edi)));
        if (done == STRING_TURN) {
            frame->eip -= GATE_CALL; /* again, so that interrupts get a chance */
            return 1;
        }
        if (out && !guest_read(*pointer, &value, size))
            return 1;
        if (!guest_port(frame, out, frame->edx & 0xffff, size, &value) || (!out && !guest_write(*pointer, &value, size)))
            return 1;
        *pointer += size;
    }
    return 1;
}

/* All calls but those that ring_call does itself. */
static __attribute__((noinline)) void less_frequent(frame_t *frame, u32 number)
{
    if (flow(frame, number) || page_tables(frame, number) || control(frame, number) || tables(frame, number) ||
        machine_registers(frame, number) || machine(frame, number) || time_call(frame, number))
        return;
    ports(frame, number);
}

static inline void serve(frame_t *frame)
{
    u32 number = frame->vector, mode;

    frame->eflags = (frame->eflags & ~(EFLAGS_IOPL | EFLAGS_TF | EFLAGS_NT)) | EFLAGS_IF;
    if (cpu_->held)
        frame->eflags &= ~EFLAGS_IF;
    if (number < VMI_CALL_COUNT) {
        mode = header_->modes[number];
        if (mode != VMI_WIRE_MODE_NATIVE && call_mode(frame, number, mode))
            return;
    }
    switch (number) {
    case VMI_CALL_IRET:
        call_iret(frame);
        return;
    case VMI_CALL_SetLazyMode:
        count_exit(VMI_RING_EXIT_SET_ROOT);
        shared_->lazy = frame->eax;
        if (frame->eax != 2 && shared_->deferred)
            apply_deferred();
        return;
    case VMI_CALL_InvalPage:
        count_exit(VMI_RING_EXIT_FLUSH);
        shadow_inval(cpu_->number, frame->eax);
        return;
    case VMI_CALL_FlushTLB:
        count_exit(VMI_RING_EXIT_FLUSH);
        shadow_flush(cpu_->number);
        return;
    default:
        less_frequent(frame, number);
    }
}

/* In: the frame of a call; its number is in `vector`. An interrupt at the gate's first instruction was held back, even if the
 * guest takes interrupts, and then does nothing to have it. */
void ring_call(frame_t *frame)
{
    serve(frame);
    if (cpu_->held && shared_->interrupts & EFLAGS_IF)
        release_held(frame);
}
