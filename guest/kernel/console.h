/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What panic.c alone needs of console.c.
 */
#ifndef OPENVMI_CONSOLE_H
#define OPENVMI_CONSOLE_H

#include "types.h"

/** Frees both ports' locks: whoever holds one may be the CPU that panics. */
void console_break_locks(void);
/** result() with an argument list. */
void result_args(const char *text, __builtin_va_list args);

#endif
