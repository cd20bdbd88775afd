/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A kernel that tries to break out of `ring`. One attempt for each boot, named on the command line (try=NAME); it says on
 * the result channel what came of its tries. main.c is the harness, the others hold attempts; entry.S catches.
 */
#ifndef OPENVMI_HOSTILE_H
#define OPENVMI_HOSTILE_H

#include "memory.h"
#include "vmi_wire.h"

/* What came of one try. */
struct caught {
	u32 vector; /* NONE if nothing was raised */
	u32 error, eip, cs, address;
};
#define NONE 0xFFFFFFFF

typedef void action(u32 argument);

/** Does `what`, which may be interrupted by an exception anywhere, at any stack, in ring 1 or 3. */
struct caught try(action *what, u32 argument);

/** Counts a try: it faulted, it did nothing, or (`leak`) it did what it must not. */
void held(const char *what, struct caught caught, bool leak);

/** Goes to ring 3 at `eip`, with selectors and flags as given; comes back only by an exception or int 0x80. */
NORETURN void user_mode(u32 eip, u32 cs, u32 flags, u32 esp, u32 ss);
/** The page of ring-3 code at USER_CODE, its stack at USER_STACK: copies `length` bytes there. */
void user_load(const void *code, u32 length);
#define USER_CODE 0x10000000
#define USER_STACK 0x10001000 /* one page, grows down to USER_CODE's end */

/** A call of the interface by number, with five arguments; EAX. */
u32 vmi_call(u32 number, u32 a, u32 d, u32 c, u32 s1, u32 s2);
u32 random32(void);
/** The table entry of `va`, made if there is none; the directory's; the directory that this one is in. */
pte_t *entry_of(u32 va);
pde_t *pde_of(u32 va);
pde_t *directory_of(u32 va);
#define SLOT_OF(va) (((va) >> PD_SHIFT) % PT_ENTRIES)

/* Where the monitor's things are, by linear and by machine address. */
#define HOLE VMI_WIRE_BASE
#define MONITOR(offset) (VMI_WIRE_BASE + (offset))
#define MACHINE(offset) (VMI_WIRE_BAR + (offset))
/* Its selectors, as firmware/ring/ring.h has them: MONITOR_CS, _DS, _TASK, _GATE, and _FIRST and _LAST of its descriptors, as
 * numbers that assembler takes (recipe.py). */
#define CALL_GATE "lcall $" NUMBER(MONITOR_GATE) ", $0"
#define NUMBER(name) NUMBER_(name)
#define NUMBER_(name) #name
/** flow.c: a larger GDT, then SYSENTER that is broken off in the monitor, in one of four ways. */
void sysenter_prepare(void);
void sysenter_break(u32 which);
#define TRY_VA 0xE0000000 /* linear addresses of no use */

extern const u32 secrets[]; /* offsets of the device's memory that are the monitor's */
extern const u32 secret_count;

struct attempt {
	const char *name;
	void (*run)(void);
};
extern const struct attempt memory_attempts[], segment_attempts[], flow_attempts[], device_attempts[], call_attempts[],
	sensitive_attempts[], race_attempts[], chipset_attempts[], pae_attempts[], alarm_attempts[];

#endif
