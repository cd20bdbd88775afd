/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Native stubs of the paging calls that do something on bare hardware: 38, 39, 46, 47 (vmi-abi.md 4.5, 4.6). Found through
 * stubs.S. Conventions as in cpu.S.
 */
#include "rom.inc"

    .text

/* SetPxE. In: EAX = value, EDX -> 32-bit entry, ECX = flags (hints for those who shadow tables; none here). */
FUNCTION(rom_set_pxe)
    movl %eax, (%edx)
    ret
END(rom_set_pxe)

/* SetPxELong; of generation B SetPxELong0 and SwapPxELongAtomic, too. In: EDX:EAX = value, ECX -> 64-bit entry; flags at
 * [ESP+4] are hints as above. Out: EDX:EAX = what was there.
 * A present entry must never be seen half written. Plain stores need a different order for each case, and for a live
 * kernel entry on several CPUs none is right; one locked exchange is right for all. CPUs with PAE have CMPXCHG8B.
 * Clobbers: EAX, EDX, ECX, flags. Stack: 12 bytes. */
FUNCTION(rom_set_pxe_long)
    pushl %ebx
    pushl %esi
    movl %ecx, %esi                     /* ESI -> entry */
    movl %eax, %ebx                     /* ECX:EBX = new value */
    movl %edx, %ecx
    movl (%esi), %eax
    movl 4(%esi), %edx
1:  lock cmpxchg8b (%esi)               /* fails if the CPU has set A or D since the loads: EDX:EAX is then what is there */
    jnz 1b
    popl %esi
    popl %ebx
    ret
END(rom_set_pxe_long)

/* InvalPage. In: EAX = virtual address. */
FUNCTION(rom_inval_page)
    invlpg (%eax)
    ret
END(rom_inval_page)

/* FlushTLB. In: EAX = flags; VMI_FLUSH_GLOBAL takes the global entries too, which only a change of CR4.PGE does. Interrupts
 * stay off while PGE is: a handler must not run with a CR4 that nobody asked for. Clobbers: EAX, EDX, flags but IF.
 * Stack: 4 bytes. */
FUNCTION(rom_flush_tlb)
    testl $VMI_FLUSH_GLOBAL, %eax
    jz 1f
    movl %cr4, %eax
    testl $ROM_CR4_PGE, %eax
    jz 1f
    pushfl
    cli
    movl %eax, %edx
    andl $~ROM_CR4_PGE, %edx
    movl %edx, %cr4
    movl %eax, %cr4
    popfl
    ret
1:  movl %cr3, %eax
    movl %eax, %cr3
    ret
END(rom_flush_tlb)
