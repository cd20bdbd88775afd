/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts by what the chipset does beside the CPU: messages that are stores, the I/O APIC, HPET timers that store, devices
 * taken out of the machine, sleep from which a CPU wakes at ring 0; and addresses that nobody needs.
 */
#include "hostile.h"
#include "vmi_abi.h"

#define VECTOR 0x50
#define IO_APIC_VA (TRY_VA + 2 * PAGE_SIZE)
#define HPET_VA (TRY_VA + 3 * PAGE_SIZE)
#define MESSAGES 0xFEE00
#define IO_APIC 0xFEC00
#define HPET 0xFED00
#define UNMASKED(value) (!((value) & 0x10000))

extern const u8 hostile_call[];
volatile u32 *io_apic_map(void);

static void map(u32 va, u32 pfn)
{
	set_pte_at(va, entry_of(va), make_pte(pfn, PTE_P | PTE_W | PTE_A | PTE_D));
	flush_tlb();
}

volatile u32 *io_apic_map(void)
{
	map(IO_APIC_VA, IO_APIC);
	return POINTER(volatile u32, IO_APIC_VA);
}

/* Plain moves: others to and from a device's registers are not served. */
static u32 in32(volatile u32 *at)
{
	u32 value;

	asm volatile("movl %1, %0" : "=r"(value) : "m"(*at) : "memory");
	return value;
}

static void out32(volatile u32 *at, u32 value)
{
	asm volatile("movl %1, %0" : "=m"(*at) : "r"(value) : "memory");
}

/* Interrupts on: what comes ends the try as vector 0x80. */
static void wait(void)
{
	irq_enable();
	for (volatile u32 i = 0; i < 200000; i++)
		;
	irq_disable();
}

static void send_by_store(u32 place)
{
	*POINTER(volatile u32, TRY_VA + place) = VECTOR;
	wait();
}

static void send_by_call(u32 place)
{
	vmi_call(VMI_CALL_APICWrite, place, VECTOR, 0, 0, 0);
	wait();
}

static void told_interrupt(const char *what, struct caught caught)
{
	irq_disable();
	held(what, caught, caught.vector == 0x80);
}

/* A store to 0xFEExxxxx is a message to a CPU: of any vector, or INIT, or the start of code of ours at ring 0. */
static void message_stores(void)
{
	static const u32 pages[] = { 0, 1, 0x10, 0xF0, 0xFF };

	for (u32 i = 0; i < 16; i++)
		outb(0xFF, i & 1 ? 0xA1 : 0x21);
	apic_init_boot();
	vmi_call(VMI_CALL_APICWrite, 0xF0, 0x1FF, 0, 0, 0);
	set_gate(VECTOR, (void (*)(void))(uintptr_t)hostile_call, GATE_INTERRUPT);
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		map(TRY_VA, MESSAGES + pages[i]);
		for (u32 place = 0; place < 0x20; place += 4)
			told_interrupt("message-store", try(send_by_store, place));
		told_interrupt("message-store", try(send_by_store, 0xC00));
	}
	for (u32 place = 0; place < 0x1000; place += 0x10)
		if (place < 0x300 || place > 0x380)
			told_interrupt("message-call", try(send_by_call, place));
}

/* The I/O APIC sends what its entries say: read back, none that does harm may be open. */
static void io_apic_entries(void)
{
	static const u32 kinds[] = { 0x200, 0x300, 0x400, 0x500, 0x600, 0x00, 0x0E, 0x1F, 0x10E, 0x8005, 0xA008 };
	volatile u32 *io = io_apic_map();

	for (u32 pin = 0; pin < 24; pin++) {
		for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
			out32(&io[0], 0x10 + 2 * pin);
			out32(&io[4], kinds[i] | (kinds[i] & 0x700 && kinds[i] != 0x10E ? VECTOR : 0));
			held("io-apic", (struct caught){ .vector = NONE }, UNMASKED(in32(&io[4])));
			out32(&io[0], 0x11 + 2 * pin);
			out32(&io[4], kinds[i]);
			out32(&io[0], 0x10 + 2 * pin);
			held("io-apic-high", (struct caught){ .vector = NONE }, UNMASKED(in32(&io[4])));
			out32(&io[4], 0x10000);
		}
	}
	/* and one that does none is open */
	out32(&io[4], VECTOR);
	if (!UNMASKED(in32(&io[4])))
		panic("the I/O APIC is not there");
	out32(&io[4], 0x10000);
}

