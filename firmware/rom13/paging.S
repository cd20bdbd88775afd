/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Generation B: native stubs of the calls on page-table entries that later generations dropped (vmi-abi.md 3.3). Found
 * through slots.S. Conventions as in firmware/rom/cpu.S.
 */
#include "rom.inc"

    .text

/* SetPxE0. In: EAX -> 32-bit entry, EDX = value. Clobbers nothing. */
FUNCTION(rom_set_pxe0)
    movl %edx, (%eax)
    ret
END(rom_set_pxe0)

/* SwapPxE. In: EAX -> 32-bit entry, EDX = value. Out: EAX = what was there, in one locked step. Clobbers: EAX, EDX. */
FUNCTION(rom_swap_pxe)
    xchgl %edx, (%eax)
    movl %edx, %eax
    ret
END(rom_swap_pxe)

/* DeactivatePxELongAtomic. In: EAX -> 64-bit entry. Out: EDX:EAX = what was there. The low half, which has the present bit,
 * goes first and locked; nobody but the caller writes the other. Clobbers: EAX, EDX, ECX, flags. */
FUNCTION(rom_deactivate)
    movl %eax, %ecx
    xorl %eax, %eax
    xchgl %eax, (%ecx)
    movl 4(%ecx), %edx
    movl $0, 4(%ecx)
    ret
END(rom_deactivate)

/* TestAndSetPxEBit and the like. In: EAX -> entry, EDX = bit, cut to the entry's: BTS would go on in the next one.
 * Out: EAX = 1 if the bit was set, else 0. Clobbers: EAX, EDX, flags. */
#define TEST_AND(name, instruction, last) \
FUNCTION(name)                          ; \
    andl $last, %edx                    ; \
    lock instruction %edx, (%eax)       ; \
    setc %al                            ; \
    movzbl %al, %eax                    ; \
    ret                                 ; \
END(name)

TEST_AND(rom_test_and_set, btsl, 31)
TEST_AND(rom_test_and_clear, btrl, 31)
TEST_AND(rom_test_and_set_long, btsl, 63)
TEST_AND(rom_test_and_clear_long, btrl, 63)
