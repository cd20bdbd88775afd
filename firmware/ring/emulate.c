/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Privileged instructions that a kernel executes at CPL 1, and port instructions of its programs: what the #GP was about is
 * decoded from the guest's bytes and done. 32-bit flat code only; anything else is the guest's own fault.
 */
#include "decode.h"

u32 next8(struct instruction *i, u32 *value)
{
    u8 byte;

    if (i->at - i->begin >= 15 || !guest_read(i->at, &byte, 1))
        return 0;
    i->at++;
    *value = byte;
    return 1;
}

u32 next32(struct instruction *i, u32 *value)
{
    if (!guest_read32(i->at, value))
        return 0;
    i->at += 4;
    return 1;
}

u32 *reg(frame_t *frame, u32 number)
{
    static const u8 offsets[8] = { FRAME(eax), FRAME(ecx), FRAME(edx), FRAME(ebx), FRAME(esp), FRAME(ebp), FRAME(esi),
                                   FRAME(edi) };
    return (u32 *)((u8 *)frame + offsets[number & 7]);
}

/* ModRM and what belongs to it, 32-bit addresses. */
u32 modrm(struct instruction *i)
{
    u32 mod, rm, sib, byte, address = 0;

    if (!next8(i, &i->modrm))
        return 0;
    mod = i->modrm >> 6;
    rm = i->modrm & 7;
    if (mod == 3)
        return 1;
    if (rm == 4) {
        if (!next8(i, &sib))
            return 0;
        if ((sib >> 3 & 7) != 4)
            address = *reg(i->frame, sib >> 3) << (sib >> 6);
        rm = sib & 7;
    }
    if (rm == 5 && !mod) {
        if (!next32(i, &byte))
            return 0;
        address += byte;
    } else {
        address += *reg(i->frame, rm);
    }
    if (mod == 1) {
        if (!next8(i, &byte))
            return 0;
        address += (u32)(int)(signed char)byte;
    } else if (mod == 2) {
        if (!next32(i, &byte))
            return 0;
        address += byte;
    }
    i->memory = address;
    return 1;
}

/* May who was left use these bytes? 0 = it has got an exception. */
static u32 reach(frame_t *frame, u32 address, u32 size, u32 write)
{
    u32 error = (write ? 2 : 0) | ((frame->cs & 3) == 3 ? 4 : 0), fault = error;

    for (u32 i = 0; i < 2; i++, address += size - 1) {
        if (address >= VMI_WIRE_BASE) {
            reflect(frame, 13, 0);
            return 0;
        }
        if (shadow_fault(cpu_->number, address, error, &fault) != SHADOW_FILLED) {
            shared_->cr2 = address;
            reflect(frame, 14, fault);
            return 0;
        }
    }
    return 1;
}

/* A program's bytes are its own: the monitor would get at all. */
static u32 string_port(struct instruction *i, u32 out, u32 size)
{
    frame_t *frame = i->frame;
    u32 count = i->repeat ? frame->ecx : 1, step = frame->eflags & 0x400 ? 0u - size : size, value;
    u32 *pointer = reg(frame, out ? 6 : 7);

    for (u32 done = 0; count && done < STRING_TURN; count--, done++) {
        value = 0;
        if ((frame->cs & 3) == 3 && !reach(frame, *pointer, size, !out))
            return 1;
        if (out ? !guest_read(*pointer, &value, size) : !guest_write(*pointer, &value, size))
            return !reach(frame, *pointer, size, !out);
        if (!guest_port(frame, out, frame->edx & 0xffff, size, &value))
            return 1;
        if (!out)
            guest_write(*pointer, &value, size);
        *pointer += step;
        if (i->repeat)
            frame->ecx--;
    }
    if (!count)
        frame->eip = i->at;
    return 1; /* else: again, so that interrupts get a chance */
}

