/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The kernel's checks of itself and of the layer below it. kcheck.c holds the table of groups; a group is a function
 * that calls expect() and lives in one of the kcheck_*.c. To add one: the function, its prototype here, its line in
 * the table.
 */
#ifndef OPENVMI_KCHECK_H
#define OPENVMI_KCHECK_H

#include "memory.h"
#include "process.h"

typedef void check_group(struct kcheck_result *result);

/** Counts one check; keeps the first failure's text. Returns `right`. */
bool expect(struct kcheck_result *result, bool right, const char *text, ...) __attribute__((format(printf, 3, 4)));
/** Counts a comparison: `what` and both values are told if they differ. */
void expect_equal(struct kcheck_result *result, u32 value, u32 wanted, const char *what);

check_group check_memory, check_registers, check_flags, check_control, check_descriptors, check_tables, check_owned;
check_group check_translations, check_time, check_processors, check_counting;

#endif
