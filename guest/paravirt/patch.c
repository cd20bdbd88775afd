/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The boot-time patcher: turns each site of .parainstructions from an indirect call into the native instruction, a direct
 * transfer to the operation's replacement, or nothing. Entry: paravirt_patch(). Every site is computed from the tables
 * alone, never from what it holds, so a second run changes nothing.
 *
 * The native instruction is stretched over the site by redundant DS prefixes rather than followed by a NOP, so that the
 * kernel executes exactly the instructions of one built without the layer. A site is at most one instruction long
 * (PV_SITE_MAX), so the prefixes never exceed what CPUs take.
 */
#include "internal.h"

#define DS_PREFIX 0x3E
#define OPCODE_CALL 0xE8
#define OPCODE_JUMP 0xE9
#define TRANSFER_LENGTH 5

/* Bounds of the records, from the linker script. */
extern const struct pv_site pv_sites_start[], pv_sites_end[];

extern const u8 pv_native_apic_read_based[], pv_native_apic_read_based_end[];
extern const u8 pv_native_apic_write_based[], pv_native_apic_write_based_end[];

u16 pv_site_counts[PV_OPS_COUNT];
u16 pv_patched_counts[PV_OPS_COUNT];

/* One instruction that does nothing, `length` bytes long. LEA forms: every i386 has them, unlike 0F 1F. */
static void put_nop(u8 *code, u32 length)
{
	static const u8 nops[8][7] = {
		{ 0 }, { 0x90 }, { 0x8D, 0x36 }, { 0x8D, 0x76, 0 }, { 0x8D, 0x74, 0x26, 0 },
		{ DS_PREFIX, 0x8D, 0x74, 0x26, 0 }, { 0x8D, 0xB6, 0, 0, 0, 0 }, { 0x8D, 0xB4, 0x26, 0, 0, 0, 0 },
	};

	for (; length > 7; length--)
		*code++ = DS_PREFIX;
	for (u32 i = 0; i < length; i++)
		code[i] = nops[length][i];
}

/* A relative transfer ends where the site does: bytes after a jump would be harmless, but not after a call. */
static void put_transfer(const struct pv_site *site, u8 *code, u8 opcode, u32 target)
{
	u32 start = site->length - TRANSFER_LENGTH;
	u32 displacement = target - (site->address + site->length);

	for (u32 i = 0; i < start; i++)
		code[i] = DS_PREFIX;
	code[start] = opcode;
	for (u32 i = 0; i < 4; i++)
		code[start + 1 + i] = (u8)(displacement >> (8 * i));
}

/* An empty template makes a NOP. The first instruction takes the prefixes: 1 to PV_SITE_MAX bytes in all. */
static void put_template(const struct pv_site *site, u8 *code, const u8 *start, u32 length)
{
	u32 prefixes = site->length - length;

	if (length == 0) {
		put_nop(code, site->length);
		return;
	}
	for (u32 i = 0; i < prefixes; i++)
		code[i] = DS_PREFIX;
	for (u32 i = 0; i < length; i++)
		code[prefixes + i] = start[i];
}

/* The native form: inline where it fits, else a call of the native function. */
static void put_native(const struct pv_site *site, u8 *code)
{
	const u8 *start = pv_natives[site->type].start, *end = pv_natives[site->type].end;
	bool based = false;

	if (lapic_base != 0 && site->type == PV_TYPE(apic, apic_read)) {
		start = pv_native_apic_read_based;
		end = pv_native_apic_read_based_end;
		based = true;
	} else if (lapic_base != 0 && site->type == PV_TYPE(apic, apic_write)) {
		start = pv_native_apic_write_based;
		end = pv_native_apic_write_based_end;
		based = true;
	}
	if ((u32)(end - start) > site->length) {
		put_transfer(site, code, OPCODE_CALL, ADDRESS(start));
		return;
	}
	put_template(site, code, start, (u32)(end - start));
	for (u32 i = 0; based && i < 4; i++)
		code[site->length - 4 + i] = (u8)(lapic_base >> (8 * i));
}

