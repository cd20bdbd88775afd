/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Call sites that cost nothing while nobody looks. A guest's patcher makes each use of calls 29-32 a five-byte CALL of our
 * stub (firmware/payload/stubs.S). The first time that such a site runs in mode INLINE, it becomes the instruction itself:
 *
 *     DisableInterrupts    fa 0f 1f 40 dd    cli ; nopl dd(%eax)
 *     EnableInterrupts     fb 0f 1f 40 dd    sti ; nopl dd(%eax)
 *     GetInterruptMask     9c 58 f6 c0 dd    pushf ; pop %eax ; test $dd, %al
 *     SetInterruptMask     50 9d 90 3c dd    push %eax ; popf ; nop ; cmp $dd, %al
 *
 * With e8 for a first byte the other four are a displacement, and `dd` is chosen so that it leads into the mirror, where a
 * jump to the stub lies: the three kinds lie megabytes apart there, more than a kernel's code is long, so that two sites
 * don't want the same place. One byte switches a site, at once and whole, whoever runs there: a CPU that stands between two
 * of the instructions finds the second unchanged. Sites are written to through a page of our own (WIRE_WINDOWS), since the
 * guest's text may be read-only; a CPU has one, so an NMI that comes meanwhile (RING(busy)) lets all sites be.
 */
#include "payload.inc"

    .text

#define CALL_OPCODE 0xe8
#define JUMP_OPCODE 0xe9
#define SITE_SIZE 5
#define FLAG_CALLS VMI_CALL_EnableInterrupts
#define MIRROR (VMI_WIRE_BASE + VMI_WIRE_MIRROR_OFFSET)
#define MIRROR_LAST 0xfffffff0
#define SITE(field) (VMI_WIRE_BASE + VMI_WIRE_SITES_OFFSET + VMI_WIRE_SITE_##field##_OFFSET)
#define WINDOW_ENTRY (VMI_WIRE_BASE + VMI_WIRE_TABLES_OFFSET + (VMI_WIRE_WINDOWS_OFFSET >> 12) * 4)
#define WINDOW_ENTRY_PAE (VMI_WIRE_BASE + VMI_WIRE_TABLES_PAE_OFFSET + (VMI_WIRE_WINDOWS_OFFSET >> 12) * 8)
#define PTE_P_W_A_D 0x63
#define CR4_PAE 0x20

/* site_form: what a site of a call looks like.
 * In: ESI = site, ECX = call, 29-32. Out: BL = the instruction's first byte, EDI = place in the mirror.
 * Clobbers: EBX, EDI, flags. */
FUNCTION(site_form)
    movl %ss:site_codes - 4 * FLAG_CALLS(, %ecx, 4), %ebx
    movl %ebx, %edi
    andl $0xffffff, %edi
    leal SITE_SIZE(%esi, %edi), %edi
    orl $MIRROR, %edi                   /* the mirror is all of the top 16 MiB */
    shrl $24, %ebx
    ret
END(site_form)

/* site_window: map the page of a site where this CPU can write to it.
 * In: ESI = site, EBP = area. Out: CF clear and EAX = its address there, or CF set: out of reach.
 * Clobbers: EAX, EDX, flags. Interrupts off. */
FUNCTION(site_window)
    movl %ss:HEADER(guest_base), %eax
    andl $0xfff00000, %eax              /* the image is below 1 MiB: linear less physical */
    movl %esi, %edx
    subl %eax, %edx
    cmpl %ss:HEADER(low_memory), %edx
    jae 2f
    andl $0xfffff000, %edx
    orl $PTE_P_W_A_D, %edx
    movl RING(cpu)(%ebp), %eax
    testb $CR4_PAE, %ss:HEADER(guest_cr4)
    jz 1f
    movl %edx, %ss:WINDOW_ENTRY_PAE(, %eax, 8)
    jmp 3f
1:  movl %edx, %ss:WINDOW_ENTRY(, %eax, 4)
3:  shll $12, %eax
    addl $(VMI_WIRE_BASE + VMI_WIRE_WINDOWS_OFFSET), %eax
    invlpg %ss:(%eax)
    movl %esi, %edx
    andl $0xfff, %edx
    orl %edx, %eax                      /* CF clear */
    ret
2:  stc
    ret
END(site_window)

/* payload_inline: a stub was called in mode INLINE; from a site that can be the instruction?
 * In: EAX = return address, ECX = call, 29-32, EBP = area. Clobbers: EAX, EDX, flags. Stack: 64 bytes. */
FUNCTION(payload_inline)
    subl $SITE_SIZE, %eax
    movl %ss:HEADER(fetch), %edx
    andl %eax, %edx
    addl $(SITE_SIZE - 1), %edx
    cmpl %ss:HEADER(fetch), %edx        /* it must lie where others fetch all of it at once */
    ja 1f
    cmpb $CALL_OPCODE, %ss:(%eax)
    je 2f
1:  ret
2:  pushfl
    cli
    movl $1, %edx
    xchgl %edx, RING(busy)(%ebp)
    testl %edx, %edx
    jnz .Lbusy
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %eax, %esi
    call site_form
    movl %ss:1(%esi), %edx
    leal SITE_SIZE(%esi, %edx), %edx    /* where it leads */
    cmpl %edi, %edx
    je .Lswitch
    cmpl %ss:switchable_stubs(, %ecx, 4), %edx
    jne .Lout
    cmpl $MIRROR_LAST, %edi
    ja .Lout
    cmpl $(VMI_WIRE_SITES - VMI_WIRE_CPUS_MAX), %ss:HEADER(sites)
    jae .Lout
    call site_jump
    jnz .Lout
    call site_window
    jc .Lout
    movl %ss:1(%esi), %edx
    cmpl %edx, %ss:1(%eax)              /* the guest maps this page elsewhere as well, or instead? */
    jne .Lout
    movl $1, %edx
    lock xaddl %edx, %ss:HEADER(sites)
    movl %esi, %ss:SITE(address)(, %edx, 8)
    movl %ecx, %ss:SITE(call)(, %edx, 8)
    call site_write
