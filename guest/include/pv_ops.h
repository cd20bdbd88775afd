/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The operation structures: one word per operation, the address of what implements it now. Call sites go through these
 * words until they are patched (pv_sites.h, pv_asm.h); the word's index is the type in the site's record. Initial values
 * are the native implementations (guest/paravirt/native.S), or NULL for operations that are native code at their sites;
 * the VMI back end replaces some.
 *
 * To add an operation: a line in one list below, its native code in native.S, its inline function in pv_sites.h and
 * pv_plain.h, its line in paravirt.h, and a row in the service table of vmi_services.c if VMI has a call for it.
 */
#ifndef OPENVMI_PV_OPS_H
#define OPENVMI_PV_OPS_H

/* Registers that a site's replacement may destroy: the clobber mask of its record, as in Linux (EBX is ours, for CPUID). */
#define PV_NOTHING 0
#define PV_EAX 1
#define PV_ECX 2
#define PV_EDX 4
#define PV_EBX 8
#define PV_ANY 7 /* what a C function may destroy */

/* A site holds at least an indirect call, and at most one instruction's worth of bytes (so prefixes can fill it). */
#define PV_SITE_MIN 6
#define PV_SITE_MAX 15
#define PV_INLINE_MIN 5  /* a relative call */
#define PV_INLINE_MAX 30 /* two stores of constants to fixed addresses */

#include "vmi_abi.h"

/* The calls behind operations that differ between paging modes and between generations of the interface: API 3, and 13 of
 * 2006 (compiled with firmware/include13). 13 has no call for "I have changed this entry", and no lazy modes: an entry is
 * shown to the hypervisor by a change that changes nothing (vmi_wrappers.c), and queues are only drained. */
#if VMI_API_MAJOR == 13
#define PV_CALL_LAZY FlushDeferredCalls
#define VMI_LAZY_NONE 0
#define VMI_LAZY_MMU 1
#define VMI_LAZY_CPU 2
#else
#define PV_CALL_LAZY SetLazyMode
#endif
#if CONFIG_PAE
#define PV_CALL_SET SetPxELong
#else
#define PV_CALL_SET SetPxE
#endif
#if VMI_API_MAJOR == 13 && CONFIG_PAE
#define PV_CALL_UPDATE TestAndClearPxELongBit
#elif VMI_API_MAJOR == 13
#define PV_CALL_UPDATE TestAndClearPxEBit
#elif CONFIG_PAE
#define PV_CALL_UPDATE UpdatePxELong
#else
#define PV_CALL_UPDATE UpdatePxE
#endif

/* X(structure, operation, the VMI call behind it) */
#define PV_IRQ_OPS(X)                           \
	X(irq, irq_disable, DisableInterrupts)  \
	X(irq, irq_enable, EnableInterrupts)    \
	X(irq, save_flags, GetInterruptMask)    \
	X(irq, restore_flags, SetInterruptMask) \
	X(irq, iret, IRET)                      \
	X(irq, sti_sysexit, SYSEXIT)            \
	X(irq, safe_halt, Halt)

#define PV_CPU_OPS(X)                                  \
	X(cpu, cpuid, CPUID)                           \
	X(cpu, read_cr0, GetCR0)                       \
	X(cpu, read_cr2, GetCR2)                       \
	X(cpu, read_cr3, GetCR3)                       \
	X(cpu, read_cr4, GetCR4)                       \
	X(cpu, write_cr0, SetCR0)                      \
	X(cpu, write_cr2, SetCR2)                      \
	X(cpu, write_cr3, SetCR3)                      \
	X(cpu, write_cr4, SetCR4)                      \
	X(cpu, clts, CLTS)                             \
	X(cpu, wbinvd, WBINVD)                         \
	X(cpu, read_tsc, RDTSC)                        \
	X(cpu, get_dr, GetDR)                          \
	X(cpu, set_dr, SetDR)                          \
	X(cpu, load_gdt, SetGDT)                       \
	X(cpu, load_idt, SetIDT)                       \
	X(cpu, store_gdt, GetGDT)                      \
	X(cpu, store_idt, GetIDT)                      \
	X(cpu, load_ldt, SetLDT)                       \
	X(cpu, load_tr, SetTR)                         \
	X(cpu, store_tr, GetTR)                        \
	X(cpu, write_gdt_entry, WriteGDTEntry)         \
	X(cpu, write_ldt_entry, WriteLDTEntry)         \
	X(cpu, write_idt_entry, WriteIDTEntry)         \
	X(cpu, update_kernel_stack, UpdateKernelStack) \
	X(cpu, set_iopl, SetIOPLMask)                  \
	X(cpu, io_delay, IODelay)                      \
	X(cpu, start_switch, PV_CALL_LAZY)             \
	X(cpu, finish_switch, UpdateKernelStack)       \
	X(cpu, lazy_mode_none, PV_CALL_LAZY)           \
	X(cpu, lazy_mode_mmu, PV_CALL_LAZY)            \
	X(cpu, lazy_mode_cpu, PV_CALL_LAZY)

