/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The operations of paravirt.h as patch sites. Included by paravirt.h only, in a kernel with the layer. Every site is a
 * compiler barrier, as the native instructions of arch.h are. Two forms:
 *
 * Call sites: `call *pv_ops.<group>.<op>` (six bytes, more if the native code is longer) and a record in .parainstructions.
 *   Arguments are in EAX, EDX, ECX and, where four are needed, EBX. Hot ones preserve everything but the result, a ROM is
 *   reached through a thunk that saves three registers; cold ones lose EAX, EDX, ECX, and a ROM is called directly.
 *
 * Inline sites, for what page-table loops, locks and switches do: the native instruction itself, with operands where the
 *   compiler likes them, stretched by DS prefixes to the length of a call, and a record in .pv_inline. Aside, in .text.pv,
 *   is the site's stub: it pushes the arguments (who is called pops them) for a call site of the operation. If a ROM takes
 *   the operation, the inline site becomes a call of the stub. Natively such a site is never touched and costs nothing;
 *   with arguments in fixed registers, changing protection cost 9 % more instructions. The stub moves ESP, so what memory
 *   operands point at must not be on the stack: no frame pointer helps where the compiler aligns the stack anew, as it does
 *   for PAE entries. test_patcher.py looks at the stubs of the built kernels.
 */
#ifndef OPENVMI_PV_SITES_H
#define OPENVMI_PV_SITES_H

#include "pv_ops.h"

#define PV_STRING(text) #text
#define PV_EXPAND(text) PV_STRING(text)

/* The symbols pv_word_X and pv_type_X come from ops.c. They are the assembler's, because operands of the asm statement count
 * as code when the compiler decides what to inline. */
#define PV_CALL(op, length, clobbers)              \
	"771:\n\tcall *pv_word_" #op "\n"          \
	"\t.skip " #length " - 6, 0x90\n772:\n"    \
	"\t.pushsection .parainstructions,\"a\"\n" \
	"\t.balign 4\n\t.long 771b\n"              \
	"\t.byte pv_type_" #op ", 772b - 771b\n"   \
	"\t.short " PV_EXPAND(clobbers) "\n\t.popsection"

/* Site 773-776, of which the native code is 775-776; stub at 774. GAS and LLVM say -1 for true. */
#define PV_INLINE_RESULT(op, clobbers, native, before, after)                  \
	"\t.pushsection .text.pv,\"ax\"\n"                                     \
	"774:\t" before "\n" PV_CALL(op, 6, clobbers) "\n\t" after "\n\tret\n" \
	"\t.popsection\n"                                                      \
	"773:\t.skip -((776f - 775f) < 5) * (5 - (776f - 775f)), 0x3E\n"       \
	"775:\t" native "\n776:\n"                                             \
	"\t.pushsection .pv_inline,\"a\"\n"                                    \
	"\t.balign 4\n\t.long 773b, 774b\n"                                    \
	"\t.byte pv_type_" #op ", 776b - 773b, 0, 0\n\t.popsection"
#define PV_INLINE(op, native, before) PV_INLINE_RESULT(op, PV_NOTHING, native, before, "")

/* Pushes the address of memory operand `cell` and nothing else. */
#define PV_PUSH_ADDRESS(cell) "pushl %%eax; leal %[" cell "], %%eax; xchgl %%eax, (%%esp); "

/* A result in any register, where the call leaves it in EAX. */
#define PV_INLINE_READ(op, function, native)                                                                        \
	ALWAYS_INLINE u32 function(void)                                                                            \
	{                                                                                                           \
		u32 value;                                                                                          \
                                                                                                                    \
		asm volatile(PV_INLINE_RESULT(op, PV_EAX, native, "xchgl %%eax, %[value]", "xchgl %%eax, %[value]") \
			     : [value] "=r"(value)::"memory");                                                      \
		return value;                                                                                       \
	}
/* One argument in any register, passed on the stack. */
#define PV_INLINE_1(op, function, native)                                                             \
	ALWAYS_INLINE void function(u32 value)                                                        \
	{                                                                                             \
		asm volatile(PV_INLINE(op, native, "pushl %[value]")::[value] "r"(value) : "memory"); \
	}

/* Hot, without arguments. */
#define PV_HOT_0(op, function, length)                                     \
	ALWAYS_INLINE void function(void)                                  \
	{                                                                  \
		asm volatile(PV_CALL(op, length, PV_NOTHING)::: "memory"); \
	}
