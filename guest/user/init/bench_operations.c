/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The operations that are measured: system calls, processes, memory, signals, interrupts; and two that hardly enter the
 * kernel, which show what the clock and the engine themselves do. bench.c runs them.
 */
#include "bench.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define MIB (1u << 20)
#define PROTECTED_PAGES 16
#define SCHED_OTHER 0
#define SCHED_FIFO 1
#define COMPUTE_STEPS 1000
#define PAUSE_TICKS 400000 /* twice the time that openvmi.hypervisor.brain spins */

static u8 source[PAGE] ALIGNED(4096), target[PAGE] ALIGNED(4096);
static u32 area, area_length; /* protect: the mapping, and what is changed of it */
static s32 partner; /* switch, pipe: the other process */
static s32 there[2], back[2]; /* pipe: what the other process reads, and what it writes */
static s32 file;	      /* read-4k */
static volatile u32 sink;

/* ---- system calls ---- */

static u64 batch_int80(u32 ops)
{
	u64 start = ticks_now();

	while (ops--)
		call0(SYS_getppid);
	return ticks_now() - start;
}

static const char *prepare_sysenter(void) { return sysinfo_entry ? NULL : "no-fast-entry"; }

static u64 batch_sysenter(u32 ops)
{
	u64 start = ticks_now();

	while (ops--)
		fast_call0(SYS_getppid);
	return ticks_now() - start;
}

static const char *prepare_read(void)
{
	file = call3(SYS_open, ADDRESS(program_path("init")), 0, 0);
	return file >= 0 && call5(SYS_pread64, (u32)file, ADDRESS(target), PAGE, 0, 0) == PAGE ? NULL : "no-file-to-read";
}

static u64 batch_read(u32 ops)
{
	u64 start = ticks_now();

	while (ops--)
		call5(SYS_pread64, (u32)file, ADDRESS(target), PAGE, 0, 0);
	return ticks_now() - start;
}

static void finish_read(void) { call1(SYS_close, (u32)file); }

/* ---- processes ---- */

static void set_policy(u32 policy, u32 priority) { call3(SYS_sched_setscheduler, 0, policy, ADDRESS(&priority)); }

/* Two processes on one CPU that yield to each other. Linux's ordinary policy may answer a yield by going on with the
 * same process; under FIFO it is always the other's turn. The bundled kernel knows only turns. */
static const char *prepare_switch(void)
{
	u32 first_cpu = 1;
	s32 alone = call3(SYS_sched_setaffinity, 0, sizeof(first_cpu), ADDRESS(&first_cpu));

	if (alone < 0 && call3(SYS_kinfo, KINFO_CPUS, 0, 0) != 1)
		return "no-sched-setaffinity";
	set_policy(SCHED_FIFO, 1);
	partner = spawn();
	if (partner == 0)
		for (;;)
			yield();
	return partner < 0 ? "no-process" : NULL;
}

/* Each yield is two switches: to the partner and back. */
static u64 batch_switch(u32 ops)
{
	u64 start = ticks_now();

	for (u32 i = 0; i < ops; i += 2)
		yield();
	return ticks_now() - start;
}

static void finish_switch(void)
{
	call2(SYS_kill, (u32)partner, SIGKILL);
	wait_for(partner);
	set_policy(SCHED_OTHER, 0);
}

/* Another process that sends back what it is sent. */
static const char *prepare_pipe(void)
{
	u8 byte;

	if (call1(SYS_pipe, ADDRESS(there)) < 0 || call1(SYS_pipe, ADDRESS(back)) < 0)
		return "no-pipe";
	partner = spawn();
	if (partner == 0)
		while (call3(SYS_read, (u32)there[0], ADDRESS(&byte), 1) == 1)
			call3(SYS_write, (u32)back[1], ADDRESS(&byte), 1);
	return partner < 0 ? "no-process" : NULL;
}

static u64 batch_pipe(u32 ops)
{
	u64 start = ticks_now();
	u8 byte = 0;

	while (ops--) {
		call3(SYS_write, (u32)there[1], ADDRESS(&byte), 1);
		call3(SYS_read, (u32)back[0], ADDRESS(&byte), 1);
	}
	return ticks_now() - start;
}

static void finish_pipe(void)
{
	call2(SYS_kill, (u32)partner, SIGKILL);
	wait_for(partner);
	for (u32 i = 0; i < 2; i++) {
		call1(SYS_close, (u32)there[i]);
		call1(SYS_close, (u32)back[i]);
	}
}

static u64 batch_fork_exit(u32 ops)
{
	u64 start = ticks_now();

	while (ops--) {
		s32 pid = call0(SYS_fork);

		if (pid == 0)
			call1(SYS_exit, 0);
		wait_for(pid);
	}
	return ticks_now() - start;
}

static const char *prepare_fork_exec(void)
{
	s32 pid = spawn();

	if (pid == 0) {
		char *words[] = {"true", NULL};

		execute(program_path("true"), words, words + 1);
		leave(1);
	}
	return wait_for(pid) == 0 ? NULL : "no-/true";
}

static u64 batch_fork_exec(u32 ops)
{
	const char *path = program_path("true");
	char *words[] = {"true", NULL};
	u64 start = ticks_now();

	while (ops--) {
		s32 pid = call0(SYS_fork);

		if (pid == 0) {
			execute(path, words, words + 1);
			leave(1);
		}
		wait_for(pid);
	}
	return ticks_now() - start;
}

/* ---- memory ---- */