.Lswitch:
    call site_switch
.Lout:
    popl %edi
    popl %esi
    popl %ebx
    movl $0, RING(busy)(%ebp)
.Lbusy:
    popfl
    ret
END(payload_inline)

/* site_jump: put a jump to the call's stub into the mirror.
 * In: EDI = place in the mirror, ECX = call. Out: ZF set if it is there. Clobbers: EAX, EDX, flags. Stack: 4 bytes. */
FUNCTION(site_jump)
    pushl %ecx
    movl %ss:switchable_stubs(, %ecx, 4), %ecx
    subl $SITE_SIZE, %ecx
    subl %edi, %ecx                     /* top byte not 0: the mirror lies above */
    movl %ecx, %edx
    shll $8, %edx
    movb $JUMP_OPCODE, %dl
    shrl $24, %ecx
    xorl %eax, %eax
    lock cmpxchgl %edx, %ss:(%edi)
    je 1f
    cmpl %edx, %eax                     /* not ours: another site's */
    jne 2f
1:  movb %ss:4(%edi), %al
    cmpb %cl, %al
    je 2f
    testb %al, %al
    jnz 2f
    movb %cl, %ss:4(%edi)
    cmpb %cl, %ss:4(%edi)
2:  popl %ecx
    ret
END(site_jump)

/* site_write: lead the call into the mirror, all four bytes at once.
 * In: EAX = site in the window, ESI = site, EDI = place in the mirror. Clobbers: EAX, EDX, flags. Stack: 4 bytes. */
FUNCTION(site_write)
    pushl %ecx
    movl %eax, %ecx
    movl %ss:1(%esi), %eax
    movl %edi, %edx
    subl %esi, %edx
    subl $SITE_SIZE, %edx
    lock cmpxchgl %edx, %ss:1(%ecx)
    popl %ecx
    ret
END(site_write)

/* site_switch: make a site call or instruction, as the call's mode has it.
 * In: ESI = site, ECX = call, 29-32, EBP = area. Clobbers: EAX, EBX, EDX, EDI, flags. Interrupts off.
 * A site whose bytes are neither is let be: its memory has become something else. */
FUNCTION(site_switch)
    call site_form
    subl %esi, %edi
    subl $SITE_SIZE, %edi
    call site_window
    jc 3f
    cmpl %edi, %ss:1(%eax)
    jne 3f
    cmpb $VMI_WIRE_MODE_INLINE, %ss:HEADER(modes)(%ecx)
    jne 1f
    cmpb $CALL_OPCODE, %ss:(%eax)
    jne 3f
    movb %bl, %ss:(%eax)
    cmpb $VMI_WIRE_MODE_INLINE, %ss:HEADER(modes)(%ecx)
    je 3f                               /* else it was changed meanwhile */
1:  cmpb %bl, %ss:(%eax)
    jne 3f
    movb $CALL_OPCODE, %ss:(%eax)
3:  ret
END(site_switch)

/* payload_work: switch the next sites, for the brain has changed modes. What is left is done at the next call.
 * In: EBP = area. Clobbers: EAX, ECX, EDX, flags. Stack: 48 bytes. */
FUNCTION(payload_work)
    pushfl
    cli
    movl $1, %eax
    xchgl %eax, RING(busy)(%ebp)
    testl %eax, %eax
    jnz 4f
    movl $1, %eax
    xchgl %eax, %ss:HEADER(worker)
    testl %eax, %eax
    jnz 6f
    pushl %ebx
    pushl %esi
    pushl %edi
    rdtsc
    pushl %eax
    pushl $VMI_WIRE_SITE_BATCH
    movl %ss:HEADER(work), %eax
    cmpl %ss:HEADER(worked), %eax
    je 1f
    movl $0, %ss:HEADER(cursor)
    movl %eax, %ss:HEADER(worked)
1:  movl %ss:HEADER(cursor), %edx
    cmpl %ss:HEADER(sites), %edx
    jae 3f
    cmpl $VMI_WIRE_SITES, %edx
    jae 3f
    movl %ss:SITE(address)(, %edx, 8), %esi
    movl %ss:SITE(call)(, %edx, 8), %ecx
    leal -FLAG_CALLS(%ecx), %eax
    cmpl $3, %eax
    ja 2f                               /* not yet written: who writes it looks at the mode after that */
    call site_switch
2:  incl %ss:HEADER(cursor)
    decl (%esp)
    jnz 1b
3:  popl %eax
    popl %ecx
    rdtsc
    subl %ecx, %eax
    cmpl %ss:HEADER(longest), %eax
    jbe 5f
    movl %eax, %ss:HEADER(longest)
5:  popl %edi
    popl %esi
    popl %ebx
    movl $0, %ss:HEADER(worker)
6:  movl $0, RING(busy)(%ebp)
4:  popfl
    ret
END(payload_work)

    .section .rodata, "a", @progbits

/* by call from 29: low three bytes of the displacement, and the instruction's first byte */
    .balign 4
site_codes:
    .long 0xfb401f0f
    .long 0xfa401f0f
    .long 0x9cc0f658
    .long 0x503c909d
    .size site_codes, . - site_codes
