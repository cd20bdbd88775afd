/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The payload's head and its two entries, to which the ROM (firmware/rom/bridge.S) hands a guest's vmi_init and get_reloc.
 * Python (openvmi.hypervisor.link) has put the payload here, at a fixed linear address, and filled the header in front of it.
 */
#include "payload.inc"

    .section .head, "a", @progbits
    .long VMI_WIRE_HASH
#if PAYLOAD_SMP
    .long VMI_WIRE_CPUS_MAX
#else
    .long 1
#endif
    .long payload_init
    .long payload_get_reloc
    .long switchable_stubs
    .long 0, 0, 0

    .text

/* vmi_init. In: nothing. Out: EAX = 0. Clobbers: EAX, flags. Stack: 4 bytes. CPL 0, DS flat, interrupts off. */
FUNCTION(payload_init)
    pushfl
    popl HEADER(guest_eflags)
    incl HEADER(inits)
    movl %cr4, %eax
    movl %eax, HEADER(guest_cr4)
    xorl %eax, %eax
    ret
END(payload_init)

/* get_reloc: how is a call made? As the brain has laid down in the header, before the guest started.
 * In: EAX = call number, any 32-bit value. Out: EAX = linear address or 0, EDX = relocation type.
 * Clobbers: EAX, EDX, ECX, flags. CPL 0, DS flat. */
FUNCTION(payload_get_reloc)
    cmpl $VMI_CALL_COUNT, %eax
    jae .Lnone
    movzbl HEADER(paths)(%eax), %edx
    movl switchable_stubs(, %eax, 4), %ecx
    cmpl $VMI_WIRE_PATH_DIRECT, %edx
    ja 1f
    movl direct_stubs(, %eax, 4), %ecx
    je 1f
    cmpl $VMI_CALL_IRET, %eax           /* these two can't be NONE */
    jb .Lnone
    cmpl $VMI_CALL_SYSEXIT, %eax
    ja .Lnone
1:  movl $VMI_RELOC_CALL_REL, %edx
    cmpl $VMI_CALL_IRET, %eax
    jb 2f
    cmpl $VMI_CALL_SYSEXIT, %eax
    ja 2f
    movl $VMI_RELOC_JUMP_REL, %edx
2:  movl %ecx, %eax
    testl %eax, %eax
    jz .Lnone
    ret
.Lnone:
    xorl %eax, %eax
    xorl %edx, %edx                     /* VMI_RELOC_NONE */
    ret
END(payload_get_reloc)
