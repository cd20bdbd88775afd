/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The operations of paravirt.h as patch sites. Included by paravirt.h only, in a kernel with the layer.
 *
 * A site is `call *pv_ops.<group>.<op>` (six bytes, longer if the native code is) and a record that says where it is. Arguments are
 * in EAX, EDX, ECX and, where four are needed, EBX. Two kinds:
 *   - hot: everything but the result is preserved. The native instruction then costs what it costs in a plain kernel; a
 *     ROM, which may destroy three registers, is reached through a thunk that saves them (vmi_thunks.S).
 *   - cold: EAX, EDX, ECX are lost, and a ROM is called directly.
 * Every site is a compiler barrier, as the native instructions of arch.h are.
 */
#ifndef OPENVMI_PV_SITES_H
#define OPENVMI_PV_SITES_H

#include "pv_ops.h"

#define PV_CALL(length)                          \
	"771:\n\tcall *%c[op]\n"                 \
	"\t.skip " #length " - 6, 0x90\n772:\n"  \
	"\t.pushsection .parainstructions,\"a\"\n" \
	"\t.balign 4\n\t.long 771b\n"            \
	"\t.byte %c[type], 772b - 771b\n"        \
	"\t.short %c[clobbers]\n\t.popsection"
#define PV_OP(group, name, mask) \
	[op] "i"(&pv_ops.group.name), [type] "i"(PV_TYPE(group, name)), [clobbers] "i"(mask)

/* Hot, no result; the numeral counts the u32 arguments. */
#define PV_HOT_0(group, op, function, length)                                               \
	ALWAYS_INLINE void function(void)                                                   \
	{                                                                                   \
		asm volatile(PV_CALL(length)::PV_OP(group, op, PV_NOTHING) : "memory");     \
	}
#define PV_HOT_1(group, op, function, length)                                               \
	ALWAYS_INLINE void function(u32 a)                                                  \
	{                                                                                   \
		asm volatile(PV_CALL(length)::PV_OP(group, op, PV_NOTHING), "a"(a) : "memory"); \
	}
#define PV_HOT_READ(group, op, function)                                                    \
	ALWAYS_INLINE u32 function(void)                                                    \
	{                                                                                   \
		u32 value;                                                                  \
                                                                                            \
		asm volatile(PV_CALL(6) : "=a"(value) : PV_OP(group, op, PV_EAX) : "memory"); \
		return value;                                                               \
	}
#define PV_HOT_READ64(group, op, function)                                                  \
	ALWAYS_INLINE u64 function(void)                                                    \
	{                                                                                   \
		u32 low, high;                                                              \
                                                                                            \
		asm volatile(PV_CALL(6)                                                     \
			     : "=a"(low), "=d"(high)                                        \
			     : PV_OP(group, op, PV_EAX | PV_EDX)                            \
			     : "memory");                                                   \
		return ((u64)high << 32) | low;                                             \
	}

/* Cold: up to two u32 arguments, and a result that may be ignored. */
#define PV_COLD_0(group, op, function, length)                     \
	ALWAYS_INLINE u32 function(void)                           \
	{                                                          \
		u32 a, d;                                          \
                                                                   \
		asm volatile(PV_CALL(length)                       \
			     : "=a"(a), "=d"(d)                    \
			     : PV_OP(group, op, PV_ANY)            \
			     : "ecx", "memory");                   \
		return a;                                          \
	}
#define PV_COLD_1(group, op, function, type, length)               \
	ALWAYS_INLINE void function(type argument)                 \
	{                                                          \
		u32 a = (u32)argument, d;                          \
                                                                   \
		asm volatile(PV_CALL(length)                       \
			     : "+a"(a), "=d"(d)                    \
			     : PV_OP(group, op, PV_ANY)            \
			     : "ecx", "memory");                   \
	}
#define PV_COLD_2(group, op, function, first, second)              \
	ALWAYS_INLINE u32 function(first one, second two)          \
	{                                                          \
		u32 a = (u32)one, d = (u32)two;                    \
                                                                   \
		asm volatile(PV_CALL(6)                            \
			     : "+a"(a), "+d"(d)                    \
			     : PV_OP(group, op, PV_ANY)            \
			     : "ecx", "memory");                   \
		return a;                                          \
	}

/* ---- Interrupt flag ---- */

