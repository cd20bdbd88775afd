/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which CPUs there are: the ACPI MADT, else the older MP table. Tables may lie anywhere in physical memory, so they
 * are copied piece by piece through a fixed mapping; lengths are checked, firmware is not always right. Called by
 * smp.c.
 */
#include "memory.h"

#define BIOS_START 0xE0000
#define BIOS_END 0x100000
#define EBDA_POINTER 0x40E
#define MAX_TABLE 4096

struct sdt_header {
	char signature[4];
	u32 length;
	u8 rest[28];
} PACKED;

static u8 checksum(const u8 *bytes, u32 length)
{
	u8 sum = 0;

	while (length-- > 0)
		sum = (u8)(sum + *bytes++);
	return sum;
}

static const u8 *scan(u32 from, u32 to, const char *signature, u32 length)
{
	for (u32 at = from; at + length <= to; at += 16) {
		const u8 *bytes = phys_to_virt(at);

		if (memcmp(bytes, signature, strlen(signature)) == 0 && checksum(bytes, length) == 0)
			return bytes;
	}
	return NULL;
}

/* Both anchors lie in the first KiB of the extended BIOS data area or in the BIOS itself. */
static const u8 *find_anchor(const char *signature, u32 length)
{
	u32 ebda = (u32)*(const u16 *)phys_to_virt(EBDA_POINTER) << 4;
	const u8 *found = NULL;

	if (ebda >= 0x80000 && ebda < 0xA0000)
		found = scan(ebda, ebda + 1024, signature, length);
	return found != NULL ? found : scan(BIOS_START, BIOS_END, signature, length);
}

/* Copies a whole table if it is the wanted one (NULL: any), fits and sums to zero; returns its length or 0. */
static u32 read_sdt(u32 physical, const char *signature, u8 *table)
{
	struct sdt_header header;

	physical_read(physical, &header, sizeof header);
	if ((signature != NULL && memcmp(header.signature, signature, 4) != 0) || header.length < sizeof header ||
	    header.length > MAX_TABLE)
		return 0;
	physical_read(physical, table, header.length);
	return checksum(table, header.length) == 0 ? header.length : 0;
}

static u32 add(u32 *ids, u32 count, u32 size, u32 id)
{
	if (count < size)
		ids[count++] = id;
	return count;
}

/* Entries of type 0 are processors: id at 3, flags (bit 0 enabled) at 4. */
static u32 parse_madt(const u8 *table, u32 length, u32 *ids, u32 size)
{
	u32 count = 0;

	for (u32 at = 44; at + 2 <= length && table[at + 1] >= 2; at += table[at + 1])
		if (table[at] == 0 && at + 8 <= length && (table[at + 4] & 1))
			count = add(ids, count, size, table[at + 3]);
	return count;
}

static u32 cpus_by_acpi(u32 *ids, u32 size, u8 *table)
{
	const u8 *rsdp = find_anchor("RSD PTR ", 20);
	u32 length, address, count;
	u32 tables[32];

	if (rsdp == NULL)
		return 0;
	memcpy(&address, rsdp + 16, sizeof address);
	length = read_sdt(address, "RSDT", table);
	if (length == 0)
		return 0;
	count = min_u32((length - (u32)sizeof(struct sdt_header)) / 4, ARRAY_SIZE(tables));
	memcpy(tables, table + sizeof(struct sdt_header), count * 4);
	for (u32 i = 0; i < count; i++) {
		length = read_sdt(tables[i], "APIC", table);
		if (length != 0)
			return parse_madt(table, length, ids, size);
	}
	return 0;
}

/* MP configuration table: header of 44 bytes, processor entries (type 0) of 20, all others of 8. */
static u32 cpus_by_mp_table(u32 *ids, u32 size, u8 *table)
{
	const u8 *pointer = find_anchor("_MP_", 16);
	u32 address, length, count = 0;

	if (pointer == NULL)
		return 0;
	memcpy(&address, pointer + 4, sizeof address);
	if (address == 0)
		return 0;
	physical_read(address, table, 8);
	length = table[4] | (u32)table[5] << 8;
	if (memcmp(table, "PCMP", 4) != 0 || length > MAX_TABLE)
		return 0;
	physical_read(address, table, length);
	for (u32 at = 44; at < length; at += table[at] == 0 ? 20 : 8)
		if (table[at] == 0 && at + 20 <= length && (table[at + 3] & 1))
			count = add(ids, count, size, table[at + 1]);
	return count;
}

u32 find_cpus(u32 *ids, u32 size)
{
	u32 pfn = frame_alloc(FRAME_KERNEL), count = 0;

	if (pfn == 0)
		return 0;
	count = cpus_by_acpi(ids, size, frame_address(pfn));
	if (count == 0)
		count = cpus_by_mp_table(ids, size, frame_address(pfn));
	frame_put(pfn);
	return count;
}