static void touch(u32 address, u32 length)
{
	for (u32 end = address + length; address < end; address += PAGE)
		*POINTER(volatile u32, address) = 1;
}

static u64 batch_map(u32 ops)
{
	u64 start = ticks_now();

	while (ops--) {
		u32 address = map(MIB, READ_WRITE);

		touch(address, MIB);
		unmap(address, MIB);
	}
	return ticks_now() - start;
}

static u64 batch_page_fault(u32 ops)
{
	u32 address = map(ops * PAGE, READ_WRITE);
	u64 start = ticks_now();
	u64 end;

	touch(address, ops * PAGE);
	end = ticks_now();
	unmap(address, ops * PAGE);
	return end - start;
}

/* Changes of page tables that are rare: before each a pause, which does not count, in which whoever was asked at the
 * last one falls asleep. */
static u64 after_pause(void)
{
	u64 start = ticks_now();

	while (ticks_now() - start < PAUSE_TICKS)
		;
	return ticks_now();
}

static u64 batch_rare(u32 ops)
{
	u32 address = map(ops * PAGE, READ_WRITE);
	u64 start, sum = 0;

	for (u32 end = address + ops * PAGE; address < end; address += PAGE) {
		start = after_pause();
		touch(address, PAGE);
		sum += ticks_now() - start;
		start = after_pause();
		unmap(address, PAGE);
		sum += ticks_now() - start;
	}
	return sum;
}

/* A page without access on either side keeps the area apart from what the kernel could merge it with. */
static const char *prepare_area(u32 length)
{
	area_length = length;
	area = map(length + 2 * PAGE, READ_WRITE);
	protect(area, PAGE, PROT_NONE);
	protect(area + PAGE + length, PAGE, PROT_NONE);
	touch(area + PAGE, length);
	return NULL;
}

static const char *prepare_protect_page(void) { return prepare_area(PAGE); }

static const char *prepare_protect(void) { return prepare_area(PROTECTED_PAGES * PAGE); }

static u64 batch_protect(u32 ops)
{
	u64 start = ticks_now();

	while (ops--) {
		protect(area + PAGE, area_length, PROT_READ);
		protect(area + PAGE, area_length, READ_WRITE);
	}
	return ticks_now() - start;
}

static void finish_protect(void) { unmap(area, area_length + 2 * PAGE); }

/* ---- signals, interrupts ---- */

static CDECL void on_signal(u32 number) { sink = number; }

static const char *prepare_signal(void)
{
	return handle_signal(SIGUSR1, ADDRESS(on_signal), 0) < 0 ? "no-signals" : NULL;
}

static u64 batch_signal(u32 ops)
{
	u32 self = (u32)call0(SYS_getpid);
	u64 start = ticks_now();

	while (ops--)
		call2(SYS_kill, self, SIGUSR1);
	return ticks_now() - start;
}

static void finish_signal(void) { handle_signal(SIGUSR1, SIG_DFL, 0); }

static u64 batch_interrupt(u32 ops)
{
	u64 result = 0;

	call4(SYS_kbench, KBENCH_INTERRUPT, 1, ops, ADDRESS(&result));
	return result;
}

/* Only a kernel can interrupt itself: ours does it for us. */
static const char *prepare_interrupt(void)
{
	u64 result;
	s32 answer = call4(SYS_kbench, KBENCH_INTERRUPT, 1, 1, ADDRESS(&result));

	if (answer == -ENODEV)
		return "no-local-apic";
	return answer < 0 ? "not-the-bundled-kernel" : NULL;
}

/* ---- hardly any kernel ---- */

static u64 batch_copy(u32 ops)
{
	u64 start = ticks_now();

	while (ops--) {
		void *to = target;
		const void *from = source;
		u32 words = PAGE / 4;

		__asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	}
	return ticks_now() - start;
}

static u64 batch_compute(u32 ops)
{
	u32 value = 2463534242;
	u64 start = ticks_now();

	for (u32 i = 0; i < ops * COMPUTE_STEPS; i++) {
		value ^= value << 13;
		value ^= value >> 17;
		value ^= value << 5;
		value *= 0x9E3779B1;
	}
	sink = value;
	return ticks_now() - start;
}

const struct bench benches[] = {
	{"null-int80", 2000, NULL, batch_int80, NULL, false},
	{"null-sysenter", 2000, prepare_sysenter, batch_sysenter, NULL, false},
	{"read-4k", 500, prepare_read, batch_read, finish_read, false},
	{"switch", 200, prepare_switch, batch_switch, finish_switch, false},
	{"pipe", 100, prepare_pipe, batch_pipe, finish_pipe, false},
	{"fork-exit", 16, NULL, batch_fork_exit, NULL, false},
	{"fork-exec", 8, prepare_fork_exec, batch_fork_exec, NULL, false},
	{"map-touch-unmap", 1, NULL, batch_map, NULL, false},
	{"page-fault", 256, NULL, batch_page_fault, NULL, false},
	{"touch-unmap-rare", 8, NULL, batch_rare, NULL, true},
	{"protect-page", 128, prepare_protect_page, batch_protect, finish_protect, false},
	{"protect", 64, prepare_protect, batch_protect, finish_protect, false},
	{"signal", 200, prepare_signal, batch_signal, finish_signal, false},
	{"interrupt", 200, prepare_interrupt, batch_interrupt, NULL, false},
	{"copy-4k", 200, NULL, batch_copy, NULL, false},
	{"compute", 100, NULL, batch_compute, NULL, false},
};
const u32 bench_count = ARRAY_SIZE(benches);
