/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One site of each assembler macro, for the tests of the paravirt layer; see probe.c. Nothing calls these: the emulator
 * starts at the sites.
 */
#include "paravirt.h"

	.text
	.globl asm_sites
asm_sites:
	PV_CLI
	PV_STI
	ret
	PV_IRET
	PV_STI_SYSEXIT