#define PV_HOT_READ64(op, function)                                                              \
	ALWAYS_INLINE u64 function(void)                                                         \
	{                                                                                        \
		u32 low, high;                                                                   \
                                                                                                 \
		asm volatile(PV_CALL(op, 6, PV_EAX | PV_EDX) : "=a"(low), "=d"(high)::"memory"); \
		return ((u64)high << 32) | low;                                                  \
	}

/* Cold: up to two u32 arguments, and a result that may be ignored. */
#define PV_COLD_0(op, function, length)                                                        \
	ALWAYS_INLINE u32 function(void)                                                       \
	{                                                                                      \
		u32 a, d;                                                                      \
                                                                                               \
		asm volatile(PV_CALL(op, length, PV_ANY) : "=a"(a), "=d"(d)::"ecx", "memory"); \
		return a;                                                                      \
	}
#define PV_COLD_1(op, function, type, length)                                                  \
	ALWAYS_INLINE void function(type argument)                                             \
	{                                                                                      \
		u32 a = (u32)argument, d;                                                      \
                                                                                               \
		asm volatile(PV_CALL(op, length, PV_ANY) : "+a"(a), "=d"(d)::"ecx", "memory"); \
	}
#define PV_COLD_2(op, function, first, second)                                            \
	ALWAYS_INLINE u32 function(first one, second two)                                 \
	{                                                                                 \
		u32 a = (u32)one, d = (u32)two;                                           \
                                                                                          \
		asm volatile(PV_CALL(op, 6, PV_ANY) : "+a"(a), "+d"(d)::"ecx", "memory"); \
		return a;                                                                 \
	}

/* ---- Interrupt flag ---- */

PV_HOT_0(irq_disable, irq_disable, 6)
PV_HOT_0(irq_enable, irq_enable, 6)
PV_INLINE_READ(save_flags, irq_save_flags, "pushfl; popl %[value]")
PV_COLD_0(safe_halt, pv_safe_halt, 6)

ALWAYS_INLINE void safe_halt(void) { (void)pv_safe_halt(); }

/* The one argument that goes to the ROM in EAX straight away: calls 29-32 are patched in without a thunk. */
ALWAYS_INLINE void irq_restore_flags(u32 flags)
{
	asm volatile(PV_INLINE_RESULT(restore_flags, PV_NOTHING, "pushl %[flags]; popfl", "xchgl %%eax, %[flags]",
				      "xchgl %%eax, %[flags]")
		     ::[flags] "r"(flags) : "memory");
}

/* ---- CPU ---- */

PV_COLD_0(read_cr0, read_cr0, 6)
PV_INLINE_READ(read_cr2, read_cr2, "movl %%cr2, %[value]")
PV_INLINE_READ(read_cr3, read_cr3, "movl %%cr3, %[value]")
PV_COLD_0(read_cr4, read_cr4, 6)
PV_COLD_1(write_cr0, write_cr0, u32, 6)
PV_COLD_1(write_cr2, write_cr2, u32, 6)
PV_INLINE_1(write_cr3, write_cr3, "movl %[value], %%cr3")
PV_COLD_1(write_cr4, write_cr4, u32, 6)
PV_HOT_0(clts, clts, 6)
PV_COLD_0(wbinvd, pv_wbinvd, 6)
PV_HOT_READ64(read_tsc, read_tsc)
PV_COLD_2(get_dr, pv_get_dr, u32, u32)
PV_COLD_2(set_dr, pv_set_dr, u32, u32)
PV_COLD_1(load_gdt, load_gdt, const struct dtr *, 6)
PV_COLD_1(load_idt, load_idt, const struct dtr *, 6)
PV_COLD_1(store_gdt, store_gdt, struct dtr *, 6)
PV_COLD_1(store_idt, store_idt, struct dtr *, 6)
PV_COLD_1(load_ldt, load_ldt, u32, 6)
PV_COLD_1(load_tr, load_tr, u32, 6)
PV_COLD_0(store_tr, pv_store_tr, 6)
PV_COLD_1(set_iopl, set_iopl, u32, 12)
PV_COLD_0(io_delay, pv_io_delay, 6)
PV_HOT_0(lazy_mode_none, lazy_mode_none, 6)
PV_HOT_0(lazy_mode_mmu, lazy_mode_mmu, 6)
PV_HOT_0(lazy_mode_cpu, lazy_mode_cpu, 6)

ALWAYS_INLINE void wbinvd(void) { (void)pv_wbinvd(); }
ALWAYS_INLINE void io_delay(void) { (void)pv_io_delay(); }
ALWAYS_INLINE u32 get_dr(u32 n) { return pv_get_dr(n, 0); }
ALWAYS_INLINE void set_dr(u32 n, u32 value) { (void)pv_set_dr(n, value); }
/* A ROM returns a selector in AX and anything above it. */
ALWAYS_INLINE u32 store_tr(void) { return pv_store_tr() & 0xFFFF; }

