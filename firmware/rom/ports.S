/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Native stubs of the port calls, 49-60: register-compatible with the instructions (vmi-abi.md 2.2, 2.3). Found through
 * stubs.S. IN: EDX port -> AL, AX, EAX, nothing else changes. OUT: EAX value, EDX port, nothing changes. INS, OUTS: EDI or
 * ESI, EDX port, ECX count; the pointer and ECX move as the REP instruction moves them, in the direction of EFLAGS.DF.
 */
#include "rom.inc"

    .text

FUNCTION(rom_inb)
    inb %dx, %al
    ret
END(rom_inb)

FUNCTION(rom_inw)
    inw %dx, %ax
    ret
END(rom_inw)

FUNCTION(rom_inl)
    inl %dx, %eax
    ret
END(rom_inl)

FUNCTION(rom_insb)
    rep insb
    ret
END(rom_insb)

FUNCTION(rom_insw)
    rep insw
    ret
END(rom_insw)

FUNCTION(rom_insl)
    rep insl
    ret
END(rom_insl)

FUNCTION(rom_outb)
    outb %al, %dx
    ret
END(rom_outb)

FUNCTION(rom_outw)
    outw %ax, %dx
    ret
END(rom_outw)

FUNCTION(rom_outl)
    outl %eax, %dx
    ret
END(rom_outl)

FUNCTION(rom_outsb)
    rep outsb
    ret
END(rom_outsb)

FUNCTION(rom_outsw)
    rep outsw
    ret
END(rom_outsw)

FUNCTION(rom_outsl)
    rep outsl
    ret
END(rom_outsl)
