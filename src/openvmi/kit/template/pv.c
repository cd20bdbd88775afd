/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the paravirt layer wants of the kernel, and it has not otherwise. fail() is in kernel.c.
 */
#include "paravirt.h"

#if PARAVIRT_VERSION != 1
#error "this kernel is written for version 1 of the paravirt layer"
#endif

_Noreturn void fail(const char *text);

u32 tsc_khz, lapic_base; /* neither is used here: time comes from the PIT */

void pv_panic(const char *text)
{
	fail(text);
}

u32 pv_cpu_index(void)
{
	return 0;
}

/* The compiler makes calls of these two. */
void *memcpy(void *to, const void *from, size_t length)
{
	u8 *out = to;

	for (const u8 *in = from; length > 0; length--)
		*out++ = *in++;
	return to;
}

void *memset(void *to, int byte, size_t length)
{
	for (u8 *out = to; length > 0; length--)
		*out++ = (u8)byte;
	return to;
}
