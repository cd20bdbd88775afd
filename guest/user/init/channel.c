/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The result channel (COM2), the console, and the end of the machine, on the bundled kernel and on Linux. When /init
 * is not PID 1 it is being tried out on a workstation: results go to standard output and the end is an exit.
 */
#include "channel.h"

/* Linux's terminal interface, as far as a raw line needs it. */
#define TCSETS 0x5402
#define TCSBRK 0x5409
#define F_SETFL 4
#define LINE_MODE 0x18B2 /* B115200 | CS8 | CREAD | CLOCAL */
#define CONSOLE 1
#define CHARACTER_DEVICE 0020600

struct terminal {
	u32 input, output, control, local;
	u8 discipline, characters[19];
};

bool on_bundled_kernel;
bool is_first_process;
static s32 channel = CONSOLE;

static s32 open_serial(const char *path, u32 minor)
{
	s32 file = call3(SYS_open, ADDRESS(path), O_RDWR | O_NOCTTY | O_NONBLOCK, 0);

	if (file != -ENOENT)
		return file;
	call2(SYS_mkdir, ADDRESS("/dev"), 0755);
	call3(SYS_mknod, ADDRESS(path), CHARACTER_DEVICE, 4 << 8 | minor);
	return call3(SYS_open, ADDRESS(path), O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
}

/* A Linux terminal turns LF into CR LF and may wait for a carrier; both calls fail harmlessly elsewhere. */
static void make_raw(s32 file)
{
	struct terminal raw = {.control = LINE_MODE};

	call3(SYS_ioctl, (u32)file, TCSETS, ADDRESS(&raw));
	call3(SYS_fcntl, (u32)file, F_SETFL, O_RDWR);
}

void channel_open(void)
{
	s32 file;

	on_bundled_kernel = call3(SYS_kinfo, KINFO_VERSION, 0, 0) != -ENOSYS;
	is_first_process = call0(SYS_getpid) == 1;
	if (!is_first_process)
		return;
	file = open_serial("/dev/ttyS1", 65);
	if (file < 0)
		return;
	make_raw(file);
	channel = file;
}

void channel_send(struct line *line) { line_send(line, channel); }

void channel_say(const char *text)
{
	struct line line;

	line_start(&line, text);
	channel_send(&line);
}

void console_say(struct line *line)
{
	if (is_first_process)
		line_send(line, CONSOLE);
}

void channel_drain(void)
{
	if (on_bundled_kernel || !is_first_process)
		return;
	call3(SYS_ioctl, (u32)channel, TCSBRK, 1);
	call3(SYS_ioctl, CONSOLE, TCSBRK, 1);
}

static void reboot(u32 how) { call4(SYS_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, how, 0); }

NORETURN void restart(void)
{
	channel_drain();
	if (!is_first_process)
		leave(1);
	for (;;)
		reboot(REBOOT_RESTART);
}

NORETURN void power_off(int status)
{
	channel_drain();
	if (!is_first_process)
		leave(status);
	if (!on_bundled_kernel)
		call0(SYS_sync);
	reboot(REBOOT_POWER_OFF);
	restart(); /* no way to switch off: at least the machine ends */
}
