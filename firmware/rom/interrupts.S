/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Native stubs of the four interrupt-flag calls, 29-32, and of SetIOPLMask. Found through stubs.S. Guests patch the four
 * over whole sites, saving nothing: they preserve every register but the result and use CS and SS only (vmi-abi.md 2.2).
 */
#include "rom.inc"

    .text

/* EnableInterrupts. Clobbers: flags. What is pending is delivered as the call returns, when STI's shadow ends. */
FUNCTION(rom_enable_interrupts)
    nop                                 /* unlike rom_sti: a guest that copies bare instructions must really call */
    sti
    ret
END(rom_enable_interrupts)

/* The same for the native mode, where a guest may copy the STI over its site. */
FUNCTION(rom_sti)
    sti
    ret
END(rom_sti)

/* DisableInterrupts. Clobbers: flags. */
FUNCTION(rom_disable_interrupts)
    nop
    cli
    ret
END(rom_disable_interrupts)

/* GetInterruptMask. Out: EAX = VMI_IF or 0. Clobbers: EAX, flags. Stack: 4 bytes. */
FUNCTION(rom_get_interrupt_mask)
    pushfl
    popl %eax
    andl $VMI_IF, %eax
    ret
END(rom_get_interrupt_mask)

/* SetInterruptMask. In: EAX, of which only VMI_IF counts: POPF would take the other bits for IOPL, TF, AC ...
 * Clobbers: flags; EAX is preserved. */
FUNCTION(rom_set_interrupt_mask)
    testl $VMI_IF, %eax
    jz 1f
    sti
    ret
1:  cli
    ret
END(rom_set_interrupt_mask)

/* SetIOPLMask. In: EAX = IOPL << 12, other bits ignored. Clobbers: EAX, EDX, flags other than IF. Stack: 4 bytes. */
FUNCTION(rom_set_iopl_mask)
    pushfl
    popl %edx
    andl $ROM_IOPL, %eax
    andl $~ROM_IOPL, %edx
    orl %eax, %edx
    pushl %edx
    popfl
    ret
END(rom_set_iopl_mask)
