/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Private anonymous mappings, the only kind that the programs use.
 */
#include "ulib.h"

u32 map_failed(u32 result) { return result > (u32)-PAGE; }

s32 map_at(u32 address, u32 length, u32 access)
{
	u32 fixed = address ? MAP_FIXED : 0;

	return system_call(SYS_mmap2, address, length, access, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
}

u32 map(u32 length, u32 access)
{
	u32 address = (u32)map_at(0, length, access);

	if (map_failed(address))
		fault_uncaught(&(struct fault){.signal = SIGBUS, .error = address});
	return address;
}
