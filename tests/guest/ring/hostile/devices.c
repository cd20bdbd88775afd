/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts by devices and registers: memory written by the firmware's DMA, bus masters, chipset registers, interrupts at
 * exceptions' vectors, MSRs, debug registers over the monitor. What a device could write, Python looks for afterwards.
 */
#include "hostile.h"

#define PCI_ADDRESS 0xCF8
#define PCI_DATA 0xCFC
#define FUNCTION(device, function, at) (0x80000000 | (device) << 11 | (function) << 8 | (at))
#define FW_CFG_DMA 0x514

static u32 pci_read(u32 address)
{
	outl(address, PCI_ADDRESS);
	return inl(PCI_DATA);
}

static void pci_write(u32 address, u32 value)
{
	outl(address, PCI_ADDRESS);
	outl(value, PCI_DATA);
}

static u32 swapped(u32 value) { return __builtin_bswap32(value); }

/* fw_cfg by DMA: read the signature into the monitor's memory. */
static void firmware_dma(void)
{
	static volatile struct {
		u32 control, length, address_high, address_low;
	} request ALIGNED(16);
	struct caught none = { .vector = NONE };

	for (u32 i = 0; i < secret_count; i++) {
		request.control = swapped(0xA); /* select item 0, read */
		request.length = swapped(4);
		request.address_high = 0;
		request.address_low = swapped(MACHINE(secrets[i]) + 0x20);
		outl(0, FW_CFG_DMA);
		outl(swapped(virt_to_phys(&request)), FW_CFG_DMA + 4);
		held("fw-cfg", none, request.control == 0); /* done: it clears the word */
		for (u32 at = 0; at < 8; at++)
			outb((u8)(virt_to_phys(&request) >> 8 * (7 - at)), (u16)(FW_CFG_DMA + at));
	}
}

static void hidden_device(void)
{
	struct caught none = { .vector = NONE };

	for (u32 device = 0; device < 32; device++) {
		for (u32 function = 0; function < 8; function++) {
			u32 id = pci_read(FUNCTION(device, function, 0)), command;

			held("hidden", none, id == VMI_WIRE_PCI_ID);
			if (id == 0xFFFFFFFF)
				continue;
			pci_write(FUNCTION(device, function, 4), 0xFFFF);
			command = pci_read(FUNCTION(device, function, 4));
			/* the host bridge is what has it for good */
			held("master", none, (command & 4) && device != 0);
			for (u32 bar = 0x10; bar < 0x28; bar += 4) {
				pci_write(FUNCTION(device, function, bar), MACHINE(VMI_RING_IMAGE_OFFSET));
				held("bar", none, (pci_read(FUNCTION(device, function, bar)) & ~0xFu) == MACHINE(VMI_RING_IMAGE_OFFSET));
				/* a memory's register ignores that bit */
				pci_write(FUNCTION(device, function, bar), MACHINE(VMI_RING_IMAGE_OFFSET) | 1);
				held("bar", none, (pci_read(FUNCTION(device, function, bar)) & ~0xFu) == MACHINE(VMI_RING_IMAGE_OFFSET));
			}
		}
	}
	pci_write(FUNCTION(0x1E, 1, 4), 0);
	pci_write(FUNCTION(0x1E, 1, 0x18), 0xF0000000);
	/* one byte at a time, and by other sizes */
	outl(FUNCTION(0x1E, 1, 4), PCI_ADDRESS);
	outb(0, PCI_DATA);
	outw(0, PCI_DATA);
}

static void chipset(void)
{
	struct caught none = { .vector = NONE };
	u32 before = pci_read(FUNCTION(0, 0, 0x70)), a20;

	pci_write(FUNCTION(0, 0, 0x70), before ^ 0x00400000); /* open the memory of system-management mode */
	held("smram", none, pci_read(FUNCTION(0, 0, 0x70)) != before);
	outb(0x01, 0xB2); /* and enter it */
	outb(0x00, 0x92); /* address line 20 off */
	a20 = inb(0x92);
	held("a20", none, !(a20 & 2));
	outb(0xDD, 0x64);
	outb(0xD1, 0x64);
	outb(0xDD, 0x60);
	for (u32 port = 0x480; port < 0x490; port++)
		outb(0xE1, (u16)port);
	held("alive", none, false);
}

static void word_across(u32 port) { outl(0, (u16)port); }

static void port_sizes(void)
{
	for (u32 port = 0xCF0; port < 0xD04; port++)
		if (port != PCI_ADDRESS && port != 0xCF9)
			held("across", try(word_across, port), false);
	for (u32 port = 0x511; port < 0x51C; port++)
		held("across", try(word_across, port), false);
	held("end", try(word_across, 0xFFFF), false);
}

/* Interrupts where exceptions are: no error code, and the handler thinks there is one. */
static void move_pic(u32 base)
{
	outb(0x11, 0x20);
	outb((u8)base, 0x21);
	outb(0x04, 0x21);
	outb(0x01, 0x21);
	outb(0xFE, 0x21);
}

