/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Numbers that both C and assembler need: interrupt vectors, fixed addresses, offsets into structures. The offsets
 * are proven by static asserts next to the structures (cpu.h, process.h). Privileged-state constants are in arch.h.
 */
#ifndef OPENVMI_LAYOUT_H
#define OPENVMI_LAYOUT_H

#include "arch.h"

#define MAX_CPUS 8
#define AP_NOBODY 0xFFFFFFFF /* no CPU's APIC id */
#define STACK_SIZE 8192 /* kernel stack of a process or CPU */

/* What the early page tables map at 0 and at KERNEL_BASE: the kernel, the frame table, the first page tables. */
#define EARLY_MAP_SIZE 0x00800000

/* ---- Vectors: 0-31 exceptions, 32-47 the two PICs, then the system call and the local APIC's ---- */
#define VECTOR_DIVIDE 0
#define VECTOR_DEBUG 1
#define VECTOR_BREAKPOINT 3
#define VECTOR_OVERFLOW 4
#define VECTOR_BOUND 5
#define VECTOR_INVALID 6
#define VECTOR_NO_FPU 7
#define VECTOR_GP 13
#define VECTOR_PAGE_FAULT 14
#define VECTOR_FPU 16
#define VECTOR_ALIGN 17
#define VECTOR_SIMD 19
#define VECTOR_IRQ0 32
#define VECTOR_SYSCALL 0x80
#define VECTOR_TIMER 0xEF /* local APIC timer, or VMI timer wired to it */
#define VECTOR_RESCHED 0xF1
#define VECTOR_SHOOTDOWN 0xF2
#define VECTOR_TEST 0xF3 /* self-checks and the latency benchmark */
#define VECTOR_SPURIOUS 0xFF

/* ---- Fixed addresses ---- */
#define USER_BASE 0x00001000
#define USER_TOP 0xC0000000
#define VSYSCALL_VA 0xBFFFF000 /* one shared read-only page in every process: system-call entry, signal return */
#define VSYSCALL_RETURN 16 /* offsets in that page: where SYSEXIT goes, the signal returns, the entry without SYSENTER */
#define VSYSCALL_SIGRETURN 32
#define VSYSCALL_RT_SIGRETURN 48
#define VSYSCALL_INT80 64
#define STACK_TOP VSYSCALL_VA
#define MMAP_BASE 0x40000000
#define APIC_PHYS 0xFEE00000 /* where a CPU's local APIC is after INIT */
#define TRAMPOLINE_PHYS 0x8000 /* real-mode start of further CPUs; any page below 1 MiB would do */

/* ---- Ports ---- */
#define CONSOLE_PORT 0x3F8 /* COM1 */
#define RESULT_PORT 0x2F8  /* COM2 */
#define ACPI_PM1A_CONTROL 0x604 /* QEMU's PC under SeaBIOS */
#define ACPI_SLEEP_S5 0x2000

/* ---- struct regs: what the entry paths push, lowest address first ---- */
#define REGS_EBX 0
#define REGS_EDX 8
#define REGS_EBP 20
#define REGS_EAX 24
#define REGS_DS 28
#define REGS_FS 36
#define REGS_ERROR 44
#define REGS_EIP 48
#define REGS_CS 52
#define REGS_ESP 60
#define REGS_SS 64

/* ---- struct cpu, reached through %fs ---- */
#define CPU_SELF 0
#define CPU_CURRENT 4
/* SYSENTER loads ESP with the end of the CPU's little entry stack; the TSS lies right below that stack. */
#define ENTRY_STACK_SIZE 128
#define ENTRY_STACK_TO_ESP0 (-(ENTRY_STACK_SIZE + TSS_SIZE) + 4)

/* ---- struct process ---- */
#define PROCESS_KERNEL_ESP 0
#define PROCESS_WORK 4
#define WORK_RESCHED 1
#define WORK_SIGNAL 2

#endif
