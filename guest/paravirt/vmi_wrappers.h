/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The C halves of VMI operations (vmi_wrappers.c, vmi_time.c), called by the thunks of vmi_thunks.S and named after the
 * operation that they implement.
 */
#ifndef OPENVMI_VMI_WRAPPERS_H
#define OPENVMI_VMI_WRAPPERS_H

#include "paravirt.h"

#if CONFIG_PAE
#define VMI_VALUE u32 low, u32 high
#else
#define VMI_VALUE u32 low
#endif

#if VMI_API_MAJOR == 13
void vmi_update_kernel_stack(u32 field, u32 esp0);
void vmi_finish_switch(u32 field, u32 esp0);
#else
void vmi_update_kernel_stack(u32 esp0);
void vmi_finish_switch(u32 esp0);
void vmi_lazy_mode_mmu(void);
void vmi_lazy_mode_cpu(void);
#endif
void vmi_lazy_mode_none(void);
void vmi_set_pte(VMI_VALUE, pte_t *entry);
void vmi_set_pte_at(VMI_VALUE, pte_t *entry, u32 va);
void vmi_set_pde(VMI_VALUE, pte_t *entry);
void vmi_set_pdpte(VMI_VALUE, pte_t *entry);
void vmi_pte_clear(pte_t *entry, u32 va);
void vmi_pte_update(pte_t *entry, u32 va);
void vmi_pte_update_defer(pte_t *entry, u32 va);
void vmi_pte_update_other(pte_t *entry);
void vmi_paging_alloc_pt(u32 pfn);
void vmi_paging_alloc_pd(u32 pfn);
void vmi_paging_alloc_root(u32 pfn, u32 kernel_root_pfn, u32 first, u32 count);
void vmi_paging_release_pt(u32 pfn);
void vmi_paging_release_pd(u32 pfn);
void vmi_paging_release_root(u32 pfn);
void vmi_linear_mapping(u32 slot, u32 va, u32 pages, u32 pfn);
void vmi_flush_tlb(void);
void vmi_flush_tlb_global(void);
u32 vmi_startup_ap(const struct vmi_ap_state *state, u32 apic_id);
u64 vmi_clock_cycles(void);
u32 vmi_clock_khz(void);

#endif
