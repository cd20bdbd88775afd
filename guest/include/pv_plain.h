/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The operations of paravirt.h in a kernel built without the layer: the native instruction, or nothing. Included by
 * paravirt.h only. pv_sites.h is the other form; both define exactly the same names.
 */
#ifndef OPENVMI_PV_PLAIN_H
#define OPENVMI_PV_PLAIN_H

#define irq_enable native_irq_enable
#define irq_disable native_irq_disable
#define irq_save_flags native_save_flags
#define irq_restore_flags native_restore_flags
#define safe_halt native_safe_halt

#define cpuid native_cpuid
#define read_cr0 native_read_cr0
#define read_cr2 native_read_cr2
#define read_cr3 native_read_cr3
#define read_cr4 native_read_cr4
#define write_cr0 native_write_cr0
#define write_cr2 native_write_cr2
#define write_cr3 native_write_cr3
#define write_cr4 native_write_cr4
#define clts native_clts
#define wbinvd native_wbinvd
#define read_tsc native_read_tsc
#define get_dr native_get_dr
#define set_dr native_set_dr

#define load_gdt native_load_gdt
#define load_idt native_load_idt
#define store_gdt native_store_gdt
#define store_idt native_store_idt
#define load_ldt native_load_ldt
#define load_tr native_load_tr
#define store_tr native_store_tr
#define write_gdt_entry native_write_descriptor
#define write_ldt_entry native_write_descriptor
#define write_idt_entry native_write_descriptor

#define set_iopl native_set_iopl
#define io_delay native_io_delay
#define apic_read native_apic_read
#define apic_write native_apic_write
#define flush_tlb native_flush_tlb
#define flush_tlb_global native_flush_tlb_global
#define invlpg native_invlpg
#define set_pte native_set_pte
#define set_pde native_set_pte
#define set_pdpte native_set_pte
#define clock_cycles native_read_tsc

ALWAYS_INLINE void update_kernel_stack(struct tss *tss, u32 esp0)
{
	asm volatile("movl %1, %0" : "=m"(tss->esp0) : "r"(esp0) : "memory");
}

ALWAYS_INLINE u32 start_switch(void)
{
	u32 gs;

	asm volatile("movl %%gs, %0" : "=r"(gs)::"memory");
	return gs;
}

ALWAYS_INLINE void finish_switch(struct tss *tss, u32 esp0)
{
	update_kernel_stack(tss, esp0);
}

ALWAYS_INLINE void pte_clear_bits(u32 va, pte_t *entry, u32 bits)
{
	(void)va;
	asm volatile("lock andl %1, %0" : "+m"(*(u32 *)entry) : "ri"(~bits) : "memory");
}

ALWAYS_INLINE void set_pte_at(u32 va, pte_t *entry, pte_t value)
{
	(void)va;
	native_set_pte(entry, value);
}

ALWAYS_INLINE void pte_clear(u32 va, pte_t *entry)
{
	(void)va;
	native_pte_clear(entry);
}

ALWAYS_INLINE void pte_update(u32 va, pte_t *entry)
{
	(void)va;
	(void)entry;
}

ALWAYS_INLINE void pte_update_defer(u32 va, pte_t *entry)
{
	(void)va;
	(void)entry;
}

ALWAYS_INLINE void pte_update_other(pte_t *entry) { (void)entry; }
ALWAYS_INLINE void paging_alloc_pt(u32 pfn) { (void)pfn; }
ALWAYS_INLINE void paging_alloc_pd(u32 pfn) { (void)pfn; }
ALWAYS_INLINE void paging_release_pt(u32 pfn) { (void)pfn; }
ALWAYS_INLINE void paging_release_pd(u32 pfn) { (void)pfn; }
ALWAYS_INLINE void paging_release_root(u32 pfn) { (void)pfn; }

ALWAYS_INLINE void paging_alloc_root(u32 pfn, u32 kernel_root_pfn, u32 first, u32 count)
{
	(void)pfn;
	(void)kernel_root_pfn;
	(void)first;
	(void)count;
}

ALWAYS_INLINE void linear_mapping(u32 slot, u32 va, u32 pages, u32 pfn)
{
	(void)slot;
	(void)va;
	(void)pages;
	(void)pfn;
}

ALWAYS_INLINE void lazy_mode_none(void) {}
ALWAYS_INLINE void lazy_mode_mmu(void) {}
ALWAYS_INLINE void lazy_mode_cpu(void) {}

ALWAYS_INLINE bool startup_ap(u32 apic_id, const struct vmi_ap_state *state)
{
	(void)apic_id;
	(void)state;
	return false;
}

ALWAYS_INLINE u32 clock_khz(void) { return tsc_khz; }
ALWAYS_INLINE u64 wallclock_ns(void) { return 0; }

#endif
