/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Native stubs of the descriptor-table calls, 3-13 (vmi-abi.md 3.1, 4.8). Found through stubs.S. Conventions as in cpu.S.
 */
#include "rom.inc"

    .text

/* Reload a data segment register, so that its hidden part is what the table now says. VERR first: a selector that the new
 * table does not honour would fault here, where the guest has no fix-up, and hardware keeps the old hidden part as well.
 * Clobbers: ECX, flags. */
    .macro RELOAD segment
    movl %\segment, %ecx
    verr %cx
    jnz 1f
    movl %ecx, %\segment
1:
    .endm

/* SetGDT. In: EAX -> 6-byte limit and base. Reloads DS, ES, FS, GS; CS and SS are flat before and after by the call's own
 * rule. Clobbers: ECX, flags. */
FUNCTION(rom_set_gdt)
    lgdt (%eax)
    jmp rom_reload_segments
END(rom_set_gdt)

/* SetLDT. In: AX = selector in the GDT, or 0. Reloads as SetGDT does. Clobbers: ECX, flags. */
FUNCTION(rom_set_ldt)
    lldt %ax
    jmp rom_reload_segments
END(rom_set_ldt)

/* Tail of the two above. Clobbers: ECX, flags. */
FUNCTION(rom_reload_segments)
    RELOAD ds
    RELOAD es
    RELOAD fs
    RELOAD gs
    ret
END(rom_reload_segments)

/* SetIDT. In: EAX -> 6-byte limit and base. */
FUNCTION(rom_set_idt)
    lidt (%eax)
    ret
END(rom_set_idt)

/* SetTR. In: AX = selector of an available TSS, which becomes busy. */
FUNCTION(rom_set_tr)
    ltr %ax
    ret
END(rom_set_tr)

/* GetGDT, GetIDT. In: EAX -> 6 bytes to be written. */
FUNCTION(rom_get_gdt)
    sgdt (%eax)
    ret
END(rom_get_gdt)

FUNCTION(rom_get_idt)
    sidt (%eax)
    ret
END(rom_get_idt)

/* GetLDT, GetTR. Out: AX = selector; the upper half is unspecified. */
FUNCTION(rom_get_ldt)
    sldt %ax
    ret
END(rom_get_ldt)

FUNCTION(rom_get_tr)
    str %ax
    ret
END(rom_get_tr)

/* WriteGDTEntry, WriteLDTEntry, WriteIDTEntry. In: EAX = table, EDX = index, ECX = low word, [ESP+4] = high word, which
 * holds the present bit and so goes last. Clobbers: EAX, EDX, flags. */
FUNCTION(rom_write_descriptor)
    leal (%eax, %edx, 8), %edx
    movl 4(%esp), %eax
    movl %ecx, (%edx)
    movl %eax, 4(%edx)
    ret
END(rom_write_descriptor)
