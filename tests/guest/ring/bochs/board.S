/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All the firmware that a PC of these tests has: the last page below 4 GiB. It copies to RAM what lies below it in the same
 * ROM, and enters a kernel as a multiboot loader would. board.py puts the pieces there and their list in front of them.
 */
#define PAGE 0xfffff000
#define HIGH (PAGE & 0xffff0000)

    .section .board, "ax", @progbits

/* board_flat: In: 32-bit protected mode, CS flat. Clobbers everything. No stack, interrupts off. */
    .code32
board_flat:
    movl $24, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    cld
    movl board_list, %ebx
1:  movl (%ebx), %esi                   /* each piece: from, to, words; none: entry, EAX, EBX, ESI */
    movl 4(%ebx), %edi
    movl 8(%ebx), %ecx
    jecxz 2f
    addl $12, %ebx
    rep movsl
    jmp 1b
2:  movl 12(%ebx), %edx
    movl 16(%ebx), %eax
    movl 24(%ebx), %esi
    movl 20(%ebx), %ebx
    jmp *%edx

    .balign 8
board_gdt:                              /* selectors as Linux wants them, too */
    .long 0, 0, 0, 0
    .long 0x0000ffff, 0x00cf9b00
    .long 0x0000ffff, 0x00cf9300
board_gdtr:
    .word 31
    .long board_gdt

board_go:                               /* In: real mode, the GDT loaded. */
    .code16
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $16, $board_flat

    .org 0xfe0
board_list:
    .long 0                             /* address of the list: board.py */

/* board_reset: In: real mode, as the CPU comes out of reset, CS at HIGH. */
    .org 0xff0
board_reset:
    .byte 0x2e                          /* CS */
    lgdtl board_gdtr - HIGH
    jmp board_go
    .org 0x1000
