/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Attempts by the ways in and out: stacks that are none at every kind of entry, frames for IRET with forged selectors and
 * flags, gates, flags that POPF must not set, SYSENTER to where it must not lead.
 */
#include "hostile.h"
#include "internal.h"

#define WINDOW_END (HOLE + VMI_RING_WINDOW_SIZE)
#define IOPL_3 0x3000

extern const u8 native_iret[], iret_frame[], hostile_call[];
NORETURN void on_stack(u32 esp, void (*instructions)(void));

/* Of ring 3: say so by int 0x80. */
static const u8 user_call[] = { 0xCD, 0x80 };
static const u8 user_sysenter[] = { 0x0F, 0x34 };
static const u8 user_ports[] = { 0xE4, 0x21, 0xCD, 0x80 }; /* in $0x21, %al */

static u32 level(void)
{
	u32 cs;

	asm volatile("movl %%cs, %0" : "=r"(cs));
	return cs & 3;
}

static void break_point(void) { asm volatile("int3; 1: jmp 1b"); }
static void invalid(void) { asm volatile("ud2"); }
static void fault_page(void) { asm volatile("movl 0xEFFFF010, %eax; 1: jmp 1b"); }
static void push_word(void) { asm volatile("pushl %eax; pushl %eax; ud2"); }
static void call_monitor(void) { asm volatile(CALL_GATE "; ud2"); }
static void privileged(void) { asm volatile("movl $0x12345678, %ecx; rdmsr; 1: jmp 1b"); }
static void software(void) { asm volatile("int $0x20; 1: jmp 1b"); }
static void take_frame(void) { asm volatile("iret"); }

static void (*const entries[])(void) = {
	break_point, invalid, fault_page, push_word, call_monitor, privileged, software, take_frame,
};

static const u32 stacks[] = {
	HOLE + VMI_RING_SHARED_OFFSET + 0x100, HOLE + 4, HOLE, WINDOW_END, MONITOR(VMI_RING_CPUS_OFFSET + VMI_RING_CPU_STACK),
	MONITOR(VMI_RING_CPUS_OFFSET + VMI_RING_CPU_IDT + 8), 0, 2, 0xFFFFFFFC, TRY_VA + 0x100, HOLE + 0x1008, 0x13,
};

static void go_on_stack(u32 which)
{
	on_stack(stacks[which & 15], entries[which >> 4]);
}

/* which = entry * 16 + stack: one for each boot, since most end us. */
static void bad_stack(void)
{
	u32 which = option_number("which", 0);

	if ((which & 15) >= ARRAY_SIZE(stacks) || which >> 4 >= ARRAY_SIZE(entries))
		panic("no such stack");
	held("stack", try(go_on_stack, which), false);
	held("level", (struct caught){ .vector = NONE }, level() == 0);
}

static void run_user(u32 flags)
{
	user_mode(USER_CODE, USER_CS, flags | EFLAGS_FIXED, USER_STACK + PAGE_SIZE, USER_DS);
}

/* Ring 3 comes in on a kernel stack that is none: by int 0x80, by a fault, by SYSENTER. */
static void bad_kernel_stack(void)
{
	u32 which = option_number("which", 0);

	user_load(which & 16 ? user_sysenter : user_call, 2);
	if (which & 16) {
		native_wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
		native_wrmsr(MSR_SYSENTER_ESP, stacks[which & 15]);
		native_wrmsr(MSR_SYSENTER_EIP, ADDRESS(exception_entries[6]));
	} else {
		vmi_call(VMI_CALL_UpdateKernelStack, KERNEL_DS, stacks[which & 15], 0, 0, 0);
	}
	held("entry", try(run_user, EFLAGS_IF), false);
	held("level", (struct caught){ .vector = NONE }, level() == 0);
}

/* ---- Frames ---- */

struct frame {
	u32 eip, cs, flags, esp, ss;
};

static struct frame forged;
static u32 seen_level, seen_flags;

/* Where a frame leads: what are we now? */
static void arrived(void)
{
	seen_level = level();
	asm volatile("pushfl; popl %0" : "=r"(seen_flags));
	asm volatile("ud2");
}

