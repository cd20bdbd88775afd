/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the kernel calls instead of privileged instructions. The kernel never knows what it runs on: with
 * CONFIG_PARAVIRT=1 each operation is a patch site (pv_sites.h) that the boot-time patcher turns into the native
 * instruction or into a call of the VMI ROM; with CONFIG_PARAVIRT=0 each is the native instruction (pv_plain.h) and
 * nothing of the layer exists. docs/paravirt.md explains it; guest/paravirt/ implements it; docs/port-your-kernel.md
 * puts it into another kernel.
 *
 * Operations, the same in both forms:
 *
 *   irq_enable() irq_disable() u32 irq_save_flags() irq_restore_flags(u32 flags) safe_halt()
 *   cpuid(leaf, subleaf, u32 regs[4]) = EAX EBX ECX EDX; u32 read_cr0/2/3/4() write_cr0/2/3/4(u32) clts() wbinvd()
 *   u64 read_tsc()  u32 get_dr(n)  set_dr(n, value)
 *   load_gdt(const struct dtr *) load_idt(...) store_gdt(struct dtr *) store_idt(...)
 *   load_ldt(selector) load_tr(selector) u32 store_tr()
 *   write_gdt_entry(struct descriptor *table, index, low, high) write_ldt_entry(...) write_idt_entry(...)
 *   update_kernel_stack(struct tss *, u32 esp0)
 *   u32 start_switch()         first of a process switch: returns %gs, as mov does, and enters the lazy CPU mode
 *   finish_switch(tss, esp0)   last: update_kernel_stack() and the lazy mode's end; selectors and FPU after it
 *   set_iopl(eflags_mask)      only needed at a process switch, and only if kernel_rpl != 0 (POPF does it at CPL 0)
 *   io_delay()
 *   lazy_mode_none() lazy_mode_mmu() lazy_mode_cpu()    and lazy_mode(VMI_LAZY_*) for a constant; never nested
 *   u32 apic_read(reg) apic_write(reg, value)           register offsets in the APIC page, 0x20-0x3E0
 *   bool startup_ap(apic_id, const struct vmi_ap_state *)  after INIT, before STARTUP IPI; false: AP starts as on a PC
 *
 *   set_pte(pte_t *, pte_t)            an entry of a page table of an address space that is not loaded
 *   set_pte_at(u32 va, pte_t *, pte_t) an entry of the loaded address space, or of the kernel's part, that maps va
 *   pte_clear(u32 va, pte_t *)         the same with 0 (set_pte_at with a constant 0 does this)
 *   pte_update(u32 va, pte_t *)        after the kernel itself changed an entry of the loaded address space in memory
 *   pte_clear_bits(u32 va, pte_t *, u32 bits)  locked change of the loaded address space's entry, and pte_update()
 *   pte_update_defer(u32 va, pte_t *)  the same, may wait for the next TLB flush; the flush must follow under the lock
 *   pte_update_other(pte_t *)          the same for an address space that is not loaded
 *   set_pde(pde_t *, pde_t)  set_pdpte(pdpte_t *, pdpte_t; PAE only)
 *     A change from present to another present entry: clear, flush, set (a PAE entry is two words).
 *   paging_alloc_pt(pfn) paging_alloc_pd(pfn)            before the page is linked or loaded; the page is zero
 *   paging_alloc_root(pfn, kernel_root_pfn, first, count) a root whose `count` kernel entries from `first` are copies
 *   paging_release_pt(pfn) paging_release_pd(pfn) paging_release_root(pfn)   after it is unlinked, before it is reused
 *   linear_mapping(slot 0-3, va, pages, pfn)            where page tables can be reached; slot 0 is low memory
 *   flush_tlb() flush_tlb_global() invlpg(va)
 *
 *   u64 clock_cycles()  u32 clock_khz()  u64 wallclock_ns() (0: ask the CMOS)  bool vmi_timer_present()
 *
 * Assembler gets PV_CLI, PV_STI, PV_IRET, PV_STI_SYSEXIT: nothing but flags changes, the last two do not return.
 */
#ifndef OPENVMI_PARAVIRT_H
#define OPENVMI_PARAVIRT_H

#include "arch.h"
#include "vmi_abi.h"

/* Of this layer, as a library. The version rises when a kernel that uses it has to be changed: something more that it must
 * provide, an operation gone, other rules. The revision rises when something is new. */
#define PARAVIRT_VERSION 1
#define PARAVIRT_REVISION 0

#ifndef CONFIG_PARAVIRT
#define CONFIG_PARAVIRT 0
#endif

#ifdef __ASSEMBLER__

#if CONFIG_PARAVIRT
#include "pv_asm.h"
#else
#define PV_CLI cli
#define PV_STI sti
#define PV_IRET iret
#define PV_STI_SYSEXIT sti; sysexit
#endif

#else /* C */

/* ---- What the kernel provides. Besides: lapic_base (arch.h), memcpy(), memset(); pv_config.h, if its layout is another than
 * arch.h's; in the linker script pv_sites_start, pv_sites_end, pv_inline_start, pv_inline_end; -mregparm=3 ---- */

