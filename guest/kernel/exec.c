/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Programs: static ELF32 files inside the kernel image, mapped page by page on demand; argument and environment
 * strings, auxiliary vector and stack as Linux lays them out. The first process. Areas: areas.c.
 */
#include "memory.h"
#include "process.h"

#define STACK_PAGES 256
#define MAX_STRINGS 32
#define PT_LOAD 1

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version, entry, phoff, shoff, flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	u32 type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

/* One page that carries strings from the old address space to the new one. */
struct strings {
	u32 argc, envc, used;
	u16 offsets[2 * MAX_STRINGS];
	char text[PAGE_SIZE - 12 - 4 * MAX_STRINGS];
};

_Static_assert(sizeof(struct strings) == PAGE_SIZE, "strings are one frame");

const struct program *program_find(const char *path)
{
	for (u32 i = 0; i < initfs_count; i++)
		if (strcmp(initfs[i].name, path) == 0)
			return &initfs[i];
	return NULL;
}

static int add_segment(struct space *space, const struct program *program, const struct elf_segment *segment)
{
	u32 size = (u32)(program->end - program->start), skew = segment->vaddr % PAGE_SIZE;
	struct area area = {
		.start = segment->vaddr - skew,
		.end = ALIGN_UP(segment->vaddr + segment->memsz, PAGE_SIZE),
		.protection = ((segment->flags & 4) ? AREA_READ : 0) | ((segment->flags & 2) ? AREA_WRITE : 0) |
			      ((segment->flags & 1) ? AREA_EXEC : 0),
		.file = program->start + segment->offset - skew,
		.file_length = segment->filesz + skew,
	};

	if (segment->offset > size || segment->filesz > size - segment->offset || segment->offset < skew ||
	    segment->filesz > segment->memsz || area.start < USER_BASE || area.end <= area.start ||
	    area.end > STACK_TOP - STACK_PAGES * PAGE_SIZE || (space->count > 0 &&
	    area.start < space->areas[space->count - 1].end))
		return -ENOEXEC;
	return area_add(space, area);
}

static int load_program(struct space *space, const struct program *program)
{
	const struct elf_header *header = (const void *)program->start;
	u32 size = (u32)(program->end - program->start);
	int error = 0;

	if (size < sizeof *header || memcmp(header->ident, "\177ELF\1\1", 6) != 0 || header->type != 2 ||
	    header->machine != 3 || header->phentsize != sizeof(struct elf_segment) || header->phnum > 16 ||
	    header->phoff > size || size - header->phoff < header->phnum * sizeof(struct elf_segment))
		return -ENOEXEC;
	for (u32 i = 0; i < header->phnum && error == 0; i++) {
		const struct elf_segment *segment = (const struct elf_segment *)(program->start + header->phoff) + i;

		if (segment->type == PT_LOAD && segment->memsz > 0)
			error = add_segment(space, program, segment);
	}
	if (error == 0)
		error = area_add(space, (struct area){ .start = STACK_TOP - STACK_PAGES * PAGE_SIZE, .end = STACK_TOP,
						       .protection = AREA_READ | AREA_WRITE });
	if (error == 0)
		error = area_add(space, (struct area){ .start = VSYSCALL_VA, .end = VSYSCALL_VA + PAGE_SIZE,
						       .protection = AREA_READ | AREA_EXEC });
	return error;
}

static int add_string(struct strings *strings, u32 from, const char *text)
{
	u32 room = sizeof strings->text - strings->used;
	char *to = strings->text + strings->used;
	int length;

	if (strings->argc + strings->envc == 2 * MAX_STRINGS || room == 0)
		return -E2BIG;
	if (text != NULL)
		length = (int)format_text(to, room, "%s", text);
	else
		length = copy_text_in(to, from, room);
	if (length < 0)
		return length == -EFAULT ? -EFAULT : -E2BIG;
	strings->offsets[strings->argc + strings->envc] = (u16)strings->used;
	strings->used += (u32)length + 1;
	return 0;
}

static int add_vector(struct strings *strings, u32 vector, u32 *count)
{
	u32 pointer;
	int error;

	for (; vector != 0; vector += 4) {
		error = copy_in(&pointer, vector, 4);
		if (error != 0 || pointer == 0)
			return error;
		error = add_string(strings, pointer, NULL);
		if (error != 0)
			return error;
		++*count;
	}
	return 0;
}

/* Where the program headers lie in memory: within the segment that maps the start of the file. */
static u32 headers_address(const struct program *program)
{
	const struct elf_header *header = (const void *)program->start;
	const struct elf_segment *segment = (const struct elf_segment *)(program->start + header->phoff);

	for (u32 i = 0; i < header->phnum; i++, segment++)
		if (segment->type == PT_LOAD && segment->offset == 0)
			return segment->vaddr + header->phoff;
	return 0;
}

