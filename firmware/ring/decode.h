/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An instruction of the guest's, read byte by byte (emulate.c), for who wants to know what it was about: emulate.c itself,
 * and segments.c.
 */
#ifndef OPENVMI_RING_DECODE_H
#define OPENVMI_RING_DECODE_H

#include "ring.h"

struct instruction {
    frame_t *frame;
    u32 at;              /* linear address of the next byte */
    u32 begin;
    u32 operand16, repeat;
    u32 modrm, memory;   /* memory = effective address, if modrm means memory */
    u32 first, second;   /* arguments, as they are after simple() */
};

/* 1 = read, and passed over. */
u32 next8(struct instruction *i, u32 *value);
u32 next32(struct instruction *i, u32 *value);
u32 modrm(struct instruction *i);
/* A general register by its number in an instruction. */
u32 *reg(frame_t *frame, u32 number);

#endif