/* IN, OUT, INS, OUTS. In: opcode. 1 = done. */
static u32 port(struct instruction *i, u32 opcode)
{
    frame_t *frame = i->frame;
    u32 size = opcode & 1 ? (i->operand16 ? 2 : 4) : 1, out = opcode & 2, number = frame->edx & 0xffff, value = frame->eax;

    if (opcode < 0x70)
        return string_port(i, out, size);
    if (!(opcode & 8) && !next8(i, &number))
        return 0;
    if (!guest_port(frame, out, number, size, &value))
        return 1;
    if (!out)
        frame->eax = size == 4 ? value : size == 2 ? (frame->eax & ~0xffffu) | (value & 0xffff) : (frame->eax & ~0xffu) | (value & 0xff);
    frame->eip = i->at;
    return 1;
}

static u32 control_register(struct instruction *i, u32 opcode)
{
    frame_t *frame = i->frame;
    u32 number, debug = opcode & 1, write = opcode & 2, *general;
    struct question question = { 0 };

    if (!next8(i, &i->modrm))
        return 0;
    number = i->modrm >> 3 & 7;
    general = reg(frame, i->modrm);
    question = (struct question){ .exit = (debug ? VMI_RING_EXIT_READ_DR : VMI_RING_EXIT_READ_CR) + (write ? 1 : 0),
                                  .ecx = number, .eax = *general, .length = i->at - i->begin };
    if (!debug && write && number == 3)
        question.exit = VMI_RING_EXIT_SET_ROOT;
    switch (ask_brain(frame, &question)) {
    case VMI_RING_ACTION_FAULT:
        return 1;
    case VMI_WIRE_ACTION_RETURN:
        if (!write)
            *general = question.eax;
        frame->eip = i->at;
        return 1;
    default:
        break;
    }
    if (debug && write) {
        if (!set_dr(number, question.eax))
            return 0;
    } else if (debug) {
        *general = get_dr(number);
    } else if (write) {
        if (number == 3)
            set_root(question.eax);
        else if (number == 2)
            shared_->cr2 = question.eax;
        else if (number == 1 || number > 4 || !(number ? set_cr4(question.eax) : set_cr0(question.eax)))
            return 0;
    } else {
        if (number == 1 || number > 4)
            return 0;
        *general = number == 0 ? shared_->cr0 : number == 2 ? shared_->cr2 : number == 3 ? shared_->cr3 : shared_->cr4;
    }
    frame->eip = i->at;
    return 1;
}

/* RDPMC: there are no counters, if nobody says otherwise. */
static u32 counter(struct instruction *i)
{
    struct question question = { .exit = VMI_RING_EXIT_RDPMC, .ecx = i->frame->ecx, .length = 2 };
    u32 action = ask_brain(i->frame, &question);

    if (action != VMI_WIRE_ACTION_RETURN)
        return action == VMI_RING_ACTION_FAULT;
    i->frame->eax = question.eax;
    i->frame->edx = question.edx;
    i->frame->eip = i->at;
    return 1;
}

/* RDMSR, WRMSR. */
static u32 msr(struct instruction *i, u32 write)
{
    frame_t *frame = i->frame;
    u32 value[2] = { frame->eax, frame->edx };
    struct question question = { .exit = write ? VMI_RING_EXIT_WRMSR : VMI_RING_EXIT_RDMSR, .eax = frame->eax, .edx = frame->edx,
                                 .ecx = frame->ecx, .length = 2 };

    switch (ask_brain(frame, &question)) {
    case VMI_RING_ACTION_FAULT:
        return 1;
    case VMI_WIRE_ACTION_RETURN:
        value[0] = question.eax;
        value[1] = question.edx;
        break;
    default:
        if (!(write ? guest_wrmsr(question.ecx, question.eax, question.edx) : guest_rdmsr(question.ecx, value)))
            return 0;
    }
    if (!write) {
        frame->eax = value[0];
        frame->edx = value[1];
    }
    frame->eip = i->at;
    return 1;
}