static void take_forged(u32 how)
{
	if (how == 0) /* by the stub, or the instruction where that is patched */
		user_mode(forged.eip, forged.cs, forged.flags, forged.esp, forged.ss);
	asm volatile("pushl %0; pushl %1; pushl %2; pushl %3; pushl %4; iret"
		     ::"r"(forged.ss), "r"(forged.esp), "m"(forged.flags), "m"(forged.cs), "m"(forged.eip) : "memory");
}

static void forge(const char *what, u32 eip, u32 cs, u32 flags, u32 ss)
{
	forged = (struct frame){ eip, cs, flags, USER_STACK + PAGE_SIZE, ss };
	for (u32 how = 0; how < 2; how++) {
		struct caught caught;

		seen_level = 3;
		seen_flags = 0;
		caught = try(take_forged, how);
		caught.address = caught.vector == 6 ? seen_flags : caught.address;
		held(what, caught, seen_level == 0 || (seen_flags & IOPL_3) || (seen_flags & 0x20000));
		irq_disable();
	}
}

static void forged_frames(void)
{
	static const u32 flags[] = { 0x2, 0x202, 0x3202, 0x3002, 0x4202, 0x180202, 0xFFFDFEFF, 0x20202, 0x23202, 0xFFFFFEFF };
	u32 here = ADDRESS(arrived);

	user_load(user_call, sizeof user_call);
	for (u32 i = 0; i < ARRAY_SIZE(flags); i++) {
		/* An emulator may enter virtual 8086 mode from any ring, with IOPL 3: no hardware does. */
		if (flags[i] & 0x20000 && option("limits") == NULL)
			continue;
		forge("flags-kernel", here, KERNEL_CS | kernel_rpl, flags[i], 0);
		forge("flags-user", USER_CODE, USER_CS, flags[i], USER_DS);
	}
	for (u32 cs = 0; cs < 0x10000; cs = cs < 0x40 ? cs + 1 : cs < 0x400 ? cs * 2 : cs + 4) {
		forge("cs-kernel", here, cs, 0x202, KERNEL_DS);
		forge("cs-user", USER_CODE, cs | 3, 0x202, USER_DS);
		if (cs > 0x500)
			break;
	}
	for (u32 ss = 0; ss < 0x1000; ss = ss < 0x40 ? ss + 1 : ss * 3)
		forge("ss", USER_CODE, USER_CS, 0x202, ss);
	for (u32 i = 0; i < secret_count; i++) {
		if (option("limits") != NULL) /* else the monitor's bytes are executed, at our level */
			forge("eip-kernel", MONITOR(secrets[i]), KERNEL_CS | kernel_rpl, 0x202, 0);
		forge("eip-user", MONITOR(secrets[i]), USER_CS, 0x202, USER_DS);
	}
}

static void pop_flags(u32 flags)
{
	asm volatile("pushl %0; popfl" ::"r"(flags) : "memory", "cc");
}

static void flags_and_iopl(void)
{
	u32 flags;

	held("popf", try(pop_flags, IOPL_3 | EFLAGS_FIXED), false);
	asm volatile("pushfl; popl %0" : "=r"(flags));
	held("iopl", (struct caught){ .vector = NONE }, flags & IOPL_3);
	held("popf-all", try(pop_flags, 0xFFFFFFFF & ~0x4100u), false);
	asm volatile("pushfl; popl %0" : "=r"(flags));
	held("iopl", (struct caught){ .vector = NONE }, flags & IOPL_3);
	pop_flags(EFLAGS_FIXED);
	for (u32 mask = 0; mask <= 0xF000; mask += 0x1000) {
		struct caught caught;

		vmi_call(VMI_CALL_SetIOPLMask, mask, 0, 0, 0, 0);
		asm volatile("pushfl; popl %0" : "=r"(flags));
		held("SetIOPLMask", (struct caught){ .vector = NONE }, flags & IOPL_3);
		user_load(user_ports, sizeof user_ports);
		caught = try(run_user, EFLAGS_IF);
		/* ports with IOPL 3 and not without */
		held("ports", caught, (caught.vector == 0x80) != ((mask & IOPL_3) == IOPL_3));
	}
	vmi_call(VMI_CALL_SetIOPLMask, 0, 0, 0, 0, 0);
}

/* ---- Strings of ports ---- */

static u32 victim[2] ALIGNED(8);

