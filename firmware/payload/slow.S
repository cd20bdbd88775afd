/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where a switchable stub (stubs.S) goes that is not native and not only counted: a record in this CPU's ring, a
 * question to the brain by this CPU's mailbox, or work at call sites (sites.S). Layouts: vmi_wire.h. The other side: openvmi.hypervisor.link and .brain.
 */
#include "payload.inc"

    .section .text.stubs, "ax", @progbits

/* Stack of payload_slow once it has saved its registers, and with the flags on top of that. */
#define AT_EDX 0
#define AT_ECX 4
#define AT_EAX 8
#define AT_EBP 12
#define AT_NUMBER 20
#define AT_CALLER 24
#define AT_S1 28
#define AT_S2 32
#define DEEPER 4

/* COUNT_CALL: EBP = area, ECX = number. FIND_RECORD: EAX = the record's number; EBP becomes its address, and ECX what it
 * says of call, CPU and kind. Clobbers: EAX. */
#if PAYLOAD_SMP
#define FIND_RECORD                               \
    movb RING(cpu)(%ebp), %ch                   ; \
    orl $(VMI_WIRE_RECORD_CALL << 16), %ecx     ; \
    andl RING(mask)(%ebp), %eax                 ; \
    shll $5, %eax                               ; \
    addl RING(base)(%ebp), %eax                 ; \
    movl %eax, %ebp
#define COUNT_CALL lock incl COUNTER(0)(%ebp, %ecx, 4)
#else
#define FIND_RECORD                               \
    orl $(VMI_WIRE_RECORD_CALL << 16), %ecx     ; \
    andl $(VMI_WIRE_RING_ONE - 1), %eax         ; \
    shll $5, %eax                               ; \
    leal VMI_WIRE_BASE + VMI_WIRE_RINGS_OFFSET(%eax), %ebp
#define COUNT_CALL incl COUNTER(0)(%ebp, %ecx, 4)
#endif

/* payload_slow. In: [ESP] return address in the stub, [ESP+4] call number, above it the stack as the guest's call left it;
 * all registers as passed. Out: back to the stub, number dropped, to do the call natively; or straight to the guest with an
 * answer. Clobbers: flags; registers and arguments as the brain has changed them. Stack: 100 bytes. CPL 0; CS and SS only. */
FUNCTION(payload_slow)
    pushl %ebp
    pushl %eax
    pushl %ecx
    pushl %edx
    FIND_AREA
    movl AT_NUMBER(%esp), %ecx
    cmpb $VMI_WIRE_MODE_TRACE, %ss:HEADER(modes)(%ecx)
    jne .Lother
    COUNT_CALL
.Lrecord:
    movl RING(head)(%ebp), %eax         /* EAX may be seen by an interrupt: nothing that the host's pace has made */
    cmpl RING(stop)(%ebp), %eax
    jns .Lfull
    movl $1, %edx
    LOCK xaddl %edx, RING(head)(%ebp)
    movl %edx, %eax
    FIND_RECORD                         /* EBP = the record, EDX = its number */
    movl %ecx, RECORD(call)(%ebp)
    movl AT_CALLER(%esp), %ecx
    movl %ecx, RECORD(caller)(%ebp)
    movl AT_EAX(%esp), %ecx
    movl %ecx, RECORD(eax)(%ebp)
    movl AT_EDX(%esp), %ecx
    movl %ecx, RECORD(edx)(%ebp)
    movl AT_ECX(%esp), %ecx
    movl %ecx, RECORD(ecx)(%ebp)
    movl %edx, %ecx
    rdtsc
    movl %eax, RECORD(time)(%ebp)
    movl %edx, RECORD(time) + 4(%ebp)
    movl %ecx, RECORD(sequence)(%ebp)   /* last: from now on it counts */
.Lnative:
    popl %edx
    popl %ecx
    popl %eax
    popl %ebp
    ret $4
.Lfull:                                 /* whoever takes records out is late: wait a while, if he wants that */
    cmpl $0, %ss:HEADER(room_cycles)
    je .Llost
    rdtsc
    pushl %eax
1:  pause
    movl RING(head)(%ebp), %eax
    subl RING(stop)(%ebp), %eax
    js 2f
    rdtsc
    subl (%esp), %eax
    cmpl %ss:HEADER(room_cycles), %eax
    jb 1b
    movl $0, %ss:HEADER(room_cycles)
2:  popl %eax
    jmp .Lrecord
.Llost:
    LOCK incl RING(lost)(%ebp)
    jmp .Lnative
.Lother:
    movzbl %ss:HEADER(modes)(%ecx), %edx
