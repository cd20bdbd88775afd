/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The test ROM's memory: in its own image, found relative to EIP. Prepared when a guest makes the first of the calls that
 * need it, in the page directory that is live then and that guests copy the kernel's part of every other from: makes the
 * image writable, maps the local APIC, measures the clocks. See timer_rom.h.
 */
#include "timer_rom.h"

#define CONFIG_ADDRESS 0xCF8
#define CONFIG_DATA 0xCFC
#define PAM 0x80000058u /* host bridge: who answers 0xC0000-0xFFFFF, bytes 0x59-0x5F */
#define MSR_APIC_BASE 0x1B
#define CPUID_APIC 0x200u
#define CR4_PAE 0x20u
#define TABLE_FLAGS 0x003u
#define DEVICE_FLAGS 0x01Bu
#define SAMPLES 5
#define MEASURED 12000u /* counts of the PIT, 10 ms */

extern u8 rom_image[], timer_rom_state[], timer_rom_pages[];

/* Symbols are offsets in the image, as in all of the ROM. */
static u32 image_base(void)
{
	u32 base;

	asm("call 1f\n1:\tpopl %0\n\tsubl $1b, %0" : "=r"(base));
	return base;
}

static void outl(u32 value, u16 port)
{
	asm volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

static u32 inl(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

u32 irq_save(void)
{
	u32 flags;

	asm volatile("pushfl; popl %0; cli" : "=r"(flags)::"memory");
	return flags;
}

void irq_restore(u32 flags)
{
	asm volatile("pushl %0; popfl" ::"r"(flags) : "memory", "cc");
}

u64 read_tsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

/* Reads and writes of C0000-EFFFF go to memory; F0000, in byte 59 of the first word, stays as it is. */
static void make_image_writable(void)
{
	outl(PAM, CONFIG_ADDRESS);
	outl(inl(CONFIG_DATA) | 0x33330000, CONFIG_DATA);
	outl(PAM + 4, CONFIG_ADDRESS);
	outl(0x33333333, CONFIG_DATA);
}

static bool apic_exists(void)
{
	u32 eax = 1, ecx = 0, edx;

	asm volatile("pushl %%ebx; cpuid; popl %%ebx" : "+a"(eax), "+c"(ecx), "=d"(edx));
	return edx & CPUID_APIC;
}

static u32 apic_physical(void)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_APIC_BASE));
	return low & ~(PAGE - 1);
}

/* Fills the page table, good for both ends of the address space: the first MiB by identity, for a CPU on its way to
 * paging, and the APIC. Links it at the end of the page directory that CR3 leads to. */
static void map_apic(struct state *rom)
{
	u32 table = rom->pages + PAGE, device = apic_physical() | DEVICE_FLAGS, root, cr4;

	asm volatile("movl %%cr3, %0; movl %%cr4, %1" : "=r"(root), "=r"(cr4));
	root = (root & ~31u) + DIRECT_MAP;
	if (cr4 & CR4_PAE) {
		volatile u64 *entry = (u64 *)(table + DIRECT_MAP);

		for (u32 i = 0; i < 256; i++)
			entry[i] = i * PAGE | TABLE_FLAGS;
		entry[APIC_AT / PAGE % 512] = device;
		root = (u32)((volatile u64 *)root)[3];
		((volatile u64 *)((root & ~(PAGE - 1)) + DIRECT_MAP))[511] = table | TABLE_FLAGS;
	} else {
		volatile u32 *entry = (u32 *)(table + DIRECT_MAP);

		for (u32 i = 0; i < 256; i++)
			entry[i] = i * PAGE | TABLE_FLAGS;
		entry[APIC_AT / PAGE % 1024] = device;
		((volatile u32 *)root)[1023] = table | TABLE_FLAGS;
	}
	asm volatile("movl %%cr3, %0; movl %0, %%cr3" : "=r"(root)::"memory");
}

static u32 pit_read(void)
{
	u32 low;

	outb(0x80, 0x43); /* latch channel 2 */
	low = inb(0x42);
	return low | (u32)inb(0x42) << 8;
}

struct sample {
	u32 pit, apic;
	u64 tsc;
};

/* All clocks at once: of some readings the one that the host interrupted least. */
static void take_sample(const struct state *rom, struct sample *best)
{
	u32 shortest = ~0u;

	for (u32 i = 0; i < SAMPLES; i++) {
		u64 before = read_tsc(), after;
		u32 pit = pit_read(), left = rom->has_apic ? *apic(APIC_TIMER_CURRENT) : 0;

		after = read_tsc();
		if ((u32)(after - before) < shortest) {
			shortest = (u32)(after - before);
			best->pit = pit;
			best->apic = left;
			best->tsc = after;
		}
	}
}

static void measure_once(struct state *rom)
{
	struct sample first, last;

	outb((u8)((inb(0x61) & ~2u) | 1), 0x61); /* let channel 2 count, speaker off */
	outb(0xB4, 0x43);
	outb(0xFF, 0x42);
	outb(0xFF, 0x42);
	if (rom->has_apic) {
		*apic(APIC_TIMER_DIVIDE) = DIVIDE_BY_16;
		*apic(APIC_LVT_TIMER) = LVT_MASKED;
		*apic(APIC_TIMER_INITIAL) = 0xFFFFFFFF;
	}
	take_sample(rom, &first);
	while (((first.pit - pit_read()) & 0xFFFF) < MEASURED)
		;
	take_sample(rom, &last);
	if (rom->has_apic)
		*apic(APIC_TIMER_INITIAL) = 0;
	rom->pit = (first.pit - last.pit) & 0xFFFF;
	rom->tsc = (u32)(last.tsc - first.tsc);
	rom->apic = first.apic - last.apic;
}

/* Until two measurements agree to 1 %: the PIT's 16 bits come round unnoticed if the host is away for long. */
static void measure(struct state *rom)
{
	u32 rate = 0, previous;
	u64 product;

	do {
		previous = rate;
		measure_once(rom);
		rate = rom->tsc / rom->pit;
	} while (rate > previous + previous / 100 || previous > rate + rate / 100);
	/* The unit is a cycle of the TSC: its rate is tsc * PIT_HZ / pit, whole and fraction apart. */
	product = (u64)(rom->tsc / rom->pit) * PIT_HZ;
	rom->frequency = product + scale(PIT_HZ, rom->tsc % rom->pit, rom->pit);
}

static void prepare(struct state *rom, u32 base)
{
	make_image_writable();
	rom->pages = (base - DIRECT_MAP + (u32)timer_rom_pages + PAGE - 1) & ~(PAGE - 1);
	rom->has_apic = apic_exists();
	if (rom->has_apic)
		map_apic(rom);
	measure(rom);
	rom->ready = 1;
}

struct state *state(void)
{
	u32 base = image_base();
	struct state *rom = (struct state *)(base + (u32)timer_rom_state);

	if (!rom->ready) {
		u32 flags = irq_save();

		prepare(rom, base);
		irq_restore(flags);
	}
	return rom;
}

u32 own_cpu(const struct state *rom)
{
	return rom->has_apic ? (*apic(APIC_ID) >> 24) % CPUS : 0;
}

struct alarm *lvt_alarm(struct state *rom)
{
	return &rom->apic_alarm[own_cpu(rom)];
}