ALWAYS_INLINE void cpuid(u32 leaf, u32 subleaf, u32 regs[4])
{
	asm volatile(PV_CALL(cpuid, 6, PV_ANY | PV_EBX)
		     : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
		     : "0"(leaf), "2"(subleaf)
		     : "memory");
}

#define PV_WRITE_ENTRY(function)                                                                           \
	ALWAYS_INLINE void function(struct descriptor *table, u32 index, u32 low, u32 high)                \
	{                                                                                                  \
		asm volatile(PV_INLINE(function, "movl %[low], %[first]; movl %[high], %[second]",         \
				       "pushl %[high]; pushl %[low]; pushl %[index]; pushl %[table]")      \
			     : [first] "=m"(table[index].low), [second] "=m"(table[index].high)            \
			     : [table] "r"(table), [index] "ri"(index), [low] "ri"(low), [high] "ri"(high) \
			     : "memory");                                                                  \
	}
PV_WRITE_ENTRY(write_gdt_entry)
PV_WRITE_ENTRY(write_ldt_entry)
PV_WRITE_ENTRY(write_idt_entry)

/* Operations that are nothing natively, or that mark a stretch of code, ride on an instruction that is needed anyway: the
 * stub executes it too, then tells the ROM. On their own they would cost a NOP. */
#if VMI_API_MAJOR == 13
#define PV_PUSH_STACK "pushl %[esp0]; " PV_PUSH_ADDRESS("field") /* it takes the address of the TSS, too */
#else
#define PV_PUSH_STACK "pushl %[esp0]"
#endif
#define PV_KERNEL_STACK(function)                                                                                    \
	ALWAYS_INLINE void function(struct tss *tss, u32 esp0)                                                       \
	{                                                                                                            \
		asm volatile(PV_INLINE(function, "movl %[esp0], %[field]", "movl %[esp0], %[field]; " PV_PUSH_STACK) \
			     : [field] "=m"(tss->esp0) : [esp0] "r"(esp0) : "memory");                               \
	}
PV_KERNEL_STACK(update_kernel_stack)
PV_KERNEL_STACK(finish_switch)

ALWAYS_INLINE u32 start_switch(void)
{
	u32 gs;

	asm volatile(PV_INLINE(start_switch, "movl %%gs, %[gs]", "movl %%gs, %[gs]") : [gs] "=r"(gs)::"memory");
	return gs;
}

/* ---- MMU. Pushed in the order va, entry, high word, low word: the wrappers take them the other way round ---- */

#define PV_WORD(entry, n) (((u32 *)(entry))[n])
#if CONFIG_PAE
#define PV_STORE "movl %[high], %[word1]; movl %[low], %[word0]" /* see native_set_pte() */
#define PV_CLEAR "movl $0, %[word0]; movl $0, %[word1]"
#define PV_PUSH PV_PUSH_ADDRESS("word0") "pushl %[high]; pushl %[low]"
#define PV_ENTRY(entry) [word0] "=m"(PV_WORD(entry, 0)), [word1] "=m"(PV_WORD(entry, 1))
#define PV_VALUE(value) [low] "ri"((u32)(value)), [high] "ri"((u32)((value) >> 32))
#else
#define PV_STORE "movl %[low], %[word0]"
#define PV_CLEAR "movl $0, %[word0]"
#define PV_PUSH PV_PUSH_ADDRESS("word0") "pushl %[low]"
#define PV_ENTRY(entry) [word0] "=m"(PV_WORD(entry, 0))
#define PV_VALUE(value) [low] "ri"(value)
#endif

#define PV_SET(function)                                                                                             \
	ALWAYS_INLINE void function(pte_t *entry, pte_t value)                                                       \
	{                                                                                                            \
		asm volatile(PV_INLINE(function, PV_STORE, PV_PUSH) : PV_ENTRY(entry) : PV_VALUE(value) : "memory"); \
	}
PV_SET(set_pte)
PV_SET(set_pde)
PV_SET(set_pdpte)

ALWAYS_INLINE void pte_clear(u32 va, pte_t *entry)
{
	asm volatile(PV_INLINE(pte_clear, PV_CLEAR, "pushl %[va]; " PV_PUSH_ADDRESS("word0"))
		     : PV_ENTRY(entry) : [va] "ri"(va) : "memory");
}

