/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checks of processes: copy-on-write after fork, exec's stack, wait's status words, registers over context switches,
 * thread-local segments, sleep. A child tells its result by its exit status.
 */
#include "check.h"

#define PAGES 48
#define AFFINITY_CPUS 8
#define WORKERS 4

static u32 shared; /* a mapping that parent and children have copies of */

static u32 *word_of(u32 page) { return POINTER(u32, shared + page * PAGE + 4 * (page % 1000)); }

static void write_pattern(u32 seed)
{
	for (u32 i = 0; i < PAGES; i++)
		*(volatile u32 *)word_of(i) = seed * 0x9E3779B1 + i;
}

static u32 wrong_pages(u32 seed)
{
	u32 wrong = 0;

	for (u32 i = 0; i < PAGES; i++)
		wrong += *(volatile u32 *)word_of(i) != seed * 0x9E3779B1 + i;
	return wrong;
}

/* Sees what the parent wrote, writes its own, makes a child in turn, and finds its own again. */
static CDECL void generation(void *argument)
{
	u32 depth = ADDRESS(argument);
	s32 status;

	if (wrong_pages(depth))
		leave(10);
	write_pattern(depth + 1);
	if (depth < 3) {
		status = run_child(generation, POINTER(void, depth + 1));
		if (status != STATUS_EXITED(0))
			leave(status >> 8 ? status >> 8 : 11);
	}
	leave(wrong_pages(depth + 1) ? 12 : 0);
}

/* The parent writes while the child still looks: the child must keep seeing the old contents. */
static void check_parent_writes(void)
{
	s32 pid;

	write_pattern(7);
	pid = spawn();
	if (pid == 0) {
		for (u32 i = 0; i < 20; i++)
			yield();
		leave((int)wrong_pages(7));
	}
	write_pattern(8);
	check_equal("the child keeps its copy", (u32)wait_for(pid), 0);
	check_equal("the parent keeps its own", wrong_pages(8), 0);
}

void check_fork(void)
{
	shared = map(PAGES * PAGE, PROT_READ | PROT_WRITE);
	write_pattern(0);
	check_equal("four generations", (u32)run_child(generation, NULL), 0);
	for (u32 i = 0; i < PAGES; i++)
		check_equal("a child's write is its own", *word_of(i), i);
	check_parent_writes();
	for (u32 i = 3; i < 10; i++) {
		write_pattern(i);
		check_equal("fork again", (u32)run_child(generation, POINTER(void, i)), 0);
	}
	unmap(shared, PAGES * PAGE);
}

static CDECL void run_args(void *word)
{
	static char *const environment[] = {"A=1", "LONG=the quick brown fox jumps over the lazy dog", "EMPTY=", NULL};
	static char *words[] = {"/args", NULL, "two words", "", "last", NULL};

	words[1] = word;
	execute(program_path("args"), words, environment);
	leave(99);
}

static CDECL void run_nothing(void *unused)
{
	(void)unused;
	leave(execute("/dev", NULL, NULL) < 0 ? 5 : 6);
}

void check_exec(void)
{
	/* The program compares everything that it was given and answers with the number of what was wrong. */
	check_equal("arguments, environment, stack, registers", (u32)run_child(run_args, "check"), 0);
	check_equal("exec keeps nothing", (u32)run_child(run_args, "memory"), 0);
	check_equal("exec resets the handlers", (u32)run_child(run_args, "fault"), SIGSEGV);
	check_equal("exec by a wrong word", (u32)run_child(run_args, "wrong"), (u32)STATUS_EXITED(2));
	check_equal("a failed exec returns", (u32)run_child(run_nothing, NULL), (u32)STATUS_EXITED(5));
}

static CDECL void leave_with(void *status) { leave((int)ADDRESS(status)); }

static CDECL void die_of(void *signal)
{
	handle_signal(ADDRESS(signal), SIG_DFL, 0);
	call2(SYS_kill, (u32)call0(SYS_getpid), ADDRESS(signal));
	leave(0);
}

static CDECL void die_of_fault(void *unused)
{
	(void)unused;
	handle_signal(SIGSEGV, SIG_DFL, 0);
	*POINTER(volatile u32, 16) = 1;
}

