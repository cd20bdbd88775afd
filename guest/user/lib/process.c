/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Processes and time.
 */
#include "ulib.h"

bool in_child;

s32 spawn(void)
{
	s32 pid = call0(SYS_fork);

	if (pid == 0) {
		in_child = true;
		fault_uncatch(); /* a fault in the child must not continue as the parent's catch_fault */
	}
	return pid;
}

s32 wait_for(s32 pid)
{
	s32 status = 0;
	s32 got;

	do
		got = call3(SYS_waitpid, (u32)pid, ADDRESS(&status), 0);
	while (got == -EINTR);
	return got < 0 ? got : status;
}

s32 run_child(CDECL void (*body)(void *), void *argument)
{
	s32 pid = spawn();

	if (pid == 0) {
		body(argument);
		leave(0);
	}
	return pid < 0 ? pid : wait_for(pid);
}

s32 execute(const char *path, char *const *argv, char *const *envp)
{
	return call3(SYS_execve, ADDRESS(path), ADDRESS(argv), ADDRESS(envp));
}

void pause_ms(u32 milliseconds)
{
	struct timespec time = {(s32)(milliseconds / 1000), (s32)(milliseconds % 1000 * 1000000)};

	call2(SYS_nanosleep, ADDRESS(&time), 0);
}

u64 clock_us(void)
{
	struct timeval now = {0, 0};

	call2(SYS_gettimeofday, ADDRESS(&now), 0);
	return (u64)(u32)now.seconds * 1000000 + (u32)now.microseconds;
}