/* The words above the strings' addresses: argc, argv, envp, auxv. Runs in the new address space. */
static int build_stack(const struct program *program, const struct strings *strings, u32 *esp)
{
	const struct elf_header *header = (const void *)program->start;
	u32 base = STACK_TOP - ALIGN_UP(strings->used, 16), phdr = headers_address(program);
	u32 sysinfo = VSYSCALL_VA + (features.sep ? 0 : VSYSCALL_INT80);
	const u32 auxv[] = { AT_SYSINFO, sysinfo, AT_PAGESZ, PAGE_SIZE, AT_PHDR, phdr, AT_PHENT, header->phentsize,
			     AT_PHNUM, header->phnum, AT_ENTRY, header->entry, AT_UID, 0, AT_EUID, 0, AT_GID, 0,
			     AT_EGID, 0, AT_NULL, 0 };
	u32 words[3 + 2 * MAX_STRINGS + ARRAY_SIZE(auxv)], count = 0;

	words[count++] = strings->argc;
	for (u32 i = 0; i < strings->argc + strings->envc; i++) {
		if (i == strings->argc)
			words[count++] = 0;
		words[count++] = base + strings->offsets[i];
	}
	words[count++] = 0;
	if (strings->envc == 0)
		words[count++] = 0;
	memcpy(&words[count], auxv, sizeof auxv);
	count += ARRAY_SIZE(auxv);
	*esp = ALIGN_DOWN(base - count * 4, 16);
	if (copy_out(base, strings->text, strings->used) != 0)
		return -EFAULT;
	return copy_out(*esp, words, count * 4);
}

static void reset_process(struct process *process)
{
	for (u32 i = 0; i < SIGNALS; i++)
		if (process->actions[i].handler != SIG_IGN)
			process->actions[i] = (struct rt_action){ 0 };
	memset(process->tls, 0, sizeof process->tls);
	fpu_forget(process);
}

/* Replaces the running process's program; from here on there is no way back but death. */
static int enter_program(struct regs *regs, const struct program *program, struct space *space,
			 const struct strings *strings)
{
	struct process *process = current();
	struct space *old = process->space;
	u32 flags = irq_save(), esp = 0;
	int error;

	space_load(space, old);
	process->space = space;
	irq_restore_flags(flags);
	if (old != NULL)
		space_destroy(old);
	reset_process(process);
	asm volatile("movl %0, %%gs" ::"r"(0));
	error = build_stack(program, strings, &esp);
	*regs = (struct regs){ .ds = USER_DS, .es = USER_DS, .vector = VECTOR_SYSCALL, .cs = USER_CS, .ss = USER_DS,
			       .eflags = EFLAGS_IF | EFLAGS_FIXED, .esp = esp,
			       .eip = ((const struct elf_header *)program->start)->entry };
	return error;
}

static int exec_strings(struct regs *regs, const char *path, struct strings *strings)
{
	const struct program *program = program_find(path);
	struct space *space;
	int error;

	if (program == NULL)
		return -ENOENT;
	space = space_create();
	if (space == NULL)
		return -ENOMEM;
	error = load_program(space, program);
	if (error != 0) {
		space_destroy(space);
		return error;
	}
	if (enter_program(regs, program, space, strings) != 0)
		process_exit(SIGKILL);
	return 0;
}

long process_exec(struct regs *regs, const char *path, u32 argv, u32 envp)
{
	u32 pfn = frame_alloc(FRAME_KERNEL);
	struct strings *strings = frame_address(pfn);
	int error;

	if (pfn == 0)
		return -ENOMEM;
	strings->argc = strings->envc = strings->used = 0;
	error = add_vector(strings, argv, &strings->argc);
	if (error == 0)
		error = add_vector(strings, envp, &strings->envc);
	if (error == 0)
		error = exec_strings(regs, path, strings);
	frame_put(pfn);
	return error;
}

static void add_init_words(struct strings *strings, const char *path)
{
	const char *words = init_words();
	char text[sizeof command_line + 8];

	add_string(strings, 0, path);
	strings->argc++;
	while (*words != '\0') {
		u32 length = 0;

		while (words[length] != ' ' && words[length] != '\0')
			length++;
		copy_text(text, words, length + 1);
		if (add_string(strings, 0, text) == 0)
			strings->argc++;
		for (words += length; *words == ' ';)
			words++;
	}
	format_text(text, sizeof text, "CMDLINE=%s", command_line);
	if (add_string(strings, 0, text) == 0)
		strings->envc++;
}

/* The boot CPU's idle process lends itself: pid 1's stack and tables are made as if it ran, then it is started. */
void start_init(void)
{
	static struct strings strings;
	struct process *idle = current(), *init = process_create(NULL);
	int error;

	add_init_words(&strings, "/init");
	for (u32 i = 0; i < 3; i++)
		init->files[i].kind = FILE_CONSOLE;
	idle->space = NULL;
	error = exec_strings(user_regs(init), "/init", &strings);
	if (error != 0)
		panic("cannot start /init (error %d)", -error);
	init->space = idle->space;
	space_load(NULL, init->space);
	idle->space = NULL;
	process_start(init);
}
