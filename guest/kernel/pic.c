/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The two 8259 interrupt controllers: moved from the BIOS's vectors to 32-47, masked until a driver asks. Only the
 * PIT uses them here. Ports are always native: a hypervisor emulates the chips. Called by traps.c and timer.c.
 */
#include "cpu.h"

#define MASTER_COMMAND 0x20
#define MASTER_DATA 0x21
#define SLAVE_COMMAND 0xA0
#define SLAVE_DATA 0xA1
#define END_SPECIFIC 0x60
#define CASCADE_IRQ 2

static u16 masks = 0xFFFF & ~(1u << CASCADE_IRQ);

static void write_masks(void)
{
	outb((u8)masks, MASTER_DATA);
	outb((u8)(masks >> 8), SLAVE_DATA);
}

static void command(u8 value, u16 port)
{
	outb(value, port);
	io_delay();
}

void pic_init(void)
{
	command(0x11, MASTER_COMMAND); /* initialise, edge-triggered, cascaded, with a fourth word */
	command(0x11, SLAVE_COMMAND);
	command(VECTOR_IRQ0, MASTER_DATA);
	command(VECTOR_IRQ0 + 8, SLAVE_DATA);
	command(1u << CASCADE_IRQ, MASTER_DATA);
	command(CASCADE_IRQ, SLAVE_DATA);
	command(0x01, MASTER_DATA); /* 8086 mode, end of interrupt by command */
	command(0x01, SLAVE_DATA);
	write_masks();
}

void pic_unmask(u32 irq)
{
	masks &= (u16)~(1u << irq);
	write_masks();
}

void pic_mask(u32 irq)
{
	masks |= (u16)(1u << irq);
	write_masks();
}

void pic_end(u32 irq)
{
	if (irq >= 8) {
		outb((u8)(END_SPECIFIC + irq - 8), SLAVE_COMMAND);
		irq = CASCADE_IRQ;
	}
	outb((u8)(END_SPECIFIC + irq), MASTER_COMMAND);
}
