/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Operations that are more than a jump into the ROM: they add the flags and arguments that mainline adds
 * (vmi-abi.md 4.4-4.6, 6.4). Called by the thunks of vmi_thunks.S, which save the registers that C destroys and bring the
 * arguments into the compiler's own regparm(3) order: EAX, EDX, ECX, then the stack.
 */
#include "internal.h"
#include "vmi_wrappers.h"

#define PXE_AT(va) (VMI_PXE_PT | VMI_PXE_CURRENT_AS | ((va) & VMI_PXE_VA_MASK))

#define PV_CALL_NUMBER_OF(name) VMI_CALL_##name
#define PV_CALL_NUMBER(name) PV_CALL_NUMBER_OF(name)

typedef void (*rom_1)(u32);
typedef void (*rom_2)(u32, u32);
typedef void (*rom_4)(u32, u32, u32, u32);
typedef void (*rom_5)(u32, u32, u32, u32, u32);

/* ---- CPU ---- */

#if VMI_IS_13

/* The site itself has stored esp0 into the TSS, at `field`. */
void vmi_update_kernel_stack(u32 field, u32 esp0)
{
	VMI_FUNCTION(UpdateKernelStack, rom_2)(field - offsetof(struct tss, esp0), esp0);
}

/* Queues can only be drained. */
void vmi_lazy_mode_none(void)
{
	VMI_FUNCTION(FlushDeferredCalls, rom_1)(VMI_DEFERRED_MMU | VMI_DEFERRED_CPU);
}

/* Here with either call or both. */
void vmi_finish_switch(u32 field, u32 esp0)
{
	if (vmi_entry[VMI_CALL_UpdateKernelStack] != 0)
		vmi_update_kernel_stack(field, esp0);
	if (vmi_entry[VMI_CALL_FlushDeferredCalls] != 0)
		VMI_FUNCTION(FlushDeferredCalls, rom_1)(VMI_DEFERRED_CPU);
}

#else

/* The site itself has stored esp0 into the TSS. */
void vmi_update_kernel_stack(u32 esp0)
{
	VMI_FUNCTION(UpdateKernelStack, rom_2)(KERNEL_DS, esp0);
}

/* Lazy modes exclude each other; mainline takes anything else for a bug, and so do we. */
static u8 lazy_modes[PV_MAX_CPUS];

static void enter_lazy_mode(u32 mode)
{
	u8 *current = &lazy_modes[pv_cpu_index()];

	if (*current != VMI_LAZY_NONE)
		pv_panic("paravirt: lazy modes nested");
	*current = (u8)mode;
	VMI_FUNCTION(SetLazyMode, rom_1)(mode);
}

void vmi_lazy_mode_mmu(void)
{
	enter_lazy_mode(VMI_LAZY_MMU);
}

void vmi_lazy_mode_cpu(void)
{
	enter_lazy_mode(VMI_LAZY_CPU);
}

/* Leaving drains what the hypervisor has queued. */
void vmi_lazy_mode_none(void)
{
	lazy_modes[pv_cpu_index()] = VMI_LAZY_NONE;
	VMI_FUNCTION(SetLazyMode, rom_1)(VMI_LAZY_NONE);
}

/* Here with either call or both; the hypervisor takes the whole switch when the mode ends. */
void vmi_finish_switch(u32 esp0)
{
	if (vmi_entry[VMI_CALL_UpdateKernelStack] != 0)
		vmi_update_kernel_stack(esp0);
	if (vmi_entry[VMI_CALL_SetLazyMode] != 0)
		vmi_lazy_mode_none();
}

#endif

/* ---- Page-table entries ---- */

#if CONFIG_PAE
#define VMI_WORDS low, high
#define VMI_ZERO 0, 0
#else
#define VMI_WORDS low
#define VMI_ZERO 0
#endif
typedef void (*rom_set)(VMI_VALUE, pte_t *entry, u32 flags);
typedef void (*rom_update)(pte_t *entry, u32 flags_or_bit);

