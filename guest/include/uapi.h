/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the bundled kernel and its ring-3 programs agree on: the numbers of Linux's i386 system calls that they use, so
 * that the same programs run on a real Linux, and three calls of our own. Constants may be included by assembler.
 */
#ifndef OPENVMI_UAPI_H
#define OPENVMI_UAPI_H

/* System calls: EAX = number; EBX, ECX, EDX, ESI, EDI, EBP = arguments; EAX = result or -errno; nothing else changes. */
#define SYS_exit 1
#define SYS_fork 2
#define SYS_read 3
#define SYS_write 4
#define SYS_open 5
#define SYS_close 6
#define SYS_waitpid 7
#define SYS_execve 11
#define SYS_getpid 20
#define SYS_kill 37
#define SYS_getppid 64
#define SYS_sigaction 67
#define SYS_gettimeofday 78
#define SYS_reboot 88
#define SYS_mmap 90 /* EBX points to its six arguments */
#define SYS_munmap 91
#define SYS_sigreturn 119
#define SYS_mprotect 125
#define SYS_sched_yield 158
#define SYS_nanosleep 162
#define SYS_rt_sigreturn 173
#define SYS_rt_sigaction 174
#define SYS_mmap2 192
#define SYS_sched_setaffinity 241
#define SYS_set_thread_area 243
#define SYS_exit_group 252
#define SYS_clock_gettime 265

/* Wanted on Linux only: the bundled kernel answers -ENOSYS. */
#define SYS_mknod 14
#define SYS_sync 36
#define SYS_mkdir 39
#define SYS_pipe 42
#define SYS_ioctl 54
#define SYS_fcntl 55
#define SYS_uname 122
#define SYS_personality 136
#define SYS_sched_setscheduler 156
#define SYS_pread64 180
#define SYS_sched_getaffinity 242

/* Ours: Linux answers -ENOSYS, which is how a program tells the two apart. */
#define SYS_kcheck 1000 /* (u32 group, struct kcheck_result *): 0, or -ENOENT past the last group */
#define SYS_kbench 1001 /* (u32 operation, u32 batches, u32 ops, u64 *ticks): 0, -ENODEV, or -EINVAL */
#define SYS_kinfo 1002	/* (u32 key, void *, u32): the value of a KINFO_* */

#define KINFO_VERSION 0 /* 1: the calls above as described here */
#define KINFO_CPUS 1	/* CPUs that run processes */
#define KINFO_TSC_KHZ 2

#define KBENCH_INTERRUPT 0 /* one op: this CPU sends itself an interrupt and has handled it */

#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define ECHILD 10
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define ENODEV 19
#define EINVAL 22
#define ENOSYS 38

#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGCHLD 17
#define SIG_DFL 0
#define SIG_IGN 1
#define SA_SIGINFO 0x00000004
#define SA_RESTORER 0x04000000
#define SA_NODEFER 0x40000000

#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_PRIVATE 0x02
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20

#define O_RDWR 2
#define O_NOCTTY 0x100
#define O_NONBLOCK 0x800
#define WNOHANG 1

#define AT_NULL 0
#define AT_PAGESZ 6
#define AT_SYSINFO 32

#define REBOOT_MAGIC1 0xFEE1DEAD
#define REBOOT_MAGIC2 672274793
#define REBOOT_RESTART 0x01234567
#define REBOOT_POWER_OFF 0x4321FEDC

#ifndef __ASSEMBLER__

#include "types.h"

/* One group of the kernel's own checks. Texts end in NUL; `failure` is the first that failed, or empty. */
struct kcheck_result {
	char group[32];
	u32 passed;
	u32 failed;
	char failure[128];
};

struct timespec {
	s32 seconds;
	s32 nanoseconds;
};

struct timeval {
	s32 seconds;
	s32 microseconds;
};

/* rt_sigaction's argument; sigaction's has the mask, one word, before the flags. */
struct rt_action {
	u32 handler;
	u32 flags;
	u32 restorer;
	u64 mask;
};

struct old_action {
	u32 handler;
	u32 mask;
	u32 flags;
	u32 restorer;
};

/* The registers in a signal frame; the handler may change them. `sp`, not `sp_at_signal`, is what sigreturn loads. */
struct signal_registers {
	u32 gs, fs, es, ds;
	u32 edi, esi, ebp, sp, ebx, edx, ecx, eax;
	u32 trap, error, eip, cs, eflags, sp_at_signal, ss;
	u32 fpstate, oldmask, cr2;
};

/* A handler with SA_SIGINFO is called as handler(number, &info, &context), arguments on the stack. */
struct signal_info {
	s32 number, error, code;
	u32 address; /* of a fault: what was touched */
	u32 rest[28];
};

struct signal_context {
	u32 flags, link;
	u32 stack[3];
	struct signal_registers registers;
	u64 mask;
};

/* set_thread_area's argument. */
struct tls_area {
	u32 entry; /* 0xFFFFFFFF: the kernel chooses and stores */
	u32 base, limit, flags;
};
#define TLS_SEGMENT_32 0x01
#define TLS_LIMIT_IN_PAGES 0x10
#define TLS_USEABLE 0x40

_Static_assert(sizeof(struct kcheck_result) == 168, "kcheck_result");
_Static_assert(sizeof(struct rt_action) == 20, "rt_action");
_Static_assert(sizeof(struct signal_registers) == 88, "signal_registers");
_Static_assert(sizeof(struct signal_info) == 128, "signal_info");
_Static_assert(offsetof(struct signal_context, registers) == 20, "signal_context");

#endif /* __ASSEMBLER__ */

#endif
