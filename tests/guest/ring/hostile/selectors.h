/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor's own selectors, which the hostile kernel tries; main.c looks whether they are these.
 */
#define MONITOR_CS 0x400
#define MONITOR_DS 0x408
#define MONITOR_TSS 0x418
#define MONITOR_TASK 0x420
#define MONITOR_GATE 0x431
#define MONITOR_FIRST (MONITOR_CS / 8)
#define MONITOR_END (MONITOR_FIRST + 32)
