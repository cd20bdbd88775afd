/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The native implementation of the operations with call sites: a function for sites not patched yet, and at the same time
 * the template that the patcher copies into sites (from pv_native_X up to pv_native_X_end, without the RET). What is longer
 * than its site is called instead, so whatever fits must hold no relative reference; ops.c tables all of them, a test decodes
 * them. Registers as pv_sites.h passes them. All: CPL 0, flat segments, clobber flags and what is said, stack at most 8 bytes.
 */
#include "paravirt.h"

	.text

.macro NATIVE name
	.globl pv_native_\name, pv_native_\name\()_end
	.type pv_native_\name, @function
pv_native_\name:
.endm

.macro LAST name
pv_native_\name\()_end:
	ret
	.size pv_native_\name, . - pv_native_\name
.endm

/* An operation that is one or two instructions. */
#define OP(name, ...) NATIVE name ; __VA_ARGS__ ; LAST name

/* Nothing to do natively: the template is empty, and they all are one function that returns. Preserves everything. */
#define EMPTY(name) .globl pv_native_##name, pv_native_##name##_end ; pv_native_##name: ; pv_native_##name##_end:

	.globl pv_nop
EMPTY(lazy_mode_none)
EMPTY(lazy_mode_mmu)
EMPTY(lazy_mode_cpu)
EMPTY(paging_alloc_root)
EMPTY(linear_mapping)
pv_nop:
	ret

/* Operations with inline sites: native at every site as it was compiled, NULL in their words. */
.macro INLINE names:vararg
	.irp name, \names
	.globl pv_native_\name
	.set pv_native_\name, 0
	.endr
.endm

INLINE save_flags, restore_flags, read_cr2, read_cr3, write_cr3, update_kernel_stack, apic_read, apic_write, clock_khz
INLINE start_switch, finish_switch, write_gdt_entry, write_ldt_entry, write_idt_entry
INLINE set_pte, set_pte_at, set_pde, set_pdpte, pte_clear, pte_update, pte_update_defer, pte_update_other, invlpg, flush_tlb
INLINE paging_alloc_pt, paging_alloc_pd, paging_release_pt, paging_release_pd, paging_release_root

OP(irq_disable, cli)
OP(irq_enable, sti)
OP(iret, iretl)                                 /* in: frame at ESP; entered by jump; no return */
OP(sti_sysexit, sti; sysexitl)                  /* in: EDX EIP, ECX ESP; entered by jump; no return */
OP(safe_halt, sti; hlt)

OP(cpuid, cpuid)                                /* in: EAX, ECX; out: EAX, EBX, ECX, EDX */
OP(read_cr0, movl %cr0, %eax)                   /* out: EAX, and so on */
OP(read_cr4, movl %cr4, %eax)
OP(write_cr0, movl %eax, %cr0)                  /* in: EAX, and so on */
OP(write_cr2, movl %eax, %cr2)
OP(write_cr4, movl %eax, %cr4)
OP(clts, clts)
OP(wbinvd, wbinvd)
OP(load_gdt, lgdtl (%eax))                      /* in: EAX -> struct dtr, and so on */
OP(load_idt, lidtl (%eax))
OP(store_gdt, sgdtl (%eax))
OP(store_idt, sidtl (%eax))
OP(load_ldt, lldt %ax)
OP(load_tr, ltr %ax)
OP(store_tr, strl %eax)                         /* out: EAX */
OP(set_iopl, pushfl; andl $0xFFFFCFFF, (%esp); orl %eax, (%esp); popfl) /* in: EAX = IOPL << 12 */
OP(io_delay, outb %al, $0x80)

NATIVE read_tsc
OP(clock_cycles, rdtsc)                         /* out: EDX:EAX */
pv_native_read_tsc_end = pv_native_clock_cycles_end

/* Debug registers by number: each of eight MOV-and-RET pairs is four bytes long. DR4 and DR5 mean DR6 and DR7.
 * In: EAX number, EDX value to write; out: EAX value read. Clobbers: ECX. */
.macro DEBUG_REGISTER_TABLE move:vararg
	andl $7, %eax
	leal 1f(, %eax, 4), %ecx
	jmp *%ecx
1:	.irp n, 0, 1, 2, 3, 6, 7, 6, 7
	\move
	ret
	.endr
.endm

NATIVE get_dr
	DEBUG_REGISTER_TABLE movl %db\n, %eax
LAST get_dr
NATIVE set_dr
	DEBUG_REGISTER_TABLE movl %edx, %db\n
LAST set_dr

/* Turns CR4.PGE off and on, or reloads CR3 where it is off: too long to inline, and rare. */
NATIVE flush_tlb_global
	pushl %eax
	movl %cr4, %eax
	testl $CR4_PGE, %eax
	jz 1f
	pushl %eax
	andl $~CR4_PGE, %eax
	movl %eax, %cr4
	popl %eax
	movl %eax, %cr4
	popl %eax
	ret
1:	movl %cr3, %eax
	movl %eax, %cr3
	popl %eax
LAST flush_tlb_global

OP(startup_ap, xorl %eax, %eax)                 /* in: EAX state, EDX APIC id; out: EAX = 0, "not handled" */
OP(wallclock_ns, xorl %eax, %eax; xorl %edx, %edx) /* out: EDX:EAX = 0, "ask the CMOS" */
