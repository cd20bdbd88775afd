/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The first process of a machine that does nothing but this: mounts what is there, has all kinds of work done at once, as
 * often as `soak=UNITS,PORT` on the kernel's command line says, tells what came of each, and switches the machine off.
 */
#include "soak.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *name;
    work *work;
} kinds[] = {
    { "tree", tree },       { "maps", maps },       { "tables", tables }, { "signals", signals },
    { "floats", floats },   { "pipes", pipes },     { "timers", timers }, { "memory-files", memory_files },
    { "files", disk_files }, { "raw-disk", raw_disk }, { "network", network },
};
#define KINDS (sizeof kinds / sizeof *kinds)

int host_port;

void fail(const char *format, ...)
{
    char text[300];
    va_list list;
    int length = snprintf(text, 100, "FAIL process %d: ", getpid());

    va_start(list, format);
    length += vsnprintf(text + length, 190, format, list);
    va_end(list);
    text[length++] = '\n';
    write(1, text, (size_t)length);
    _exit(SOAK_FAILED);
}

pid_t start(void)
{
    pid_t pid = fork();

    if (pid < 0)
        fail("fork: %s", strerror(errno));
    return pid;
}

int ended(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR)
            fail("waitpid: %s", strerror(errno));
    if (!WIFEXITED(status))
        fail("a process died of signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == SOAK_FAILED)
        _exit(SOAK_FAILED);
    return WEXITSTATUS(status);
}

/* All kinds at once. -> what came of them. */
static u32 unit(u32 number)
{
    int pipes_of[KINDS][2];
    pid_t pids[KINDS];
    u32 hash = 0;

    for (u32 k = 0; k < KINDS; k++) {
        if (pipe(pipes_of[k]))
            fail("pipe: %s", strerror(errno));
        pids[k] = start();
        if (!pids[k]) {
            u32 value = kinds[k].work(number * 1000003u + k);
            write_whole(pipes_of[k][1], &value, sizeof value);
            _exit(0);
        }
    }
    printf("unit %u:", number);
    for (u32 k = 0; k < KINDS; k++) {
        u32 value;
        ended(pids[k]);
        read_whole(pipes_of[k][0], &value, sizeof value);
        close(pipes_of[k][0]);
        close(pipes_of[k][1]);
        printf(" %s %08x", kinds[k].name, value);
        hash = mix(hash, value);
    }
    printf("\n");
    return hash;
}

static void network_up(void)
{
    struct ifreq request = { .ifr_name = "eth0" };
    struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
    int file = socket(AF_INET, SOCK_DGRAM, 0);

    address->sin_family = AF_INET;
    address->sin_addr.s_addr = inet_addr("10.0.2.15");
    if (ioctl(file, SIOCSIFADDR, &request))
        fail("no network card: %s", strerror(errno));
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(file, SIOCSIFFLAGS, &request))
        fail("the network card is not up: %s", strerror(errno));
    close(file);
}

/* The device's number, as the kernel tells it. */
static void disk_node(const char *name, const char *node)
{
    unsigned int major, minor;
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/sys/block/%s/dev", name);
    file = fopen(path, "r");
    if (!file || fscanf(file, "%u:%u", &major, &minor) != 2)
        fail("no disk %s", name);
    fclose(file);
    mknod(node, S_IFBLK | 0600, makedev(major, minor));
}

static void set_up(u32 *units)
{
    char line[512], *words;
    FILE *file;

    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/tmp", 0755);
    mkdir(SOAK_DISK, 0755);
    mount("proc", "/proc", "proc", 0, 0);
    mount("sys", "/sys", "sysfs", 0, 0);
    if (mount("tmp", "/tmp", "tmpfs", 0, 0))
        fail("tmpfs: %s", strerror(errno));
    file = fopen("/proc/cmdline", "r");
    if (!file || !fgets(line, sizeof line, file) || !(words = strstr(line, "soak=")) ||
        sscanf(words, "soak=%u,%d", units, &host_port) != 2)
        fail("no soak=UNITS,PORT on the command line");
    fclose(file);
    disk_node("vda", "/dev/disk1");
    disk_node("vdb", SOAK_RAW);
    if (mount("/dev/disk1", SOAK_DISK, "ext2", 0, 0))
        fail("ext2: %s", strerror(errno));
    network_up();
}

static void soak(void)
{
    u32 units, hash = 0;

    set_up(&units);
    for (u32 i = 0; i < units; i++)
        hash = mix(hash, unit(i));
    if (umount(SOAK_DISK))
        fail("umount: %s", strerror(errno));
    printf("SOAKED %u units, %08x\n", units, hash);
    exit(0);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    if (argc == 2 && getpid() != 1)
        return atoi(argv[1]) % 61; /* a leaf of a tree */
    pid_t pid = fork();
    if (!pid)
        soak();
    while (waitpid(-1, 0, 0) != pid)
        ;
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}
