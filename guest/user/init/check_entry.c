/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checks of the way into the kernel and back: results and errors of system calls, int 0x80 against the kernel's fast
 * entry (SYSENTER), and every register and flag around both.
 */
#include "check.h"

#define BAD_FILE 999
#define BAD_POINTER 16 /* page 0 is never mapped */
#define NO_SUCH_CALL 999

static volatile u32 steps; /* SIGTRAPs handled */

void check_calls(void)
{
	s32 self = call0(SYS_getpid);

	for (u32 i = 0; i < 16; i++)
		check_equal("getpid is stable", (u32)call0(SYS_getpid), (u32)self);
	check_equal("close of no file", (u32)call1(SYS_close, BAD_FILE), (u32)-EBADF);
	check_equal("write to no file", (u32)call3(SYS_write, BAD_FILE, ADDRESS("x"), 1), (u32)-EBADF);
	check_equal("write from nowhere", (u32)call3(SYS_write, 1, BAD_POINTER, 1), (u32)-EFAULT);
	check_equal("open of nothing", (u32)call3(SYS_open, ADDRESS("/no/such"), 0, 0), (u32)-ENOENT);
	check_equal("open of nowhere", (u32)call3(SYS_open, BAD_POINTER, 0, 0), (u32)-EFAULT);
	check_equal("exec of nothing", (u32)execute("/no/such", NULL, NULL), (u32)-ENOENT);
	check_equal("wait without a child", (u32)wait_for(-1), (u32)-ECHILD);
	check_equal("signal to nobody", (u32)call2(SYS_kill, 0x7FFFFFF0, 0), (u32)-ESRCH);
	check_equal("signal 1000", (u32)call2(SYS_kill, (u32)self, 1000), (u32)-EINVAL);
	check_equal("signal 0 to myself", (u32)call2(SYS_kill, (u32)self, 0), 0);
	check_equal("unmap off a page's start", (u32)unmap(0x10000001, PAGE), (u32)-EINVAL);
	check_equal("protect off a page's start", (u32)protect(0x10000001, PAGE, PROT_READ), (u32)-EINVAL);
	check_equal("protect nothing", (u32)protect(0x10000000, PAGE, PROT_READ), (u32)-ENOMEM);
	check_equal("map without length", (u32)map_at(0, 0, PROT_READ), (u32)-EINVAL);
	check_equal("a time at nowhere", (u32)call2(SYS_gettimeofday, BAD_POINTER, 0), (u32)-EFAULT);
	check_equal("no such call", (u32)call0(NO_SUCH_CALL), (u32)-ENOSYS);
	check_equal("no such call, largest", (u32)call0(0x7FFFFFFF), (u32)-ENOSYS);
	check_equal("no such call, negative", (u32)call0(0xFFFFFFFF), (u32)-ENOSYS);
}

static void both_entries(const char *what, u32 number, u32 a, u32 b, u32 c)
{
	u32 slow = (u32)system_call(number, a, b, c, 0, 0, 0);
	u32 fast = (u32)system_call_fast(number, a, b, c, 0, 0, 0);

	check_equal(what, fast, slow);
}

