/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System calls on memory: private anonymous mappings, their removal and protection. Work: areas.c.
 */
#include "memory.h"
#include "process.h"

/* Rounds up; 0 for nothing or for more than there is. */
static u32 whole_pages(u32 length)
{
	return length <= USER_TOP ? ALIGN_UP(length, PAGE_SIZE) : 0;
}

static bool valid_range(u32 start, u32 length)
{
	return start % PAGE_SIZE == 0 && start >= USER_BASE && length <= STACK_TOP && start <= STACK_TOP - length;
}

static long map(u32 address, u32 length, u32 protection, u32 flags)
{
	struct space *space = current()->space;
	struct area area = { .protection = protection & (AREA_READ | AREA_WRITE | AREA_EXEC) };
	int error;

	length = whole_pages(length);
	if (length == 0 || (flags & (MAP_PRIVATE | MAP_ANONYMOUS)) != (MAP_PRIVATE | MAP_ANONYMOUS))
		return -EINVAL;
	if (!(flags & MAP_FIXED)) {
		address = area_place(space, length);
		if (address == 0)
			return -ENOMEM;
	} else if (!valid_range(address, length)) {
		return -EINVAL;
	} else {
		error = space_unmap(space, address, address + length);
		if (error != 0)
			return error;
	}
	area.start = address;
	area.end = address + length;
	error = area_add(space, area);
	return error != 0 ? error : (long)address;
}

/* The old call: one pointer to address, length, protection, flags, file, offset. */
long sys_old_mmap(struct regs *regs)
{
	u32 words[6];

	if (copy_in(words, regs->ebx, sizeof words) != 0)
		return -EFAULT;
	return map(words[0], words[1], words[2], words[3]);
}

long sys_mmap2(struct regs *regs)
{
	return map(regs->ebx, regs->ecx, regs->edx, regs->esi);
}

long sys_munmap(struct regs *regs)
{
	u32 length = whole_pages(regs->ecx);

	if (length == 0 || !valid_range(regs->ebx, length))
		return -EINVAL;
	return space_unmap(current()->space, regs->ebx, regs->ebx + length);
}

long sys_mprotect(struct regs *regs)
{
	u32 length = whole_pages(regs->ecx);

	if (regs->ecx == 0)
		return 0;
	if (length == 0 || !valid_range(regs->ebx, length) || (regs->edx & ~7u))
		return -EINVAL;
	return space_protect(current()->space, regs->ebx, regs->ebx + length, regs->edx);
}
