/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every way into the monitor and out of it: exceptions and interrupts, the gate for calls, SYSENTER, vmi_init, the double
 * fault's task. All run at CPL 0 with interrupts off, but for the first instruction behind the gate. Whoever comes from the
 * guest leaves a ring_frame at the end of the CPU's stack; data is reached through SS until DS is ours. C side: trap.c.
 */
#include "ring.h"

#define FUNCTION(name)          \
    .balign 16, 0x90          ; \
    .globl name               ; \
    .type name, @function     ; \
name:
#define END(name) .size name, . - name

/* If `instruction` faults, go on at `target` with the same registers. */
#define FIX(instruction, target)        \
    .pushsection .fix, "a", @progbits ; \
    .long instruction, target         ; \
    .popsection

#define ENTRY_SIZE 16

    .section .text.entry, "ax", @progbits

/* One entry for each exception, ENTRY_SIZE apart. In: hardware's frame. Out: to trap_common with error code and vector pushed.
 * Interrupts push their number less 256, in one byte of code; they are not in the page of what is used all the time. */
    .balign ENTRY_SIZE
    .globl vector_entries
vector_entries:
    .set vector, 0
    .rept 32
    .balign ENTRY_SIZE, 0x90
    .if vector == 1 || vector == 2
    pushl $0
    pushl $vector
    jmp intruder_common
    .elseif vector >= 10 && vector <= 13
    pushl $vector
    jmp intruder_common
    .elseif vector == 8 || vector == 14 || vector == 17
    pushl $vector
    jmp error_common
    .else
    pushl $0
    pushl $vector
    jmp trap_common
    .endif
    .set vector, vector + 1
    .endr

    .pushsection .text.interrupts, "ax", @progbits
    .balign ENTRY_SIZE
    .globl interrupt_entries
interrupt_entries:
    .rept 224
    .balign ENTRY_SIZE / 2, 0x90
    .byte 0x6a, vector                  /* pushl $(signed) vector */
    .byte 0xe9                          /* jmp: always the long form */
    .long interrupt_common - . - 4
    .set vector, vector + 1
    .endr
    .popsection

/* In: vector, error code, hardware's frame; or no error code, if a guest has had a device interrupt by such a vector. Then the
 * stack of one that comes from the guest is shorter than else, and of one that comes from the monitor begins with our EIP. Such
 * a vector becomes 256 more. */
error_common:
    cmpl $(RING_STACK_TOP - 24), %esp
    je 1f
    cmpl $VMI_WIRE_BASE, %ss:4(%esp)
    jb trap_common
1:  pushl (%esp)
    movl $0, %ss:4(%esp)
    orl $0x100, (%esp)
    jmp trap_common

/* In: vector, error code, hardware's frame. What can break in on SYSENTER's way, where there is no room for more: such a frame
 * goes on on the CPU's stack, below the guest's frame that trap.c makes there. */
intruder_common:
    cmpl $SYSENTER_STACK, %esp
    ja error_common
    pushl %eax
    movl 12(%esp), %eax
    subl $ring_sysenter, %eax
    cmpl $(ring_sysenter_end - ring_sysenter), %eax
    jae intruder_again
    movl %esp, %eax
    movl $(RING_STACK_TOP - 128), %esp
    pushl %ss:20(%eax)
    pushl %ss:16(%eax)
    pushl %ss:12(%eax)
    pushl %ss:8(%eax)
    pushl %ss:4(%eax)
    movl %ss:(%eax), %eax
    jmp trap_common

    .pushsection .text, "ax", @progbits
/* In: EAX, vector, error code, hardware's frame. An NMI in the lines above, while they are still on SYSENTER's way: its IRET would
 * not put back another stack. There is room to do what it may be about (trap.c: obey_others), and no more. */
intruder_again:
    movl $0, %ss:(RING_AREA + AREA_FLUSH)
    movl %cr3, %eax
    movl %eax, %cr3
    popl %eax
    addl $8, %esp
    iretl
    .popsection

/* In: vector in a signed byte, hardware's frame. */
interrupt_common:
    pushl (%esp)
    movl $0, %ss:4(%esp)                /* the error code's place */
    andl $0xff, (%esp)

