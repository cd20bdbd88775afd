/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the multiboot loader says: memory size and command line, copied at once because the loader's structures lie
 * in memory that becomes free. Command line: kernel options, then ` -- `, then words for /init. Used by main.c.
 */
#include "kernel.h"

#define LOADED_BY_MULTIBOOT 0x2BADB002
#define INFO_MEMORY 1
#define INFO_COMMAND_LINE 4

struct multiboot_info {
	u32 flags;
	u32 memory_lower, memory_upper; /* KiB below 1 MiB, KiB from 1 MiB up to the first hole */
	u32 boot_device;
	u32 command_line;
};

u32 memory_pages;
char command_line[512];

/* Loaders put the kernel's file name first; it is no option, and its length must not move anything. */
static const char *skip_word(const char *text)
{
	while (*text != '\0' && *text != ' ')
		text++;
	while (*text == ' ')
		text++;
	return text;
}

void bootinfo_init(u32 magic, u32 physical)
{
	const struct multiboot_info *info = phys_to_virt(physical);

	if (magic != LOADED_BY_MULTIBOOT)
		panic("not started by a multiboot loader (EAX %08x)", magic);
	if (physical >= EARLY_MAP_SIZE - PAGE_SIZE || !(info->flags & INFO_MEMORY))
		panic("the boot loader does not tell the memory size");
	memory_pages = (info->memory_upper + 1024) / (PAGE_SIZE / 1024);
	if ((info->flags & INFO_COMMAND_LINE) && info->command_line < EARLY_MAP_SIZE - PAGE_SIZE)
		copy_text(command_line, skip_word(phys_to_virt(info->command_line)), sizeof command_line);
}

/* Start of the words for /init, or the end of the line. */
static const char *separator(void)
{
	const char *word = command_line;

	while (*word != '\0' && !(strncmp(word, "--", 2) == 0 && (word[2] == ' ' || word[2] == '\0')))
		word = skip_word(word);
	return word;
}

const char *option(const char *name)
{
	const char *end = separator();
	size_t length = strlen(name);

	for (const char *word = command_line; word < end; word = skip_word(word)) {
		if (strncmp(word, name, length) != 0)
			continue;
		if (word[length] == '=')
			return word + length + 1;
		if (word[length] == ' ' || word[length] == '\0')
			return "";
	}
	return NULL;
}

u32 option_number(const char *name, u32 otherwise)
{
	const char *text = option(name);
	u32 number = 0;

	if (text == NULL || *text < '0' || *text > '9')
		return otherwise;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (u32)(*text - '0');
	return number;
}

const char *init_words(void)
{
	return skip_word(separator());
}