PV_HOT_0(irq, irq_disable, irq_disable, 6)
PV_HOT_0(irq, irq_enable, irq_enable, 6)
PV_HOT_READ(irq, save_flags, irq_save_flags)
PV_HOT_1(irq, restore_flags, irq_restore_flags, 6)
PV_COLD_0(irq, safe_halt, pv_safe_halt, 6)

ALWAYS_INLINE void safe_halt(void) { (void)pv_safe_halt(); }

/* ---- CPU ---- */

PV_COLD_0(cpu, read_cr0, read_cr0, 6)
PV_HOT_READ(cpu, read_cr2, read_cr2)
PV_HOT_READ(cpu, read_cr3, read_cr3)
PV_COLD_0(cpu, read_cr4, read_cr4, 6)
PV_COLD_1(cpu, write_cr0, write_cr0, u32, 6)
PV_COLD_1(cpu, write_cr2, write_cr2, u32, 6)
PV_HOT_1(cpu, write_cr3, write_cr3, 6)
PV_COLD_1(cpu, write_cr4, write_cr4, u32, 6)
PV_HOT_0(cpu, clts, clts, 6)
PV_COLD_0(cpu, wbinvd, pv_wbinvd, 6)
PV_HOT_READ64(cpu, read_tsc, read_tsc)
PV_COLD_2(cpu, get_dr, pv_get_dr, u32, u32)
PV_COLD_2(cpu, set_dr, pv_set_dr, u32, u32)
PV_COLD_1(cpu, load_gdt, load_gdt, const struct dtr *, 6)
PV_COLD_1(cpu, load_idt, load_idt, const struct dtr *, 6)
PV_COLD_1(cpu, store_gdt, store_gdt, struct dtr *, 6)
PV_COLD_1(cpu, store_idt, store_idt, struct dtr *, 6)
PV_COLD_1(cpu, load_ldt, load_ldt, u32, 6)
PV_COLD_1(cpu, load_tr, load_tr, u32, 6)
PV_COLD_0(cpu, store_tr, pv_store_tr, 6)
PV_COLD_1(cpu, set_iopl, set_iopl, u32, 12)
PV_COLD_0(cpu, io_delay, pv_io_delay, 6)
PV_HOT_0(cpu, lazy_mode_none, lazy_mode_none, 6)
PV_HOT_0(cpu, lazy_mode_mmu, lazy_mode_mmu, 6)
PV_HOT_0(cpu, lazy_mode_cpu, lazy_mode_cpu, 6)

ALWAYS_INLINE void wbinvd(void) { (void)pv_wbinvd(); }
ALWAYS_INLINE void io_delay(void) { (void)pv_io_delay(); }
ALWAYS_INLINE u32 get_dr(u32 n) { return pv_get_dr(n, 0); }
ALWAYS_INLINE void set_dr(u32 n, u32 value) { (void)pv_set_dr(n, value); }
/* A ROM returns a selector in AX and anything above it. */
ALWAYS_INLINE u32 store_tr(void) { return pv_store_tr() & 0xFFFF; }

ALWAYS_INLINE void cpuid(u32 leaf, u32 subleaf, u32 regs[4])
{
	asm volatile(PV_CALL(6)
		     : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
		     : PV_OP(cpu, cpuid, PV_ANY | PV_EBX), "0"(leaf), "2"(subleaf)
		     : "memory");
}

#define PV_WRITE_ENTRY(function)                                                                          \
	ALWAYS_INLINE void function(struct descriptor *table, u32 index, u32 low, u32 high)               \
	{                                                                                                 \
		asm volatile(PV_CALL(7)                                                                   \
			     ::PV_OP(cpu, function, PV_NOTHING), "a"(table), "d"(index), "c"(low), "b"(high) \
			     : "memory");                                                                 \
	}
PV_WRITE_ENTRY(write_gdt_entry)
PV_WRITE_ENTRY(write_ldt_entry)
PV_WRITE_ENTRY(write_idt_entry)

ALWAYS_INLINE void update_kernel_stack(struct tss *tss, u32 esp0)
{
	asm volatile(PV_CALL(6)::PV_OP(cpu, update_kernel_stack, PV_NOTHING), "a"(tss), "d"(esp0) : "memory");
}

/* ---- MMU. The value is in EAX, or EDX:EAX with PAE; the entry's address in EDX, or ECX; as SetPxE(Long) wants them ---- */

#if CONFIG_PAE
#define PV_PTE(value, entry) "A"(value), "c"(entry)
#define PV_VA(va) "b"(va)
#define PV_CLEAR_LENGTH 13
#else
#define PV_PTE(value, entry) "a"(value), "d"(entry)
#define PV_VA(va) "c"(va)
#define PV_CLEAR_LENGTH 6
#endif
#define PV_EXPAND_CALL(length) PV_CALL(length)

