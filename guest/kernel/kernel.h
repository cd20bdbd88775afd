/* SPDX-FileCopyrightText: 2026 The openvmi authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What every file of the kernel may use: strings, printing, the result channel, panic, spin locks. Included first.
 */
#ifndef OPENVMI_KERNEL_H
#define OPENVMI_KERNEL_H

#include "layout.h"
#include "paravirt.h"
#include "types.h"

/* ---- string.c, format.c ---- */
void *memcpy(void *to, const void *from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t length);
/** Copies at most size - 1 characters and always ends the text. */
void copy_text(char *to, const char *from, size_t size);
/** printf's %s %c %d %u %x %X %p %%, with 0, width, l and ll; returns the length, cut to size - 1. */
size_t format(char *to, size_t size, const char *text, __builtin_va_list args);
size_t format_text(char *to, size_t size, const char *text, ...) __attribute__((format(printf, 3, 4)));

/* ---- console.c ---- */
void console_init(void);
/** Console (COM1). */
void print(const char *text, ...) __attribute__((format(printf, 1, 2)));
void console_write(const char *text, size_t length);
/** One line on the result channel (COM2), without its line end, at most 1000 characters. */
void result(const char *text, ...) __attribute__((format(printf, 1, 2)));
/** Bytes for the result channel, in one piece even if several CPUs write. */
void result_write(const char *text, size_t length);

/* ---- panic.c ---- */
struct regs;
NORETURN void panic(const char *text, ...) __attribute__((format(printf, 1, 2)));
NORETURN void panic_regs(const struct regs *regs, const char *text, ...) __attribute__((format(printf, 2, 3)));
NORETURN void power_off(void);
NORETURN void restart(void);

/* ---- bootinfo.c ---- */
/** Reads what the boot loader left, before its memory is reused. */
void bootinfo_init(u32 magic, u32 physical);
/** Page frames below the end of the memory that starts at 1 MiB. */
extern u32 memory_pages;
extern char command_line[512];
/** Value of `name=value` among the kernel's own words, "" for a bare `name`, NULL if absent. */
const char *option(const char *name);
/** `name=N` as a number, or `otherwise`. */
u32 option_number(const char *name, u32 otherwise);
/** What follows ` -- `: words for /init. */
const char *init_words(void);

/* ---- Spin locks. A holder that can be interrupted by code that takes the same lock uses the _irq form ---- */
struct spinlock {
	volatile u32 locked;
};

ALWAYS_INLINE void cpu_relax(void)
{
	asm volatile("pause" ::: "memory");
}

/** smp.c: returns with a lock that another CPU had. */
void spin_wait(struct spinlock *lock);

ALWAYS_INLINE void spin_lock(struct spinlock *lock)
{
	if (__builtin_expect(__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE), 0))
		spin_wait(lock);
}

ALWAYS_INLINE void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

ALWAYS_INLINE u32 spin_lock_irq(struct spinlock *lock)
{
	u32 flags = irq_save();

	spin_lock(lock);
	return flags;
}

ALWAYS_INLINE void spin_unlock_irq(struct spinlock *lock, u32 flags)
{
	spin_unlock(lock);
	irq_restore_flags(flags);
}

/* For the loops over page-table entries: a function of their own has the registers to itself, with the layer or not. */
#define NOINLINE __attribute__((noinline))

#define ALIGN_DOWN(value, step) ((value) & ~((step) - 1))
#define ALIGN_UP(value, step) ALIGN_DOWN((value) + (step) - 1, step)

ALWAYS_INLINE u32 min_u32(u32 a, u32 b)
{
	return a < b ? a : b;
}

ALWAYS_INLINE u32 max_u32(u32 a, u32 b)
{
	return a > b ? a : b;
}

#endif
