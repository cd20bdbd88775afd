/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The alarms of firmware/ring as a library of the host: alarm.h behind functions that ctypes can call.
 */
#include "alarm.h"

struct clock model;

void model_reset(void) { model = (struct clock){ 0 }; }
u64 model_read(u32 counter, u64 now) { return clock_read(&model, counter, now); }
void model_steal(u64 cycles, u64 now) { clock_steal(&model, cycles, now); }
void model_set(u32 flags, u64 expiry, u64 period) { alarm_set(&model, flags, expiry, period); }
u32 model_cancel(u32 counter) { return alarm_cancel(&model, counter); }
u32 model_fire(u64 now) { return clock_fire(&model, now); }
u64 model_due(void) { return clock_due(&model); }
u64 model_period(void) { return clock_period(&model); }