/** Stops the machine with one line of text, no newline. The layer calls it where the interface leaves no way on. */
NORETURN void pv_panic(const char *text);
/** This CPU's number, 0 ... PV_MAX_CPUS-1. */
u32 pv_cpu_index(void);
/** TSC ticks per millisecond as the kernel calibrated it; what clock_khz() answers where no VMI timer is. */
extern u32 tsc_khz;

#define PV_MAX_CPUS 32

/* ---- Boot ---- */

#if CONFIG_PARAVIRT

/** RPL that kernel selectors really carry: 0, or 1 under a deprivileging hypervisor. Valid after paravirt_activate().
 *  Frames built by hand for the kernel's own code use KERNEL_CS | kernel_rpl; "from user" is (cs & 3) == 3. */
extern u32 kernel_rpl;
/** The kernel must stay below this linear address; 0 means the whole 4 GiB. Valid after paravirt_probe(). */
extern u32 reserved_top;
/** Page frames of the direct map, announced as linear mapping 0; the kernel may set it before paravirt_activate(). */
extern u32 paravirt_lowmem_pages;
/** Clear before paravirt_activate() to keep the kernel's own timers even if the ROM has one. */
extern bool paravirt_want_timer;

/** First C code: finds the ROM through the direct map and sets reserved_top. Calls nothing in the ROM. */
void paravirt_probe(void);
/** Interrupts off, page tables with the direct map, kernel text writable, before any AP: turns VMI on if the ROM
 *  agrees, then patches every site. Must be called without a ROM too. */
void paravirt_activate(void);
/** First thing on each further CPU. */
void paravirt_activate_cpu(void);
/** Rewrites all sites again: harmless, writes only what differs. For code with sites that was loaded later. */
void paravirt_patch(void);

/** Calls `emit` with each result-channel line (no newline) that tells what the layer found, asked and patched. */
void paravirt_report_lines(void (*emit)(const char *line));

/* VMI timer; call these only if vmi_timer_present(). Alarms are per CPU. */
bool vmi_timer_present(void);
/** Periodic alarm on the available counter (a descheduled CPU does not pile up ticks), `hz` times a second. */
void vmi_timer_periodic(u32 hz);
/** One-shot alarm on the real counter, `cycles` (unit of clock_khz()) from now; replaces an earlier one-shot. */
void vmi_timer_oneshot(u64 cycles);
/** Disarms both alarms of this CPU. */
void vmi_timer_cancel(void);
/** Alarms first come as IRQ 0. After LVTT is programmed (vector, unmasked) on this CPU: cancel, call this, re-arm. */
void vmi_timer_wire_lvtt(void);
/** Available and stolen counters, in cycles: real = available + stolen. */
u64 vmi_clock_available(void);
u64 vmi_clock_stolen(void);

#include "pv_sites.h"

#else

#define kernel_rpl 0u
#define reserved_top 0u

ALWAYS_INLINE void paravirt_probe(void) {}
ALWAYS_INLINE void paravirt_activate(void) {}
ALWAYS_INLINE void paravirt_activate_cpu(void) {}
ALWAYS_INLINE void paravirt_patch(void) {}
ALWAYS_INLINE void paravirt_report_lines(void (*emit)(const char *line)) { (void)emit; }
ALWAYS_INLINE bool vmi_timer_present(void) { return false; }
ALWAYS_INLINE void vmi_timer_periodic(u32 hz) { (void)hz; }
ALWAYS_INLINE void vmi_timer_oneshot(u64 cycles) { (void)cycles; }
ALWAYS_INLINE void vmi_timer_cancel(void) {}
ALWAYS_INLINE void vmi_timer_wire_lvtt(void) {}
ALWAYS_INLINE u64 vmi_clock_available(void) { return 0; }
ALWAYS_INLINE u64 vmi_clock_stolen(void) { return 0; }

#include "pv_plain.h"

#endif

/* ---- Built from the operations ---- */

/** Disables interrupts and returns what irq_restore_flags() needs. */
ALWAYS_INLINE u32 irq_save(void)
{
	u32 flags = irq_save_flags();

	irq_disable();
	return flags;
}

/** `mode` is a constant VMI_LAZY_*; each mode is an operation without arguments, so that natively nothing is set up. */
ALWAYS_INLINE void lazy_mode(u32 mode)
{
	if (mode == VMI_LAZY_MMU)
		lazy_mode_mmu();
	else if (mode == VMI_LAZY_CPU)
		lazy_mode_cpu();
	else
		lazy_mode_none();
}

/** Loads an LDT of `entries` descriptors at linear address `base`, or none if 0, through this CPU's GDT. */
static inline void set_ldt(struct descriptor *gdt, u32 base, u32 entries)
{
	if (entries == 0) {
		load_ldt(0);
		return;
	}
	write_gdt_entry(gdt, GDT_LDT, (base << 16) | ((entries * 8 - 1) & 0xFFFF),
			(base & 0xFF000000) | DESC_LDT | ((base >> 16) & 0xFF));
	load_ldt(LDT_SELECTOR);
}

#endif /* C */

#endif