static void set(VMI_VALUE, pte_t *entry, u32 flags)
{
	((rom_set)(uintptr_t)vmi_entry[PV_CALL_NUMBER(PV_CALL_SET)])(VMI_WORDS, entry, flags);
}

/* In API 13 by a locked change that changes nothing: a bit is cleared that is the software's and that nobody sets. So the
 * CPU's own changes of A and D are not lost, as they might be if the entry were read and set again. */
#define UNUSED_BIT 11

static void update(pte_t *entry, u32 flags)
{
	((rom_update)(uintptr_t)vmi_entry[PV_CALL_NUMBER(PV_CALL_UPDATE)])(entry, VMI_IS_13 ? UNUSED_BIT : flags);
}

void vmi_set_pte(VMI_VALUE, pte_t *entry)
{
	set(VMI_WORDS, entry, VMI_PXE_PT);
}

void vmi_set_pte_at(VMI_VALUE, pte_t *entry, u32 va)
{
	set(VMI_WORDS, entry, PXE_AT(va));
}

void vmi_set_pde(VMI_VALUE, pte_t *entry)
{
	set(VMI_WORDS, entry, VMI_PXE_PD);
}

void vmi_set_pdpte(VMI_VALUE, pte_t *entry)
{
	set(VMI_WORDS, entry, VMI_PXE_PDP);
}

void vmi_pte_clear(pte_t *entry, u32 va)
{
	set(VMI_ZERO, entry, PXE_AT(va));
}

void vmi_pte_update(pte_t *entry, u32 va)
{
	update(entry, PXE_AT(va));
}

void vmi_pte_update_defer(pte_t *entry, u32 va)
{
	update(entry, PXE_AT(va) | VMI_PXE_DEFER);
}

void vmi_pte_update_other(pte_t *entry)
{
	update(entry, VMI_PXE_PT);
}

/* ---- Paging structures ---- */

void vmi_paging_alloc_pt(u32 pfn)
{
	VMI_FUNCTION(AllocatePage, rom_5)(pfn, VMI_PAGE_LEAF, 0, 0, 0);
}

void vmi_paging_alloc_pd(u32 pfn)
{
	VMI_FUNCTION(AllocatePage, rom_5)(pfn, VMI_PAGE_DIRECTORY_IN_USE, 0, 0, 0);
}

void vmi_paging_alloc_root(u32 pfn, u32 kernel_root_pfn, u32 first, u32 count)
{
	VMI_FUNCTION(AllocatePage, rom_5)(pfn, VMI_PAGE_ROOT_CLONE, kernel_root_pfn, first, count);
}

void vmi_paging_release_pt(u32 pfn)
{
	VMI_FUNCTION(ReleasePage, rom_2)(pfn, VMI_PAGE_LEAF);
}

void vmi_paging_release_pd(u32 pfn)
{
	VMI_FUNCTION(ReleasePage, rom_2)(pfn, VMI_PAGE_DIRECTORY);
}

void vmi_paging_release_root(u32 pfn)
{
	VMI_FUNCTION(ReleasePage, rom_2)(pfn, VMI_PAGE_ROOT);
}

void vmi_linear_mapping(u32 slot, u32 va, u32 pages, u32 pfn)
{
	VMI_FUNCTION(SetLinearMapping, rom_4)(slot, va, pages, pfn);
}

void vmi_flush_tlb(void)
{
	VMI_FUNCTION(FlushTLB, rom_1)(VMI_FLUSH_TLB);
}

void vmi_flush_tlb_global(void)
{
	VMI_FUNCTION(FlushTLB, rom_1)(VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
}

/* ---- Other processors ---- */

/* A cold operation, called without a thunk. The state must not cross a page: some hypervisors translate its first byte. */
u32 vmi_startup_ap(const struct vmi_ap_state *state, u32 apic_id)
{
	VMI_FUNCTION(SetInitialAPState, rom_2)(ADDRESS(state), apic_id);
	return 1;
}
