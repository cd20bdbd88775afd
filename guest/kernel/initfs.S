/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The ring-3 programs inside the kernel image, and their table (struct program in process.h). The build puts the
 * programs' folder on the include path. To add one: a PROGRAM line.
 */
.macro PROGRAM path, file
	.section .initfs, "a", @progbits
	.balign 4096
771:	.incbin "\file"
772:	.section .rodata.initfs_names, "a", @progbits
773:	.asciz "\path"
	.section .rodata.initfs, "a", @progbits
	.long 773b, 771b, 772b
.endm

	.section .rodata.initfs, "a", @progbits
	.balign 4
	.globl initfs, initfs_count
initfs:
	PROGRAM "/init", "init"
	PROGRAM "/args", "args"
	PROGRAM "/true", "true"
	.section .rodata.initfs, "a", @progbits
initfs_end:
initfs_count:
	.long (initfs_end - initfs) / 12
