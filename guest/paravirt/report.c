/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Tells what the layer found, asked and patched, as lines of the result channel. Entry: paravirt_report_lines(). Prints
 * nothing itself: each finished line goes to the caller's function.
 */
#include "internal.h"

#define LINE_SIZE 160

struct line {
	char text[LINE_SIZE];
	u32 length;
};

static void add(struct line *line, const char *text)
{
	/* Strings in a ROM may hold anything: control characters would end the line early. */
	for (; *text != '\0' && line->length < LINE_SIZE - 1; text++)
		line->text[line->length++] = *text >= ' ' && *text <= '~' ? *text : '?';
	line->text[line->length] = '\0';
}

static void add_number(struct line *line, u32 value, u32 base)
{
	char digits[12], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	add(line, at);
}

static void add_version(struct line *line, u32 major, u32 minor)
{
	add_number(line, major, 10);
	add(line, ".");
	add_number(line, minor, 10);
}

static void start(struct line *line, const char *text)
{
	line->length = 0;
	add(line, text);
}

static void report_rom(struct line *line, void (*emit)(const char *line))
{
	const struct vmi_found *found = &vmi_found;

	if (found->rom == NULL) {
		emit("info rom none");
		return;
	}
	start(line, "info rom found 0x");
	add_number(line, virt_to_phys(found->rom), 16);
	emit(line->text);
	start(line, "info rom-version ");
	add_version(line, found->rom->api_version_maj, found->rom->api_version_min);
	emit(line->text);
	if (found->manufacturer == NULL)
		return; /* refused before these were looked at */
	start(line, "info rom-build ");
	add_version(line, found->build_major, found->build_minor);
	emit(line->text);
	start(line, "info rom-manufacturer ");
	add(line, found->manufacturer);
	emit(line->text);
	start(line, "info rom-product ");
	add(line, found->product);
	emit(line->text);
	if (found->odd_pci_id)
		emit("info rom-warning the PCI ids are not 15ad:0801");
}

static void report_state(struct line *line, void (*emit)(const char *line))
{
	static const char *const reasons[] = {
		[VMI_BAD_VERSION] = "api-version",
		[VMI_NO_PCI_HEADER] = "no-pci-header",
		[VMI_BAD_LICENSE] = "license ",
	};

	if (vmi_state == VMI_ACTIVE) {
		start(line, "info vmi active cpl ");
		add_number(line, kernel_rpl, 10);
	} else if (vmi_state == VMI_DECLINED) {
		s32 result = (s32)vmi_init_result;

		start(line, result < 0 ? "info vmi declined -" : "info vmi declined ");
		add_number(line, result < 0 ? 0 - vmi_init_result : vmi_init_result, 10);
	} else if (vmi_found.rom != NULL && vmi_found.verdict != VMI_ACCEPTED) {
		start(line, "info vmi refused ");
		add(line, reasons[vmi_found.verdict]);
		if (vmi_found.verdict == VMI_BAD_LICENSE)
			add(line, vmi_found.license);
	} else {
		return;
	}
	emit(line->text);
}

static void report_calls(struct line *line, void (*emit)(const char *line))
{
	static const char *const types[] = {
		[VMI_RELOC_NONE] = "NONE",
		[VMI_RELOC_CALL_REL] = "CALL_REL",
		[VMI_RELOC_JUMP_REL] = "JUMP_REL",
		[VMI_RELOC_NOP] = "NOP",
	};

	for (u32 i = 0; i < vmi_log_count; i++) {
		const struct vmi_log_entry *entry = &vmi_log[i];

		start(line, "call ");
		add_number(line, entry->call, 10);
		add(line, " ");
		if (entry->type < ARRAY_SIZE(types)) {
			add(line, types[entry->type]);
		} else {
			add(line, "0x");
			add_number(line, entry->type, 16);
		}
		add(line, " 0x");
		add_number(line, entry->eip, 16);
		emit(line->text);
	}
}

/* Operations that share a call are counted together, where the first of them stands. */
static void report_sites(struct line *line, void (*emit)(const char *line))
{
	for (u32 type = 0; type < PV_OPS_COUNT; type++) {
		u32 sites = 0, patched = 0;
		bool first = true;

		for (u32 other = 0; other < PV_OPS_COUNT; other++) {
			if (pv_infos[other].call != pv_infos[type].call)
				continue;
			first = first && other >= type;
			sites += pv_site_counts[other];
			patched += pv_patched_counts[other];
		}
		if (!first || sites == 0)
			continue;
		start(line, "site ");
		add(line, pv_infos[type].call_name);
		add(line, " ");
		add_number(line, sites, 10);
		add(line, " ");
		add_number(line, patched, 10);
		emit(line->text);
	}
}

void paravirt_report_lines(void (*emit)(const char *line))
{
	struct line line;

	report_rom(&line, emit);
	report_state(&line, emit);
	report_calls(&line, emit);
	report_sites(&line, emit);
}