#define PV_MMU_OPS(X)                            \
	X(mmu, set_pte, PV_CALL_SET)             \
	X(mmu, set_pte_at, PV_CALL_SET)          \
	X(mmu, set_pde, PV_CALL_SET)             \
	X(mmu, set_pdpte, PV_CALL_SET)           \
	X(mmu, pte_clear, PV_CALL_SET)           \
	X(mmu, pte_update, PV_CALL_UPDATE)       \
	X(mmu, pte_update_defer, PV_CALL_UPDATE) \
	X(mmu, pte_update_other, PV_CALL_UPDATE) \
	X(mmu, paging_alloc_pt, AllocatePage)    \
	X(mmu, paging_alloc_pd, AllocatePage)    \
	X(mmu, paging_alloc_root, AllocatePage)  \
	X(mmu, paging_release_pt, ReleasePage)   \
	X(mmu, paging_release_pd, ReleasePage)   \
	X(mmu, paging_release_root, ReleasePage) \
	X(mmu, linear_mapping, SetLinearMapping) \
	X(mmu, flush_tlb, FlushTLB)              \
	X(mmu, flush_tlb_global, FlushTLB)       \
	X(mmu, invlpg, InvalPage)

#define PV_APIC_OPS(X)                 \
	X(apic, apic_read, APICRead)   \
	X(apic, apic_write, APICWrite) \
	X(apic, startup_ap, SetInitialAPState)

#define PV_TIME_OPS(X)                         \
	X(time, clock_cycles, GetCycleCounter) \
	X(time, clock_khz, GetCycleFrequency)  \
	X(time, wallclock_ns, GetWallclockTime)

#define PV_ALL_OPS(X) PV_IRQ_OPS(X) PV_CPU_OPS(X) PV_MMU_OPS(X) PV_APIC_OPS(X) PV_TIME_OPS(X)

#ifndef __ASSEMBLER__

#include "arch.h"

/* Register conventions differ (pv_sites.h has each), so C cannot call through these words. */
typedef const void *pv_code;

#define PV_MEMBER(group, name, call) pv_code name;
struct pv_irq_ops { PV_IRQ_OPS(PV_MEMBER) };
struct pv_cpu_ops { PV_CPU_OPS(PV_MEMBER) };
struct pv_mmu_ops { PV_MMU_OPS(PV_MEMBER) };
struct pv_apic_ops { PV_APIC_OPS(PV_MEMBER) };
struct pv_time_ops { PV_TIME_OPS(PV_MEMBER) };
#undef PV_MEMBER

struct pv_ops {
	struct pv_irq_ops irq;
	struct pv_cpu_ops cpu;
	struct pv_mmu_ops mmu;
	struct pv_apic_ops apic;
	struct pv_time_ops time;
};

#define PV_OPS_COUNT (sizeof(struct pv_ops) / sizeof(pv_code))
#define PV_TYPE(group, name) (offsetof(struct pv_ops, group.name) / sizeof(pv_code))

extern struct pv_ops pv_ops;

/** One record of section .parainstructions: a site that the patcher may rewrite. */
struct pv_site {
	u32 address;
	u8 type;      /* PV_TYPE of its operation */
	u8 length;    /* bytes that belong to the site, PV_SITE_MIN ... PV_SITE_MAX */
	u16 clobbers; /* PV_EAX | ...: what the code around it expects to be destroyed */
};

/** One record of section .pv_inline: a site that is native code until the patcher makes it a call of its stub. */
struct pv_inline_site {
	u32 address;
	u32 stub;  /* passes the arguments to a call site of the operation, and returns */
	u8 type;
	u8 length; /* PV_INLINE_MIN ... PV_INLINE_MAX */
	u16 unused;
};

_Static_assert(sizeof(struct pv_site) == 8, "the record that PV_CALL emits");
_Static_assert(sizeof(struct pv_inline_site) == 12, "the record that PV_INLINE emits");

#endif /* __ASSEMBLER__ */

#endif
