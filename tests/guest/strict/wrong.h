/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A guest that knows the interface well enough to misuse it: one kernel, told on its command line which rule to break. What
 * its files share. Linear addresses are physical ones, but for the local APIC's, which would lie above virtual_top.
 */
#ifndef OPENVMI_WRONG_H
#define OPENVMI_WRONG_H

#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_CS 0x1B
#define USER_DS 0x23
#define TSS_SELECTOR 0x28
#define RING1_CS 0x31
#define RING1_DS 0x39
#define SPARE 8 /* index of a descriptor that nothing needs */
#define NARROW_DS 0x48
#define GDT_ENTRIES 10
#define TRAMPOLINE 0x8000
#define APIC 0x00C00000 /* where the local APIC is mapped */
#define MAPPED_PAGES 2048

#include "vmi_abi.h"

#ifndef __ASSEMBLER__
#include "types.h"

struct descriptor {
	u32 low, high;
};

struct PACKED table_register {
	u16 limit;
	u32 base;
};

/** What each CPU has of its own; whole pages, so that all tables are aligned. */
struct ALIGNED(4096) cpu {
	struct descriptor gdt[4096 / 8];
	u32 tss[4096 / 4];
	u8 stack[4096], trap_stack[4096];
};

extern struct cpu cpus[2];
extern struct descriptor idt[512];
extern u32 root[1024], pool[16][1024];
extern u32 entry[VMI_CALL_COUNT];
extern u32 ap_root, ap_stack;
extern volatile u32 ap_state;

/* Call `number` as the interface has it; the words on the stack are there whether or not the call has any. */
void vmi(u32 number, u32 a, u32 d, u32 c, u32 s1, u32 s2);
void vmi_with(u32 number, u32 a, u32 ds, u32 ss, u32 eflags);
/* To ring 3, or another, and back. */
void leave(u32 cs, u32 ss, u32 eflags);
void trap_entry(void), system_call(void);
extern const u8 trampoline_start[], trampoline_end[];

void say(const char *text);
NORETURN void finish(u32 status);
void tables_fill(struct cpu *cpu);
void tables_load(struct cpu *cpu);
bool start_ap(void);
void ap_main(void);
bool break_rule(const char *name);
#endif

#endif