static bool is_jump_site(u32 type)
{
	return type == PV_TYPE(irq, iret) || type == PV_TYPE(irq, sti_sysexit);
}

/* Is the code at `address` the operation's native template, byte for byte? */
static bool is_native_code(u32 address, const struct pv_native *native)
{
	const u8 *code = POINTER(const u8, address);

	for (u32 i = 0; i < (u32)(native->end - native->start); i++)
		if (code[i] != native->start[i])
			return false;
	return true;
}

/* The six sites that a VMI kernel patches by asking the ROM (vmi-abi.md 2.7). Returns false where the answer is NONE. */
static bool put_answer(const struct pv_site *site, struct pv_result *result)
{
	struct vmi_reloc_answer answer = vmi_get_reloc(pv_infos[site->type].call);
	const struct pv_native *native = &pv_natives[site->type];

	result->to_rom = true;
	switch (answer.type) {
	case VMI_RELOC_CALL_REL:
		put_transfer(site, result->code, OPCODE_CALL, answer.eip);
		return true;
	case VMI_RELOC_JUMP_REL:
		/* A jump to a bare IRET is one instruction more than an IRET: copy such a stub instead of going there. */
		if (is_native_code(answer.eip, native))
			put_template(site, result->code, native->start, (u32)(native->end - native->start));
		else
			put_transfer(site, result->code, OPCODE_JUMP, answer.eip);
		return true;
	case VMI_RELOC_NOP:
		if (!is_jump_site(site->type)) {
			put_nop(result->code, site->length);
			return true;
		}
		break; /* nothing to fall through to: let the poisoned word say so */
	default:
		break;
	}
	result->to_rom = false;
	return false;
}

void pv_build_site(const struct pv_site *site, struct pv_result *result)
{
	pv_code now = pv_words[site->type];
	bool asked = site->type <= PV_TYPE(irq, sti_sysexit);

	result->to_rom = false;
	if (asked && vmi_state == VMI_ACTIVE && put_answer(site, result))
		return;
	if (now == pv_natives[site->type].start) {
		put_native(site, result->code);
		return;
	}
	result->to_rom = true;
	if (now == pv_nop)
		put_nop(result->code, site->length);
	else
		put_transfer(site, result->code, is_jump_site(site->type) ? OPCODE_JUMP : OPCODE_CALL, ADDRESS(now));
}

/* Prefetched bytes of the old code must not run: CPUID serialises at every privilege level. */
static void serialise(void)
{
	u32 regs[4];

	native_cpuid(0, 0, regs);
}

/* Writes only what differs, so that a second run leaves even write-protected text alone. */
static void write_site(const struct pv_site *site, const u8 *code)
{
	volatile u8 *text = POINTER(volatile u8, site->address);

	for (u32 i = 0; i < site->length; i++)
		if (text[i] != code[i])
			text[i] = code[i];
}

static void patch_all(void)
{
	struct pv_result result;

	for (u32 type = 0; type < PV_OPS_COUNT; type++)
		pv_site_counts[type] = pv_patched_counts[type] = 0;
	for (const struct pv_site *site = pv_sites_start; site < pv_sites_end; site++) {
		if (site->type >= PV_OPS_COUNT || site->length < PV_SITE_MIN || site->length > PV_SITE_MAX)
			pv_panic("paravirt: damaged patch-site record");
		pv_build_site(site, &result);
		write_site(site, result.code);
		pv_site_counts[site->type]++;
		pv_patched_counts[site->type] += result.to_rom;
	}
}

/* An interrupt must not meet half a site, nor an AP: this runs before any is started. Before activation the text may be
 * write-protected; afterwards CR0.WP is the hypervisor's, and the kernel protects its text after patching. */
void paravirt_patch(void)
{
	u32 flags = irq_save();
	u32 cr0 = vmi_state == VMI_ACTIVE ? 0 : native_read_cr0();

	if (cr0 & CR0_WP)
		native_write_cr0(cr0 & ~(u32)CR0_WP);
	patch_all();
	if (cr0 & CR0_WP)
		native_write_cr0(cr0);
	serialise();
	irq_restore_flags(flags);
}
