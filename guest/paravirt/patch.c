/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The boot-time patcher. Call sites (.parainstructions) are turned from an indirect call into the native instruction, a
 * direct transfer to the operation's replacement, or nothing. Inline sites (.pv_inline) are native code already; where there
 * is a replacement they become calls of their stubs, which hold a call site. Entry: paravirt_patch(). What a site shall hold
 * is computed from the tables alone, never from what it holds, so a second run changes nothing.
 *
 * Code is stretched over its site by redundant DS prefixes rather than followed by a NOP, so that the kernel executes
 * exactly the instructions of one built without the layer. A site is at most one instruction long (PV_SITE_MAX), so the
 * prefixes never exceed what CPUs take.
 */
#include "internal.h"

#define DS_PREFIX 0x3E
#define OPCODE_CALL 0xE8
#define OPCODE_JUMP 0xE9
#define OPCODE_RET 0xC3
#define TRANSFER_LENGTH 5

/* Bounds of the records, from the linker script. */
extern const struct pv_site pv_sites_start[], pv_sites_end[];
extern const struct pv_inline_site pv_inline_start[], pv_inline_end[];

/* What becomes of an operation's sites. */
enum action { NATIVE, COPY_STUB, ERASE, CALL, JUMP };

struct decision {
	enum action action;
	u32 target;
};

u16 pv_site_counts[PV_OPS_COUNT];
u16 pv_patched_counts[PV_OPS_COUNT];

/* One instruction that does nothing, or two above PV_SITE_MAX bytes. LEA forms: every i386 has them, unlike 0F 1F. */
static void put_nop(u8 *code, u32 length)
{
	static const u8 nops[8][7] = {
		{ 0 }, { 0x90 }, { 0x8D, 0x36 }, { 0x8D, 0x76, 0 }, { 0x8D, 0x74, 0x26, 0 },
		{ DS_PREFIX, 0x8D, 0x74, 0x26, 0 }, { 0x8D, 0xB6, 0, 0, 0, 0 }, { 0x8D, 0xB4, 0x26, 0, 0, 0, 0 },
	};

	if (length > PV_SITE_MAX) {
		put_nop(code, PV_SITE_MAX);
		code += PV_SITE_MAX;
		length -= PV_SITE_MAX;
	}
	for (; length > 7; length--)
		*code++ = DS_PREFIX;
	for (u32 i = 0; i < length; i++)
		code[i] = nops[length][i];
}

/* `length` bytes of code, the first instruction of which takes the prefixes. */
static void put_code(u8 *code, u32 site_length, const u8 *from, u32 length)
{
	u32 prefixes = site_length - length;

	for (u32 i = 0; i < prefixes; i++)
		code[i] = DS_PREFIX;
	for (u32 i = 0; i < length; i++)
		code[prefixes + i] = from[i];
}

/* A relative call or jump at `code`, which will stand at `address`. */
static void put_transfer(u8 *code, u32 address, const struct decision *decision)
{
	u32 displacement = decision->target - (address + TRANSFER_LENGTH);

	code[0] = decision->action == JUMP ? OPCODE_JUMP : OPCODE_CALL;
	for (u32 i = 0; i < 4; i++)
		code[1 + i] = (u8)(displacement >> (8 * i));
}

static bool is_jump_site(u32 type)
{
	return type == PV_TYPE(irq, iret) || type == PV_TYPE(irq, sti_sysexit);
}

/* Is the ROM's stub the operation's native template, byte for byte, and a RET where it is called? Then a copy of the
 * template does the same without the way there and back. Only such a stub: any other may change under our feet. */
static bool is_native_stub(const struct vmi_reloc_answer *answer, u32 type)
{
	const u8 *code = POINTER(const u8, answer->eip), *template = pv_natives[type].start;
	u32 length = (u32)(pv_natives[type].end - template);

	for (u32 i = 0; i < length; i++)
		if (code[i] != template[i])
			return false;
	return length != 0 && (is_jump_site(type) ? answer->type == VMI_RELOC_JUMP_REL : code[length] == OPCODE_RET);
}

/* The six operations whose sites a VMI kernel patches by asking the ROM (vmi-abi.md 2.7). False where it says NONE. */
static bool ask_rom(u32 type, struct decision *decision)
{
	struct vmi_reloc_answer answer = vmi_get_reloc(pv_infos[type].call);

	decision->target = answer.eip;
	switch (answer.type) {
	case VMI_RELOC_CALL_REL:
	case VMI_RELOC_JUMP_REL:
		decision->action = answer.type == VMI_RELOC_CALL_REL ? CALL : JUMP;
		if (is_native_stub(&answer, type))
			decision->action = COPY_STUB;
		return true;
	case VMI_RELOC_NOP:
		decision->action = ERASE;
		return !is_jump_site(type); /* nothing to fall through to: let the poisoned word say so */
	default:
		return false;
	}
}

