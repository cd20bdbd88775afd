/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The least kernel that the paravirt layer can live in: what it asks a kernel for, and one function per operation, named
 * site_X, so that each has a patch site. The tests run it in an emulator, without paging, at its linked addresses.
 */
#include "paravirt.h"

u32 tsc_khz = 1234567;
u32 lapic_base;
u32 cpu_number;
const char *panic_text;

void pv_panic(const char *text)
{
	panic_text = text;
	for (;;)
		asm volatile("hlt");
}

u32 pv_cpu_index(void)
{
	return cpu_number;
}

void *memcpy(void *to, const void *from, size_t length)
{
	u8 *target = to;
	const u8 *source = from;

	while (length--)
		*target++ = *source++;
	return to;
}

void *memset(void *to, int byte, size_t length)
{
	u8 *target = to;

	while (length--)
		*target++ = (u8)byte;
	return to;
}

/* Report lines, each ended by a line feed. */
char report[8192];
u32 report_length;

static void keep_line(const char *line)
{
	while (*line != '\0')
		report[report_length++] = *line++;
	report[report_length++] = '\n';
}

void make_report(void)
{
	report_length = 0;
	paravirt_report_lines(keep_line);
}

void boot(void)
{
	paravirt_probe();
	paravirt_activate();
}

/* In a kernel without the layer these are nothing, but the symbols must exist. */
void patch(void) { paravirt_patch(); }
void start_cpu(void) { paravirt_activate_cpu(); }
void alarm_periodic(u32 hz) { vmi_timer_periodic(hz); }
void alarm_oneshot(u32 cycles) { vmi_timer_oneshot(cycles); }
void alarm_cancel(void) { vmi_timer_cancel(); }
void alarm_lvtt(void) { vmi_timer_wire_lvtt(); }
u32 alarm_present(void) { return vmi_timer_present(); }
u64 available(void) { return vmi_clock_available(); }
u32 rpl(void) { return kernel_rpl; }
u32 top(void) { return reserved_top; }

u32 irq_save_restore(u32 flags)
{
	u32 old = irq_save();

	irq_restore_flags(flags);
	return old;
}

void site_irq_enable(void) { irq_enable(); }
void site_safe_halt(void) { safe_halt(); }
void site_cpuid(u32 *regs) { cpuid(1, 0, regs); }
u32 site_read_cr0(void) { return read_cr0(); }
u32 site_read_cr2(void) { return read_cr2(); }
u32 site_read_cr3(void) { return read_cr3(); }
u32 site_read_cr4(void) { return read_cr4(); }
void site_write_cr0(u32 value) { write_cr0(value); }
void site_write_cr2(u32 value) { write_cr2(value); }
void site_write_cr3(u32 value) { write_cr3(value); }
void site_write_cr4(u32 value) { write_cr4(value); }
void site_clts(void) { clts(); }
void site_wbinvd(void) { wbinvd(); }
u64 site_read_tsc(void) { return read_tsc(); }
u32 site_get_dr(u32 n) { return get_dr(n); }
void site_set_dr(u32 n, u32 value) { set_dr(n, value); }
void site_load_gdt(struct dtr *dtr) { load_gdt(dtr); }
void site_load_idt(struct dtr *dtr) { load_idt(dtr); }
void site_store_gdt(struct dtr *dtr) { store_gdt(dtr); }
void site_store_idt(struct dtr *dtr) { store_idt(dtr); }
void site_load_ldt(u32 selector) { load_ldt(selector); }
void site_load_tr(u32 selector) { load_tr(selector); }
u32 site_store_tr(void) { return store_tr(); }
void site_write_gdt_entry(struct descriptor *table, u32 index, u32 low, u32 high)
{
	write_gdt_entry(table, index, low, high);
}
void site_write_ldt_entry(struct descriptor *table, u32 index, u32 low, u32 high)
{
	write_ldt_entry(table, index, low, high);
}
void site_write_idt_entry(struct descriptor *table, u32 index, u32 low, u32 high)
{
	write_idt_entry(table, index, low, high);
}
void use_ldt(struct descriptor *gdt, u32 base, u32 entries) { set_ldt(gdt, base, entries); }
void site_update_kernel_stack(struct tss *tss, u32 esp0) { update_kernel_stack(tss, esp0); }
u32 site_start_switch(void) { return start_switch(); }
void site_finish_switch(struct tss *tss, u32 esp0) { finish_switch(tss, esp0); }
void site_set_iopl(u32 mask) { set_iopl(mask); }
void site_io_delay(void) { io_delay(); }
void site_lazy_mode_none(void) { lazy_mode(VMI_LAZY_NONE); }
void site_lazy_mode_mmu(void) { lazy_mode(VMI_LAZY_MMU); }
void site_lazy_mode_cpu(void) { lazy_mode(VMI_LAZY_CPU); }

void site_set_pte(pte_t *entry, pte_t value) { set_pte(entry, value); }
void site_set_pte_at(u32 va, pte_t *entry, pte_t value) { set_pte_at(va, entry, value); }
void site_set_pde(pte_t *entry, pte_t value) { set_pde(entry, value); }
void site_set_pdpte(pte_t *entry, pte_t value) { set_pdpte(entry, value); }
void site_pte_clear(u32 va, pte_t *entry) { set_pte_at(va, entry, 0); }
void site_pte_update(u32 va, pte_t *entry) { pte_update(va, entry); }
void clear_bits(u32 va, pte_t *entry, u32 bits) { pte_clear_bits(va, entry, bits); }
void site_pte_update_defer(u32 va, pte_t *entry) { pte_update_defer(va, entry); }
void site_pte_update_other(pte_t *entry) { pte_update_other(entry); }
void site_paging_alloc_pt(u32 pfn) { paging_alloc_pt(pfn); }
void site_paging_alloc_pd(u32 pfn) { paging_alloc_pd(pfn); }
void site_paging_alloc_root(u32 pfn, u32 from, u32 first, u32 count) { paging_alloc_root(pfn, from, first, count); }
void site_paging_release_pt(u32 pfn) { paging_release_pt(pfn); }
void site_paging_release_pd(u32 pfn) { paging_release_pd(pfn); }
void site_paging_release_root(u32 pfn) { paging_release_root(pfn); }
void site_linear_mapping(u32 slot, u32 va, u32 pages, u32 pfn) { linear_mapping(slot, va, pages, pfn); }
void site_flush_tlb(void) { flush_tlb(); }
void site_flush_tlb_global(void) { flush_tlb_global(); }
void site_invlpg(u32 va) { invlpg(va); }

u32 site_apic_read(u32 reg) { return apic_read(reg); }
void site_apic_write(u32 reg, u32 value) { apic_write(reg, value); }
u32 site_startup_ap(u32 apic_id, const struct vmi_ap_state *state) { return startup_ap(apic_id, state); }
u64 site_clock_cycles(void) { return clock_cycles(); }
u32 site_clock_khz(void) { return clock_khz(); }
u64 site_wallclock_ns(void) { return wallclock_ns(); }