/* With ports of its own a program moves strings: to and from its own memory, and no other. */
static void user_strings(void)
{
	static const u32 places[] = { (u32)(uintptr_t)victim, (u32)(uintptr_t)victim + 7, HOLE + 0x80, HOLE, MONITOR(0x1010000),
				      0xFFFFFFFF, KERNEL_BASE - 1, TRY_VA };

	vmi_call(VMI_CALL_SetIOPLMask, IOPL_3, 0, 0, 0, 0);
	for (u32 i = 0; i < ARRAY_SIZE(places) * 6; i++) {
		/* mov $port, %edx; mov $place, %edi or %esi; [66] ins or outs; int $0x80 */
		u8 code[14] = { 0xBA, 0x21, 0, 0, 0, i & 1 ? 0xBE : 0xBF };
		u32 place = places[i / 6], kind = i / 2 % 3, at = 10;
		struct caught caught;

		memcpy(&code[6], &place, 4);
		if (kind == 2)
			code[at++] = 0x66;
		code[at++] = (i & 1 ? 0x6E : 0x6C) + (kind != 0);
		code[at++] = 0xCD;
		code[at++] = 0x80;
		user_load(code, sizeof code);
		victim[0] = victim[1] = 0x12345678;
		caught = try(run_user, EFLAGS_IF);
		held("user-string", caught, caught.vector == 0x80 || victim[0] != 0x12345678 || victim[1] != 0x12345678);
	}
	vmi_call(VMI_CALL_SetIOPLMask, 0, 0, 0, 0, 0);
}

/* outsb by call: four million bytes, as long as nothing interrupts it. */
static void long_string(u32 count)
{
	u32 answer = vmi_get_reloc(VMI_CALL_OUTSB).eip, from = KERNEL_BASE;

	irq_enable();
	asm volatile("call *%2" : "+S"(from), "+c"(count) : "r"(answer), "d"(0x80), "a"(0) : "memory", "cc");
	irq_disable();
}

static void long_instruction(u32 count)
{
	u32 from = KERNEL_BASE;

	irq_enable();
	asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(0x80) : "memory", "cc");
	irq_disable();
}

static void strings(void)
{
	for (u32 how = 0; how < 2; how++) {
		struct caught caught = { .vector = NONE };
		bool inside = false;

		set_gate(0x20, (void (*)(void))(uintptr_t)hostile_call, GATE_INTERRUPT);
		for (u32 i = 0; i < 8 && !inside; i++) {
			pic_init();
			outb(0xFE, 0x21);
			outb(0x34, 0x43);
			outb(0xFF, 0x40);
			outb(0x10, 0x40);
			caught = try(how ? long_instruction : long_string, 4 << 20);
			irq_disable();
			/* it would go on: at the instruction, or the far call of the stub; not where it has not begun yet */
			inside = caught.vector == 0x80 && *POINTER(u8, caught.eip) == (how ? 0xF3 : 0x9A);
			outb(0xFF, 0x21);
			outb(0x20, 0x20);
		}
		held("string", caught, !inside);
	}
}

/* ---- Gates ---- */

static void soft_interrupt(u32 vector)
{
	(void)vector;
	asm volatile("int $0x90");
}

static void gates(void)
{
	static const u16 selectors[] = { MONITOR_CS, MONITOR_CS | 1, 0, MONITOR_TASK, MONITOR_TASK - 8, MONITOR_DS, KERNEL_DS, 0x60, 0xFFF8, USER_CS };

	for (u32 type = 0; type < 32; type++) {
		for (u32 i = 0; i < ARRAY_SIZE(selectors); i++) {
			u32 high = (MONITOR(VMI_RING_IMAGE_OFFSET) & 0xFFFF0000) | 0xE000 | type << 8;

			write_idt_entry(idt, 0x90, selectors[i] << 16 | 0x1000, high);
			if (type == 0xE || type == 0xF)
				continue; /* each of these ends us: which=... */
			user_load((const u8[]){ 0xCD, 0x90 }, 2);
		}
	}
	write_idt_entry(idt, 0x90, (KERNEL_CS << 16) | (ADDRESS(arrived) & 0xFFFF), (ADDRESS(arrived) & 0xFFFF0000) | 0xEF00);
	seen_level = 3;
	held("gate", try(soft_interrupt, 0), seen_level == 0);
}