#define PV_SET(function)                                                                               \
	ALWAYS_INLINE void function(pte_t *entry, pte_t value)                                         \
	{                                                                                              \
		asm volatile(PV_CALL(6)::PV_OP(mmu, function, PV_NOTHING), PV_PTE(value, entry) : "memory"); \
	}
PV_SET(set_pte)
PV_SET(set_pde)
PV_SET(set_pdpte)

#define PV_ENTRY_AT(function, length)                                                                 \
	ALWAYS_INLINE void function(u32 va, pte_t *entry)                                             \
	{                                                                                             \
		asm volatile(PV_EXPAND_CALL(length)::PV_OP(mmu, function, PV_NOTHING), "a"(va), "d"(entry) \
			     : "memory");                                                             \
	}
PV_ENTRY_AT(pte_clear, PV_CLEAR_LENGTH)
PV_ENTRY_AT(pte_update, 6)
PV_ENTRY_AT(pte_update_defer, 6)

ALWAYS_INLINE void set_pte_at(u32 va, pte_t *entry, pte_t value)
{
	/* A cleared PAE entry loses its present half first: another order, so another operation. */
	if (__builtin_constant_p(value) && value == 0) {
		pte_clear(va, entry);
		return;
	}
	asm volatile(PV_CALL(6)::PV_OP(mmu, set_pte_at, PV_NOTHING), PV_PTE(value, entry), PV_VA(va) : "memory");
}

ALWAYS_INLINE void pte_update_other(pte_t *entry)
{
	asm volatile(PV_CALL(6)::PV_OP(mmu, pte_update_other, PV_NOTHING), "a"(entry) : "memory");
}

PV_HOT_1(mmu, paging_alloc_pt, paging_alloc_pt, 6)
PV_HOT_1(mmu, paging_alloc_pd, paging_alloc_pd, 6)
PV_HOT_1(mmu, paging_release_pt, paging_release_pt, 6)
PV_HOT_1(mmu, paging_release_pd, paging_release_pd, 6)
PV_HOT_1(mmu, paging_release_root, paging_release_root, 6)

ALWAYS_INLINE void paging_alloc_root(u32 pfn, u32 kernel_root_pfn, u32 first, u32 count)
{
	asm volatile(PV_CALL(6)
		     ::PV_OP(mmu, paging_alloc_root, PV_NOTHING), "a"(pfn), "d"(kernel_root_pfn), "c"(first), "b"(count)
		     : "memory");
}

ALWAYS_INLINE void linear_mapping(u32 slot, u32 va, u32 pages, u32 pfn)
{
	asm volatile(PV_CALL(6)::PV_OP(mmu, linear_mapping, PV_NOTHING), "a"(slot), "d"(va), "c"(pages), "b"(pfn)
		     : "memory");
}

/* The native code reads CR3 into EAX; plain code has a scratch register there too. */
ALWAYS_INLINE void flush_tlb(void)
{
	u32 scratch;

	asm volatile(PV_CALL(6) : "=a"(scratch) : PV_OP(mmu, flush_tlb, PV_EAX) : "memory");
}

PV_HOT_0(mmu, flush_tlb_global, flush_tlb_global, 6)
PV_HOT_1(mmu, invlpg, invlpg, 6)

/* ---- Local APIC, other processors, time ---- */

ALWAYS_INLINE u32 apic_read(u32 reg)
{
	asm volatile(PV_CALL(6) : "+a"(reg) : PV_OP(apic, apic_read, PV_EAX) : "memory");
	return reg;
}

ALWAYS_INLINE void apic_write(u32 reg, u32 value)
{
	asm volatile(PV_CALL(6)::PV_OP(apic, apic_write, PV_NOTHING), "a"(reg), "d"(value) : "memory");
}

PV_COLD_2(apic, startup_ap, pv_startup_ap, const struct vmi_ap_state *, u32)

ALWAYS_INLINE bool startup_ap(u32 apic_id, const struct vmi_ap_state *state)
{
	return pv_startup_ap(state, apic_id) != 0;
}

PV_HOT_READ64(time, clock_cycles, clock_cycles)
PV_HOT_READ(time, clock_khz, clock_khz)
PV_HOT_READ64(time, wallclock_ns, wallclock_ns)

#endif
