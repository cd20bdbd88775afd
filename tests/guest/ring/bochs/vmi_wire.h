/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Found before the wire's own header: the device's memory is the highest RAM of a small PC, for which Bochs starts at once;
 * RAM up to a device's usual place takes it seconds. Its end is pc.py's MEMORY + 32 MiB.
 */
#include_next "vmi_wire.h"

#undef VMI_WIRE_BAR
#define VMI_WIRE_BAR 0x4000000