static struct decision decide(u32 type)
{
	struct decision decision = { NATIVE, 0 };
	pv_code now = pv_words[type];

	if (type <= PV_TYPE(irq, sti_sysexit) && vmi_state == VMI_ACTIVE && ask_rom(type, &decision))
		return decision;
	if (now == pv_natives[type].start)
		return (struct decision){ NATIVE, 0 };
	if (now == pv_nop)
		return (struct decision){ ERASE, 0 };
	return (struct decision){ is_jump_site(type) ? JUMP : CALL, ADDRESS(now) };
}

/* The native form: inline where it fits, else a call of the native function. */
static void build_native(const struct pv_site *site, u8 *code)
{
	const struct pv_native *native = &pv_natives[site->type];
	u32 length = (u32)(native->end - native->start);
	u32 start = site->length - TRANSFER_LENGTH;

	if (length == 0) {
		put_nop(code, site->length);
	} else if (length <= site->length) {
		put_code(code, site->length, native->start, length);
	} else {
		put_code(code, start, NULL, 0);
		put_transfer(code + start, site->address + start, &(struct decision){ CALL, ADDRESS(native->start) });
	}
}

static void build_call_site(const struct pv_site *site, const struct decision *decision, u8 *code)
{
	u32 start = site->length - TRANSFER_LENGTH;

	if (decision->action == ERASE) {
		put_nop(code, site->length);
	} else if (decision->action == CALL || decision->action == JUMP) {
		put_code(code, start, NULL, 0);
		put_transfer(code + start, site->address + start, decision);
	} else {
		build_native(site, code);
	}
}

/* Prefetched bytes of the old code must not run: CPUID serialises at every privilege level. */
static void serialise(void)
{
	u32 regs[4];

	native_cpuid(0, 0, regs);
}

/* Writes only what differs, so that a second run leaves even write-protected text alone. */
static void write_site(u32 address, u32 length, const u8 *code)
{
	volatile u8 *text = POINTER(volatile u8, address);

	for (u32 i = 0; i < length; i++)
		if (text[i] != code[i])
			text[i] = code[i];
}

static void check(u32 type, u32 length, u32 least, u32 most)
{
	if (type >= PV_OPS_COUNT || length < least || length > most)
		pv_panic("paravirt: damaged patch-site record");
}

static void patch_call_sites(void)
{
	for (const struct pv_site *site = pv_sites_start; site < pv_sites_end; site++) {
		struct decision decision;
		u8 code[PV_SITE_MAX];

		check(site->type, site->length, PV_SITE_MIN, PV_SITE_MAX);
		decision = decide(site->type);
		build_call_site(site, &decision, code);
		write_site(site->address, site->length, code);
		pv_site_counts[site->type]++;
		pv_patched_counts[site->type] += decision.action != NATIVE;
	}
}

static void build_inline_site(const struct pv_inline_site *site, const struct decision *decision, u8 *code)
{
	u32 nop = site->length > PV_SITE_MAX ? site->length - PV_SITE_MAX : 0, call = site->length - TRANSFER_LENGTH;

	if (decision->action == ERASE) {
		put_nop(code, site->length);
		return;
	}
	put_nop(code, nop); /* what prefixes can't fill */
	put_code(code + nop, call - nop, NULL, 0);
	put_transfer(code + call, site->address + call, &(struct decision){ CALL, site->stub });
}

/* Not counted: each has a stub with one call site. */
static void patch_inline_sites(void)
{
	for (const struct pv_inline_site *site = pv_inline_start; site < pv_inline_end; site++) {
		struct decision decision;
		u8 code[PV_INLINE_MAX];

		check(site->type, site->length, PV_INLINE_MIN, PV_INLINE_MAX);
		decision = decide(site->type);
		if (decision.action == NATIVE)
			continue; /* what the compiler put there is it */
		build_inline_site(site, &decision, code);
		write_site(site->address, site->length, code);
	}
}

static void patch_all(void)
{
	for (u32 type = 0; type < PV_OPS_COUNT; type++)
		pv_site_counts[type] = pv_patched_counts[type] = 0;
	patch_call_sites();
	patch_inline_sites();
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
