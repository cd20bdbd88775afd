/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A load for a Linux that checks itself. Each kind of work has a number as its seed, and returns a number that depends on
 * nothing else: not on the machine, the kernel or the time. What goes wrong is said, and ends the program.
 * main.c: /init, and who does what; work.c: processes, memory, signals, floating point, pipes, time; io.c: files, network.
 */
#ifndef SOAK_H
#define SOAK_H

#include <stdint.h>
#include <sys/types.h>

#define SOAK_FAILED 99
#define SOAK_WORDS 16384 /* in a block */
#define SOAK_DISK "/disk"
#define SOAK_RAW "/dev/raw1"
#define SOAK_HOST "10.0.2.2"

typedef uint32_t u32;
typedef u32 work(u32 seed);

/* main.c */
_Noreturn void fail(const char *format, ...);
pid_t start(void);     /* fork that succeeds */
int ended(pid_t pid);  /* its status, which is none of ours that failed */
extern int host_port;

static inline u32 next(u32 *seed) { return *seed = *seed * 1664525u + 1013904223u; }
static inline u32 mix(u32 hash, u32 value) { return (hash ^ value) * 16777619u + (hash >> 15); }

static inline void fill_block(u32 *block, u32 seed)
{
    for (u32 i = 0; i < SOAK_WORDS; i++)
        block[i] = next(&seed);
}

/* work.c */
work tree, maps, tables, signals, floats, pipes, timers;

/* io.c */
work memory_files, disk_files, raw_disk, network;
void read_whole(int file, void *to, u32 count);
void write_whole(int file, const void *from, u32 count);

#endif
