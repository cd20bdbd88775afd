/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of guest/paravirt/ share: ops.c and native.S (tables), patch.c (patcher), vmi_*.c and vmi_thunks.S (VMI
 * back end), report.c. The kernel sees include/paravirt.h only.
 */
#ifndef OPENVMI_PARAVIRT_INTERNAL_H
#define OPENVMI_PARAVIRT_INTERNAL_H

#include "paravirt.h"
#include "vmi_api.h"

/* ---- Tables (ops.c) ---- */

/** How an operation is done natively: code from `start` up to `end`, where a RET follows. As a function it is called at
 *  `start`; where it fits into a site, it is copied. Both are NULL for an operation with inline sites. */
struct pv_native {
	const u8 *start, *end;
};

/** An operation's name and the VMI call behind it. */
struct pv_info {
	const char *name;
	const char *call_name;
	u8 call;
};

extern const struct pv_native pv_natives[PV_OPS_COUNT];
extern const struct pv_info pv_infos[PV_OPS_COUNT];
extern const u8 pv_nop[];

/** The operation words as an array; a site's type is its index. */
#define pv_words ((pv_code *)&pv_ops)

/* ---- Patcher (patch.c) ---- */

/** Sites seen and sites rewritten to the ROM in the last patcher run, by operation. */
extern u16 pv_site_counts[PV_OPS_COUNT];
extern u16 pv_patched_counts[PV_OPS_COUNT];

/* ---- ROM (vmi_rom.c) ---- */

enum vmi_verdict {
	VMI_ACCEPTED,
	VMI_NOT_A_ROM,    /* silently passed over */
	VMI_NOT_VMI,      /* silently passed over */
	VMI_BAD_VERSION,
	VMI_NO_PCI_HEADER,
	VMI_BAD_LICENSE,
};

/** What was found in the window, for the report. Strings point into the ROM. */
struct vmi_found {
	const struct vmi_rom_header *rom; /* accepted ROM, or the first refused one, or NULL */
	enum vmi_verdict verdict;         /* of `rom`; VMI_NOT_A_ROM if there is none */
	bool odd_pci_id;                  /* not 15AD:0801: worth a warning, still accepted */
	const char *manufacturer, *product, *license;
	u8 build_major, build_minor;      /* the ROM's own version, from its PCI header */
};

/** Applies a mainline guest's acceptance tests, in their order, to the image at `rom`. */
enum vmi_verdict vmi_judge(const struct vmi_rom_header *rom, struct vmi_found *found);
/** Scans `bytes` bytes at `window` for the first image that passes. */
void vmi_scan(const u8 *window, u32 bytes, struct vmi_found *found);

/* ---- VMI back end (vmi.c, vmi_services.c, vmi_wrappers.c, vmi_thunks.S, vmi_time.c) ---- */

enum vmi_state { VMI_ABSENT, VMI_DECLINED, VMI_ACTIVE };

struct vmi_reloc_answer {
	u32 eip;
	u8 type; /* VMI_RELOC_* */
};

/** One answered query, for the report. */
struct vmi_log_entry {
	u8 call;
	u8 type;
	u32 eip;
};

#define VMI_LOG_SIZE 128

extern struct vmi_found vmi_found;
extern enum vmi_state vmi_state;
extern u32 vmi_init_result;
extern struct vmi_log_entry vmi_log[VMI_LOG_SIZE];
extern u32 vmi_log_count;

/** Address in the ROM of each call that the guest makes; 0: not available. Thunks and wrappers call through it. */
extern u32 vmi_entry[VMI_CALL_COUNT];

/** Asks the ROM how `call` is made, and keeps the answer for the report. */
struct vmi_reloc_answer vmi_get_reloc(u32 call);
/** Asks for every service in mainline's order and fills the operation words. */
void vmi_install_services(void);
/** Announces the direct map on this CPU, if the ROM wants to know. */
void vmi_register_lowmem(void);
/** Calls 66-71; installs the clock operations if the whole group is there. */
void vmi_time_probe(void);

/** The ROM's function for `call`, as a function of type `type`. */
#define VMI_FUNCTION(call, type) ((type)(uintptr_t)vmi_entry[VMI_CALL_##call])

#endif
