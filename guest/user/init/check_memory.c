/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checks of memory as a process sees it: pages that appear when touched, protection and its changes, faults with the
 * right address, and the kernel's memory, which must stay out of reach.
 */
#include "check.h"

#define PAGES 64
#define SPARSE (16u << 20) /* a mapping over several page tables, touched here and there */
#define SPARSE_STEP (1u << 20)
#define NULL_POINTER 16
#define FAULT_PRESENT 1 /* page-fault error code */
#define FAULT_WRITE 2
#define FAULT_USER 4
#define READ_WRITE (PROT_READ | PROT_WRITE)

static u32 word_at(u32 address) { return *POINTER(volatile u32, address); }
static void set_word(u32 address, u32 value) { *POINTER(volatile u32, address) = value; }

static bool page_is_zero(u32 page)
{
	u32 seen = 0;

	for (u32 offset = 0; offset < PAGE; offset += 4)
		seen |= word_at(page + offset);
	return seen == 0;
}

static void expect_fault(const char *what, bool faulted, u32 address, u32 error)
{
	if (!check(faulted, what))
		return;
	check_equal("signal of a bad access", last_fault.signal, SIGSEGV);
	check_equal("address of a bad access", last_fault.address, address);
	check_equal("error code of a bad access", last_fault.error & 7, error);
}

void check_paging(void)
{
	u32 base = map(PAGES * PAGE, READ_WRITE);
	u32 sparse = map(SPARSE, READ_WRITE);

	for (u32 i = 0; i < PAGES; i++)
		check(page_is_zero(base + i * PAGE), "a new page is zero");
	for (u32 i = 0; i < PAGES; i++)
		for (u32 offset = 0; offset < PAGE; offset += 256)
			set_word(base + i * PAGE + offset, i * 0x01000193 ^ offset);
	for (u32 i = 0; i < PAGES; i++) {
		bool right = true;

		for (u32 offset = 0; offset < PAGE; offset += 256)
			right &= word_at(base + i * PAGE + offset) == (i * 0x01000193 ^ offset);
		check(right, "a page keeps what was written");
	}
	for (u32 at = 0; at < SPARSE; at += SPARSE_STEP)
		set_word(sparse + at + 8, at + 1);
	for (u32 at = 0; at < SPARSE; at += SPARSE_STEP) {
		check_equal("sparse mapping", word_at(sparse + at + 8), at + 1);
		check_equal("sparse mapping, beside", word_at(sparse + at + PAGE), 0);
	}
	check_equal("unmap", (u32)unmap(sparse, SPARSE), 0);
	for (u32 at = 0; at < SPARSE; at += 4 * SPARSE_STEP)
		expect_fault("read after unmap", read_faults(sparse + at), sparse + at, FAULT_USER);
	unmap(base + PAGE, PAGE);
	expect_fault("hole in a mapping", write_faults(base + PAGE + 4), base + PAGE + 4, FAULT_USER | FAULT_WRITE);
	check_equal("before the hole", word_at(base), 0);
	check_equal("behind the hole", word_at(base + 2 * PAGE), 2 * 0x01000193);
	check_equal("map at a fixed place", (u32)map_at(base + PAGE, PAGE, READ_WRITE), base + PAGE);
	check(page_is_zero(base + PAGE), "a page mapped again is zero");
	unmap(base, PAGES * PAGE);
	expect_fault("null pointer, read", read_faults(NULL_POINTER), NULL_POINTER, FAULT_USER);
	expect_fault("null pointer, write", write_faults(NULL_POINTER), NULL_POINTER, FAULT_USER | FAULT_WRITE);
}

/* Every second page of a mapping read-only, the others not; then the other way round; then all open. */
static void check_alternating(u32 base)
{
	for (u32 turn = 0; turn < 2; turn++) {
		for (u32 i = 0; i < PAGES; i++)
			protect(base + i * PAGE, PAGE, i % 2 == turn ? PROT_READ : READ_WRITE);
		for (u32 i = 0; i < PAGES; i++) {
			u32 address = base + i * PAGE + 12;

			if (i % 2 == turn)
				expect_fault("write to a read-only page", write_faults(address), address,
					     FAULT_USER | FAULT_WRITE | FAULT_PRESENT);
			else
				check(!write_faults(address), "write to a writable page");
			check_equal("contents under protection changes", word_at(base + i * PAGE), i + 1);
		}
	}
	check_equal("open all at once", (u32)protect(base, PAGES * PAGE, READ_WRITE), 0);
	for (u32 i = 0; i < PAGES; i++)
		check(!write_faults(base + i * PAGE + 12), "write after mprotect");
}

void check_protection(void)
{
	static const u32 constant = 1;
	u32 base = map(PAGES * PAGE, READ_WRITE);
	u32 untouched = map(PAGE, PROT_READ);
	u32 code = ADDRESS(check_protection);

	for (u32 i = 0; i < PAGES; i++)
		set_word(base + i * PAGE, i + 1);
	check_alternating(base);
	protect(base, PAGE, PROT_NONE);
	check(read_faults(base), "read of a page without access");
	check(write_faults(base), "write of a page without access");
	check_equal("address of a page without access", last_fault.address, base);
	protect(base, PAGE, PROT_READ);
	check_equal("contents after no access", word_at(base), 1);
	expect_fault("write to constants", write_faults(ADDRESS(&constant)), ADDRESS(&constant),
		     FAULT_USER | FAULT_WRITE | FAULT_PRESENT);
	read_faults(code & ~3u);
	expect_fault("write to code", write_faults(code & ~3u), code & ~3u, FAULT_USER | FAULT_WRITE | FAULT_PRESENT);
	check(!read_faults(untouched), "read of a read-only page never written");
	check(write_faults(untouched), "write to a read-only page never written");
	check_equal("open what was read-only", (u32)protect(untouched, PAGE, READ_WRITE), 0);
	check(!write_faults(untouched), "write after it was opened");
	check_equal("what was written", word_at(untouched), 0x57A7E);
	unmap(base, PAGES * PAGE);
	unmap(untouched, PAGE);
}

void check_kernel_memory(void)
{
	static const u32 places[] = {0xC0000000, 0xC0001000, 0xC00C0000, 0xC0100000, 0xC1000000, 0xC1400000,
				     0xD0000000, 0xF8000000, 0xFEC00000, 0xFFC00000, 0xFFFF0000, 0xFFFFF000};
	u32 limit;

	if (stack_at_start >= 0xC0000000) {
		check_skipped("kernel-memory", "user-space-reaches-beyond-0xc0000000");
		return;
	}
	asm("movl %%ds, %0; lsll %0, %0" : "=r"(limit) : : "cc");
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		/* Beyond the segment's end, where a hypervisor may have put it, a fault has no address. */
		bool known = places[i] <= limit;

		check(read_faults(places[i]), "read of kernel memory");
		check(last_fault.address == places[i] || !known, "address of a kernel read");
		check_equal("signal of a kernel read", last_fault.signal, SIGSEGV);
		check(write_faults(places[i]), "write to kernel memory");
		check(last_fault.address == places[i] || !known, "address of a kernel write");
		check(jump_faults(places[i]), "jump into the kernel");
		check(last_fault.eip == places[i] || !known, "address of a kernel jump");
		check_equal("system call with a kernel pointer",
			    (u32)call3(SYS_write, 1, places[i], 4), (u32)-EFAULT);
	}
}