/* With the handlers that this program began with: the library ends a child that nobody catches. */
static CDECL void fault_uncaught_in_child(void *unused)
{
	(void)unused;
	*POINTER(volatile u32, 16) = 1;
}

static CDECL void spin_on(void *unused)
{
	(void)unused;
	for (;;)
		yield();
}

void check_status(void)
{
	static const u8 signals[] = {SIGILL, SIGABRT, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2};
	u32 statuses[] = {0, 1, 42, 127, 128, 255};
	s32 pid, status = 0;

	for (u32 i = 0; i < ARRAY_SIZE(statuses); i++)
		check_equal("exit status", (u32)run_child(leave_with, POINTER(void, statuses[i])), statuses[i] << 8);
	for (u32 i = 0; i < ARRAY_SIZE(signals); i++)
		check_equal("status of a signal", STATUS_SIGNAL((u32)run_child(die_of, POINTER(void, signals[i]))),
			    signals[i]);
	check_equal("status of a fault", STATUS_SIGNAL((u32)run_child(die_of_fault, NULL)), SIGSEGV);
	check_equal("status of a fault with a handler", (u32)run_child(fault_uncaught_in_child, NULL),
		    (u32)STATUS_EXITED(100 + SIGSEGV));
	pid = spawn();
	if (pid == 0)
		spin_on(NULL);
	check_equal("nothing to wait for yet", (u32)call3(SYS_waitpid, (u32)pid, ADDRESS(&status), WNOHANG), 0);
	check_equal("kill a child", (u32)call2(SYS_kill, (u32)pid, SIGKILL), 0);
	check_equal("status of the killed", STATUS_SIGNAL((u32)wait_for(pid)), SIGKILL);
	check_equal("it is gone", (u32)wait_for(pid), (u32)-ECHILD);
	pid = spawn();
	if (pid == 0)
		leave(call0(SYS_getppid) == 0);
	check_equal("wait for any", (u32)call3(SYS_waitpid, (u32)-1, ADDRESS(&status), 0), (u32)pid);
	check_equal("status of any", (u32)status, 0);
}

/* The initial local APIC ID, which tells CPUs apart. */
static u32 own_cpu(void)
{
	u32 leaf = 1, id;

	__asm__ volatile("cpuid" : "+a"(leaf), "=b"(id) : : "ecx", "edx");
	return id >> 24;
}

static s32 confine(u32 mask) { return call3(SYS_sched_setaffinity, 0, sizeof(mask), ADDRESS(&mask)); }

/* On each of the first CPUs that there are: there when the call returns, still there after giving way; no two the same. */
static bool goes_where_it_may(void)
{
	u32 ids[AFFINITY_CPUS], count = 0;
	bool right = true;

	for (u32 cpu = 0; cpu < AFFINITY_CPUS; cpu++) {
		if (confine(1u << cpu) != 0)
			continue;
		ids[count] = own_cpu();
		for (u32 i = 0; i < 10; i++) {
			yield();
			right &= own_cpu() == ids[count];
		}
		for (u32 other = 0; other < count; other++)
			right &= ids[other] != ids[count];
		count++;
	}
	confine(0xFFFFFFFF);
	return right;
}

/* Workers hold patterns in all registers while the others run: some yield, some are interrupted by the clock. */
void check_switch(void)
{
	s32 pids[WORKERS];

	check(goes_where_it_may(), "a process runs on the CPUs that it is confined to");
	for (u32 i = 0; i < WORKERS; i++) {
		pids[i] = spawn();
		if (pids[i] == 0) {
			u32 seed = 0x11111111 * (i + 1);

			leave((i % 2 ? hold_spinning(seed, 300000) : hold_yielding(seed, 400)) != 0);
		}
	}
	check_equal("registers of the parent", hold_yielding(0xA0B0C0D0, 400), 0);
	for (u32 i = 0; i < WORKERS; i++)
		check_equal("registers of a worker", (u32)wait_for(pids[i]), 0);
}

