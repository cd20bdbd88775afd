/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Work for processor and memory: trees of processes, mappings, many page tables, signals, floating point, pipes and timers.
 */
#include "soak.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PAGE_WORDS 1024u
#define READ_WRITE (PROT_READ | PROT_WRITE)

static u32 grow(u32 seed, int depth)
{
    u32 hash = seed;

    for (u32 i = 0; i < 3; i++) {
        pid_t pid = start();
        if (!pid && depth > 0)
            _exit((int)(grow(seed * 3 + i, depth - 1) & 63));
        if (!pid) {
            char word[16];
            snprintf(word, sizeof word, "%u", (seed * 7 + i) & 0xffff);
            execl("/init", "init", word, (char *)0);
            fail("exec: %s", strerror(errno));
        }
        hash = mix(hash, (u32)ended(pid));
    }
    return hash;
}

u32 tree(u32 seed) { return grow(seed, 2); }

static void *mapped(void *at, u32 bytes, int fixed)
{
    void *place = mmap(at, bytes, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);

    if (place == MAP_FAILED)
        fail("mmap: %s", strerror(errno));
    return place;
}

static sigjmp_buf back;
static volatile u32 faults;

static void on_fault(int number)
{
    (void)number;
    faults++;
    siglongjmp(back, 1);
}

static void must_fault(volatile u32 *at, int write)
{
    u32 before = faults;

    if (!sigsetjmp(back, 1)) {
        if (write)
            *at = 1;
        else
            (void)*at;
        fail("no fault");
    }
    if (faults != before + 1)
        fail("%u faults for one", faults - before);
}

/* A process of its own writes to all of the pages: the parent's stay as they are. */
static void copy_on_write(u32 *at, u32 pages)
{
    pid_t pid = start();

    if (!pid) {
        if (mprotect(at, pages << 12, READ_WRITE))
            fail("mprotect: %s", strerror(errno));
        for (u32 i = 0; i < pages; i++)
            at[i * PAGE_WORDS + (i & 1023)] ^= 0xffffffff;
        _exit(0);
    }
    ended(pid);
}

static u32 map_once(u32 seed)
{
    u32 hash = 0, pages = 64 + next(&seed) % 400, *at = mapped(0, pages << 12, 0);
    u32 from = next(&seed) % (pages / 2), many = 1 + next(&seed) % (pages / 2);

    for (u32 i = 0; i < pages; i++) {
        if (at[i * PAGE_WORDS])
            fail("a new page is not zero");
        at[i * PAGE_WORDS + (i & 1023)] = seed + i;
    }
    if (mprotect(at + from * PAGE_WORDS, many << 12, PROT_READ))
        fail("mprotect: %s", strerror(errno));
    for (u32 i = from; i < from + many; i += 7)
        must_fault(at + i * PAGE_WORDS, 1);
    copy_on_write(at, pages);
    if (mprotect(at, pages << 12, READ_WRITE) || munmap(at + from * PAGE_WORDS, many << 12))
        fail("mprotect, munmap: %s", strerror(errno));
    for (u32 i = 0; i < pages; i++) {
        if (i < from || i >= from + many)
            hash = mix(hash, at[i * PAGE_WORDS + (i & 1023)]);
        else if (i % 16 == 0)
            must_fault(at + i * PAGE_WORDS, 0);
    }
    munmap(at, pages << 12);
    return hash;
}

u32 maps(u32 seed)
{
    struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
    u32 hash = 0;

    sigaction(SIGSEGV, &action, 0);
    for (u32 i = 0; i < 12; i++)
        hash = mix(hash, map_once(seed * 31 + i));
    return mix(hash, faults);
}

/* A page in each of many page tables, in each of some processes at once. */
#define TABLES 80u
#define TABLES_PROCESSES 12u
#define TABLES_PAGE(i) ((u32 *)(0x10000000u + (i) * 0x200000u))

