/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What lies in the window: the payload's head, get_reloc, and the stub of each call, executed by the guest at its own
 * privilege. A stub whose call's mode is NATIVE and whose common case needs no privilege is done here, with the CPU's shared
 * page; all else goes through the gate (entry.S). Calls 29-34 may lean on CS and SS only, so memory goes through SS.
 * Three places are not left in the middle by an interrupt: return_critical and queue_critical are begun anew, sysexit_critical
 * goes on at its gate (trap.c: leave_stub).
 */
#include "vmi_abi.h"
#include "ring.h"

#define HEADER(field) (VMI_WIRE_BASE + VMI_WIRE_HEADER_##field##_OFFSET)
#define BITMAP RING_LINEAR(BITMAP)
#define QUEUE SHARED(queue)
/* 32 bits: count and held */
#define PENDING SHARED(count)
#define MAP(slot, word) (SHARED(maps) + 12 * (slot) + 4 * (word))
#define DEFERRED_ROOT 1
#define DEFERRED_STACK 2
#define LAZY_CPU 2

#define FUNCTION(name)          \
    .balign 16, 0x90          ; \
    .globl name               ; \
    .type name, @function     ; \
name:
#define END(name) .size name, . - name

/* The call's number goes through the gate as its one parameter; the stub drops it. */
#define GATE(number)            \
    pushl $number             ; \
    lcall $RING_GATE, $0      ; \
    leal 4(%esp), %esp

/* A stub that does its call as long as the mode is NATIVE: else the monitor writes a jump to `gate` over its first two bytes
 * (patch.c). */
#define PATCH(name, gate)                               \
    .pushsection .patch, "a", @progbits               ; \
    .long VMI_CALL_##name, stub_##name, gate          ; \
    .popsection