/* A timer that stores a word of ours to an address of ours: our own memory, to see whether it would. */
static void hpet_messages(void)
{
	static volatile u32 target;
	volatile u32 *hpet = POINTER(volatile u32, HPET_VA);

	map(HPET_VA, HPET);
	if (in32(hpet) == 0 || in32(hpet) == 0xFFFFFFFF)
		panic("there is no HPET");
	for (u32 timer = 0; timer <= (in32(hpet) >> 8 & 31); timer++) {
		volatile u32 *at = hpet + (0x100 + timer * 0x20) / 4;

		out32(&hpet[0x10 / 4], 0);
		out32(&at[0x10 / 4], 0xBAD);
		out32(&at[0x14 / 4], virt_to_phys(&target));
		out32(&at[0], 0x4004 | 0x100);
		out32(&hpet[0xF0 / 4], 0);
		out32(&hpet[0xF4 / 4], 0);
		out32(&at[0x08 / 4], 1000);
		out32(&at[0x0C / 4], 0);
		out32(&hpet[0x10 / 4], 1);
		for (volatile u32 i = 0; i < 2000000 && target == 0; i++)
			;
		held("hpet", (struct caught){ .vector = NONE }, target != 0 || in32(at) & 0x4000);
		target = 0;
		out32(&at[0], 0);
	}
	out32(&hpet[0x10 / 4], 0);
}

/* What is not the guest's to see or to store to: above the PCI hole. */
static void read_word(u32 address) { (void)*POINTER(volatile u32, address); }
static void write_word(u32 address) { *POINTER(volatile u32, address) = 0; }

static void map_chipset(void)
{
	static const u32 frames[] = { 0xFEC01, 0xFECFF, 0xFED01, 0xFED40, 0xFEDFF, 0xFEE01, 0xFEE80, 0xFEEFF, 0xFEF00, 0xFFF00,
				      0xFFFC0, 0xFFFE0, 0xFFFFF, 0xE0000, 0xE1FFF };
	struct caught caught;

	for (u32 i = 0; i < ARRAY_SIZE(frames); i++) {
		map(TRY_VA, frames[i]);
		caught = try(read_word, TRY_VA);
		held("read", caught, caught.vector == NONE);
		caught = try(write_word, TRY_VA);
		held("write", caught, caught.vector == NONE);
	}
	/* what a kernel needs is there */
	for (u32 pfn = 0xA0; pfn < 0x100; pfn += 8) {
		map(TRY_VA, pfn);
		if (try(read_word, TRY_VA).vector != NONE)
			panic("the BIOS can't be seen");
	}
	map(TRY_VA, 0xFD000);
	if (try(read_word, TRY_VA).vector != NONE)
		panic("there is no room for devices");
}

/* Out of the machine with the monitor's device; a CPU that goes to sleep and wakes up in real mode. */
static void take_out(void)
{
	struct caught none = { .vector = NONE };

	for (u32 bus = 0; bus < 2; bus++) {
		outl(bus, 0xAE10);
		outl(0x40000000, 0xAE08);
		outl(0xFFFFFFFF, 0xAE08);
		for (u16 at = 0; at < 4; at++)
			outb(0x40, 0xAE08 + at);
		held("eject", none, false);
	}
	outl(0, 0xAF00);
	outb(8, 0xAF04);
	held("eject-cpu", none, false);
	outw(0x2400, 0x604);
	outb(0x24, 0x605);
	outl(0x2400, 0x604);
	held("sleep", none, false);
}

#define PCI_LIST 0x100000

static u32 pci_read(u32 address)
{
	outl(address, 0xCF8);
	return inl(0xCFC);
}

static void pci_write(u32 address, u32 value)
{
	outl(address, 0xCF8);
	outl(value, 0xCFC);
}

/* One capability: none is for messages, and what hides such a one can't be written. */
static void capability(u32 function, u32 at)
{
	u32 head = pci_read(function | at);
	struct caught caught = { .vector = head & 0xFF };

	held("capability", caught, (head & 0xFF) == 5 || (head & 0xFF) == 0x11);
	if ((head & 0xFF) != 0)
		return;
	result("info null %x %x", function, head);
	for (u32 i = 0; i < 12; i += 4)
		pci_write(function | (at + i), 0xFFFFFFFF);
	outl(function | at, 0xCF8);
	outb(0x80, 0xCFF);
	outw(0x8000, 0xCFE);
	held("capability-written", caught, pci_read(function | at) != head);
}

/* What is there for devices to write memory with: messages, and what the BIOS has left on. */
static void devices(void)
{
	for (u32 function = 0x80000000; function < 0x80010000; function += 0x100) {
		u32 command = pci_read(function | 4);
		bool virtio = (pci_read(function) & 0xFFFF) == 0x1AF4, bridge = function == 0x80000000;

		if (pci_read(function) == 0xFFFFFFFF)
			continue;
		held("master", (struct caught){ .vector = NONE }, (command & 4) && !virtio && !bridge);
		if (!(command & PCI_LIST))
			continue;
		for (u32 at = pci_read(function | 0x34) & 0xFC; at; at = pci_read(function | at) >> 8 & 0xFC)
			capability(function, at);
	}
}

const struct attempt chipset_attempts[] = {
	{ "message-stores", message_stores }, { "io-apic", io_apic_entries }, { "hpet", hpet_messages },
	{ "devices", devices },
	{ "map-chipset", map_chipset },	      { "take-out", take_out },	      { NULL, NULL },
};