/* In: vector, error code, hardware's frame; from the guest or from the monitor itself, which has no ESP and SS there.
 * Aligned so that the blocks here that an emulator looks up, by bits 0-5 xor 6-11 of their address, do not displace each
 * other: vector_entries + 0xe0, ring_gate, trap_exit, and what follows each load of DS. */
    .balign 64
trap_common:
    pushal
    pushl %ds
    pushl %es
    movl $RING_DS, %eax
    movl %eax, %ds
    cld
    movl %esp, %eax
    call ring_trap
/* The way out. In: ESP -> ring_frame. A DS that can't be loaded any more becomes the null one. ES stays as it is all the time:
 * the monitor has no use for it, and each load of a segment register costs. */
trap_exit:
    addl $4, %esp
2:  popl %ds
    popal
    addl $8, %esp
3:  iretl
5:  movl $0, (%esp)
    jmp 2b
6:  pushl $-2                           /* the frame itself is bad: ring_trap has a look */
    pushl $13
    jmp trap_common
    FIX(2b, 5b)
    FIX(3b, 6b)

/* resume: leave with another frame. In: EAX -> ring_frame. */
FUNCTION(resume)
    movl %eax, %esp
    jmp trap_exit
END(resume)

/* The call gate. In: EIP, CS, the call's number, ESP, SS on the stack; interrupts still on. A guest's frame of an exception
 * has its EFLAGS where the number is. */
FUNCTION(ring_gate)
    cli
    pushl $-1
    pushl 12(%esp)
    pushal
    pushl %ds
    pushl %es
    movl $RING_DS, %eax
    movl %eax, %ds
    pushfl
    popl FRAME(eflags)(%esp)
    testl $EFLAGS_NT, FRAME(eflags)(%esp)
    jnz 2f
1:  cld
    movl %esp, %eax
    pushl $trap_exit
    jmp ring_call
2:  pushl $EFLAGS_FIXED                 /* a call gate keeps all flags: NT would make our IRET a task's end */
    popfl
    jmp 1b
END(ring_gate)

/* SYSENTER, from any CPL: on to the guest's own entry at CPL 1. Flags stay as they are, as natively: NT, which IRET would take
 * for a task's end, makes it fault, and trap.c goes on; as it does if TF traps here. RETF needs a STI, which costs more.
 * In: ESP -> the guest's ESP and SS, in a frame that lacks but the flags (descriptors.c). */
FUNCTION(ring_sysenter)
    pushfl
    orl $EFLAGS_IF, (%esp)
    leal -8(%esp), %esp
    movl $0, %ss:SHARED(interrupts)
    iretl
END(ring_sysenter)
    .globl ring_sysenter_end
ring_sysenter_end:

/* The double fault's task: its own stack and page directory. */
FUNCTION(ring_double_fault)
    call double_fault
    hlt
    jmp ring_double_fault
END(ring_double_fault)

/* vmi_init goes on here. In: CPL 0, interrupts off, the guest's stack and page tables, DS flat. Out: EAX = 0 at CPL 1, or -1.
 * Clobbers: EAX, EDX, ECX, flags. */
FUNCTION(ring_enter)
    movl (%esp), %ecx
    leal 4(%esp), %edx
    pushl %ss
    pushl %edx
    pushfl
    pushl %cs
    pushl %ecx
    pushl $0
    pushl $0
    pushal
    pushl %ds
    pushl %es
    cld
    movl %esp, %eax
    call ring_prepare
    testl %eax, %eax
    jz 3f
    movl %esp, %edi
    ljmp $RING_CS, $1f
1:  movl $RING_DS, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    movl %ecx, %ss
    movl %eax, %esp
    call ring_start
    testl %eax, %eax
    jnz trap_exit
    movl %edi, %esp
    call ring_undo
    movl FRAME(cs)(%edi), %eax
    movl FRAME(ss)(%edi), %ecx
    pushl %eax
    pushl $2f
    lretl
2:  movl %ecx, %ss
3:  popl %es
    popl %ds
    popal
    addl $28, %esp
    orl $-1, %eax
    ret
