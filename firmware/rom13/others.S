/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Generation B: what else differs from firmware/rom: the local APIC at a linear address, calls without a meaning on bare
 * hardware that have a result, and no way to a payload. Found through slots.S; conventions as in firmware/rom/cpu.S.
 */
#include "rom.inc"

    .text

/* Pause: lets the CPU's other thread run. Clobbers nothing. */
FUNCTION(rom_pause)
    pause
    ret
END(rom_pause)

/* Out: EDX:EAX = 0. Clobbers: EAX, EDX, flags. */
FUNCTION(rom_zero)
    xorl %eax, %eax
    xorl %edx, %edx
    ret
END(rom_zero)

/* APICRead. In: EAX = linear address of the register, where the guest has mapped it (vmi-abi.md 9.9). Out: EAX. */
FUNCTION(rom_apic_read)
    movl (%eax), %eax
    ret
END(rom_apic_read)

/* APICWrite. In: EAX as above, EDX = value. Clobbers nothing. */
FUNCTION(rom_apic_write)
    movl %edx, (%eax)
    ret
END(rom_apic_write)

/* Where init.S goes on when the ROM is to decline: in this generation nobody can be behind it.
 * Out: EAX = -1. Clobbers: EAX, flags. */
FUNCTION(rom_bridge)
    orl $-1, %eax
    ret
END(rom_bridge)

/* The same for the query. Out: EAX = EDX = 0, NONE. Clobbers: EAX, EDX, flags. */
FUNCTION(rom_bridge_reloc)
    jmp rom_zero
END(rom_bridge_reloc)
