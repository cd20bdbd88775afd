/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Work with devices: files in memory and on a disk, written, dropped from the caches and read back; a disk without a file
 * system, whose contents the host compares at the end; and a host that answers each byte with the next one.
 */
#include "soak.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (SOAK_WORDS * sizeof(u32))
#define RAW_BLOCKS 512u
#define RAW_WRITES 24

static u32 block[SOAK_WORDS], got[SOAK_WORDS];

void read_whole(int file, void *to, u32 count)
{
    for (u32 done = 0; done < count;) {
        ssize_t part = read(file, (char *)to + done, count - done);
        if (part > 0)
            done += (u32)part;
        else if (!part || errno != EINTR)
            fail("read: %s", part ? strerror(errno) : "end");
    }
}

void write_whole(int file, const void *from, u32 count)
{
    for (u32 done = 0; done < count;) {
        ssize_t part = write(file, (const char *)from + done, count - done);
        if (part > 0)
            done += (u32)part;
        else if (errno != EINTR)
            fail("write: %s", strerror(errno));
    }
}

static int opened(const char *name, int flags)
{
    int file = open(name, flags, 0600);

    if (file < 0)
        fail("%s: %s", name, strerror(errno));
    return file;
}

static void drop_caches(void)
{
    int file = opened("/proc/sys/vm/drop_caches", O_WRONLY);

    write_whole(file, "3\n", 2);
    close(file);
}

/* Change a word of each block through a mapping, and see it in the file. */
static u32 through_mapping(int file, u32 blocks)
{
    u32 hash = 0, *at = mmap(0, blocks * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

    if (at == MAP_FAILED)
        fail("mmap of a file: %s", strerror(errno));
    for (u32 i = 0; i < blocks; i++)
        at[i * SOAK_WORDS + i]++;
    if (msync(at, blocks * BLOCK, MS_SYNC))
        fail("msync: %s", strerror(errno));
    munmap(at, blocks * BLOCK);
    for (u32 i = 0; i < blocks; i++) {
        u32 word;
        if (pread(file, &word, sizeof word, (off_t)(i * BLOCK + i * sizeof word)) != sizeof word)
            fail("pread: %s", strerror(errno));
        hash = mix(hash, word);
    }
    return hash;
}

static u32 files(u32 seed, const char *folder, u32 blocks)
{
    char first[64], second[64];
    struct stat about;
    u32 hash = 0;

    snprintf(first, sizeof first, "%s/soak.%u", folder, seed);
    snprintf(second, sizeof second, "%s/soaked.%u", folder, seed);
    int file = opened(first, O_RDWR | O_CREAT | O_TRUNC);
    for (u32 i = 0; i < blocks; i++) {
        fill_block(block, seed + i);
        write_whole(file, block, BLOCK);
    }
    fsync(file);
    close(file);
    if (rename(first, second))
        fail("rename: %s", strerror(errno));
    drop_caches();
    file = opened(second, O_RDWR);
    for (u32 i = 0; i < blocks; i++) {
        read_whole(file, got, BLOCK);
        fill_block(block, seed + i);
        if (memcmp(got, block, BLOCK))
            fail("%s: block %u is another", second, i);
        hash = mix(hash, got[i]);
    }
    hash = mix(hash, through_mapping(file, blocks));
    if (ftruncate(file, BLOCK) || fstat(file, &about))
        fail("ftruncate: %s", strerror(errno));
    close(file);
    if (unlink(second))
        fail("unlink: %s", strerror(errno));
    return mix(hash, (u32)about.st_size);
}

u32 memory_files(u32 seed) { return files(seed, "/tmp", 24); }
u32 disk_files(u32 seed) { return files(seed, SOAK_DISK, 48); }

u32 raw_disk(u32 seed)
{
    u32 hash = 0, places[RAW_WRITES], dice = seed;
    int file = opened(SOAK_RAW, O_RDWR);

    for (u32 i = 0; i < RAW_WRITES; i++) {
        places[i] = next(&dice) / 7 % RAW_BLOCKS;
        fill_block(block, places[i] * 77 + seed);
        if (pwrite(file, block, BLOCK, (off_t)(places[i] * BLOCK)) != BLOCK)
            fail("pwrite: %s", strerror(errno));
    }
    fsync(file);
    drop_caches();
    for (u32 i = 0; i < RAW_WRITES; i++) {
        if (pread(file, got, BLOCK, (off_t)(places[i] * BLOCK)) != BLOCK)
            fail("pread: %s", strerror(errno));
        fill_block(block, places[i] * 77 + seed);
        if (memcmp(got, block, BLOCK))
            fail("block %u of the disk is another", places[i]);
        hash = mix(hash, got[i]);
    }
    close(file);
    return hash;
}

u32 network(u32 seed)
{
    static unsigned char out[65536], in[65536];
    struct sockaddr_in host = { .sin_family = AF_INET, .sin_port = htons((uint16_t)host_port) };
    u32 hash = 0;

    host.sin_addr.s_addr = inet_addr(SOAK_HOST);
    for (int round = 0; round < 3; round++) {
        int file = socket(AF_INET, SOCK_STREAM, 0);
        if (file < 0 || connect(file, (struct sockaddr *)&host, sizeof host))
            fail("connect: %s", strerror(errno));
        for (int i = 0; i < 4; i++) {
            u32 count = 4 + next(&seed) / 5 % (sizeof out - 4);
            memcpy(out, &count, 4);
            for (u32 k = 4; k < count; k++)
                out[k] = (unsigned char)(next(&seed) >> 21);
            write_whole(file, out, count);
            read_whole(file, in, count - 4);
            for (u32 k = 4; k < count; k++)
                if (in[k - 4] != (unsigned char)(out[k] + 1))
                    fail("byte %u of %u from the host is another", k, count);
            hash = mix(hash, count);
        }
        close(file);
    }
    return hash;
}
