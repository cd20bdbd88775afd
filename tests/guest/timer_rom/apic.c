/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Calls 62-64 on bare hardware (vmi-abi.md 4.10, 4.11). APIC registers are passed through, with two exceptions: a STARTUP
 * interrupt goes to the ROM's own trampoline, and only to a CPU whose state was given since its INIT; and whether the
 * timer's LVT entry is periodic is the alarm's matter, not the guest's. The trampoline is in pages.S.
 */
#include "timer_rom.h"

#define COMMAND_MODE 0x700u
#define COMMAND_INIT 0x500u
#define COMMAND_STARTUP 0x600u
#define COMMAND_VECTOR 0xFFu
#define CR4_PAE 0x20u
#define TABLE_FLAGS 0x003u

extern u8 timer_rom_trampoline[], timer_rom_trampoline_end[], timer_rom_state[], timer_rom_trampoline_facts[];

/* In pages.S: addresses that are offsets in the trampoline until the page's own is added. */
struct facts {
	u32 root, states, high, flat, flat_selector, gdt_limit, gdt;
};

static void copy(void *to, const void *from, u32 bytes)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
}

/* A root that is the guest's but for the first 4 (2) MiB, where the ROM's page table has the first by identity. */
static u32 make_root(const struct state *rom, u32 root)
{
	u32 directory = rom->pages + 2 * PAGE, table = rom->pages + PAGE, cr4;

	asm volatile("movl %%cr4, %0" : "=r"(cr4));
	if (!(cr4 & CR4_PAE)) {
		copy((void *)(directory + DIRECT_MAP), (void *)((root & ~(PAGE - 1)) + DIRECT_MAP), PAGE);
		*(volatile u32 *)(directory + DIRECT_MAP) = table | TABLE_FLAGS;
		return directory;
	}
	*(volatile u64 *)(directory + DIRECT_MAP) = table | TABLE_FLAGS;
	copy((void *)(directory + PAGE + DIRECT_MAP), (void *)((root & ~31u) + DIRECT_MAP), 32);
	*(volatile u64 *)(directory + PAGE + DIRECT_MAP) = directory | 1;
	return directory + PAGE;
}

/* A second call replaces the first. All CPUs have the same root, so that one copy of it serves them. */
void rom_set_initial_ap_state(const struct vmi_ap_state *given, u32 apic_id)
{
	struct state *rom = state();
	u32 base = (u32)rom - (u32)timer_rom_state, page = rom->pages + DIRECT_MAP;
	volatile struct facts *facts = (volatile struct facts *)(page + (timer_rom_trampoline_facts - timer_rom_trampoline));

	if (apic_id >= CPUS)
		return;
	copy(&rom->start[apic_id], given, VMI_AP_STATE_SIZE);
	copy((void *)page, (void *)(base + (u32)timer_rom_trampoline), (u32)(timer_rom_trampoline_end - timer_rom_trampoline));
	facts->root = make_root(rom, given->cr3);
	facts->states = (u32)rom->start - DIRECT_MAP;
	facts->high += page;
	facts->flat += rom->pages;
	facts->gdt += rom->pages;
	rom->startable |= 1u << apic_id;
}

u32 rom_apic_read(u32 reg)
{
	struct state *rom = state();
	u32 value;

	if (!rom->has_apic)
		return 0;
	value = *apic(reg & (PAGE - 1));
	if ((reg & (PAGE - 1)) == APIC_LVT_TIMER && lvt_alarm(rom)->use != IDLE)
		value &= ~LVT_PERIODIC;
	return value;
}

/* What becomes of an INIT or STARTUP; 0: it is not sent. */
static u32 command(struct state *rom, u32 value)
{
	u32 target = *apic(APIC_COMMAND_HIGH) >> 24, bit = target < CPUS ? 1u << target : 0;

	if ((value & COMMAND_MODE) == COMMAND_INIT)
		rom->startable &= ~bit;
	if ((value & COMMAND_MODE) != COMMAND_STARTUP)
		return value;
	return rom->startable & bit ? (value & ~COMMAND_VECTOR) | rom->pages / PAGE : 0;
}

void rom_apic_write(u32 reg, u32 value)
{
	struct state *rom = state();

	reg &= PAGE - 1;
	if (!rom->has_apic)
		return;
	if (reg == APIC_COMMAND) {
		value = command(rom, value);
		if (value == 0)
			return;
	} else if (reg == APIC_LVT_TIMER && lvt_alarm(rom)->use != IDLE) {
		value = (value & ~LVT_PERIODIC) | (lvt_alarm(rom)->use == PERIODIC ? LVT_PERIODIC : 0);
	}
	*apic(reg) = value;
}
