/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which VMI call stands behind which operation, as a table in the order in which mainline Linux 2.6.32 asks
 * (vmi-abi.md 2.7, 6.4), and the rules for each kind of answer. Entry: vmi_install_services(), from paravirt_activate().
 * The six operations whose sites are patched by asking again (29-34) are in patch.c.
 */
#include "internal.h"
#include "vmi_wrappers.h"

enum rule {
	FILL,  /* the operation is the ROM's function: NONE native, NOP empty, JUMP_REL ignored with a warning */
	WRAP,  /* the operation is a function of ours around the ROM's: NONE and NOP native, JUMP_REL fatal */
	FETCH, /* the ROM's function is fetched for several operations: NONE and NOP none of them, JUMP_REL fatal */
	TIMER, /* calls 66-71, asked by vmi_time.c */
};

/** One question. `word` gets `replacement`, or the ROM's address itself where that is NULL. */
struct service {
	u8 call;
	u8 rule;
	u8 word;
	pv_code replacement;
	const char *name;
};

/* Thunks, by operation. */
#define PV_THUNK(group, name, call) extern const u8 pv_vmi_##name[];
PV_ALL_OPS(PV_THUNK)
extern const u8 pv_vmi_no_iret[], pv_vmi_no_sysexit[];

#define SERVICE(call, rule, group, op, replacement) { VMI_CALL_##call, rule, PV_TYPE(group, op), replacement, #call }
#define SERVICE_EXPAND(call, rule, group, op, replacement) SERVICE(call, rule, group, op, replacement)
#define DIRECT(call, rule, group, op) SERVICE(call, rule, group, op, NULL)
#define THUNK(call, rule, group, op) SERVICE_EXPAND(call, rule, group, op, pv_vmi_##op)

static const struct service before_time[] = {
	DIRECT(CPUID, WRAP, cpu, cpuid),
	THUNK(CLTS, FILL, cpu, clts),
	DIRECT(GetDR, FILL, cpu, get_dr),
	DIRECT(SetDR, FILL, cpu, set_dr),
	DIRECT(GetCR0, FILL, cpu, read_cr0),
	THUNK(GetCR2, FILL, cpu, read_cr2),
	THUNK(GetCR3, FILL, cpu, read_cr3),
	DIRECT(GetCR4, FILL, cpu, read_cr4),
	DIRECT(SetCR0, FILL, cpu, write_cr0),
	DIRECT(SetCR2, FILL, cpu, write_cr2),
	THUNK(SetCR3, FILL, cpu, write_cr3),
	DIRECT(SetCR4, FILL, cpu, write_cr4),
	DIRECT(GetInterruptMask, FILL, irq, save_flags), /* these four preserve registers by contract: no thunk */
	DIRECT(SetInterruptMask, FILL, irq, restore_flags),
	DIRECT(DisableInterrupts, FILL, irq, irq_disable),
	DIRECT(EnableInterrupts, FILL, irq, irq_enable),
	DIRECT(WBINVD, FILL, cpu, wbinvd),
	THUNK(RDTSC, FILL, cpu, read_tsc),
	DIRECT(SetTR, WRAP, cpu, load_tr),
	DIRECT(SetLDT, WRAP, cpu, load_ldt),
	DIRECT(SetGDT, FILL, cpu, load_gdt),
	DIRECT(SetIDT, FILL, cpu, load_idt),
	DIRECT(GetGDT, FILL, cpu, store_gdt),
	DIRECT(GetIDT, FILL, cpu, store_idt),
	DIRECT(GetTR, FILL, cpu, store_tr),
	THUNK(WriteLDTEntry, WRAP, cpu, write_ldt_entry),
	THUNK(WriteGDTEntry, WRAP, cpu, write_gdt_entry),
	THUNK(WriteIDTEntry, WRAP, cpu, write_idt_entry),
	THUNK(UpdateKernelStack, WRAP, cpu, update_kernel_stack),
	DIRECT(SetIOPLMask, FILL, cpu, set_iopl),
	DIRECT(IODelay, FILL, cpu, io_delay),
#if !VMI_IS_13
	THUNK(PV_CALL_LAZY, WRAP, cpu, lazy_mode_cpu), /* mainline has four operations, and so asks four times */
	THUNK(PV_CALL_LAZY, WRAP, cpu, lazy_mode_none),
	THUNK(PV_CALL_LAZY, WRAP, cpu, lazy_mode_mmu),
#endif
	THUNK(PV_CALL_LAZY, WRAP, cpu, lazy_mode_none),
	THUNK(FlushTLB, WRAP, mmu, flush_tlb),
	THUNK(FlushTLB, WRAP, mmu, flush_tlb_global),
	THUNK(InvalPage, FILL, mmu, invlpg),
	SERVICE_EXPAND(PV_CALL_SET, FETCH, mmu, set_pte, NULL),
	SERVICE_EXPAND(PV_CALL_UPDATE, FETCH, mmu, pte_update, NULL),
	DIRECT(AllocatePage, FETCH, mmu, paging_alloc_pt),
	DIRECT(ReleasePage, FETCH, mmu, paging_release_pt),
	DIRECT(SetLinearMapping, FETCH, mmu, linear_mapping),
	SERVICE(SetInitialAPState, WRAP, apic, startup_ap, (pv_code)vmi_startup_ap),
	THUNK(APICRead, FILL, apic, apic_read),
	THUNK(APICWrite, FILL, apic, apic_write),
};