.Lmode:
    cmpl $VMI_WIRE_MODE_INLINE, %edx
    je .Linline
    cmpl $VMI_WIRE_MODE_RANGE, %edx
    ja .Lwork
    subl $VMI_WIRE_MODE_COUNT, %edx
    jb .Lnative                         /* switched since the stub looked */
    je .Lcount
    COUNT_CALL
    subl $(VMI_WIRE_MODE_UPCALL - VMI_WIRE_MODE_COUNT), %edx
    jb .Lrecord
    je payload_upcall
    movl AT_CALLER(%esp), %eax
    subl %ss:HEADER(trace_low), %eax
    cmpl %ss:HEADER(trace_span), %eax
    jbe .Lrecord
    jmp .Lnative
.Lcount:
    COUNT_CALL
    jmp .Lnative
.Linline:
    movl AT_CALLER(%esp), %eax
    call payload_inline
    jmp .Lnative
.Lwork:
    call payload_work
    movl AT_NUMBER(%esp), %ecx
    movzbl %ss:HEADER(modes)(%ecx), %edx
    andl $(VMI_WIRE_MODE_WORK - 1), %edx
    cmpl $VMI_WIRE_MODE_RANGE, %edx
    jbe .Lmode
    jmp .Lnative                        /* no mode at all */
END(payload_slow)

    .text

/* payload_upcall, tail of the above. In: EBP = area, ECX = call number, stack as AT_... has it.
 * One request at a time in a mailbox, from its claim until its answer has been taken out: who finds it taken (an NMI, a CPU
 * mistaken for another) does the call natively. An answer to a request that was given up is nobody's. */
FUNCTION(payload_upcall)
    pushfl
    cli
    cmpl $VMI_WIRE_BRAIN_ALIVE, %ss:HEADER(brain)
    jne .Lunanswered
    movl MAILBOX(state)(%ebp), %eax
    testb $1, %al                       /* IDLE and ANSWER are even */
    jnz .Lunanswered
    movl RING(serial)(%ebp), %edx
    leal VMI_WIRE_PHASE_ANSWER(, %edx, 4), %edx
    cmpl %edx, %eax
    je .Lunanswered                     /* not taken out yet */
    movl %eax, %edx
    orl $VMI_WIRE_PHASE_CLAIMED, %edx
    lock cmpxchgl %edx, MAILBOX(state)(%ebp)
    jne .Lunanswered
    movl %ecx, MAILBOX(call)(%ebp)
    call payload_post
    jne .Lunanswered
    subl $VMI_WIRE_PHASE_ANSWER, %ecx   /* ECX = IDLE: free, once all has been read */
    cmpl $VMI_WIRE_ACTION_RETURN, MAILBOX(action)(%ebp)
    jb 2f
    movl MAILBOX(eax)(%ebp), %eax
    movl %eax, AT_EAX + DEEPER(%esp)
    movl MAILBOX(edx)(%ebp), %eax
    movl %eax, AT_EDX + DEEPER(%esp)
    movl MAILBOX(ecx)(%ebp), %eax
    movl %eax, AT_ECX + DEEPER(%esp)
    jne 1f
    movl MAILBOX(ebx)(%ebp), %ebx
    movl %ecx, MAILBOX(state)(%ebp)
    popfl
    popl %edx
    popl %ecx
    popl %eax
    popl %ebp
    leal 8(%esp), %esp                  /* past the stub and the number, to the guest */
    ret
1:  movl MAILBOX(s1)(%ebp), %eax
    movl %eax, AT_S1 + DEEPER(%esp)
    movl MAILBOX(s2)(%ebp), %eax
    movl %eax, AT_S2 + DEEPER(%esp)
2:  movl %ecx, MAILBOX(state)(%ebp)
    popfl
    jmp .Lnative
.Lunanswered:
    LOCK incl RING(lost_upcalls)(%ebp)
    popfl
    jmp .Lnative
END(payload_upcall)

#define HERE (DEEPER + 4)
/* payload_post: fill the claimed mailbox, wake the brain if it sleeps, and wait for the answer.
 * In: EBP = area; stack as AT_... has it, flags and a return address deeper. Out: ZF set if answered, and ECX = the
 * mailbox's state. Clobbers: EAX, ECX, EDX, flags. Stack: 4 bytes. Interrupts off. */