void check_entries(void)
{
	struct timeval slow, fast;
	u32 address;

	if (!sysinfo_entry) {
		check_skipped("entries", "no-fast-entry");
		return;
	}
	address = map(PAGE, PROT_READ | PROT_WRITE);
	both_entries("getpid", SYS_getpid, 0, 0, 0);
	both_entries("getppid", SYS_getppid, 0, 0, 0);
	both_entries("close of no file", SYS_close, BAD_FILE, 0, 0);
	both_entries("open of nothing", SYS_open, ADDRESS("/no/such"), 0, 0);
	both_entries("write from nowhere", SYS_write, 1, BAD_POINTER, 1);
	both_entries("mprotect", SYS_mprotect, address, PAGE, PROT_READ | PROT_WRITE);
	both_entries("mprotect off a page's start", SYS_mprotect, address + 1, PAGE, PROT_READ);
	both_entries("no such call", NO_SUCH_CALL, 0, 0, 0);
	both_entries("no such call, largest", 0x7FFFFFFF, 0, 0, 0);
	both_entries("no such call, negative", 0xFFFFFFFF, 0, 0, 0);
	unmap(address, PAGE);
	for (u32 i = 0; i < 16; i++) {
		system_call(SYS_gettimeofday, ADDRESS(&slow), 0, 0, 0, 0, 0);
		system_call_fast(SYS_gettimeofday, ADDRESS(&fast), 0, 0, 0, 0, 0);
		check(fast.seconds > slow.seconds ||
			      (fast.seconds == slow.seconds && fast.microseconds >= slow.microseconds),
		      "time goes forward across the entries");
	}
	/* Six arguments: the last travels in EBP, which the fast entry itself needs for the stack. */
	address = (u32)system_call_fast(SYS_mmap2, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (check(!map_failed(address), "mmap2 with six arguments by the fast entry"))
		check(!write_faults(address), "what it mapped is there");
	unmap(address, PAGE);
}

static void fill(struct registers *in, u32 seed)
{
	u32 *word = &in->ebx;

	for (u32 i = 0; i < 6; i++) {
		seed = seed * 1664525 + 1013904223;
		word[i] = seed;
	}
}

static void compare(const char *what, const struct registers *in, const struct registers *out)
{
	check_equal(what, out->ebx, in->ebx);
	check_equal(what, out->ecx, in->ecx);
	check_equal(what, out->edx, in->edx);
	check_equal(what, out->esi, in->esi);
	check_equal(what, out->edi, in->edi);
	check_equal(what, out->ebp, in->ebp);
}

/* getppid takes no argument, so that every register may hold anything. */
static void around_one_call(const char *what, CDECL void (*enter)(const struct registers *, struct registers *), u32 seed)
{
	struct registers in = {.eax = seed & 1 ? SYS_getppid : NO_SUCH_CALL, .flags = 0x202}, out;

	fill(&in, seed);
	enter(&in, &out);
	compare(what, &in, &out);
	check_equal(what, out.eax, seed & 1 ? (u32)call0(SYS_getppid) : (u32)-ENOSYS);
}

void check_registers(void)
{
	for (u32 seed = 0; seed < 48; seed++)
		around_one_call("around int 0x80", registers_int80, seed);
	for (u32 seed = 0; seed < 48 && sysinfo_entry; seed++)
		around_one_call("around the fast entry", registers_sysenter, seed);
}

enum { CS, DS, ES, FS, GS, SS, SEGMENTS };

static void read_segments(u16 *to)
{
	__asm__ volatile("movw %%cs, %0; movw %%ds, %1; movw %%es, %2; movw %%fs, %3; movw %%gs, %4; movw %%ss, %5"
			 : "=m"(to[CS]), "=m"(to[DS]), "=m"(to[ES]), "=m"(to[FS]), "=m"(to[GS]), "=m"(to[SS]));
}

static void check_segments(void)
{
	u16 before[SEGMENTS], after[SEGMENTS];

	read_segments(before);
	yield();
	read_segments(after);
	for (u32 i = 0; i < SEGMENTS; i++)
		check_equal("segment registers", after[i], before[i]);
	check_equal("privilege level", before[CS] & 3, 3);
	/* FS and GS with a selector in them, not only with the null one. */
	__asm__ volatile("movw %0, %%fs; movw %0, %%gs" : : "m"(before[DS]));
	yield();
	read_segments(after);
	__asm__ volatile("movw %0, %%fs; movw %1, %%gs" : : "m"(before[FS]), "m"(before[GS]));
	check_equal("FS with a selector", after[FS], before[DS]);
	check_equal("GS with a selector", after[GS], before[DS]);
}

/* Flags that ring 3 may set and that mean something to the kernel's own code, were it to run with them. */
static const u32 system_flags[] = {FLAG_DIRECTION, FLAG_NESTED, FLAG_ALIGN, FLAG_DIRECTION | FLAG_NESTED | FLAG_ALIGN};

static void enter_with_flags(u32 flags)
{
	struct registers in = {.eax = SYS_getppid, .flags = FLAG_INTERRUPT | 2 | flags}, out;

	registers_int80(&in, &out);
	check_equal("system flags around int 0x80", out.flags & ~FLAGS_ARITHMETIC, in.flags);
	if (!sysinfo_entry)
		return;
	registers_sysenter(&in, &out); /* whether they survive SYSEXIT is the kernel's choice */
	check_equal("parent with system flags", out.eax, (u32)call0(SYS_getppid));
}

static CDECL void count_steps(u32 number)
{
	(void)number;
	steps++;
}

/* Single steps lead into the kernel and out again; by the fast entry in the bundled kernel only. */
static CDECL void step_through(void *unused)
{
	struct registers in = {.eax = SYS_getppid, .flags = FLAG_INTERRUPT | FLAG_TRAP | 2}, out;
	u32 parent = (u32)call0(SYS_getppid);

	(void)unused;
	handle_signal(SIGTRAP, ADDRESS(count_steps), SA_SIGINFO);
	registers_int80(&in, &out);
	if (out.eax != parent || steps == 0)
		leave(30);
	steps = 0;
	if (!sysinfo_entry || !on_bundled_kernel) /* a 2.6.35 never comes back from stepping through SYSENTER */
		leave(0);
	registers_sysenter(&in, &out);
	leave(out.eax != parent || steps == 0 ? 31 : 0);
}

/* Timer interrupts, too, take odd flags into the kernel: a gate keeps AC. */
static void spin_with_flags(void)
{
	u64 until = clock_us() + 30000; /* some ticks */

	do
		__asm__ volatile("pushfl; orl %0, (%%esp); popfl; movl $100000, %%ecx; 1: decl %%ecx; jnz 1b; "
				 "pushfl; andl %1, (%%esp); popfl"
				 :
				 : "i"(FLAG_ALIGN), "i"(~FLAG_ALIGN)
				 : "ecx", "cc", "memory");
	while (clock_us() < until);
}

/* This process and one that has odd flags take turns, by both entries: the flags stay where they are. */
static void check_flags_of_another(void)
{
	struct registers in = {.eax = SYS_sched_yield, .flags = FLAG_INTERRUPT | 2}, out;
	s32 pid = spawn();
	u32 seen = 0;

	if (pid == 0) {
		spin_with_flags();
		in.flags |= FLAG_NESTED | FLAG_ALIGN;
	}
	for (u32 i = 0; i < 100; i++) {
		if (pid != 0 && i % 2)
			registers_int80(&in, &out);
		else
			registers_sysenter(&in, &out);
		seen |= out.flags;
	}
	if (pid == 0)
		leave(0);
	check_equal("flags of another process", seen & (FLAG_NESTED | FLAG_ALIGN | FLAG_DIRECTION), 0);
	check_equal("the process with odd flags", (u32)wait_for(pid), 0);
}

/* A process that never ran before has no flags of its own to go back to: the kernel's must be right. */
static CDECL void fork_with_flags(void *unused)
{
	struct registers in = {.eax = SYS_waitpid, .flags = FLAG_INTERRUPT | 2 | FLAG_NESTED | FLAG_ALIGN}, out;
	s32 status = -1, pid = spawn();

	(void)unused;
	if (pid == 0)
		leave((read_flags() & (FLAG_NESTED | FLAG_ALIGN)) != 0);
	in.ebx = (u32)pid;
	in.ecx = ADDRESS(&status);
	registers_sysenter(&in, &out);
	leave(out.eax != (u32)pid || status != 0);
}

static void check_system_flags(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(system_flags); i++)
		enter_with_flags(system_flags[i]);
	check_equal("single steps through both entries", (u32)run_child(step_through, NULL), 0);
	if (!sysinfo_entry)
		return;
	check_flags_of_another();
	check_equal("flags of a new process", (u32)run_child(fork_with_flags, NULL), 0);
	/* Not mapped, and beyond ring 3's part: then the kernel leaves by IRET. The child dies of popping from there, or of
	 * the instruction itself on a CPU that has none, where the fast entry is an interrupt. */
	check(run_child(sysenter_bad_stack, POINTER(void, BAD_POINTER)) != 0, "SYSENTER with NT, stack not there");
	check(run_child(sysenter_bad_stack, POINTER(void, 0xFFFFF000)) != 0, "SYSENTER with NT, stack in the kernel");
}

