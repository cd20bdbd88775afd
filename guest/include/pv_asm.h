/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Patch sites for assembler: PV_CLI, PV_STI, PV_IRET, PV_STI_SYSEXIT. Included by paravirt.h in assembler files of a
 * kernel with the layer; the C sites are in pv_sites.h.
 *
 * PV_CLI, PV_STI: change the interrupt flag. Clobber: flags. Stack: 4 bytes until patched, more inside a ROM.
 *   Allowed with user values in DS and ES: what replaces them uses CS and SS only.
 * PV_IRET: in: interrupt frame at ESP, general registers of the interrupted context. No return.
 * PV_STI_SYSEXIT: in: EDX user EIP, ECX user ESP. Interrupts on and to ring 3 in one step. No return.
 * Privilege: the kernel's, whatever RPL that is.
 */
#ifndef OPENVMI_PV_ASM_H
#define OPENVMI_PV_ASM_H

#include "pv_ops.h"

/* `transfer` is call or jmp: six bytes with an absolute operand. */
.macro PV_ASM_SITE transfer, op
771:	\transfer *pv_word_\op
772:	.pushsection .parainstructions, "a"
	.balign 4
	.long 771b
	.byte pv_type_\op, 772b - 771b
	.short PV_NOTHING
	.popsection
.endm

#define PV_CLI PV_ASM_SITE call, irq_disable
#define PV_STI PV_ASM_SITE call, irq_enable
#define PV_IRET PV_ASM_SITE jmp, iret
#define PV_STI_SYSEXIT PV_ASM_SITE jmp, sti_sysexit

#endif
