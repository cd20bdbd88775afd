/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * More of Linux's i386 numbers: those that only this kernel needs. What it shares with the ring-3 programs is in
 * uapi.h.
 */
#ifndef OPENVMI_LINUX_H
#define OPENVMI_LINUX_H

#include "types.h"
#include "uapi.h"

#define EAGAIN 11
#define EMFILE 24
#define ENAMETOOLONG 36

#define SYSTEM_CALLS 266       /* size of the table */
#define FIRST_PRIVATE_CALL 1000 /* kcheck, kbench, kinfo */

#define SIGNALS 64
#define SIGCONT 18
#define SIGSTOP 19
#define SIGURG 23
#define SIGWINCH 28
#define SA_RESETHAND 0x80000000

#define SI_USER 0
#define SI_KERNEL 0x80
#define ILL_ILLOPN 2
#define FPE_INTDIV 1
#define FPE_FLTINV 7
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define TRAP_BRKPT 1
#define BUS_ADRALN 1

#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_ENTRY 9
#define AT_UID 11
#define AT_EUID 12
#define AT_GID 13
#define AT_EGID 14

#endif