void check_flags(void)
{
	struct registers in = {.eax = SYS_getppid}, out;

	for (u32 pattern = 0; pattern < 64; pattern++) {
		/* The arithmetic flags are bits 0, 2, 4, 6, 7 and 11. */
		in.flags = FLAG_INTERRUPT | 2 | (pattern & 1) | (pattern & 2) << 1 | (pattern & 4) << 2 |
			   (pattern & 0x18) << 3 | (pattern & 0x20) << 6;
		registers_int80(&in, &out);
		check_equal("flags around int 0x80", out.flags & 0xFFFF, in.flags);
		if (!sysinfo_entry)
			continue;
		registers_sysenter(&in, &out); /* SYSEXIT keeps no arithmetic flags */
		check_equal("flags after the fast entry", out.flags & ~FLAGS_ARITHMETIC & 0xFFFF,
			    in.flags & ~FLAGS_ARITHMETIC);
	}
	in.flags = FLAG_INTERRUPT | 2 | FLAG_ID;
	registers_int80(&in, &out);
	check_equal("the ID flag", out.flags & FLAG_ID, FLAG_ID);
	check_equal("I/O privilege", read_flags() & FLAGS_IOPL, 0);
	/* POPF at this level changes neither IF nor IOPL, and says nothing about it. */
	__asm__ volatile("pushl $0x3002; popfl" : : : "cc");
	check_equal("POPF leaves IF and IOPL alone", read_flags() & (FLAG_INTERRUPT | FLAGS_IOPL), FLAG_INTERRUPT);
	check_system_flags();
	check_segments();
}
