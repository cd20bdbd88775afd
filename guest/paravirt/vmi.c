/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Boot of the paravirt layer, in mainline's order (vmi-abi.md 5.3): paravirt_probe() finds the ROM and reserves the top of
 * the address space; paravirt_activate() turns VMI on, asks for the services, patches the kernel's sites and announces
 * low memory. Works the same without a ROM, with less to do. Neighbours: vmi_rom.c, vmi_services.c, patch.c.
 */
#include "internal.h"

typedef u32 (*rom_init)(u32 self); /* only API 13 has an argument: where the image will run, which is where it lies */
typedef u64 (*rom_get_reloc)(u32 call);

u32 kernel_rpl;
u32 reserved_top;
/* Mainline 2.6.32 announces the largest direct map there can be, not the memory that is there: 896 MiB. */
u32 paravirt_lowmem_pages = 0x38000;

struct vmi_found vmi_found;
enum vmi_state vmi_state;
u32 vmi_init_result;
struct vmi_log_entry vmi_log[VMI_LOG_SIZE];
u32 vmi_log_count;
u32 vmi_entry[VMI_CALL_COUNT];

/* Patch sites ask again and again; the log keeps an answer per call of theirs. */
static bool installing;
static bool logged[VMI_CALL_COUNT];

static void log_answer(u32 call, const struct vmi_reloc_answer *answer)
{
	if ((!installing && logged[call]) || vmi_log_count == VMI_LOG_SIZE)
		return;
	logged[call] = !installing;
	vmi_log[vmi_log_count++] = (struct vmi_log_entry){ (u8)call, answer->type, answer->eip };
}

struct vmi_reloc_answer vmi_get_reloc(u32 call)
{
	rom_get_reloc get_reloc = (rom_get_reloc)(uintptr_t)VMI_QUERY_OF(vmi_found.rom);
	u64 record = get_reloc(call);
	struct vmi_reloc_answer answer = { (u32)record, (u8)(record >> 32) };

	log_answer(call, &answer);
	return answer;
}

void paravirt_probe(void)
{
	vmi_scan(phys_to_virt(VMI_SCAN_FIRST), VMI_SCAN_END - VMI_SCAN_FIRST, &vmi_found);
	if (vmi_found.verdict == VMI_ACCEPTED)
		reserved_top = VMI_TOP_OF(vmi_found.rom); /* reserves what is above; stays so if the ROM declines */
}

void vmi_register_lowmem(void)
{
	typedef void (*rom_linear)(u32 slot, u32 va, u32 pages, u32 pfn);

	if (vmi_entry[VMI_CALL_SetLinearMapping] != 0)
		VMI_FUNCTION(SetLinearMapping, rom_linear)(0, KERNEL_BASE, paravirt_lowmem_pages, 0);
}

/* From the ROM's "yes" on this code may be at CPL 1 or 2. The selectors in the CPU say so; those in memory don't. */
static bool enter_vmi(void)
{
	rom_init init = (rom_init)(uintptr_t)VMI_INIT_OF(vmi_found.rom);
	u32 cs;

	vmi_init_result = init(ADDRESS(vmi_found.rom));
	if (vmi_init_result != 0) {
		vmi_state = VMI_DECLINED;
		return false;
	}
	vmi_state = VMI_ACTIVE;
	asm volatile("movl %%cs, %0" : "=r"(cs));
	kernel_rpl = cs & 3;
	return true;
}

void paravirt_activate(void)
{
	if (vmi_found.verdict == VMI_ACCEPTED && enter_vmi()) {
		installing = true;
		vmi_install_services();
		installing = false;
	}
	/* At once: an interrupt returns by IRET, which under VMI exists only as a patched site. */
	paravirt_patch();
	if (vmi_state == VMI_ACTIVE)
		vmi_register_lowmem();
}

void paravirt_activate_cpu(void)
{
	if (vmi_state == VMI_ACTIVE)
		vmi_register_lowmem();
}
