/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The tables of the paravirt layer, all made from the lists of include/pv_ops.h: the operation words with their native
 * initial values, the native templates (native.S), names. The patcher (patch.c) and the report (report.c) read them.
 */
#include "internal.h"

_Static_assert(PV_OPS_COUNT <= 256, "a record's type is one byte");

/* Operations with inline sites have no end, and address 0. */
#define PV_DECLARE(group, name, call)       \
	extern const u8 pv_native_##name[]; \
	extern const u8 pv_native_##name##_end[] __attribute__((weak));
PV_ALL_OPS(PV_DECLARE)

#define PV_INITIAL(group, name, call) .group.name = pv_native_##name,
struct pv_ops pv_ops = { PV_ALL_OPS(PV_INITIAL) };

#define PV_NATIVE(group, name, call) [PV_TYPE(group, name)] = { pv_native_##name, pv_native_##name##_end },
const struct pv_native pv_natives[PV_OPS_COUNT] = { PV_ALL_OPS(PV_NATIVE) };

/* Two steps, because some calls in the lists are macros. */
#define PV_INFO_OF(name, call) { name, #call, VMI_CALL_##call }
#define PV_INFO_EXPAND(name, call) PV_INFO_OF(name, call)
#define PV_INFO(group, name, call) [PV_TYPE(group, name)] = PV_INFO_EXPAND(#name, call),
const struct pv_info pv_infos[PV_OPS_COUNT] = { PV_ALL_OPS(PV_INFO) };

/* Symbols for sites: pv_type_X is the operation's index, pv_word_X the address of its word. The assembler has no offsetof,
 * so the words are counted (nothing else here uses the counter), and the compiler checks the count. */
#define PV_SYMBOL_OF(group, name, n)                                                     \
	_Static_assert(PV_TYPE(group, name) == n, "the lists and the structures agree"); \
	asm(".globl pv_type_" #name ", pv_word_" #name "\n"                              \
	    ".set pv_type_" #name ", " #n "\n"                                           \
	    ".set pv_word_" #name ", pv_ops + 4 * " #n "\n");
#define PV_SYMBOL_AT(group, name, n) PV_SYMBOL_OF(group, name, n)
#define PV_SYMBOL(group, name, call) PV_SYMBOL_AT(group, name, __COUNTER__)
PV_ALL_OPS(PV_SYMBOL)
