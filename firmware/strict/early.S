/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the strict ROM has beyond the declining one: where the openvmi device is, it answers get_reloc before vmi_init with
 * stubs that tell the wake port who has called what, and then do the call natively. The other side: openvmi.hypervisor.strict.early.
 */
#include "rom.inc"
#include "vmi_wire.h"

#define MARK 3 /* begins a report; a wake-up's byte ends in the bits 01, a digit's in 10 */
#define AT_STUB 36
#define AT_CALLER 40

    .text

/* rom_strict_reloc: get_reloc. In: EAX = call number, ECX = linear address of the image. Out: EAX, EDX as get_reloc.
 * Clobbers: EAX, EDX, ECX, flags. Stack: 32 bytes. CPL 0, DS flat. */
FUNCTION(rom_strict_reloc)
    pushl %ecx
    pushl %eax
    movl $VMI_CALL_IRET, %eax           /* never NONE once the payload answers */
    call rom_bridge_reloc
    popl %eax
    popl %ecx
    testl %edx, %edx
    jnz rom_bridge_reloc
    cmpl $VMI_CALL_COUNT, %eax
    jae 2f
    pushl %eax
    movl $0xcf8, %edx
    inl %dx, %eax
    pushl %eax
    movl $VMI_WIRE_PCI_AT, %eax
    outl %eax, %dx
    movb $0xfc, %dl
    inl %dx, %eax
    cmpl $VMI_WIRE_PCI_ID, %eax         /* without the device, nobody listens */
    popl %eax
    movl $0xcf8, %edx
    outl %eax, %dx
    popl %eax
    jne 2f
    cmpw $0, rom_stub_table(%ecx, %eax, 2)
    je 2f
    movl $VMI_RELOC_CALL_REL, %edx
    cmpl $VMI_CALL_IRET, %eax
    jb 1f
    cmpl $VMI_CALL_SYSEXIT, %eax
    ja 1f
    movl $VMI_RELOC_JUMP_REL, %edx
1:  leal (%eax, %eax, 4), %eax
    leal rom_early(%ecx, %eax), %eax
    ret
2:  xorl %eax, %eax
    xorl %edx, %edx                     /* VMI_RELOC_NONE */
    ret
END(rom_strict_reloc)

/* One for each call, 5 bytes. In: as the call. Out: as the call. */
FUNCTION(rom_early)
    .rept VMI_CALL_COUNT
    call rom_early_call
    .endr
END(rom_early)

/* rom_early_call. In: [ESP] = end of the stub, [ESP+4] = the caller, or IRET's frame. Out: in the payload's stub if it answers
 * by now, else reported, and in the ROM's. Clobbers: nothing. Stack: 60 bytes. CPL 0, DS flat. */
FUNCTION(rom_early_call)
    pushfl
    pushal
    call 1f
1:  popl %ebx
    subl $1b, %ebx                      /* EBX = linear address of the image */
    movl AT_STUB(%esp), %eax
    subl %ebx, %eax
    subl $(rom_early + 5), %eax
    xorl %edx, %edx
    movl $5, %ecx
    divl %ecx
    movl %eax, %esi
    movl %ebx, %ecx
    call rom_bridge_reloc
    testl %edx, %edx
    jnz 2f
    movl $VMI_WIRE_WAKE_PORT, %edx
    movb $MARK, %al
    outb %al, %dx
    movl AT_CALLER(%esp), %eax
    movl $8, %ecx
    call rom_early_digits
    movl %esi, %eax
    shll $24, %eax
    movl $2, %ecx
    call rom_early_digits
    movzwl rom_stub_table(%ebx, %esi, 2), %eax
    addl %ebx, %eax
2:  movl %eax, AT_STUB(%esp)
    popal
    popfl
    ret
END(rom_early_call)

/* rom_early_digits. In: EAX = a number, ECX = hexadecimal digits from its top, EDX = port. Clobbers: EAX, ECX, flags. */
FUNCTION(rom_early_digits)
1:  roll $4, %eax
    pushl %eax
    andl $15, %eax
    leal 2(, %eax, 4), %eax
    outb %al, %dx
    popl %eax
    loop 1b
    ret
END(rom_early_digits)