/* Halt comes after the clocks, because a kernel without ticks in idle would wrap it. */
static const struct service after_time[] = {
	DIRECT(Halt, FILL, irq, safe_halt),
};

/* Stops: mainline takes such an answer for a bug, and there is no way back after activation. */
static NORETURN void bad_answer(const char *call_name)
{
	static char text[80] = "paravirt: only IRET and SYSEXIT may be answered JUMP_REL: ";
	u32 end = 0;

	while (text[end] != '\0')
		end++;
	while (*call_name != '\0' && end < sizeof(text) - 1)
		text[end++] = *call_name++;
	pv_panic(text);
}

static void install(const struct service *service)
{
	struct vmi_reloc_answer answer = vmi_get_reloc(service->call);

	if (answer.type == VMI_RELOC_NOP && service->rule == FILL) {
		pv_words[service->word] = pv_nop;
		return;
	}
	if (answer.type == VMI_RELOC_JUMP_REL && service->rule != FILL)
		bad_answer(service->name);
	if (answer.type != VMI_RELOC_CALL_REL)
		return;
	vmi_entry[service->call] = answer.eip;
	if (service->rule != FETCH)
		pv_words[service->word] = service->replacement != NULL ? service->replacement : POINTER(void, answer.eip);
}

#define USE(group, op) pv_ops.group.op = pv_vmi_##op

/* Each feature of the MMU is there as a whole or not at all. */
static void install_mmu(void)
{
	if (vmi_entry[VMI_CALL_AllocatePage] != 0) {
		USE(mmu, paging_alloc_pt);
		USE(mmu, paging_alloc_pd);
		USE(mmu, paging_alloc_root);
	}
	if (vmi_entry[VMI_CALL_ReleasePage] != 0) {
		USE(mmu, paging_release_pt);
		USE(mmu, paging_release_pd);
		USE(mmu, paging_release_root);
	}
	if (vmi_entry[VMI_CALL_SetLinearMapping] != 0)
		USE(mmu, linear_mapping);
}

/* Operations that two calls share. */
static void install_switch(void)
{
	u32 lazy = vmi_entry[pv_infos[PV_TYPE(cpu, lazy_mode_none)].call];

#if !VMI_IS_13
	if (lazy != 0)
		USE(cpu, start_switch);
#endif
	if (lazy != 0 || vmi_entry[VMI_CALL_UpdateKernelStack] != 0)
		USE(cpu, finish_switch);
}

static void install_entries(u32 set, u32 update)
{
	if (set != 0) {
		USE(mmu, set_pte);
		USE(mmu, set_pte_at);
		USE(mmu, set_pde);
		USE(mmu, set_pdpte);
		USE(mmu, pte_clear);
	}
	if (update != 0) {
		USE(mmu, pte_update);
		USE(mmu, pte_update_defer);
		USE(mmu, pte_update_other);
	}
}

void vmi_install_services(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(before_time); i++)
		install(&before_time[i]);
	install_switch();
	install_mmu();
	install_entries(vmi_entry[pv_infos[PV_TYPE(mmu, set_pte)].call], vmi_entry[pv_infos[PV_TYPE(mmu, pte_update)].call]);
	pv_ops.irq.iret = pv_vmi_no_iret;
	pv_ops.irq.sti_sysexit = pv_vmi_no_sysexit;
	vmi_time_probe();
	for (u32 i = 0; i < ARRAY_SIZE(after_time); i++)
		install(&after_time[i]);
}