static void bad_gate(void)
{
	static const struct {
		u32 selector, offset, type;
	} bad[] = {
		{ MONITOR_CS, MONITOR(VMI_RING_IMAGE_OFFSET), 0xEF00 }, { MONITOR_CS, MONITOR(VMI_RING_IMAGE_OFFSET), 0xEE00 },
		{ MONITOR_TASK, 0, 0xE500 },					 { KERNEL_DS, 0, 0xEF00 },
		{ KERNEL_CS, MONITOR(VMI_RING_IMAGE_OFFSET), 0xEF00 },	 { 0, 0, 0xEE00 },
		{ KERNEL_CS, MONITOR(VMI_RING_IMAGE_OFFSET), 0xEE00 },	 { MONITOR_GATE, 0, 0xEC00 },
	};
	u32 which = option_number("which", 0);

	if (which >= 2 * ARRAY_SIZE(bad))
		panic("no such gate");
	write_idt_entry(idt, 0x90, bad[which / 2].selector << 16 | (bad[which / 2].offset & 0xFFFF),
			(bad[which / 2].offset & 0xFFFF0000) | bad[which / 2].type);
	user_load((const u8[]){ 0xCD, 0x90 }, 2);
	held("gate", try(which & 1 ? run_user : soft_interrupt, EFLAGS_IF), false);
	held("level", (struct caught){ .vector = NONE }, level() == 0);
}

/* ---- SYSENTER ---- */

static void sysenter_msrs(void)
{
	static const u32 values[] = { 0, 1, KERNEL_CS, KERNEL_CS | 1, MONITOR_CS, MONITOR_DS, MONITOR_CS | 1, 0xFFF8, USER_CS, 0x10 };

	user_load(user_sysenter, sizeof user_sysenter);
	for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
		seen_level = 3;
		native_wrmsr(MSR_SYSENTER_CS, values[i]);
		native_wrmsr(MSR_SYSENTER_ESP, this_cpu()->tss.esp0);
		native_wrmsr(MSR_SYSENTER_EIP, ADDRESS(arrived));
		held("sysenter", try(run_user, EFLAGS_IF), seen_level == 0);
		irq_disable();
	}
}

static void write_sysenter_eip(u32 value) { native_wrmsr(MSR_SYSENTER_EIP, value); }

static void sysenter_hole(void)
{
	user_load(user_sysenter, sizeof user_sysenter);
	native_wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
	native_wrmsr(MSR_SYSENTER_ESP, this_cpu()->tss.esp0);
	for (u32 i = 0; i < secret_count; i++) {
		held("wrmsr", try(write_sysenter_eip, MONITOR(secrets[i])), native_rdmsr(MSR_SYSENTER_EIP) == MONITOR(secrets[i]));
		native_wrmsr(MSR_SYSENTER_EIP, ADDRESS(arrived));
	}
}

#define LATER 40 /* a place in the larger table */

static struct descriptor larger[LATER + 4] ALIGNED(8);

static void write_later(u32 index, struct descriptor d)
{
	vmi_call(VMI_CALL_WriteGDTEntry, ADDRESS(larger), index, d.low, d.high, 0);
}

/* SYSENTER's way is broken off at its end: what it leads to has gone since (which = 0: code, 1: stack), or NT is set (2), or a
 * trap follows (3). */
void sysenter_break(u32 which)
{
	static const u32 flags[] = { EFLAGS_FIXED, EFLAGS_FIXED, 0x4002, 0x102 };
	u8 code[] = { 0x68, 0, 0, 0, 0, 0x9D, 0x0F, 0x34 }; /* pushl $flags; popfl; sysenter */
	struct caught caught;

	memcpy(code + 1, &flags[which], 4);
	user_load(code, sizeof code);
	for (u32 i = 0; i < 2; i++)
		write_later(LATER + i, larger[(i ? KERNEL_DS : KERNEL_CS) / 8]);
	native_wrmsr(MSR_SYSENTER_CS, LATER * 8);
	native_wrmsr(MSR_SYSENTER_ESP, this_cpu()->tss.esp0);
	native_wrmsr(MSR_SYSENTER_EIP, ADDRESS(arrived));
	if (which < 2)
		write_later(LATER + which, (struct descriptor){ larger[LATER + which].low, larger[LATER + which].high & ~0x8000u });
	seen_level = 3;
	caught = try(run_user, EFLAGS_IF);
	held("sysenter", caught, seen_level == 0 || caught.vector == NONE);
	irq_disable();
}

