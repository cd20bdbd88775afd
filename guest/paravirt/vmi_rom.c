/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Finds the VMI ROM: a mainline guest's scan and acceptance tests, in its order (vmi-abi.md 1.2, 1.7). Entry: vmi_scan(),
 * called by paravirt_probe() in vmi.c. Reads memory only; nothing in the ROM runs here. Offsets in a ROM have 16 bits, so
 * whatever they say is within 64 KiB of it and inside the direct map; strings are compared or cut, never trusted to end.
 */
#include "internal.h"

static const void *at(const struct vmi_rom_header *rom, u32 offset)
{
	return (const u8 *)rom + offset;
}

#if !VMI_IS_13
static bool same(const char *left, const char *right)
{
	while (*left != '\0' && *left == *right) {
		left++;
		right++;
	}
	return *left == *right;
}

/* Only these two: the interface is meant for hypervisor code that is published under the kernel's own licence. */
static bool license_fits(const char *license)
{
	return same(license, "GPL") || same(license, "GPL v2");
}
#endif

static void read_pci_header(const struct vmi_rom_header *rom, struct vmi_found *found)
{
	const struct vmi_pcir *pci = at(rom, rom->pci_header_offs);

	found->odd_pci_id = pci->vendor != VMI_PCI_VENDOR || pci->device != VMI_PCI_DEVICE;
	found->build_major = pci->version_maj;
	found->build_minor = pci->version_min;
}

static void read_strings(const struct vmi_rom_header *rom, struct vmi_found *found)
{
	found->manufacturer = found->product = "UNKNOWN";
	if (rom->pnp_header_offs != 0) {
		const struct vmi_pnp *pnp = at(rom, rom->pnp_header_offs);

		if (pnp->manufacturer_offs != 0)
			found->manufacturer = at(rom, pnp->manufacturer_offs);
		if (pnp->product_offs != 0)
			found->product = at(rom, pnp->product_offs);
	}
}

#if VMI_IS_13
/* The guests of 2006 look at signatures and version only. The minor version is that of the relocation query. */
enum vmi_verdict vmi_judge(const struct vmi_rom_header *rom, struct vmi_found *found)
{
	if (rom->rom_signature != VMI_ROM_SIGNATURE)
		return VMI_NOT_A_ROM;
	if (rom->vrom_signature != VMI_SIGNATURE)
		return VMI_NOT_VMI;
	found->rom = rom;
	if (rom->api_version_maj != VMI_API_MAJOR || rom->api_version_min < VMI_API_MINOR)
		return VMI_BAD_VERSION;
	if (rom->pci_header_offs != 0)
		read_pci_header(rom, found);
	read_strings(rom, found);
	return VMI_ACCEPTED;
}
#else
enum vmi_verdict vmi_judge(const struct vmi_rom_header *rom, struct vmi_found *found)
{
	if (rom->rom_signature != VMI_ROM_SIGNATURE)
		return VMI_NOT_A_ROM;
	if (rom->vrom_signature != VMI_SIGNATURE)
		return VMI_NOT_VMI;
	found->rom = rom;
	if (rom->api_version_maj != VMI_API_MAJOR || rom->api_version_min + 1 < VMI_API_MINOR + 1)
		return VMI_BAD_VERSION;
	/* The signature alone is not taken for safe: any data could hold it. */
	if (rom->pci_header_offs == 0)
		return VMI_NO_PCI_HEADER;
	read_pci_header(rom, found);
	read_strings(rom, found);
	found->license = rom->license_offs != 0 ? at(rom, rom->license_offs) : "unspecified";
	return license_fits(found->license) ? VMI_ACCEPTED : VMI_BAD_LICENSE;
}
#endif

void vmi_scan(const u8 *window, u32 bytes, struct vmi_found *found)
{
	static const struct vmi_found nothing;

	*found = nothing;
	found->verdict = VMI_NOT_A_ROM;
	for (u32 offset = 0; offset < bytes; offset += VMI_SCAN_STEP) {
		struct vmi_found here = nothing;

		here.verdict = vmi_judge((const void *)(window + offset), &here);
		if (here.verdict == VMI_ACCEPTED) {
			*found = here;
			return;
		}
		/* A refused ROM does not end the search; the first one is kept to tell why. */
		if (here.rom != NULL && found->rom == NULL)
			*found = here;
	}
}
