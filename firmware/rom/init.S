/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the guest calls through the header's jump points: vmi_init and get_reloc (vmi-abi.md 2.4, 2.6). They read the mode
 * byte and the stub table relative to EIP, keep no state and write only to the caller's stack, so any number of CPUs may
 * be inside at once, before and after activation, at any linear address. Declining is bridge.S's matter.
 */
#include "rom.inc"

    .text

/* vmi_init: may the guest go through this ROM?
 * In: nothing. Out: EAX = 0 yes, -1 stay native. Clobbers: EAX, EDX, ECX, flags. Stack: 4 bytes.
 * Privilege: says yes only at CPL 0, where the native instructions that it vouches for are right. DS flat. */
FUNCTION(rom_vmi_init)
    movl %cs, %eax
    testb $3, %al
    jnz 2f
    call 1f
1:  popl %edx
    subl $1b, %edx                      /* EDX = linear address of the image: symbols are offsets (rom.ld) */
    movzbl rom_mode(%edx), %eax
    subl $ROM_MODE_NATIVE, %eax         /* decline becomes -1, above every mode that there is */
    jb rom_bridge
    cmpl $(ROM_MODE_LAST - ROM_MODE_NATIVE), %eax
    ja 2f
    xorl %eax, %eax
    ret
2:  orl $-1, %eax
    ret
END(rom_vmi_init)

/* get_reloc: how is a call made?
 * In: EAX = call number, any 32-bit value. Out: EAX = linear address or 0, EDX = relocation type, reserved bits 0.
 * Clobbers: EAX, EDX, ECX, flags. Stack: 4 bytes. Privilege: any. DS flat. */
FUNCTION(rom_get_reloc)
    call 1f
1:  popl %ecx
    subl $1b, %ecx                      /* ECX = linear address of the image */
    movzbl rom_mode(%ecx), %edx
    cmpl $ROM_MODE_STUBS, %edx
    je .Lstub
    subl $ROM_MODE_NATIVE, %edx         /* as in vmi_init: declining alone or unknown means no interface */
#if ROM_STRICT
    jb rom_strict_reloc
#else
    jb rom_bridge_reloc
#endif
    cmpl $(ROM_MODE_LAST - ROM_MODE_NATIVE), %edx
    ja .Lnone

    /* native and stubs-jump: the two calls that Linux can't do without, by jump: one instruction more than bare. */
    cmpl $VMI_CALL_IRET, %eax
    je .Liret
    cmpl $VMI_CALL_SYSEXIT, %eax
    je .Lsysexit
    /* STI too: NONE would leave mainline's SYSENTER entry an indirect call inside six pushes and pops, where a direct call
     * replaces them all: 92 -> 95 instructions a system call instead of 99. */
    testl %edx, %edx
    jnz .Lstub
    cmpl $VMI_CALL_EnableInterrupts, %eax
    je .Lsti
    jmp .Lnone                          /* native: NONE costs least, the guest's own instruction is right */
.Lstub:
    cmpl $VMI_CALL_COUNT, %eax
    jae .Lnone
    movzwl rom_stub_table(%ecx, %eax, 2), %eax
    testl %eax, %eax
    jz .Lnone
    addl %ecx, %eax
    movl $VMI_RELOC_CALL_REL, %edx
    ret
.Lsti:
    leal rom_sti(%ecx), %eax
    movl $VMI_RELOC_CALL_REL, %edx
    ret
.Liret:
    leal rom_iret(%ecx), %eax
    movl $VMI_RELOC_JUMP_REL, %edx
    ret
.Lsysexit:
    leal rom_sysexit(%ecx), %eax
    movl $VMI_RELOC_JUMP_REL, %edx
    ret
.Lnone:
    xorl %eax, %eax
    xorl %edx, %edx                     /* VMI_RELOC_NONE */
    ret
END(rom_get_reloc)