END(ring_enter)

    .text

/* msr_read. In: EAX = index, EDX -> two words. Out: EAX = 1 if it faulted. Clobbers: ECX, EDX. */
FUNCTION(msr_read)
    pushl %ebx
    movl %eax, %ecx
    movl %edx, %ebx
1:  rdmsr
    movl %eax, (%ebx)
    movl %edx, 4(%ebx)
    xorl %eax, %eax
    popl %ebx
    ret
2:  movl $1, %eax
    popl %ebx
    ret
    FIX(1b, 2b)
END(msr_read)

/* msr_write. In: EAX = index, EDX = low, ECX = high. Out: EAX = 1 if it faulted. Clobbers: ECX, EDX. */
FUNCTION(msr_write)
    xchgl %eax, %edx                    /* EAX = low, EDX = index */
    xchgl %ecx, %edx                    /* ECX = index, EDX = high */
1:  wrmsr
    xorl %eax, %eax
    ret
2:  movl $1, %eax
    ret
    FIX(1b, 2b)
END(msr_write)

/* copy_bytes. In: EAX = to, EDX = from, ECX = count. Out: EAX = 1 if it faulted on the way. Clobbers: ECX, EDX. */
FUNCTION(copy_bytes)
    pushl %ebx
    subl $4, %ecx
    jb 3f
1:  movl (%edx), %ebx
2:  movl %ebx, (%eax)
    addl $4, %eax
    addl $4, %edx
    subl $4, %ecx
    jae 1b
3:  addl $4, %ecx
    jz 6f
4:  movb (%edx), %bl
5:  movb %bl, (%eax)
    incl %eax
    incl %edx
    decl %ecx
    jnz 4b
6:  xorl %eax, %eax
    popl %ebx
    ret
7:  movl $1, %eax
    popl %ebx
    ret
    FIX(1b, 7b)
    FIX(2b, 7b)
    FIX(4b, 7b)
    FIX(5b, 7b)
END(copy_bytes)

/* wait_interrupt: until one has been taken (trap.c holds it back). Interrupts off before and after. */
FUNCTION(wait_interrupt)
    sti
    hlt
    cli
    ret
END(wait_interrupt)

/* restart_stack: what this CPU's stack holds is given up. An IRET, for it may be an NMI that we are in, and until one the next
 * does not come. */
FUNCTION(restart_stack)
    movl $(RING_STACK_TOP - 128), %esp  /* park makes a frame above */
    pushfl
    pushl %cs
    pushl $1f
    iretl
1:
    call park
END(restart_stack)

/* trampoline: a CPU's first instructions, copied to a page below 1 MiB. In: real mode, IP 0, CS the page.
 * Goes on in ring_ap_entry with the page tables of `trampoline_cr3`, where the page is at its own address. */
    .balign 16
    .globl trampoline, trampoline_end, trampoline_cr3, trampoline_cr4
    .code16
trampoline:
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_gdtr - trampoline
    movl trampoline_cr4 - trampoline, %eax
    movl %eax, %cr4
    movl trampoline_cr3 - trampoline, %eax
    movl %eax, %cr3
    movl $(CR0_PG | CR0_WP | CR0_NE | 0x10 | CR0_PE), %eax
    movl %eax, %cr0
    ljmpl $8, $ring_ap_entry
    .code32
    .balign 8
trampoline_gdt:
    .long 0, 0
    .long 0x0000ffff, 0x00cf9b00
    .long 0x0000ffff, 0x00cf9300
trampoline_gdtr:
    .word 23
    .long 0x10000 + trampoline_gdt - trampoline
    .balign 4
trampoline_cr3: .long 0
trampoline_cr4: .long 0
trampoline_end:

/* ring_ap_entry: another CPU, in the monitor. In: CPL 0, the trampoline's GDT, own page tables. Does not come back. */
FUNCTION(ring_ap_entry)
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl $(RING_STACK_TOP - 128), %esp
    cld
    call ring_ap_start
    ljmp $RING_CS, $1f
1:  movl $RING_DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    call park
END(ring_ap_entry)