FUNCTION(payload_post)
    movl $VMI_WIRE_ACTION_CONTINUE, MAILBOX(action)(%ebp)
    movl AT_CALLER + HERE(%esp), %eax
    movl %eax, MAILBOX(caller)(%ebp)
    movl AT_EAX + HERE(%esp), %eax
    movl %eax, MAILBOX(eax)(%ebp)
    movl AT_EDX + HERE(%esp), %eax
    movl %eax, MAILBOX(edx)(%ebp)
    movl AT_ECX + HERE(%esp), %eax
    movl %eax, MAILBOX(ecx)(%ebp)
    movl %ebx, MAILBOX(ebx)(%ebp)
    movl AT_S1 + HERE(%esp), %eax
    movl %eax, MAILBOX(s1)(%ebp)
    movl AT_S2 + HERE(%esp), %eax
    movl %eax, MAILBOX(s2)(%ebp)
    movl %esi, MAILBOX(esi)(%ebp)
    movl %edi, MAILBOX(edi)(%ebp)
    movl AT_EBP + HERE(%esp), %eax
    movl %eax, MAILBOX(ebp)(%ebp)
    leal AT_CALLER + HERE(%esp), %eax
    movl %eax, MAILBOX(esp)(%ebp)
    movl 4(%esp), %eax
    movl %eax, MAILBOX(eflags)(%ebp)
    movl %cr3, %eax
    movl %eax, MAILBOX(cr3)(%ebp)
    movw %cs, RING(cs)(%ebp)
    movw %ss, RING(ss)(%ebp)
    movw %ds, RING(ds)(%ebp)
    movw %es, RING(es)(%ebp)
    movw %fs, RING(fs)(%ebp)
    movw %gs, RING(gs)(%ebp)
    sgdt RING(gdt_limit)(%ebp)
    strw RING(tr)(%ebp)
    sldtw RING(ldtr)(%ebp)
    movl RING(serial)(%ebp), %ecx
    incl %ecx
    movl %ecx, RING(serial)(%ebp)
    leal VMI_WIRE_PHASE_REQUEST(, %ecx, 4), %ecx
    movl %ecx, %eax
    xchgl %eax, MAILBOX(state)(%ebp)    /* a full fence: published before `asleep` is read */
    cmpl $0, %ss:HEADER(asleep)
    je 1f
    movl %ss:HEADER(wake_port), %edx
    outb %al, %dx
1:  incl %ecx                           /* ECX = the state that is the answer to this request, and to no other */
    pushl $0
.Lstart:
    rdtsc
    movl %eax, (%esp)
.Lwait:
    movl $256, %edx
2:  cmpl %ecx, MAILBOX(state)(%ebp)
    je .Lanswered
    decl %edx
    jnz 2b
    pause
    cmpl $0, %ss:HEADER(hold)
    jne .Lstart
    rdtsc
    subl (%esp), %eax
    cmpl %ss:HEADER(wait_cycles), %eax
    jb .Lwait
    movl $VMI_WIRE_BRAIN_LOST, %ss:HEADER(brain)
    leal -VMI_WIRE_PHASE_ANSWER(%ecx), %edx /* IDLE */
    leal -1(%ecx), %eax                 /* REQUEST */
    lock cmpxchgl %edx, MAILBOX(state)(%ebp)
    je .Llost_brain
    cmpl %ecx, %eax                     /* the answer came just now */
    je .Lanswered
    movl %edx, MAILBOX(state)(%ebp)     /* something else did: take the mailbox back */
.Llost_brain:
    LOCK incl RING(serial)(%ebp)        /* what is answered now is nobody's */
    popl %eax
    testl %esp, %esp                    /* ZF clear */
    ret
.Lanswered:
    popl %eax
    xorl %eax, %eax                     /* ZF set */
    ret
END(payload_post)

#if PAYLOAD_SMP
/* payload_find_cpu: whose GDT is it? By the local APIC's number, and kept in the table for the next time. GDTs below
 * 1 MiB are a trampoline's, which CPUs share.
 * In: EBP = address of the GDT, EAX = offset of its entry in the table. Out: EBP = area. Clobbers: EAX, flags.
 * Stack: 20 bytes. */
FUNCTION(payload_find_cpu)
    pushl %ebx
    pushl %ecx
    pushl %edx
    pushl %eax
    movl $1, %eax
    cpuid
    shrl $24, %ebx
    cmpl %ss:HEADER(cpus), %ebx
    jb 1f
    xorl %ebx, %ebx
1:  imull $VMI_WIRE_CPU_SIZE, %ebx, %ecx
    addl $AREA_0, %ecx                  /* ECX = area */
    cmpl $0x100000, %ebp
    jb 2f
    movl %ebp, %ebx
    movl (%esp), %ebp
    addl $GDTS, %ebp
    xorl %eax, %eax
    xorl %edx, %edx
    lock cmpxchg8b (%ebp)               /* both words at once, and only into an empty entry */
2:  movl %ecx, %ebp
    popl %eax
    popl %edx
    popl %ecx
    popl %ebx
    ret
END(payload_find_cpu)
#endif
