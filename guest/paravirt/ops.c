/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The tables of the paravirt layer, all made from the lists of include/pv_ops.h: the operation words with their native
 * initial values, the native templates (native.S), names. The patcher (patch.c) and the report (report.c) read them.
 */
#include "internal.h"

_Static_assert(PV_TYPE(irq, irq_disable) == PV_TYPE_irq_disable, "index for assembler");
_Static_assert(PV_TYPE(irq, irq_enable) == PV_TYPE_irq_enable, "index for assembler");
_Static_assert(PV_TYPE(irq, iret) == PV_TYPE_iret, "index for assembler");
_Static_assert(PV_TYPE(irq, sti_sysexit) == PV_TYPE_sti_sysexit, "index for assembler");
_Static_assert(PV_OPS_COUNT <= 256, "a record's type is one byte");

#define PV_DECLARE(group, name, call) extern const u8 pv_native_##name[], pv_native_##name##_end[];
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