static u32 simple(struct instruction *i, u32 exit, u32 argument, u32 second)
{
    struct question question = { .exit = exit, .eax = argument, .ecx = second, .length = i->at - i->begin };
    u32 action = ask_brain(i->frame, &question);

    if (action == VMI_RING_ACTION_FAULT)
        return 0;
    i->frame->eip = i->at;
    i->first = question.eax;
    i->second = question.ecx;
    return action != VMI_WIRE_ACTION_RETURN;
}

/* 0F 00, 0F 01: descriptor tables, LMSW, INVLPG. */
static u32 system_group(struct instruction *i, u32 second)
{
    struct dtr dtr;
    unsigned short word;
    u32 kind;

    if (!modrm(i))
        return 0;
    kind = i->modrm >> 3 & 7;
    if (second == 0 || kind == 6) {
        if (i->modrm >> 6 == 3)
            word = (unsigned short)*reg(i->frame, i->modrm);
        else if (!guest_read(i->memory, &word, 2))
            return 0;
        if (second == 1) {
            if (simple(i, VMI_RING_EXIT_WRITE_CR, (shared_->cr0 & ~0xeu) | (word & 0xf), 0) && !set_cr0(i->first))
                return 0;
        } else if (kind == 2) {
            if (simple(i, VMI_RING_EXIT_SET_LDT, word, 0) && !load_ldt(i->first))
                return 0;
        } else if (kind == 3) {
            if (simple(i, VMI_RING_EXIT_SET_TR, word, 0))
                cpu_->tr = shared_->tr = i->first & 0xffff;
        } else {
            return 0;
        }
        return 1;
    }
    if (i->modrm >> 6 == 3)
        return 0;
    if (kind == 7) {
        if (simple(i, VMI_RING_EXIT_INVLPG, i->memory, 0))
            shadow_inval(cpu_->number, i->memory);
        return 1;
    }
    if ((kind != 2 && kind != 3) || !guest_read(i->memory, &dtr, 6))
        return 0;
    if (kind == 2) {
        if (simple(i, VMI_RING_EXIT_SET_GDT, dtr.base, dtr.limit))
            load_gdt(i->first, i->second & 0xffff);
    } else if (simple(i, VMI_RING_EXIT_SET_IDT, dtr.base, dtr.limit)) {
        load_idt(i->first, i->second & 0xffff);
    }
    return 1;
}

static u32 two_bytes(struct instruction *i)
{
    u32 opcode;

    if (!next8(i, &opcode))
        return 0;
    switch (opcode) {
    case 0x00:
    case 0x01:
        return system_group(i, opcode);
    case 0x06:
        if (simple(i, VMI_RING_EXIT_CLTS, 0, 0))
            set_cr0(shared_->cr0 & ~CR0_TS);
        return 1;
    case 0x08:
    case 0x09:
        if (simple(i, VMI_RING_EXIT_CACHE, opcode, 0))
            asm volatile("wbinvd");
        return 1;
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23:
        return control_register(i, opcode);
    case 0x30:
    case 0x32:
        return msr(i, opcode == 0x30);
    case 0x33:
        return counter(i);
    default:
        return 0;
    }
}

/* MOV or POP to SS and friends with the RPL that the kernel would have natively. */
static u32 segment_move(struct instruction *i)
{
    u32 selector, kind;

    if (!modrm(i))
        return 0;
    kind = i->modrm >> 3 & 7;
    selector = *reg(i->frame, i->modrm);
    if (i->modrm >> 6 != 3) {
        selector = 0;
        if (!guest_read(i->memory, &selector, 2))
            return 0;
    }
    selector = (selector & 0xfffc) | 1;
    if (kind != 2 || !stack_selector(selector, 1) || !simple(i, VMI_RING_EXIT_SEGMENT, selector, 0))
        return 0;
    i->frame->ss = selector;
    return 1;
}

