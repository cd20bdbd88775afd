/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the shadow page tables need of the monitor, in the model test: host.c.
 */
#ifndef OPENVMI_MODEL_SHADOW_ENV_H
#define OPENVMI_MODEL_SHADOW_ENV_H

#include "shadow.h"

void *map_frame(u32 cpu, u32 gpa);
void *map_shadow(u32 cpu, u32 index);
u32 frame_is_ram(u32 pfn);
u32 frames_legal(u32 pfn, u32 count);
void tlb_flush(void);
void tlb_inval(u32 address);
void tlb_load(u32 machine);
void tlb_flush_others(u32 cpu);
void relax(u32 cpu);

enum { FREED, TAKEN, HALF };
void host_event(u32 what, u32 index);
#define SHADOW_EVENT(what, index) host_event(what, index)

#endif