static void visit_tables(u32 seed)
{
    for (u32 i = 0; i < TABLES; i++)
        ((u32 *)mapped(TABLES_PAGE(i), 4096, MAP_FIXED))[i] = seed + i;
    for (u32 round = 0; round < 3; round++) {
        for (u32 i = 0; i < TABLES; i++)
            if (TABLES_PAGE(i)[i]++ != seed + i + round)
                fail("page %u is another", i);
        sched_yield();
    }
}

u32 tables(u32 seed)
{
    pid_t pids[TABLES_PROCESSES];
    u32 hash = seed;

    for (u32 p = 0; p < TABLES_PROCESSES; p++) {
        pids[p] = start();
        if (!pids[p]) {
            visit_tables(seed * 100003u + p);
            _exit((int)p);
        }
    }
    for (u32 p = 0; p < TABLES_PROCESSES; p++)
        hash = mix(hash, (u32)ended(pids[p]));
    return hash;
}

#define QUEUED 300
static volatile u32 taken, sum;

static void on_plain(int number)
{
    (void)number;
    taken++;
}

static void on_queued(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    sum += (u32)info->si_value.sival_int;
    taken++;
}

/* Sends numbers, and waits for an answer to each. */
static void send_signals(pid_t to, const sigset_t *open)
{
    for (int i = 0; i < QUEUED; i++) {
        union sigval value = { .sival_int = i };
        u32 before = taken;
        while (sigqueue(to, SIGRTMIN, value))
            sched_yield();
        while (taken == before)
            sigsuspend(open);
    }
    _exit(0);
}

u32 signals(u32 seed)
{
    struct sigaction plain = { .sa_handler = on_plain }, queued = { .sa_sigaction = on_queued, .sa_flags = SA_SIGINFO };
    sigset_t shut, open;
    pid_t self = getpid(), pid;

    taken = sum = 0;
    sigaction(SIGUSR1, &plain, 0);
    sigaction(SIGRTMIN, &queued, 0);
    for (u32 i = 0; i < 1500; i++) {
        kill(self, SIGUSR1);
        if (taken != i + 1)
            fail("signal %u was not taken", i);
    }
    sigemptyset(&shut);
    sigaddset(&shut, SIGUSR1);
    sigaddset(&shut, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &shut, &open);
    pid = start();
    if (!pid)
        send_signals(self, &open);
    for (u32 i = 0; i < QUEUED; i++) {
        u32 before = taken;
        while (taken == before)
            sigsuspend(&open);
        kill(pid, SIGUSR1);
    }
    ended(pid);
    sigprocmask(SIG_SETMASK, &open, 0);
    return mix(mix(seed, taken), sum);
}

/* What is in registers while others run, and signal handlers that calculate, too. */
static void hold_registers(u32 pattern)
{
    static u32 in[4] __attribute__((aligned(16))), out[4] __attribute__((aligned(16)));
    double pushed = pattern, popped = 0;

    for (u32 i = 0; i < 4; i++)
        in[i] = pattern * 31 + i;
    for (int i = 0; i < 40; i++) {
        asm volatile("fldl %2\n\tmovaps %1, %%xmm7\n\t"
                     "movl $158, %%eax\n\tint $0x80\n\tmovl $158, %%eax\n\tint $0x80\n\t" /* sched_yield */
                     "movaps %%xmm7, %0\n\tfstpl %3"
                     : "=m"(out), "+m"(in), "+m"(pushed), "=m"(popped)::"eax", "xmm7", "memory");
        if (memcmp(in, out, sizeof in))
            fail("XMM7 is another's");
        if (popped != pushed)
            fail("ST(0) is another's");
    }
}

static void on_calculate(int number)
{
    volatile double x = number;
    volatile long double y = number;

    x = x / 7.0 * x;
    y = y / 3.0L + y;
}

