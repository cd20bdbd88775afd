/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where interrupts arrive. C handles them (kernel.c), with interrupts off.
 */
#include "paravirt.h"

	.text

/* timer_entry: IRQ 0. In: an interrupt frame on the stack. Out: back to what was interrupted. Clobbers: nothing.
 * Stack: 36 bytes and the handler's. CPL: the kernel's. */
	.globl timer_entry
	.type timer_entry, @function
timer_entry:
	pushal
	cld
	call timer_tick
	popal
	PV_IRET
	.size timer_entry, . - timer_entry