static void pic(void)
{
	u32 base = option_number("which", 8);
	struct caught caught = try(move_pic, base);

	held("pic", caught, base < 32 && caught.vector == NONE);
	if (caught.vector != NONE)
		pic_init(); /* it waits for a vector still */
	outb(0x34, 0x43);
	outb(0xFF, 0x40);
	outb(0x10, 0x40);
	irq_enable();
	for (volatile u32 i = 0; i < 2000000; i++)
		; /* some milliseconds: the timer's interrupt comes */
	irq_disable();
}

static void wrmsr_evil(u32 index) { native_wrmsr(index, 0xFFFFFFFFE0000000ULL | 0xD01); }
static void rdmsr_any(u32 index) { native_rdmsr(index); }

static void msrs(void)
{
	static const u32 list[] = { 0x1B, 0x10, 0x9E, 0x174, 0x175, 0x176, 0x179, 0x17A, 0x1A0, 0x1D9, 0x200, 0x250, 0x277, 0x2FF,
				    0xC0000080, 0xC0000081, 0xC0000082, 0xC0000084, 0xC0000100, 0xC0000101, 0xC0010010, 0xC0010015,
				    0xC0010117, 0x3A, 0x480, 0x802, 0x4B564D00 };

	for (u32 i = 0; i < ARRAY_SIZE(list); i++) {
		held("rdmsr", try(rdmsr_any, list[i]), false);
		held("wrmsr", try(wrmsr_evil, list[i]), false);
	}
	for (u32 i = 0; i < 300; i++) {
		u32 index = random32() & (random32() % 2 ? 0xFFF : 0xC000FFFF);

		held("rdmsr-any", try(rdmsr_any, index), false);
		held("wrmsr-any", try(wrmsr_evil, index), false);
	}
}

static void write_dr7(u32 value) { native_set_dr(7, value); }

static void set_dr7(u32 value) { set_dr(7, value); }

static void get_dr7(u32 unused)
{
	(void)unused;
	native_get_dr(7);
}

static void breakpoint_here(u32 address)
{
	(void)address;
	cpuid(0, 0, (u32[4]){ 0 });
	asm volatile("nop");
}

static void debug(void)
{
	struct caught caught = try(write_dr7, 0x2000); /* general detection */

	held("gd", caught, false);
	held("gd", try(set_dr7, 0x2400), false);
	held("gd", try(get_dr7, 0), false);
	for (u32 i = 0; i < secret_count; i++) {
		for (u32 kind = 0; kind < 4; kind++) {
			for (u32 n = 0; n < 4; n++)
				set_dr(n, MONITOR(secrets[i]) + n * 4);
			set_dr(7, 0x4FF | kind * 0x11110000 | 0xCCCC0000);
			held("breakpoint", try(breakpoint_here, 0), false);
			set_dr(7, 0x400);
		}
	}
	/* a watchpoint on the stack that the monitor writes for us, and one that is delayed into it */
	set_dr(0, ADDRESS(&caught) & ~3u);
	set_dr(7, 0x4FF | 0x000F0000);
	held("watched", try(breakpoint_here, 0), false);
	set_dr(7, 0x400);
}

static volatile u32 stack_selector_word;

static void delayed(u32 vector)
{
	(void)vector;
	asm volatile("movw %0, %%ss; " CALL_GATE ::"m"(stack_selector_word) : "memory");
}

static void delayed_interrupt(u32 vector)
{
	(void)vector;
	asm volatile("movw %0, %%ss; int3" ::"m"(stack_selector_word) : "memory");
}

/* MOV SS holds a trap back for an instruction: it is taken at the monitor's first. */
static void debug_delayed(void)
{
	asm volatile("movl %%ss, %0" : "=r"(stack_selector_word));
	set_dr(0, ADDRESS(&stack_selector_word));
	for (u32 i = 0; i < 16; i++) {
		set_dr(7, 0x4FF | 0x000F0000);
		held("delayed-gate", try(delayed, 0), false);
		set_dr(7, 0x4FF | 0x000F0000);
		held("delayed-int", try(delayed_interrupt, 0), false);
	}
	set_dr(7, 0x400);
}

/* The local APIC, where there is one: messages that start code beside the monitor. */
static void messages(void)
{
	static const u32 words[] = { 0x000C4500, 0x000C0608, 0x00044500, 0x00040608, 0x00000200, 0x00040200, 0x00040400, 0x0004000E };
	u32 which = option_number("which", 0);
	pte_t *entry = entry_of(TRY_VA + PAGE_SIZE);
	volatile u32 *apic = POINTER(volatile u32, TRY_VA + PAGE_SIZE);
	struct caught none = { .vector = NONE };

	set_pte_at(TRY_VA + PAGE_SIZE, entry, make_pte(0xFEE00, PTE_P | PTE_W | PTE_A | PTE_D));
	if (which >= ARRAY_SIZE(words))
		panic("no such message");
	apic[0xF0 / 4] = 0x1FF;
	apic[0x310 / 4] = 0;
	apic[0x300 / 4] = words[which];
	for (volatile u32 i = 0; i < 100000; i++)
		cpu_relax();
	held("message", none, false);
}

const struct attempt device_attempts[] = {
	{ "firmware-dma", firmware_dma }, { "pci", hidden_device }, { "chipset", chipset }, { "port-sizes", port_sizes },
	{ "pic", pic },			  { "msrs", msrs },	    { "debug", debug },	    { "debug-delayed", debug_delayed },
	{ "messages", messages },	  { NULL, NULL },
};