static u32 calculate(u32 seed)
{
    struct sigaction action = { .sa_handler = on_calculate, .sa_flags = SA_RESTART };
    struct itimerval timer = { { 0, 10000 }, { 0, 10000 } };
    double c = seed % 1000 + 1;
    long double d = c;
    u32 words[4] = { 0, 0, 0, 0 }, hash = 0;

    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &timer, 0);
    for (u32 i = 0; i < 60000; i++) {
        c = c * 1.0000001 + 1.0 / (c + i);
        d = d * 1.0000001L + 1.0L / (d + i);
        if (i % 3000 == 0)
            hold_registers(seed + i);
    }
    double narrow = (double)d;
    memcpy(words, &c, sizeof c);
    memcpy(words + 2, &narrow, sizeof narrow);
    for (u32 i = 0; i < 4; i++)
        hash = mix(hash, words[i]);
    return hash;
}

u32 floats(u32 seed)
{
    pid_t pids[3];
    u32 hash = 0;

    for (u32 k = 0; k < 3; k++) {
        pids[k] = start();
        if (!pids[k])
            _exit((int)(calculate(seed + k) & 63));
    }
    for (u32 k = 0; k < 3; k++)
        hash = mix(hash, (u32)ended(pids[k]));
    return hash;
}

#define STATIONS 5
#define LAPS 300

static void pass_on(int from, int to, u32 number)
{
    for (int lap = 0; lap < LAPS; lap++) {
        u32 token;
        read_whole(from, &token, sizeof token);
        token = mix(token, number);
        write_whole(to, &token, sizeof token);
    }
    _exit(0);
}

/* More than a pipe holds, at once. */
static void stream(const int ways[2], u32 seed)
{
    static u32 sent[SOAK_WORDS], got[SOAK_WORDS];
    pid_t pid = start();

    for (u32 i = 0; i < 32; i++) {
        fill_block(sent, seed + i);
        if (!pid)
            write_whole(ways[1], sent, sizeof sent);
        else
            read_whole(ways[0], got, sizeof got);
        if (pid && memcmp(sent, got, sizeof sent))
            fail("block %u out of a pipe is another", i);
    }
    if (!pid)
        _exit(0);
    ended(pid);
}

u32 pipes(u32 seed)
{
    int ways[STATIONS + 1][2];
    pid_t pids[STATIONS];
    u32 token = seed;

    for (u32 i = 0; i <= STATIONS; i++)
        if (pipe(ways[i]))
            fail("pipe: %s", strerror(errno));
    for (u32 i = 0; i < STATIONS; i++) {
        pids[i] = start();
        if (!pids[i])
            pass_on(ways[i][0], ways[i + 1][1], i);
    }
    for (u32 lap = 0; lap < LAPS; lap++) {
        write_whole(ways[0][1], &token, sizeof token);
        read_whole(ways[STATIONS][0], &token, sizeof token);
    }
    for (u32 i = 0; i < STATIONS; i++)
        ended(pids[i]);
    stream(ways[0], seed);
    return token;
}

static long milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

u32 timers(u32 seed)
{
    struct sigaction action = { .sa_handler = on_plain };
    struct itimerval every = { { 0, 20000 }, { 0, 20000 } }, none = { { 0, 0 }, { 0, 0 } };
    struct timespec nap = { 0, 30000000 };
    struct timeval last = { 0, 0 }, now;
    long before = milliseconds();

    taken = 0;
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &every, 0);
    while (taken < 20)
        pause();
    setitimer(ITIMER_REAL, &none, 0);
    if (milliseconds() - before < 370)
        fail("20 alarms of 20 ms came in %ld ms", milliseconds() - before);
    for (int i = 0; i < 5; i++) {
        before = milliseconds();
        while (nanosleep(&nap, 0))
            ;
        if (milliseconds() - before < 29)
            fail("30 ms were %ld", milliseconds() - before);
    }
    for (int i = 0; i < 20000; i++, last = now) {
        gettimeofday(&now, 0);
        if (now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_usec < last.tv_usec))
            fail("the time went back");
    }
    return mix(seed, 25);
}
