/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What ring-3 programs see, with Linux/i386's numbers and layouts: the same program runs on both kernels. Private to this
 * kernel: system calls 1000 (self-checks), 1001 (in-kernel benchmarks) and 1002 (information).
 */
#ifndef OPENVMI_UAPI_H
#define OPENVMI_UAPI_H

#include "types.h"

#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define ECHILD 10
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define ENODEV 19
#define EINVAL 22
#define EMFILE 24
#define ENAMETOOLONG 36
#define ENOSYS 38

#define SYS_EXIT 1
#define SYS_FORK 2
#define SYS_READ 3
#define SYS_WRITE 4
#define SYS_OPEN 5
#define SYS_CLOSE 6
#define SYS_WAITPID 7
#define SYS_EXECVE 11
#define SYS_GETPID 20
#define SYS_KILL 37
#define SYS_GETPPID 64
#define SYS_SIGACTION 67
#define SYS_GETTIMEOFDAY 78
#define SYS_REBOOT 88
#define SYS_MMAP 90
#define SYS_MUNMAP 91
#define SYS_SIGRETURN 119
#define SYS_MPROTECT 125
#define SYS_SCHED_YIELD 158
#define SYS_NANOSLEEP 162
#define SYS_RT_SIGRETURN 173
#define SYS_RT_SIGACTION 174
#define SYS_MMAP2 192
#define SYS_SET_THREAD_AREA 243
#define SYS_EXIT_GROUP 252
#define SYS_CLOCK_GETTIME 265
#define SYS_COUNT 266
#define SYS_PRIVATE 1000 /* kcheck, kbench, kinfo */

#define SIGNALS 64
#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGSEGV 11
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGURG 23
#define SIGWINCH 28

#define SIG_DFL 0
#define SIG_IGN 1
#define SA_SIGINFO 0x00000004
#define SA_RESTORER 0x04000000
#define SA_NODEFER 0x40000000
#define SA_RESETHAND 0x80000000

#define SI_USER 0
#define SI_KERNEL 0x80
#define ILL_ILLOPN 2
#define FPE_INTDIV 1
#define FPE_INTOVF 2
#define FPE_FLTINV 7
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define TRAP_BRKPT 1
#define BUS_ADRALN 1

#define WNOHANG 1
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20

#define REBOOT_MAGIC1 0xfee1dead
#define REBOOT_POWER_OFF 0x4321fedc
#define REBOOT_RESTART 0x01234567

#define AT_NULL 0
#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_ENTRY 9
#define AT_UID 11
#define AT_EUID 12
#define AT_GID 13
#define AT_EGID 14
#define AT_SYSINFO 32

struct user_timespec {
	s32 seconds, nanoseconds;
};

struct user_timeval {
	s32 seconds, microseconds;
};

/** What kcheck() fills in. */
struct kcheck_result {
	char name[24];
	u32 passed, failed;
};

/* struct sigcontext */
struct user_context {
	u32 gs, fs, es, ds;
	u32 edi, esi, ebp, esp, ebx, edx, ecx, eax;
	u32 trap, error, eip, cs, eflags, esp_at_signal, ss;
	u32 fpstate, oldmask, cr2;
};

_Static_assert(sizeof(struct user_context) == 88, "struct sigcontext");

#endif
