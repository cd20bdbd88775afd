/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Native stubs of the CPU calls: CPUID, MSRs, control and debug registers, halting (vmi-abi.md 3.1). Found through
 * stubs.S. Unless an entry says otherwise: arguments in EAX, EDX, ECX, result in EAX or EDX:EAX; clobbers no register but
 * those three and flags; near return; CPL 0; flat segments; no stack beyond what is said.
 */
#include "rom.inc"

    .text

/* A stub that is one instruction. */
#define ONE(name, ...) FUNCTION(name) __VA_ARGS__ ; ret ; END(name)

/* A call that means nothing on bare hardware. Clobbers nothing. */
FUNCTION(rom_nothing)
    ret
END(rom_nothing)

ONE(rom_cpuid, cpuid)                   /* EAX leaf, ECX sub-leaf -> EAX, EBX, ECX, EDX: EBX is a result */
ONE(rom_wrmsr, wrmsr)                   /* ECX index, EDX:EAX value */
ONE(rom_rdmsr, rdmsr)                   /* ECX index -> EDX:EAX */
ONE(rom_rdpmc, rdpmc)                   /* ECX counter -> EDX:EAX */
ONE(rom_rdtsc, rdtsc)                   /* -> EDX:EAX */
ONE(rom_wbinvd, wbinvd)
ONE(rom_clts, clts)

ONE(rom_set_cr0, movl %eax, %cr0)
ONE(rom_set_cr2, movl %eax, %cr2)
ONE(rom_set_cr3, movl %eax, %cr3)
ONE(rom_set_cr4, movl %eax, %cr4)
ONE(rom_get_cr0, movl %cr0, %eax)
ONE(rom_get_cr2, movl %cr2, %eax)
ONE(rom_get_cr3, movl %cr3, %eax)
ONE(rom_get_cr4, movl %cr4, %eax)

/* SetDR: debug register EAX := EDX. The number is a run-time value, the instruction's is not. Numbers that are no
 * register (4 and 5 alias 6 and 7, or fault, as CR4.DE has it) do nothing. */
FUNCTION(rom_set_dr)
    cmpl $3, %eax
    ja 2f
    je 1f
    cmpl $1, %eax
    ja .Lset_dr2
    je .Lset_dr1
    movl %edx, %dr0
    ret
.Lset_dr1:
    movl %edx, %dr1
    ret
.Lset_dr2:
    movl %edx, %dr2
    ret
1:  movl %edx, %dr3
    ret
2:  cmpl $6, %eax
    je .Lset_dr6
    cmpl $7, %eax
    jne 3f
    movl %edx, %dr7
3:  ret
.Lset_dr6:
    movl %edx, %dr6
    ret
END(rom_set_dr)

/* GetDR: EAX := debug register EAX; 0 for a number that is no register. */
FUNCTION(rom_get_dr)
    cmpl $3, %eax
    ja 2f
    je 1f
    cmpl $1, %eax
    ja .Lget_dr2
    je .Lget_dr1
    movl %dr0, %eax
    ret
.Lget_dr1:
    movl %dr1, %eax
    ret
.Lget_dr2:
    movl %dr2, %eax
    ret
1:  movl %dr3, %eax
    ret
2:  cmpl $6, %eax
    je .Lget_dr6
    cmpl $7, %eax
    jne 3f
    movl %dr7, %eax
    ret
3:  xorl %eax, %eax
    ret
.Lget_dr6:
    movl %dr6, %eax
    ret
END(rom_get_dr)

/* Halt: enable interrupts and wait for one. STI's shadow closes the gap between the two. */
FUNCTION(rom_halt)
    sti
    hlt
    ret
END(rom_halt)

/* Shutdown: this CPU is off. No return. */
FUNCTION(rom_shutdown)
    cli
1:  hlt                                 /* an NMI or SMI wakes it */
    jmp 1b
END(rom_shutdown)

/* Reboot: EAX = VMI_REBOOT_SOFT (the keyboard controller pulses the CPU's INIT or reset line) or VMI_REBOOT_HARD (the
 * chipset resets everything). No return: each falls through to the next means, last of all a triple fault.
 * Stack: 8 bytes. */
FUNCTION(rom_reboot)
    cli
    cmpl $VMI_REBOOT_SOFT, %eax
    je .Lkeyboard
    movw $0xcf9, %dx                    /* reset control register, PIIX and later: full reset, then trigger */
    movb $0x02, %al
    outb %al, %dx
    movb $0x06, %al
    outb %al, %dx
.Lkeyboard:
    movl $0x10000, %ecx                 /* wait for an empty input buffer, but not for ever */
1:  inb $0x64, %al
    testb $0x02, %al
    loopnz 1b
    movb $0xfe, %al
    outb %al, $0x64
    movl $0x100000, %ecx                /* the line takes its time */
2:  inb $0x80, %al
    loop 2b
    pushl $0
    pushl $0
    lidt (%esp)                         /* no gate at all: the fault's fault's fault resets the CPU */
    int3
END(rom_reboot)