void sysenter_prepare(void)
{
	struct dtr dtr = { sizeof larger - 1, ADDRESS(larger) };

	memcpy(larger, this_cpu()->gdt, GDT_ENTRIES * 8);
	load_gdt(&dtr);
}

static void sysenter_broken(void)
{
	sysenter_prepare();
	for (u32 i = 0; i < 400; i++)
		sysenter_break(i % 4);
}

/* ---- SYSEXIT ---- */

extern u32 caught_esp, hostile_steps, hostile_lost, hostile_inside;
extern const u8 hostile_step[], hostile_tick[];

static void sysexit(u32 flags)
{
	asm volatile("pushl %0; popfl; jmp *%1"
		     ::"r"(flags | EFLAGS_FIXED), "r"(vmi_get_reloc(VMI_CALL_SYSEXIT).eip), "d"(USER_CODE), "c"(USER_STACK + PAGE_SIZE)
		     : "memory", "cc");
}

/* To what is no code or stack of ring 3: a fault on the stack that we had. */
static void sysexit_msrs(void)
{
	static const u32 values[] = { KERNEL_CS, 0, MONITOR_CS, MONITOR_DS, 0xFFF8, USER_CS, 0x10, MONITOR_TASK - 16 };

	user_load(user_call, sizeof user_call);
	for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
		struct caught caught;

		native_wrmsr(MSR_SYSENTER_CS, values[i]);
		caught = try(sysexit, 0);
		held("sysexit", caught, caught_esp >= HOLE || caught.vector != (i == 0 ? 0x80 : 13));
	}
}

/* Trapped at each instruction: always with a stack of ours, and at last in ring 3. */
static void sysexit_steps(void)
{
	struct caught caught;

	user_load(user_call, sizeof user_call);
	native_wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
	set_gate(1, (void (*)(void))(uintptr_t)hostile_step, GATE_INTERRUPT);
	caught = try(sysexit, 0x100);
	held("steps", caught, hostile_lost != 0 || hostile_steps < 3 || caught.vector != 0x80);
}

/* Interrupted anywhere, with an update in the queue and without, interrupts on before and off: it ends in ring 3, at once or later;
 * if they were off, no handler runs before that. */
static void sysexit_ticks(void)
{
	volatile u32 *shared = POINTER(volatile u32, HOLE + VMI_RING_SHARED_OFFSET);

	user_load(user_call, sizeof user_call);
	native_wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
	set_gate(0x20, (void (*)(void))(uintptr_t)hostile_tick, GATE_INTERRUPT);
	set_gate(VECTOR_SYSCALL, (void (*)(void))(uintptr_t)hostile_call, GATE_INTERRUPT | DESC_DPL3); /* off again by that */
	pic_init();
	outb(0xFE, 0x21);
	outb(0x34, 0x43);
	outb(30, 0x40); /* a tick in 25 us */
	outb(0, 0x40);
	for (u32 i = 0; i < 60000 && hostile_lost == 0; i++) {
		struct caught caught;
		u32 inside = hostile_inside;

		if (i & 1)
			shared[VMI_RING_SHARED_count_OFFSET / 4] = 1;
		if (i & 2)
			irq_enable();
		caught = try(sysexit, 0);
		held("ticks", caught, hostile_lost != 0 || caught.vector != 0x80 || (!(i & 2) && hostile_inside != inside));
		irq_disable();
	}
	outb(0xFF, 0x21);
	held("ticks", (struct caught){ .vector = NONE }, hostile_steps < 100);
}

const struct attempt flow_attempts[] = {
	{ "stack", bad_stack }, { "kernel-stack", bad_kernel_stack }, { "frames", forged_frames },   { "iopl", flags_and_iopl },
	{ "user-strings", user_strings }, { "strings", strings },
	{ "gates", gates },	{ "gate", bad_gate },		      { "sysenter", sysenter_msrs }, { "sysenter-hole", sysenter_hole },
	{ "sysenter-broken", sysenter_broken }, { "sysexit-msrs", sysexit_msrs }, { "sysexit-steps", sysexit_steps },
	{ "sysexit-ticks", sysexit_ticks },
	{ NULL, NULL },
};
