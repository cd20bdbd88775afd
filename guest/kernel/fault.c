/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Page faults: demand paging (zeroes or a program's bytes), copy on write, stale entries; else a signal, a fix-up or
 * a panic. Reached from traps.c, for user code and for kernel code that touches user memory (uaccess.c).
 */
#include "memory.h"
#include "process.h"

static bool allowed(const struct area *area, u32 error)
{
	if (error & FAULT_WRITE)
		return area->protection & AREA_WRITE;
	if (error & FAULT_FETCH)
		return area->protection & AREA_EXEC;
	return area->protection != 0; /* i386: what is writable or executable is readable */
}

/* A fresh frame with the area's content at page `va`. */
static u32 new_page(const struct area *area, u32 va)
{
	u32 offset = va - area->start, length, pfn = frame_alloc(FRAME_USER);

	if (pfn == 0)
		return 0;
	length = area->file != NULL && offset < area->file_length ? min_u32(area->file_length - offset, PAGE_SIZE) : 0;
	memcpy(frame_address(pfn), area->file + offset, length);
	memset((u8 *)frame_address(pfn) + length, 0, PAGE_SIZE - length);
	return pfn;
}

/* The frame inside the kernel image that holds page `va` of a program, like a page cache: no copy, and all processes run
 * the same code. Not for a page of which a part must read as zero. 0 if there is none. */
static u32 image_page(const struct area *area, u32 va)
{
	u32 offset = va - area->start;
	bool whole = offset < area->file_length && area->file_length - offset >= PAGE_SIZE;

	if (area->file == NULL || offset >= area->file_length || ADDRESS(area->file) % PAGE_SIZE != 0)
		return 0;
	if (!whole && (area->protection & AREA_WRITE))
		return 0;
	return virt_to_phys(area->file + offset) >> PAGE_SHIFT;
}

static bool demand_page(struct space *space, const struct area *area, u32 va, bool write)
{
	u32 pfn = va == VSYSCALL_VA ? vsyscall_pfn : 0;
	pte_t *pte = pte_make(space, va);
	bool shared;

	if (pte == NULL)
		return false;
	if (pfn == 0 && !write)
		pfn = image_page(area, va);
	shared = pfn != 0;
	if (shared)
		frame_get(pfn);
	else
		pfn = new_page(area, va);
	if (pfn == 0)
		return false;
	set_pte_at(va, pte, make_pte(pfn, area_pte_flags(area, shared)));
	return true;
}

/* The last user of a shared frame may simply write to it; another one takes a copy. */
static bool copy_on_write(struct space *space, const struct area *area, u32 va, pte_t *pte)
{
	u32 shared = pte_pfn(*pte), pfn = shared;

	if (frame_refs(shared) > 1) {
		pfn = frame_alloc(FRAME_USER);
		if (pfn == 0)
			return false;
		memcpy(frame_address(pfn), frame_address(shared), PAGE_SIZE);
		pte_clear(va, pte);
		tlb_flush_page(space, va);
		set_pte_at(va, pte, make_pte(pfn, area_pte_flags(area, false)));
		frame_put(shared);
		return true;
	}
	/* The same frame with more rights: one word changes, so there is no moment with half an entry. */
	set_pte_at(va, pte, make_pte(pfn, area_pte_flags(area, false)));
	tlb_flush_page(space, va);
	return true;
}

bool fault_mend(struct space *space, u32 va, u32 error)
{
	const struct area *area = area_find(space, va);
	pte_t *pte;

	if (area == NULL || !allowed(area, error))
		return false;
	va = ALIGN_DOWN(va, PAGE_SIZE);
	pte = pte_find(space, va);
	if (pte == NULL || *pte == 0)
		return demand_page(space, area, va, error & FAULT_WRITE);
	if ((error & FAULT_WRITE) && !(*pte & PTE_W))
		return copy_on_write(space, area, va, pte);
	/* Already right: this CPU used an older entry. */
	tlb_flush_page(space, va);
	return true;
}

static void refuse(struct regs *regs, u32 va)
{
	struct space *space = current()->space;

	if (from_user(regs)) {
		signal_fault(regs, SIGSEGV, space && area_find(space, va) ? SEGV_ACCERR : SEGV_MAPERR, va);
		return;
	}
	if (!fix_up(regs))
		panic_regs(regs, "page fault at %08x, error %04x, in the kernel", va, regs->error);
}

void handle_page_fault(struct regs *regs)
{
	u32 va = read_cr2(); /* before anything that can fault or be interrupted */
	struct space *space = current()->space;

	this_cpu()->faults++;
	if (va >= USER_TOP || space == NULL) {
		refuse(regs, va);
		return;
	}
	/* The stacked flags are right even where a hypervisor keeps its own interrupt flag. */
	if (regs->eflags & EFLAGS_IF)
		irq_enable();
	if (!fault_mend(space, va, regs->error))
		refuse(regs, va);
}
