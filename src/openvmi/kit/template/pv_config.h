/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the paravirt layer has to know of this kernel: where low memory is mapped, and what is where in the GDT of boot.S.
 */
#define KERNEL_BASE 0
#define GDT_KERNEL_CS 1
#define GDT_KERNEL_DS 2
#define GDT_USER_CS 0 /* there are none of these */
#define GDT_USER_DS 0
#define GDT_TSS 0
#define GDT_LDT 0
