/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System calls on files: the console (/dev/ttyS0), the result channel (/dev/ttyS1), and the programs in the kernel
 * image as read-only files. A write of up to a kilobyte appears in one piece.
 */
#include "memory.h"
#include "process.h"

#define PIECE 1024

bool result_exit_seen;

static struct file *file_of(u32 number)
{
	struct file *file = number < MAX_FILES ? &current()->files[number] : NULL;

	return file != NULL && file->kind != FILE_CLOSED ? file : NULL;
}

long sys_write(struct regs *regs)
{
	const struct file *file = file_of(regs->ebx);
	char piece[PIECE];
	u32 done = 0;

	if (file == NULL || file->kind == FILE_PROGRAM)
		return -EBADF;
	while (done < regs->edx) {
		u32 length = min_u32(regs->edx - done, PIECE);

		if (copy_in(piece, regs->ecx + done, length) != 0)
			return done > 0 ? (long)done : -EFAULT;
		if (file->kind == FILE_RESULT) {
			result_exit_seen |= length > 5 && memcmp(piece, "exit ", 5) == 0;
			result_write(piece, length);
		} else {
			console_write(piece, length);
		}
		done += length;
	}
	return (long)done;
}

/* The console has no input here: end of file. */
long sys_read(struct regs *regs)
{
	struct file *file = file_of(regs->ebx);
	u32 length;

	if (file == NULL)
		return -EBADF;
	if (file->kind != FILE_PROGRAM)
		return 0;
	length = min_u32(regs->edx, (u32)(file->program->end - file->program->start) - file->offset);
	if (copy_out(regs->ecx, file->program->start + file->offset, length) != 0)
		return -EFAULT;
	file->offset += length;
	return (long)length;
}

static bool open_path(struct file *file, const char *path)
{
	*file = (struct file){ 0 };
	if (strcmp(path, "/dev/ttyS0") == 0 || strcmp(path, "/dev/console") == 0)
		file->kind = FILE_CONSOLE;
	else if (strcmp(path, "/dev/ttyS1") == 0)
		file->kind = FILE_RESULT;
	else if ((file->program = program_find(path)) != NULL)
		file->kind = FILE_PROGRAM;
	return file->kind != FILE_CLOSED;
}

long sys_open(struct regs *regs)
{
	char path[64];
	int length = copy_text_in(path, regs->ebx, sizeof path);

	if (length < 0)
		return length;
	for (u32 i = 0; i < MAX_FILES; i++) {
		struct file *file = &current()->files[i];

		if (file->kind != FILE_CLOSED)
			continue;
		if (!open_path(file, path))
			return -ENOENT;
		if (file->kind == FILE_PROGRAM && (regs->ecx & 3) != 0) {
			file->kind = FILE_CLOSED;
			return -EACCES;
		}
		return (long)i;
	}
	return -EMFILE;
}

long sys_close(struct regs *regs)
{
	struct file *file = file_of(regs->ebx);

	if (file == NULL)
		return -EBADF;
	file->kind = FILE_CLOSED;
	return 0;
}