/* Reads `offset` bytes from the segment's base, with different instructions. */
static u32 word_at_gs(u32 offset)
{
	u32 word, again, byte, copy[1], from = offset, *to = copy;

	__asm__ volatile("movl %%gs:(%1), %0" : "=r"(word) : "r"(offset) : "memory");
	__asm__ volatile("xorl %0, %0; orl %%gs:8(%1,%2,4), %0" : "=&r"(again) : "r"(offset), "r"(-2) : "memory");
	__asm__ volatile("lock orl $0, %%gs:(%1); movzbl %%gs:(%1), %0" : "=r"(byte) : "r"(offset) : "memory", "cc");
	__asm__ volatile("movsl %%gs:(%0), %%es:(%1)" : "+S"(from), "+D"(to) : : "memory");
	return again == word && (u8)word == byte && copy[0] == word ? word : 0;
}

static CDECL void read_far(void *argument)
{
	word_at_gs(ADDRESS(argument));
	leave(0);
}

/* One worker: its own segment, its own words at both sides of its base, seen again after each of many switches. */
static CDECL void use_segment(void *argument)
{
	static u32 words[2 * WORKERS + 2];
	u32 me = 2 * ADDRESS(argument), base = ADDRESS(&words[me]);
	struct tls_area area = {0xFFFFFFFF, base, 0xFFFFF, TLS_SEGMENT_32 | TLS_LIMIT_IN_PAGES | TLS_USEABLE};

	words[me] = 0x7E570000 + me;
	words[me - 1] = 0x7E580000 + me;
	if (call1(SYS_set_thread_area, ADDRESS(&area)) != 0)
		leave(20);
	__asm__ volatile("movl %0, %%gs" : : "r"(area.entry * 8 + 3));
	for (u32 i = 0; i < 200; i++) {
		if (word_at_gs(0) != 0x7E570000 + me)
			leave(21);
		if (word_at_gs(-4) != 0x7E580000 + me)
			leave(22);
		yield();
	}
	/* at neither side */
	if (run_child(read_far, POINTER(void, 0xFFC00000 - base)) == 0)
		leave(23);
	leave(0);
}

void check_threads(void)
{
	s32 pids[WORKERS];

	if (call1(SYS_set_thread_area, 0) == -ENOSYS) {
		check_skipped("threads", "no-set-thread-area");
		return;
	}
	for (u32 i = 0; i < WORKERS; i++) {
		pids[i] = spawn();
		if (pids[i] == 0)
			use_segment(POINTER(void, i + 1));
	}
	for (u32 i = 0; i < WORKERS; i++)
		check_equal("thread-local segment of a worker", (u32)wait_for(pids[i]), 0);
}

static CDECL void sleep_for(void *milliseconds)
{
	u64 start = clock_us();

	pause_ms(ADDRESS(milliseconds));
	leave(clock_us() - start < (u64)ADDRESS(milliseconds) * 1000);
}

/* Whether three sleepers ended in the order of their naps, each `times` as long; `enough`: and each had slept for as long
 * as it should. */
static bool sleep_in_order(u32 times, bool *enough)
{
	static const u32 naps[] = {45, 25, 5}; /* far apart: a tick may be 10 ms */
	s32 pids[ARRAY_SIZE(naps)], status;
	bool in_order = true;

	for (u32 i = 0; i < ARRAY_SIZE(naps); i++) {
		pids[i] = spawn();
		if (pids[i] == 0)
			sleep_for(POINTER(void, naps[i] * times));
	}
	for (u32 i = ARRAY_SIZE(naps); i-- > 0;) {
		status = -1;
		in_order &= call3(SYS_waitpid, (u32)-1, ADDRESS(&status), 0) == pids[i];
		*enough &= status == 0;
	}
	return in_order;
}

/* A busy host may hold a virtual CPU for longer than the naps differ: then they differ by more. */
void check_sleep(void)
{
	bool enough = true, in_order = false;

	for (u32 attempt = 0; attempt < 5 && !in_order; attempt++)
		in_order = sleep_in_order(1U << attempt, &enough);
	check(in_order, "the shortest sleep ends first");
	check(enough, "slept long enough");
}