ALWAYS_INLINE void set_pte_at(u32 va, pte_t *entry, pte_t value)
{
	/* A cleared PAE entry loses its present half first: another order, so another operation. */
	if (__builtin_constant_p(value) && value == 0) {
		pte_clear(va, entry);
		return;
	}
	asm volatile(PV_INLINE(set_pte_at, PV_STORE, "pushl %[va]; " PV_PUSH)
		     : PV_ENTRY(entry) : [va] "ri"(va), PV_VALUE(value) : "memory");
}

#define PV_UPDATE(function)                                                            \
	ALWAYS_INLINE void function(u32 va, pte_t *entry)                              \
	{                                                                              \
		asm volatile(PV_INLINE(function, "nop", "pushl %[va]; pushl %[entry]") \
			     ::[entry] "r"(entry), [va] "ri"(va) : "memory");          \
	}
PV_UPDATE(pte_update)
PV_UPDATE(pte_update_defer)

/* The bits are in the low word. */
ALWAYS_INLINE void pte_clear_bits(u32 va, pte_t *entry, u32 bits)
{
	asm volatile(PV_INLINE(pte_update, "lock andl %[keep], %[word]",
			       "lock andl %[keep], %[word]; pushl %[va]; " PV_PUSH_ADDRESS("word"))
		     : [word] "+m"(PV_WORD(entry, 0)) : [va] "ri"(va), [keep] "ri"(~bits) : "memory");
}

PV_INLINE_1(pte_update_other, pv_pte_update_other, "nop")

ALWAYS_INLINE void pte_update_other(pte_t *entry) { pv_pte_update_other(ADDRESS(entry)); }

PV_INLINE_1(paging_alloc_pt, paging_alloc_pt, "nop")
PV_INLINE_1(paging_alloc_pd, paging_alloc_pd, "nop")
PV_INLINE_1(paging_release_pt, paging_release_pt, "nop")
PV_INLINE_1(paging_release_pd, paging_release_pd, "nop")
PV_INLINE_1(paging_release_root, paging_release_root, "nop")

ALWAYS_INLINE void paging_alloc_root(u32 pfn, u32 kernel_root_pfn, u32 first, u32 count)
{
	asm volatile(PV_CALL(paging_alloc_root, 6, PV_NOTHING)
		     ::"a"(pfn), "d"(kernel_root_pfn), "c"(first), "b"(count) : "memory");
}

ALWAYS_INLINE void linear_mapping(u32 slot, u32 va, u32 pages, u32 pfn)
{
	asm volatile(PV_CALL(linear_mapping, 6, PV_NOTHING)::"a"(slot), "d"(va), "c"(pages), "b"(pfn) : "memory");
}

ALWAYS_INLINE void flush_tlb(void)
{
	u32 scratch;

	asm volatile(PV_INLINE(flush_tlb, "movl %%cr3, %[scratch]; movl %[scratch], %%cr3", "")
		     : [scratch] "=r"(scratch)::"memory");
}

PV_HOT_0(flush_tlb_global, flush_tlb_global, 6)
PV_INLINE_1(invlpg, invlpg, "invlpg (%[value])")

/* ---- Local APIC, other processors, time ---- */

#define PV_APIC(reg) (*POINTER(volatile u32, lapic_base + (reg)))

ALWAYS_INLINE u32 apic_read(u32 reg)
{
	u32 value;

	asm volatile(PV_INLINE_RESULT(apic_read, PV_EAX, "movl %[cell], %[value]", "pushl %[reg]; xchgl %%eax, %[value]",
				      "xchgl %%eax, %[value]")
		     : [value] "=r"(value) : [cell] "m"(PV_APIC(reg)), [reg] "ri"(reg) : "memory");
	return value;
}

ALWAYS_INLINE void apic_write(u32 reg, u32 value)
{
	asm volatile(PV_INLINE(apic_write, "movl %[value], %[cell]", "pushl %[value]; pushl %[reg]")
		     : [cell] "=m"(PV_APIC(reg)) : [reg] "ri"(reg), [value] "ri"(value) : "memory");
}

PV_COLD_2(startup_ap, pv_startup_ap, const struct vmi_ap_state *, u32)

ALWAYS_INLINE bool startup_ap(u32 apic_id, const struct vmi_ap_state *state)
{
	return pv_startup_ap(state, apic_id) != 0;
}

PV_HOT_READ64(clock_cycles, clock_cycles)
PV_INLINE_READ(clock_khz, clock_khz, "movl tsc_khz, %[value]")
PV_HOT_READ64(wallclock_ns, wallclock_ns)

#endif