/* A call that is always the monitor's. In, out, clobbers: as the call has it. Stack: 12 bytes. */
#define GATED(name)                     \
FUNCTION(stub_##name)                 ; \
    GATE(VMI_CALL_##name)             ; \
    ret                               ; \
END(stub_##name)

/* A call that is done here when its mode is NATIVE: `...` leaves the stub, or jumps to 2 for the gate. */
#define STUB(name, ...)                 \
FUNCTION(stub_##name)                 ; \
    __VA_ARGS__                       ; \
2:  GATE(VMI_CALL_##name)             ; \
    ret                               ; \
    PATCH(name, 2b)                   ; \
END(stub_##name)

    .section .head, "a", @progbits
    .long VMI_WIRE_HASH
    .long VMI_RING_CPUS_MAX
    .long ring_init
    .long ring_get_reloc
    .long ring_stubs
    .long bss_end, 0, 0

    .section .window, "ax", @progbits

/* get_reloc: how is a call made? In: EAX = call number, any 32-bit value. Out: EAX = linear address or 0, EDX = relocation
 * type. Clobbers: EAX, EDX, ECX, flags. Any privilege below 3, DS flat. */
FUNCTION(ring_get_reloc)
#if !RING_PAE
    testb $CR4_PAE, HEADER(guest_cr4)
    jnz 3f
#endif
    cmpl $VMI_CALL_COUNT, %eax
    jae 2f
    movl ring_stubs(, %eax, 4), %ecx
    testl %ecx, %ecx
    jz 2f
    cmpl $VMI_CALL_IRET, %eax           /* these two can't be NONE */
    je 1f
    cmpl $VMI_CALL_SYSEXIT, %eax
    je 4f
    leal -VMI_CALL_SetInitialAPState(%eax), %edx
    cmpl $(VMI_CALL_APICRead - VMI_CALL_SetInitialAPState), %edx
    jbe 1f                              /* nor can these: other CPUs are ours to start */
    cmpb $VMI_WIRE_PATH_NONE, HEADER(paths)(%eax)
    je 2f
1:  movl %ecx, %eax
    movl $VMI_RELOC_CALL_REL, %edx
    ret
4:  movl %ecx, %eax
    movl $VMI_RELOC_JUMP_REL, %edx
    ret
2:  xorl %eax, %eax
    xorl %edx, %edx
    ret
#if !RING_PAE
3:  movl $(VMI_WIRE_BASE + VMI_RING_STUBS_PAE_OFFSET + VMI_WIRE_PAYLOAD_SIZE), %ecx
    jmp *%ecx                           /* the other payload's, first behind its head */
#endif
END(ring_get_reloc)

STUB(EnableInterrupts, movl $EFLAGS_IF, %ss:SHARED(interrupts) ; cmpw $0, %ss:SHARED(held) ; jne 2f ; ret)
STUB(DisableInterrupts, movl $0, %ss:SHARED(interrupts) ; ret)
STUB(GetInterruptMask, movl %ss:SHARED(interrupts), %eax ; ret)
STUB(SetInterruptMask, testl $EFLAGS_IF, %eax ; jz 1f ; movl $EFLAGS_IF, %ss:SHARED(interrupts) ; cmpw $0, %ss:SHARED(held) ; jne 2f ; ret ; 1: movl $0, %ss:SHARED(interrupts) ; ret)

/* SYSEXIT: by RETF, which leaves the flags alone as SYSEXIT does, from a frame that has the selectors in it all the time: pushed,
 * they would cost 4 ns more. By the gate TF and NT are lost. In: EDX = EIP, ECX = ESP. Stack: 20 bytes. */
FUNCTION(stub_SYSEXIT)
    movl %esp, %ss:SHARED(sysexit_stack)
sysexit_critical:                       /* whatever comes from here on finds us at sysexit_gate, with the stack that we had */
    movl %edx, %ss:SHARED(sysexit_eip)
    movl %ecx, %ss:SHARED(sysexit_esp)
    movl $SHARED(sysexit_eip), %esp
    movl $EFLAGS_IF, %ss:SHARED(interrupts)
    cmpl $0, %ss:PENDING
    jne 1f
    lretl
1:  movl $0, %ss:SHARED(interrupts)     /* until the monitor has done it: the kernel has looked for work already */
    movl %ss:SHARED(sysexit_stack), %esp
sysexit_critical_end:
sysexit_gate:
    GATE(VMI_CALL_SYSEXIT)              /* does not come back */
    PATCH(SYSEXIT, sysexit_gate)
END(stub_SYSEXIT)
    .globl sysexit_critical, sysexit_critical_end, sysexit_gate

/* IRET, called: below the frame is the return address, by which the monitor finds the site if the frame is bad.
 * In: the frame above a return address. Stack: 12 bytes. */
FUNCTION(stub_IRET)
    leal 4(%esp), %esp
    testb $(EFLAGS_VM >> 16), 10(%esp)
    jnz return_gate
    testb $(EFLAGS_IF >> 8), 9(%esp)
    jz 3f
    testb $2, 4(%esp)
    jz 1f
return_critical:                        /* an interrupt from here on is held back, and we are sent back to here */
    movl $EFLAGS_IF, %ss:SHARED(interrupts)
    cmpl $0, %ss:PENDING
    jne 5f
iret_instruction:
    iretl
1:  movl $EFLAGS_IF, %ss:SHARED(interrupts)
    cmpw $0, %ss:SHARED(held)
    jne return_gate
    iretl
5:  movl $0, %ss:SHARED(interrupts)     /* as in SYSEXIT */
    jmp return_gate
return_critical_end:
3:  movl $0, %ss:SHARED(interrupts)
    iretl
4:  leal 4(%esp), %esp
return_gate:
    GATE(VMI_CALL_IRET)                 /* does not come back */
    PATCH(IRET, 4b)
END(stub_IRET)
    .globl return_critical, return_critical_end, iret_instruction

/* An entry of a page table has changed. In: ECX = linear address of the entry. Clobbers: EAX, ECX, flags.
 * Out: done, or to the gate with the call's number in EAX. */
FUNCTION(queue_entry)
    movl %ecx, %eax
    subl MAP(0, 0), %eax
    cmpl MAP(0, 1), %eax
    jae 3f
    subl MAP(0, 2), %ecx
1:  movl %ecx, %eax
    shrl $12, %eax
    andl $(VMI_RING_BITMAP_BITS - 1), %eax
    btl %eax, BITMAP
    jnc 2f
queue_critical:                         /* the same */
    movl PENDING, %eax                  /* as good as full while an interrupt is held back */
    cmpl $VMI_RING_QUEUE, %eax
    jae 5f
    movl %ecx, QUEUE(, %eax, 4)
    incl PENDING
queue_critical_end:
2:  ret
3:  movl %ecx, %eax
    subl MAP(1, 0), %eax
    cmpl MAP(1, 1), %eax
    jae 4f
    subl MAP(1, 2), %ecx
    jmp 1b
4:  movl %ecx, %eax
    subl MAP(2, 0), %eax
    cmpl MAP(2, 1), %eax
    jae 6f
    subl MAP(2, 2), %ecx
    jmp 1b
6:  movl %ecx, %eax
    subl MAP(3, 0), %eax
    cmpl MAP(3, 1), %eax
    jae 7f
    subl MAP(3, 2), %ecx
    jmp 1b
5:  pushl %edx
    movl %ecx, %eax                     /* full: drained by FlushTLB's cheapest form, InvalPage of an unused page */
    GATE(VMI_CALL_COUNT)                /* one more than all calls: EAX = entry's physical address */
    popl %edx
    ret
7:  pushl %edx
    movl %ecx, %eax                     /* in no slot: the monitor walks */
    GATE(VMI_CALL_COUNT + 1)
    popl %edx
    ret
END(queue_entry)
    .globl queue_critical, queue_critical_end

/* Locked: other CPUs must see the entry before we look whether its frame has a shadow. */
STUB(SetPxE, xchgl %eax, (%edx) ; movl %edx, %ecx ; jmp queue_entry)
STUB(UpdatePxE, movl %eax, %ecx ; jmp queue_entry)
STUB(UpdatePxELong, movl %eax, %ecx ; jmp queue_entry)
STUB(SetPxELong, jmp set_long)

/* In: EDX:EAX = value, ECX -> entry. As rom_set_pxe_long: never half written, whatever was there. */
FUNCTION(set_long)
    pushl %ebx
    pushl %esi
    movl %ecx, %esi
    movl %eax, %ebx
    movl %edx, %ecx
    movl (%esi), %eax
    movl 4(%esi), %edx
1:  lock cmpxchg8b (%esi)
    jnz 1b
    movl %esi, %ecx
    popl %esi
    popl %ebx
    jmp queue_entry
END(set_long)

/* In: EAX = frame. The monitor needs to know only of frames that have a shadow. */
STUB(AllocatePage, movl %eax, %ecx ; andl $(VMI_RING_BITMAP_BITS - 1), %ecx ; btl %ecx, BITMAP ; jc 2f ; ret)
STUB(ReleasePage, movl %eax, %ecx ; andl $(VMI_RING_BITMAP_BITS - 1), %ecx ; btl %ecx, BITMAP ; jc 2f ; ret)
/* While the guest switches contexts (lazy mode 2) CR3 and stack wait for its end. */
STUB(SetCR3, cmpl $LAZY_CPU, SHARED(lazy) ; jne 2f ; movl %eax, SHARED(cr3) ; orl $DEFERRED_ROOT, SHARED(deferred) ; ret)
STUB(UpdateKernelStack, cmpl $LAZY_CPU, SHARED(lazy) ; jne 2f ; movl %eax, SHARED(stack_selector) ; movl %edx, SHARED(stack) ; orl $DEFERRED_STACK, SHARED(deferred) ; ret)
STUB(SetLazyMode, movl %eax, SHARED(lazy) ; cmpl $LAZY_CPU, %eax ; je 1f ; cmpl $0, SHARED(deferred) ; jne 2f ; 1: ret)
STUB(GetCR0, movl SHARED(cr0), %eax ; ret)
STUB(GetCR2, movl SHARED(cr2), %eax ; ret)
STUB(SetCR2, movl %eax, SHARED(cr2) ; ret)
STUB(GetCR3, movl SHARED(cr3), %eax ; ret)
STUB(GetCR4, movl SHARED(cr4), %eax ; ret)
STUB(RDTSC, rdtsc ; ret)
STUB(IODelay, xchgw %ax, %ax ; ret) /* two bytes at least, for the patch */
STUB(SetIOPLMask, andl $EFLAGS_IOPL, %eax ; movl %eax, SHARED(iopl) ; ret)
STUB(GetTR, movl SHARED(tr), %eax ; ret)
STUB(GetLDT, movl SHARED(ldt), %eax ; ret)
STUB(GetGDT, movl SHARED(gdt_limit), %ecx ; movw %cx, (%eax) ; movl SHARED(gdt_base), %ecx ; movl %ecx, 2(%eax) ; ret)
STUB(GetIDT, movl SHARED(idt_limit), %ecx ; movw %cx, (%eax) ; movl SHARED(idt_base), %ecx ; movl %ecx, 2(%eax) ; ret)
/* The TSC, less what was stolen: again if that has changed meanwhile. */
STUB(GetCycleCounter, cmpl $VMI_COUNTER_AVAILABLE, %eax ; je 1f ; ja 2f ; rdtsc ; ret ; 1: movl SHARED(stolen), %ecx ; rdtsc ; subl %ecx, %eax ; sbbl SHARED(stolen) + 4, %edx ; cmpl SHARED(stolen), %ecx ; jne 1b ; ret)
GATED(GetCycleFrequency)
GATED(SetAlarm)
GATED(CancelAlarm)
GATED(GetWallclockTime)
GATED(WallclockUpdated)
GATED(SetInitialAPState)
GATED(APICWrite)
GATED(APICRead)
GATED(SetLinearMapping)
GATED(InvalPage)
GATED(FlushTLB)
GATED(CLTS)
GATED(Halt)
GATED(CPUID)
GATED(WRMSR)
GATED(RDMSR)
GATED(SetGDT)
GATED(SetLDT)
GATED(SetIDT)
GATED(SetTR)
GATED(WriteGDTEntry)
GATED(WriteLDTEntry)
GATED(WriteIDTEntry)
GATED(SetCR0)
GATED(SetCR4)
GATED(WBINVD)
GATED(SetDR)
GATED(GetDR)
GATED(RDPMC)
GATED(Reboot)
GATED(Shutdown)
GATED(INL)
GATED(INB)
GATED(INW)
GATED(INSL)
GATED(INSB)
GATED(INSW)
GATED(OUTL)
GATED(OUTB)
GATED(OUTW)
GATED(OUTSL)
GATED(OUTSB)
GATED(OUTSW)

/* vmi_init. In: nothing. Out: EAX = 0 at CPL 1, -1 nothing has changed. CPL 0, DS flat, interrupts off. */
FUNCTION(ring_init)
#if !RING_PAE
    movl %cr4, %eax
    testb $CR4_PAE, %al
    jnz 1f
#endif
    jmp ring_enter
1:  jmp *(RING_LINEAR(INFO) + VMI_RING_INFO_init_pae_OFFSET)
END(ring_init)


#define ENTRY(name)                             \
    .org ring_stubs + 4 * VMI_CALL_##name     ; \
    .long stub_##name

    .balign 4
    .globl ring_stubs
ring_stubs:
    ENTRY(CPUID)
    ENTRY(WRMSR)
    ENTRY(RDMSR)
    ENTRY(SetGDT)
    ENTRY(SetLDT)
    ENTRY(SetIDT)
    ENTRY(SetTR)
    ENTRY(GetGDT)
    ENTRY(GetLDT)
    ENTRY(GetIDT)
    ENTRY(GetTR)
    ENTRY(WriteGDTEntry)
    ENTRY(WriteLDTEntry)
    ENTRY(WriteIDTEntry)
    ENTRY(UpdateKernelStack)
    ENTRY(SetCR0)
    ENTRY(SetCR2)
    ENTRY(SetCR3)
    ENTRY(SetCR4)
    ENTRY(GetCR0)
    ENTRY(GetCR2)
    ENTRY(GetCR3)
    ENTRY(GetCR4)
    ENTRY(WBINVD)
    ENTRY(SetDR)
    ENTRY(GetDR)
    ENTRY(RDPMC)
    ENTRY(RDTSC)
    ENTRY(CLTS)
    ENTRY(EnableInterrupts)
    ENTRY(DisableInterrupts)
    ENTRY(GetInterruptMask)
    ENTRY(SetInterruptMask)
    ENTRY(IRET)
    ENTRY(SYSEXIT)
    ENTRY(Halt)
    ENTRY(Reboot)
    ENTRY(Shutdown)
    ENTRY(SetPxE)
    ENTRY(SetPxELong)
    ENTRY(UpdatePxE)
    ENTRY(UpdatePxELong)
    ENTRY(AllocatePage)
    ENTRY(ReleasePage)
    ENTRY(InvalPage)
    ENTRY(FlushTLB)
    ENTRY(SetLinearMapping)
    ENTRY(INL)
    ENTRY(INB)
    ENTRY(INW)
    ENTRY(INSL)
    ENTRY(INSB)
    ENTRY(INSW)
    ENTRY(OUTL)
    ENTRY(OUTB)
    ENTRY(OUTW)
    ENTRY(OUTSL)
    ENTRY(OUTSB)
    ENTRY(OUTSW)
    ENTRY(SetIOPLMask)
    ENTRY(SetInitialAPState)
    ENTRY(APICWrite)
    ENTRY(APICRead)
    ENTRY(IODelay)
    ENTRY(GetCycleFrequency)
    ENTRY(GetCycleCounter)
    ENTRY(SetAlarm)
    ENTRY(CancelAlarm)
    ENTRY(GetWallclockTime)
    ENTRY(WallclockUpdated)
    ENTRY(SetLazyMode)
    .org ring_stubs + 4 * VMI_CALL_COUNT
    .size ring_stubs, . - ring_stubs