static u32 one_byte(struct instruction *i, u32 opcode)
{
    frame_t *frame = i->frame;
    u32 vector;

    switch (opcode) {
    case 0x0f:
        return two_bytes(i);
    case 0x8e:
        return segment_move(i);
    case 0xcd:
        if (!next8(i, &vector) || !simple(i, VMI_RING_EXIT_SOFT_INT, vector, 0))
            return 0;
        reflect(frame, vector, 0);
        return 1;
    case 0xcf:
        count_exit(VMI_RING_EXIT_IRET);
        return frame->eip < VMI_WIRE_BASE && guest_iret(frame, frame->esp);
    case 0xf4:
        if (simple(i, VMI_RING_EXIT_HALT, shared_->interrupts, 0))
            halt(frame);
        return 1;
    case 0xfa:
    case 0xfb:
        if (simple(i, VMI_RING_EXIT_FLAG, opcode & 1, 0)) {
            shared_->interrupts = opcode & 1 ? EFLAGS_IF : 0;
            if (opcode & 1 && cpu_->held)
                release_held(frame);
        }
        return 1;
    case 0x6c: case 0x6d: case 0x6e: case 0x6f:
    case 0xe4: case 0xe5: case 0xe6: case 0xe7:
    case 0xec: case 0xed: case 0xee: case 0xef:
        return port(i, opcode);
    default:
        return 0;
    }
}

static u32 prefixes(struct instruction *i, u32 *opcode)
{
    for (;;) {
        if (!next8(i, opcode))
            return 0;
        switch (*opcode) {
        case 0x66:
            i->operand16 = 1;
            break;
        case 0xf2:
        case 0xf3:
            i->repeat = 1;
            break;
        case 0x26: case 0x2e: case 0x36: case 0x3e:
            break;
        default:
            return 1;
        }
    }
}

/* 1 = done. */
u32 emulate(frame_t *frame)
{
    struct instruction i = { .frame = frame, .at = frame->eip, .begin = frame->eip };
    u32 opcode;

    if (frame->eip >= VMI_WIRE_BASE)
        return 0;
    return prefixes(&i, &opcode) && one_byte(&i, opcode);
}

/* A program's IN or OUT: by the virtual IOPL or the bitmap in the guest's TSS. 1 = done. */
u32 user_port(frame_t *frame)
{
    struct instruction i = { .frame = frame, .at = frame->eip, .begin = frame->eip };
    u32 opcode;

    if (shared_->iopl != EFLAGS_IOPL || frame->eflags & EFLAGS_VM || !prefixes(&i, &opcode))
        return 0;
    switch (opcode) {
    case 0x6c: case 0x6d: case 0x6e: case 0x6f:
    case 0xe4: case 0xe5: case 0xe6: case 0xe7:
    case 0xec: case 0xed: case 0xee: case 0xef:
        return port(&i, opcode);
    default:
        return 0;
    }
}

/* A plain move of 32 bits from or to a register of a device that is not mapped. 1 = done, or the guest has got an exception. */
u32 emulate_move(frame_t *frame, u32 gpa, u32 write)
{
    struct instruction i = { .frame = frame, .at = frame->eip, .begin = frame->eip };
    u32 opcode, value, *general;

    if (frame->eip >= VMI_WIRE_BASE || !prefixes(&i, &opcode) || i.operand16)
        return 0;
    if (opcode == 0xa1 || opcode == 0xa3) {
        i.at += 4;
        general = reg(frame, 0);
    } else if (opcode == 0x89 || opcode == 0x8b || opcode == 0x87 || opcode == 0xc7) {
        if (!modrm(&i))
            return 0;
        general = reg(frame, i.modrm >> 3);
    } else {
        return 0;
    }
    if (opcode == 0xc7 && !next32(&i, &value))
        return 0;
    if (!write != (opcode == 0x8b || opcode == 0xa1))
        return 0;
    if (opcode == 0xc7) {
        if (!device_write(frame, gpa, value))
            return 1;
    } else {
        u32 before = write && opcode != 0x87 ? *general : device_read(gpa);
        if (!write)
            count_exit(VMI_RING_EXIT_APIC);
        else if (!device_write(frame, gpa, *general))
            return 1;
        *general = before;
    }
    frame->eip = i.at;
    return 1;
}
