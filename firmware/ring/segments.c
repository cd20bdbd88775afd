/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An access by FS or GS that a limit of ours has stopped, and that the guest's own would have let pass: thread-local storage
 * is found by negative offsets, which wrap to below the segment's base. Only engines that check limits come here.
 */
#include "decode.h"

/* Prefixes, of which the last segment's counts. Out: the first byte of the opcode, 0 as the prefix if there is none. */
static u32 segment_prefix(struct instruction *i, u32 *opcode)
{
    u32 prefix = 0;

    while (next8(i, opcode)) {
        switch (*opcode) {
        case 0x64: case 0x65: case 0x26: case 0x2e: case 0x36: case 0x3e:
            prefix = *opcode;
            break;
        case 0x66: case 0xf0: case 0xf2: case 0xf3:
            break;
        default:
            return prefix;
        }
    }
    return 0;
}

/* The offset that an instruction uses with its segment. 1 = found; what is none may be taken for one: it does no harm. */
static u32 offset_of(struct instruction *i, u32 opcode, u32 *offset)
{
    switch (opcode) {
    case 0xa0: case 0xa1: case 0xa2: case 0xa3:
        return next32(i, offset);
    case 0x6e: case 0x6f: case 0xa4: case 0xa5: case 0xa6: case 0xa7: case 0xac: case 0xad:
        *offset = i->frame->esi;
        return 1;
    case 0x0f:
        if (!next8(i, &opcode) || ((opcode == 0x38 || opcode == 0x3a) && !next8(i, &opcode)))
            return 0;
        break;
    default:
        break;
    }
    if (!modrm(i) || i->modrm >> 6 == 3)
        return 0;
    *offset = i->memory;
    return 1;
}

/* In: the frame of a #GP(0). An access across both ends, or to what neither reaches, is the guest's own fault. */
u32 turn_segment(frame_t *frame)
{
    struct instruction i = { .frame = frame, .at = frame->eip, .begin = frame->eip };
    u32 opcode, prefix = segment_prefix(&i, &opcode), selector, offset;

    if (frame->eflags & EFLAGS_VM || (prefix != 0x64 && prefix != 0x65) || !offset_of(&i, opcode, &offset))
        return 0;
    if (prefix == 0x64)
        asm volatile("movl %%fs, %0" : "=r"(selector));
    else
        asm volatile("movl %%gs, %0" : "=r"(selector));
    if (!turn_descriptor(selector & 0xffff, offset))
        return 0;
    count_exit(VMI_RING_EXIT_SEGMENT);
    return 1;
}
