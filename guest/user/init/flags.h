/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * EFLAGS as the checks name them, for C (check.h) and assembler (probes.S).
 */
#ifndef OPENVMI_FLAGS_H
#define OPENVMI_FLAGS_H

#define FLAG_CARRY 0x001
#define FLAGS_ARITHMETIC 0x8D5 /* CF PF AF ZF SF OF */
#define FLAG_TRAP 0x100
#define FLAG_INTERRUPT 0x200
#define FLAG_DIRECTION 0x400
#define FLAGS_IOPL 0x3000
#define FLAG_NESTED 0x4000
#define FLAG_ALIGN 0x40000
#define FLAG_ID 0x200000

#endif
